"""Keeps which exercises a learner has solved, in one small file that survives a fresh clone."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import filelock

from lab.errors import LabError
from lab.state import state_directory

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Attempted", "HandedIn", "Progress", "export", "load", "read_export", "record"]

_KIND = "containers-on-aws/1"
_FORMAT = 1
_LOCK_SECONDS = 10


@dataclass
class Attempted:
    """One exercise that was checked at least once.

    Attributes:
        checks: How often it was checked.
        passed_on: The day on which it first passed; it stays passed.

    Example:
        >>> str(Attempted(checks=2, passed_on=dt.date(2026, 11, 24)))
        '2026-11-24/2'
        >>> Attempted.read("open/3")
        Attempted(checks=3, passed_on=None)
    """

    checks: int = 0
    passed_on: dt.date | None = None

    def __str__(self) -> str:
        return f"{self.passed_on or 'open'}/{self.checks}"

    @classmethod
    def read(cls, text: str) -> Attempted:
        """Read back what ``str`` wrote.

        Raises:
            ValueError: It is something else.
        """
        day, _, checks = text.partition("/")
        if not (checks.isascii() and checks.isdigit()):
            raise ValueError(f"no number of checks in {text!r}")
        passed_on = None if day == "open" else dt.date.fromisoformat(day)
        return cls(checks=int(checks), passed_on=passed_on)


@dataclass
class Progress:
    """The whole file: exercises by learner and number."""

    learners: dict[str, dict[str, Attempted]] = field(default_factory=dict)

    def of(self, learner: str) -> dict[str, Attempted]:
        """Give one learner's exercises, by number."""
        return dict(sorted(self.learners.get(learner, {}).items()))


@dataclass(frozen=True)
class HandedIn:
    """What a learner handed in, read back from the text of ``export``."""

    learner: str
    exercises: dict[str, Attempted]


def record(learner: str, exercise: str, *, passed: bool) -> None:
    """Note that an exercise was checked. What has passed once stays passed.

    A file that can't be written must not cost the learner the result of a check: it is
    said on stderr, and nothing is raised.

    Args:
        learner: The learner, as the labels name them.
        exercise: The exercise's number, such as ``05.2``.
        passed: Whether the check passed.
    """
    try:
        with _lock():
            progress = _load_locked()
            exercises = progress.learners.setdefault(learner, {})
            attempted = exercises.setdefault(exercise, Attempted())
            attempted.checks += 1
            if passed and attempted.passed_on is None:
                attempted.passed_on = dt.datetime.now(dt.UTC).astimezone().date()
            _replace(_file(), _as_json(progress))
    except OSError as error:
        print(f"Your progress could not be saved: {error}", file=sys.stderr)  # noqa: T201


def load() -> Progress:
    """Read the progress of all learners who use this machine's account.

    A damaged file is set aside under another name, which is said on stderr.

    Raises:
        LabError: The file can't be read or locked.
    """
    try:
        with _lock():
            return _load_locked()
    except OSError as error:
        raise LabError(
            f"Your progress can't be read: {error}",
            next_step="Check who owns this folder, or name another one in COURSE_STATE_DIR.",
        ) from None


def export(learner: str, progress: Progress) -> str:
    """Write a learner's progress as one line to hand in.

    Its last word is a checksum, so that a typo or a lost piece is noticed. It proves
    nothing else: who reads this file can make a line of their own.

    Args:
        learner: Whose.
        progress: What ``load`` gave.

    Example:
        >>> solved = Attempted(checks=2, passed_on=dt.date(2026, 11, 24))
        >>> export("ada", Progress(learners={"ada": {"05.1": solved}}))
        'containers-on-aws/1 ada 05.1=2026-11-24/2 sum=9b9635d2'
    """
    solved = (f"{number}={attempted}" for number, attempted in progress.of(learner).items())
    body = " ".join((_KIND, learner, *solved))
    return f"{body} {_checksum(body)}"


def read_export(text: str) -> HandedIn:
    """Read back what ``export`` wrote, wherever a mail has broken its line.

    Args:
        text: The line.

    Raises:
        LabError: It is no such line, or it was changed on its way.

    Example:
        >>> read_export("containers-on-aws/1 ada 05.1=2026-11-24/2 sum=9b9635d2").learner
        'ada'
    """
    words = text.split()
    if len(words) < 3 or words[0] != _KIND:  # noqa: PLR2004  # kind, who, sum
        raise LabError(
            "This is no exported progress.",
            next_step=f"It begins with '{_KIND}': copy all that `lab progress --export` printed.",
        )
    *body, checksum = words
    try:
        pairs = (word.partition("=") for word in body[2:])
        exercises = {number: Attempted.read(result) for number, _, result in pairs}
    except ValueError:
        exercises = None
    if exercises is None or checksum != _checksum(" ".join(body)):
        raise LabError(
            "The checksum does not fit: a piece is missing or was changed.",
            next_step="Ask for the line again, copied and not typed.",
        )
    return HandedIn(learner=body[1], exercises=exercises)


def _file() -> Path:
    return state_directory() / "progress.json"


def _lock() -> filelock.BaseFileLock:
    return filelock.FileLock(_file().with_suffix(".lock"), timeout=_LOCK_SECONDS)


def _load_locked() -> Progress:
    path = _file()
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Progress()
    except (ValueError, KeyError, TypeError, AttributeError):
        moment = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%fZ")
        aside = path.with_name(f"{path.name}.damaged-{moment}")
        path.rename(aside)
        print(  # noqa: T201
            f"The file of your progress is damaged; it is kept as {aside}, and a new one begins.",
            file=sys.stderr,
        )
        return Progress()


def _as_json(progress: Progress) -> str:
    learners = {
        learner: {number: str(attempted) for number, attempted in progress.of(learner).items()}
        for learner in sorted(progress.learners)
    }
    return json.dumps({"format": _FORMAT, "learners": learners}, indent=2) + "\n"


def _from_json(content: Any) -> Progress:  # noqa: ANN401  # anything may stand in a damaged file
    if content["format"] != _FORMAT:
        raise ValueError("a format of another edition of the course")
    return Progress(
        learners={
            learner: {number: Attempted.read(text) for number, text in exercises.items()}
            for learner, exercises in content["learners"].items()
        }
    )


def _replace(path: Path, content: str) -> None:
    # All or nothing: the old file stays whole until the new one is on the disk.
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _checksum(body: str) -> str:
    return f"sum={zlib.crc32(body.encode()):08x}"
