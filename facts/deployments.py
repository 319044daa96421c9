"""What each way of deploying cost: lost requests, counted in recorded runs."""

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from facts.records import Record, read_as, refuse_faults

__all__ = ["LATE_MS", "Deployments", "Run", "Sent", "Way", "load_deployments"]

_DEPLOYMENTS = Path(__file__).parent / "deployments.yaml"
_Words = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=0)]

LATE_MS = 500
"""From how many milliseconds on an answer is called late; usually it takes a few."""
FEWEST_RUNS = 5


class Sent(Record):
    """One request of the run that is drawn.

    Attributes:
        at: Seconds from the load's beginning until it was sent.
        ms: Milliseconds until it was answered or given up.
        version: The version that answered; empty if it was lost.
    """

    at: float
    ms: float
    version: Literal["", "1", "2"]

    @property
    def outcome(self) -> Literal["1", "2", "late", "lost"]:
        """What became of it."""
        if not self.version:
            return "lost"
        return "late" if self.ms >= LATE_MS else self.version


class Run(Record):
    """One deployment.

    Attributes:
        sent: How many requests were sent meanwhile.
        lost: How many of them got no answer of the application's.
        late: How many of the answers were late.
    """

    sent: _Count
    lost: _Count
    late: _Count

    @classmethod
    def of(cls, sent: Sequence[Sent]) -> Self:
        """Count what became of the requests of one run."""
        outcomes = [one.outcome for one in sent]
        return cls(sent=len(sent), lost=outcomes.count("lost"), late=outcomes.count("late"))


class Way(Record):
    """One way of deploying.

    Attributes:
        name: What it is called, in a few words.
        does: How it goes, in a sentence.
        runs: What each run cost.
        drawn: The requests of one of the runs.
    """

    name: _Words
    does: _Words
    runs: Annotated[tuple[Run, ...], Field(min_length=FEWEST_RUNS)]
    drawn: Annotated[tuple[Sent, ...], Field(min_length=1)]

    @property
    def sent(self) -> int:
        """Requests of all its runs."""
        return sum(run.sent for run in self.runs)

    @property
    def lost(self) -> int:
        """Lost requests of all its runs."""
        return sum(run.lost for run in self.runs)

    @property
    def late(self) -> int:
        """Late answers of all its runs."""
        return sum(run.late for run in self.runs)


class Deployments(Record):
    """The table.

    Attributes:
        date: The day of the runs.
        engine: The engine's product and version.
        cores: How many cores the machine had.
        per_second: How many requests were sent each second.
        start_seconds: How long version 2 took from its start until it listened.
        ways: The ways of deploying, by their short names.
    """

    date: dt.date
    engine: _Words
    cores: Annotated[int, Field(gt=0)]
    per_second: Annotated[int, Field(gt=0)]
    start_seconds: _Count
    ways: dict[str, Way]

    def faults(self) -> Iterator[str]:
        """List the ways whose drawing is none of their runs."""
        for name, way in self.ways.items():
            if Run.of(way.drawn) not in way.runs:
                yield f"{name}: the requests that are drawn are those of none of its runs"


@cache
def load_deployments(path: Path = _DEPLOYMENTS) -> Deployments:
    """Read the recorded runs.

    Raises:
        FactsError: A run is missing or not complete, or what is drawn is no run of its way.

    Example:
        >>> load_deployments().ways["by-hand"].lost > 0
        True
    """
    deployments = read_as(Deployments, path)
    refuse_faults(path, deployments.faults())
    return deployments
