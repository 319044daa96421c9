"""Serves the local AWS of one chapter for the kernel that started it; see ``lab.aws.process``.

It says its endpoint as a line of JSON, or what is wrong, and at its end whether it had anything to
remove.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys

from lab.aws.serving import Serving
from lab.engine import find_engine
from lab.errors import LabError
from lab.naming import Naming


def main() -> None:
    """Serve until standard input ends."""
    # As the end of standard input does, it begins the clean-up.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        serving = Serving(find_engine(), Naming(**json.loads(sys.argv[1])))
    except LabError as error:
        _say(what=error.what, next_step=error.next_step)
        sys.exit(1)
    try:
        _say(endpoint=serving.endpoint)
        sys.stdin.read()
    finally:
        _say(removed=bool(serving.close()))


def _say(**said: str | bool) -> None:
    # Nobody may be there any more to hear it.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
