"""What the chapters measured of the one application, by what runs it, and what waits."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from facts.records import Record, read_as, refuse_faults
from facts.road import load_road
from facts.times import load_times

__all__ = ["Compared", "Comparison", "Seen", "load_comparison"]

_COMPARISON = Path(__file__).parent / "comparison.yaml"
_Words = Annotated[str, Field(min_length=1)]


class Seen(Record):
    """What a cell of a notebook has shown.

    Attributes:
        says: The result in a few words; ``{heal_loop}`` stands for a median of `facts.times`.
        chapter: The notebook's stem.
        cell: The id of its cell.
        shows: A part of the cell's stored output, from which the result can be read.
    """

    says: _Words
    chapter: _Words
    cell: _Words
    shows: _Words

    @property
    def result(self) -> str:
        """The result, with the measured seconds in their places."""
        return self.says.format_map(_medians())


class Compared(Record):
    """One thing that is asked of all of them.

    Attributes:
        asks: The question.
        measured: What was seen, by column.
        waits: The chapter that has still to measure it, by column.
    """

    asks: _Words
    measured: dict[str, Seen]
    waits: dict[str, _Words]


class Comparison(Record):
    """The table.

    Attributes:
        columns: What runs the application, by the column's name.
        rows: What is asked.
    """

    columns: dict[str, _Words]
    rows: dict[str, Compared]

    def faults(self) -> Iterator[str]:
        """List the cells that are missing, given twice, or wait for an unknown chapter."""
        for name, row in self.rows.items():
            if sorted([*row.measured, *row.waits]) != sorted(self.columns):
                yield f"{name}: give each of {', '.join(self.columns)} once"
            for column, seen in row.measured.items():
                try:
                    _ = seen.result
                except KeyError as unknown:
                    known = ", ".join(_medians())
                    yield f"{name}, {column}: no figure {unknown}; there are {known}"
            chapters = [*row.waits.values(), *(seen.chapter for seen in row.measured.values())]
            yield from (
                f"{name}: unknown chapter {chapter!r}"
                for chapter in chapters
                if chapter not in load_road().titles
            )


def _medians() -> dict[str, str]:
    return {
        f"{row}_{column.replace('-', '_')}": f"{timed.median:.1f}"
        for row, columns in load_times().rows.items()
        for column, timed in columns.items()
    }


@cache
def load_comparison(path: Path = _COMPARISON) -> Comparison:
    """Read the comparison, and prove that it is complete.

    Raises:
        FactsError: A cell is missing, given twice, or names no chapter. The message names each.

    Example:
        >>> load_comparison().rows["unhealthy"].measured["docker"].says
        'no, only reported'
    """
    comparison = read_as(Comparison, path)
    refuse_faults(path, comparison.faults())
    return comparison
