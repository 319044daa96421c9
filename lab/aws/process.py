"""A local AWS in a process of its own, which ends with the one that wanted it.

It ends when its standard input does: however the kernel that started it comes to its end, the
system closes that. Beside the learner's progress lies a note that says which process it is, so that
who opens the chapter again can wait until all of the earlier one is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from lab.aws.environment import without_aws
from lab.errors import LabError
from lab.state import state_directory

if TYPE_CHECKING:
    from lab.naming import Naming

__all__ = ["AwsProcess", "end", "end_all", "leave_note", "remove_note", "running"]

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 60
# For what runs in it: each container is removed by force.
END_SECONDS: Final = 60
POLL_SECONDS: Final = 0.05
TAIL_LINES: Final = 5


class AwsProcess:
    """A local AWS that lives until ``close``, or until this process ends.

    Args:
        naming: Whose names and labels get its containers.

    Attributes:
        endpoint: Where it answers.
        pid: The number of its process.

    Raises:
        LabError: It does not start; the message says why.

    Example:
        >>> aws = AwsProcess(naming)  # doctest: +SKIP
        >>> aws.endpoint  # doctest: +SKIP
        'http://127.0.0.1:49153'
    """

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._log = _note_of(naming).with_suffix(".log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.aws", json.dumps(asdict(naming))],
                cwd=ROOT,  # where `lab` is found, and no file of the learner's in its stead
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=without_aws(os.environ),
                text=True,
                # JupyterLab interrupts and kills a kernel with its whole group.
                start_new_session=True,
            )
        self.pid = self._process.pid
        leave_note(naming, self.pid)
        try:
            self.endpoint = self._first_word()
        except BaseException:
            self.close()
            raise

    def _first_word(self) -> str:
        assert self._process.stdout is not None  # noqa: S101  # it was asked for
        is_there, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        said = _read(self._process.stdout.readline()) if is_there else {}
        if "endpoint" in said:
            return str(said["endpoint"])
        if "what" in said:
            raise LabError(said["what"], next_step=said["next_step"])
        raise LabError(
            f"The local AWS does not start. {self._last_lines()}",
            next_step="Type `lab doctor` in a terminal: it looks at the engine.",
        )

    def refuse_if_ended(self) -> None:
        """Say so if it has ended by itself, for what it remembered is lost.

        Raises:
            LabError: It has ended.
        """
        if self._process.poll() is not None:
            raise LabError(
                f"The local AWS has ended. {self._last_lines()}",
                next_step="Run the set-up cell (the one with open_lab) again, and begin anew.",
            )

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(["Its last lines:", *lines]) if lines else "It has said nothing."

    def close(self) -> bool:
        """End it, and wait until all that ran in it is gone. Closing twice is no error.

        Returns:
            Whether there was something to remove.
        """
        said = ""
        with contextlib.suppress(ValueError):  # its pipes are closed: it has ended before
            try:
                said, _ = self._process.communicate(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                said, _ = self._process.communicate()
            remove_note(self._naming, self.pid)
        return any(_read(line).get("removed", False) for line in said.splitlines())


def leave_note(naming: Naming, pid: int, endpoint: str = "") -> None:
    """Note which process serves the local AWS of these names, and where."""
    with contextlib.suppress(psutil.NoSuchProcess):
        note = {"pid": pid, "started": psutil.Process(pid).create_time(), "endpoint": endpoint}
        names = {"learner": naming.learner, "chapter": naming.chapter_label}
        _note_of(naming).write_text(json.dumps(note | names))


def remove_note(naming: Naming, pid: int) -> None:
    """Take the note of a process away when it has ended; another's note stays."""
    path = _note_of(naming)
    if (_read_note(path) or {}).get("pid") == pid:
        path.unlink(missing_ok=True)


def running(naming: Naming) -> dict[str, Any] | None:
    """Read the note of the process that serves under these names now, if one does."""
    note = _read_note(_note_of(naming))
    return note if note and _process_of(note) else None


def end(naming: Naming) -> None:
    """End what an earlier kernel, or another one, has left under these names, and wait for it."""
    _end(_note_of(naming))


def end_all(*, learner: str | None, chapter: str | None) -> bool:
    """End all that serve for a learner and a chapter; ``None`` is all of them.

    Returns:
        Whether there was one.
    """
    ended = []
    for path in sorted(_folder().glob("*.json")):
        note = _read_note(path)
        if note and learner in (None, note["learner"]) and chapter in (None, note["chapter"]):
            ended.append(_end(path))
    return any(ended)


def _end(path: Path) -> bool:
    note = _read_note(path) or {}
    process = _process_of(note)
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            deadline = time.monotonic() + END_SECONDS
            # Not psutil's wait: it waits for a child of somebody else until that one has noticed.
            while _process_of(note) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            process.kill()
    path.unlink(missing_ok=True)
    return process is not None


def _process_of(note: dict[str, Any]) -> psutil.Process | None:
    try:
        process = psutil.Process(note["pid"])
        # The system gives a dead process's number to another one some day.
        is_it = process.create_time() == note["started"]
    except (KeyError, psutil.NoSuchProcess):
        return None
    return process if is_it and process.status() != psutil.STATUS_ZOMBIE else None


def _read_note(path: Path) -> dict[str, Any] | None:
    try:
        return _read(path.read_text()) or None
    except FileNotFoundError:
        return None


def _read(text: str) -> dict[str, Any]:
    """Read a line of JSON; what was cut short by a crash says nothing."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _folder() -> Path:
    folder = state_directory() / "aws"
    folder.mkdir(exist_ok=True)
    return folder


def _note_of(naming: Naming) -> Path:
    return _folder() / f"{naming.prefix}{naming.chapter}.json"
