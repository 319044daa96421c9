"""Lets one live kernel at a time have a chapter, because two would remove each other's things."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING

import filelock
import psutil

from lab.errors import LabInUseError
from lab.state import state_directory

if TYPE_CHECKING:
    from pathlib import Path

    from lab.naming import Naming

__all__ = ["KernelLock"]


class KernelLock:
    """A note of which process has a learner's chapter; a note of a dead process counts nothing.

    A kernel that was killed leaves its note behind. The note names the process and the
    moment it started, so the next kernel sees that nobody is there any more.

    Args:
        naming: Whose chapter it is.
    """

    def __init__(self, naming: Naming) -> None:
        folder = state_directory() / "locks"
        folder.mkdir(exist_ok=True)
        self._naming = naming
        self._note: Path = folder / f"{naming.prefix}{naming.chapter}.json"
        self._guard = filelock.FileLock(self._note.with_suffix(".guard"), timeout=10)
        self._token = secrets.token_hex(8)

    def acquire(self, *, take_over: bool) -> None:
        """Take the chapter, or say who has it.

        Args:
            take_over: Take it even from a live kernel, which loses it.

        Raises:
            LabInUseError: Another live kernel has it.
        """
        with self._guard:
            holder = self._live_holder()
            if holder is not None and holder != os.getpid() and not take_over:
                kind = "exercises of chapter" if self._naming.exercises else "chapter"
                raise LabInUseError(
                    f"Another notebook of yours has the {kind} {self._naming.chapter} open "
                    f"(process {holder}).",
                    next_step="Shut that kernel down in JupyterLab's 'Running' panel, or take "
                    "over with take_over=True as a further argument of open_lab.",
                )
            me = psutil.Process()
            self._note.write_text(
                json.dumps({"pid": me.pid, "started": me.create_time(), "token": self._token})
            )

    def is_mine(self) -> bool:
        """Tell whether this kernel still has the chapter."""
        note = self._read()
        return note is not None and note.get("token") == self._token

    def release(self) -> None:
        """Give the chapter back, unless another kernel has taken it over."""
        with self._guard:
            if self.is_mine():
                self._note.unlink(missing_ok=True)

    def _read(self) -> dict[str, object] | None:
        try:
            note = json.loads(self._note.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            # A note cut short by a crash names nobody.
            return None
        return note if isinstance(note, dict) else None

    def _live_holder(self) -> int | None:
        note = self._read()
        if note is None or not isinstance(note.get("pid"), int):
            return None
        pid = int(str(note["pid"]))
        try:
            # The system gives a dead process's number to another one some day.
            alive = psutil.Process(pid).create_time() == note.get("started")
        except psutil.NoSuchProcess:
            return None
        return pid if alive else None
