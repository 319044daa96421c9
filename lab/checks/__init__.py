"""Exercises and their checks: what is asked, and whether it was done.

A check looks at the real state, never at how it was reached. One module a chapter holds
the chapter's exercises as ``EXERCISES``.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from lab.checks.exercise import Exercise, Hint, NotYet, Result
from lab.errors import LabError, UnknownExerciseError
from lab.progress import record

if TYPE_CHECKING:
    from types import ModuleType

    from lab.abilities import Ability
    from lab.session import Lab

__all__ = [
    "Exercise",
    "Hint",
    "NotYet",
    "Result",
    "chapters",
    "check",
    "exercises_of",
    "hint",
    "needs_engine",
    "needs_of",
    "prepare",
]


def chapters() -> tuple[str, ...]:
    """List the chapters that have exercises, in the order of the book."""
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    ]
    return tuple(sorted(module.CHAPTER for module in modules if hasattr(module, "CHAPTER")))


def exercises_of(chapter: str) -> dict[str, Exercise]:
    """Give a chapter's exercises by number.

    Args:
        chapter: The chapter's stem, such as ``05-life-cycle``.

    Raises:
        LabError: There is no such chapter.
    """
    exercises: dict[str, Exercise] = _module_of(chapter).EXERCISES
    return exercises


def needs_of(chapter: str) -> tuple[Ability, ...]:
    """Give what a chapter needs an engine to be able to do: its module's ``NEEDS``, if any.

    Args:
        chapter: The chapter's stem, such as ``05-life-cycle``.

    Raises:
        LabError: There is no such chapter.
    """
    return getattr(_module_of(chapter), "NEEDS", ())


def needs_engine(chapter: str) -> bool:
    """Tell whether a chapter talks to a container engine: its module may say ``ENGINE = False``.

    Args:
        chapter: The chapter's stem, such as ``05-life-cycle``.

    Raises:
        LabError: There is no such chapter.
    """
    return getattr(_module_of(chapter), "ENGINE", True)


def check(lab: Lab, number: str) -> Result:
    """Look whether an exercise is solved, and note it in the learner's progress."""
    exercise = _find(lab, number)
    lab.ping()
    try:
        exercise.check(lab)
    except NotYet as not_yet:
        result = Result(number, hint=str(not_yet))
    else:
        result = Result(number, hint=None)
    record(lab.naming.learner, number, passed=result.passed)
    return result


def hint(lab: Lab, number: str) -> Hint:
    """Give an exercise's nudge."""
    return Hint(_find(lab, number).nudge)


def prepare(lab: Lab, number: str) -> None:
    """Set an exercise's scene."""
    exercise = _find(lab, number)
    if exercise.prepare is None:
        raise LabError(
            f"Exercise {number} needs no preparation.",
            next_step="Start with what its text asks for.",
        )
    exercise.prepare(lab)


def _module_of(chapter: str) -> ModuleType:
    if chapter not in chapters():
        raise LabError(
            f"There is no chapter {chapter!r}.",
            next_step=f"Use one of: {', '.join(chapters())}.",
        )
    module = chapter.partition("-")[2].replace("-", "_")
    return importlib.import_module(f"{__name__}.{module}")


def _find(lab: Lab, number: str) -> Exercise:
    exercises = exercises_of(lab.naming.chapter)
    if number not in exercises:
        raise UnknownExerciseError(
            f"Chapter {lab.naming.chapter} has no exercise {number!r}.",
            next_step=f"Use one of: {', '.join(exercises)}.",
        )
    return exercises[number]
