"""What an exercise is, and what its check can say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.session import Lab

__all__ = ["Exercise", "Hint", "NotYet", "Result"]


class NotYet(Exception):  # noqa: N818  # it says how far a learner is, which is no error
    """Raised by a check: the exercise is not solved yet.

    Args:
        hint: What was found, and where to look. Never the command that solves it.
    """


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter.

    Args:
        title: What it is about, as its heading in the notebook says.
        minutes: An estimate of the time that it takes.
        nudge: The hint on request, which does not look at what is there.
        check: Raises ``NotYet`` until the exercise is solved.
        prepare: Sets the scene, where the exercise has one.
    """

    title: str
    minutes: int
    nudge: str
    check: Callable[[Lab], None]
    prepare: Callable[[Lab], None] | None = None


@dataclass(frozen=True)
class Result:
    """What a check found.

    Example:
        >>> Result("05.1", hint=None)
        05.1 passed.
        >>> Result("05.1", hint="There is no container named greeter.")
        05.1 not yet. There is no container named greeter.
    """

    exercise: str
    hint: str | None

    @property
    def passed(self) -> bool:
        """Whether the exercise is solved."""
        return self.hint is None

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{self.exercise} " + ("passed." if self.passed else f"not yet. {self.hint}")


@dataclass(frozen=True)
class Hint:
    """A nudge, shown as plain text."""

    text: str

    def __repr__(self) -> str:
        return self.text
