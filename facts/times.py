"""How long it took to heal and to scale, by what did it; measured by tools/measure_times.py."""

import datetime as dt
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from facts.records import Record, read_as, refuse_faults

__all__ = ["Timed", "Times", "load_times"]

TIMES = Path(__file__).parent / "times.yaml"
# A machine with more load than this for each core has something else to do.
BUSY = 0.25
# With fewer runs a median says little.
FEWEST = 10
_Words = Annotated[str, Field(min_length=1)]
_Seconds = Annotated[float, Field(gt=0)]


class Timed(Record):
    """How long one thing took.

    Attributes:
        median: Seconds, of all runs.
        least: Seconds, of the fastest run.
        most: Seconds, of the slowest run.
        n: How many runs.
    """

    median: _Seconds
    least: _Seconds
    most: _Seconds
    n: Annotated[int, Field(gt=0)]


class Times(Record):
    """The table.

    Attributes:
        date: The day of the measurement.
        engine: The engine's product and version.
        cores: How many cores the machine had.
        load: The machine's average load of the minute before.
        columns: What did it, by the column's name.
        asks: What was measured, by the row's name.
        rows: How long it took, by row and column.
    """

    date: dt.date
    engine: _Words
    cores: Annotated[int, Field(gt=0)]
    load: Annotated[float, Field(ge=0)]
    columns: dict[str, _Words]
    asks: dict[str, _Words]
    rows: dict[str, dict[str, Timed]]

    @property
    def is_busy(self) -> bool:
        """Whether the machine had something else to do."""
        return self.load > self.cores * BUSY

    def faults(self) -> Iterator[str]:
        """List what is missing, and figures that can't be."""
        if sorted(self.rows) != sorted(self.asks):
            yield f"give each of {', '.join(self.asks)} once"
        for row, found in self.rows.items():
            if sorted(found) != sorted(self.columns):
                yield f"{row}: give each of {', '.join(self.columns)} once"
            for column, timed in found.items():
                if not timed.least <= timed.median <= timed.most:
                    yield f"{row}, {column}: {timed.median} is not between least and most"
                if timed.n < FEWEST:
                    yield f"{row}, {column}: {timed.n} runs are too few (at least {FEWEST})"


@cache
def load_times(path: Path = TIMES) -> Times:
    """Read the measured times, and prove that the table is complete.

    Raises:
        FactsError: Something is missing, or can't be. The message names each.

    Example:
        >>> load_times().rows["heal"]["loop"].n >= 10
        True
    """
    times = read_as(Times, path)
    refuse_faults(path, times.faults())
    return times
