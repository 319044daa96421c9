"""Serves the local AWS for as long as somebody wants it, and removes what it has made."""

from __future__ import annotations

import dataclasses
import errno
import logging
import resource
import signal
from typing import TYPE_CHECKING, Final

from lab.aws.local import LocalAws
from lab.aws.place import new_id
from lab.cleaning import sweep
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.cleaning import Removed
    from lab.engine import Engine
    from lab.naming import Naming

__all__ = ["Serving"]

OPEN_FILES: Final = 8192


class Serving:
    """A local AWS with an end: all that it makes carries a label of its own, and goes with it.

    Args:
        engine: The container engine.
        naming: Whose names and labels get its containers.
        port: The port of the endpoint; 0 for one that the system chooses.

    Attributes:
        endpoint: Where it answers.

    Raises:
        LabError: The port can't be had.
    """

    def __init__(self, engine: Engine, naming: Naming, *, port: int = 0) -> None:
        self._engine = engine
        self._naming = dataclasses.replace(naming, aws=new_id(8))
        _say_little()
        _open_many_files()
        try:
            self._aws = LocalAws(engine, self._naming, port=port)
        except OSError as error:
            raise _no_port(port, error) from None
        self.endpoint = self._aws.endpoint

    def close(self) -> Removed:
        """Stop to answer, and remove what runs; nothing that ends this process disturbs that."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._aws.close()
        own = self._naming
        return sweep(
            self._engine.client, chapter=own.chapter_label, learner=own.learner, aws=own.aws
        )


def _no_port(port: int, error: OSError) -> LabError:
    why = {
        errno.EADDRINUSE: "is taken by another program",
        errno.EACCES: "is one that only the system's administrator may open",
    }
    return LabError(
        f"Port {port} of 127.0.0.1 {why.get(error.errno or 0, f'can not be had: {error}')}.",
        next_step="Give another one, or leave --port out: then the system chooses a free one.",
    )


def _say_little() -> None:
    """Write only what went wrong, and no line for each request."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)


def _open_many_files() -> None:
    """Allow more than the usual 1,024: each client is an open file, and so is each followed log."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES)
    if usual < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
