"""The arc of the course from its first chapter to its last, and the trail map beside it."""

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from facts.records import FactsError, Record, read_as

__all__ = ["Part", "Road", "Step", "load_road"]

_ROAD = Path(__file__).parent / "road.yaml"
_Words = Annotated[str, Field(min_length=1)]


class Part(Record):
    """One part of the course.

    Attributes:
        caption: What it is called, as in `_toc.yml`.
        chapters: The title of each chapter by its stem, whether it exists yet or not.
    """

    caption: _Words
    chapters: Annotated[dict[str, _Words], Field(min_length=1)]


class Step(Record):
    """One step of the Cloud Native Trail Map.

    Attributes:
        name: What the map calls it.
        chapters: The stems of the chapters that take it.
        beyond: What of it the course leaves out.
    """

    name: _Words
    chapters: tuple[str, ...]
    beyond: str = ""


class Road(Record):
    """The course as a way.

    Attributes:
        parts: The parts in their order.
        steps: The steps of the trail map in theirs.

    Example:
        >>> load_road().titles["07-one-host"]
        'One host'
    """

    parts: tuple[Part, ...]
    steps: tuple[Step, ...]

    @property
    def titles(self) -> dict[str, str]:
        """The title of each chapter by its stem, in the order of the course."""
        return {stem: title for part in self.parts for stem, title in part.chapters.items()}

    def faults(self) -> list[str]:
        """List the steps that name an unknown chapter, or none and do not say what is left out."""
        found = []
        for step in self.steps:
            unknown = [stem for stem in step.chapters if stem not in self.titles]
            if unknown:
                found.append(f"{step.name}: unknown chapter {', '.join(unknown)}")
            if not step.chapters and not step.beyond:
                found.append(f"{step.name}: no chapter, and 'beyond' does not say so")
        return found


@cache
def load_road(path: Path = _ROAD) -> Road:
    """Read the arc of the course.

    Raises:
        FactsError: A part or a step is not complete, or a step names an unknown chapter.
    """
    road = read_as(Road, path)
    if faults := road.faults():
        raise FactsError("\n".join([f"{path} does not fit together:", *faults]))
    return road
