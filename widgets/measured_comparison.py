"""The one application compared by what the chapters measured; what waits names its chapter."""

from facts.comparison import Compared, load_comparison
from facts.road import load_road
from widgets.base import render

__all__ = ["MeasuredComparison"]


class MeasuredComparison:
    """Shows what was asked of the application, and what each chapter has seen.

    Example:
        >>> print(repr(MeasuredComparison()).splitlines()[1])
        Its process crashes. Does it come back? Docker on one host: yes, with a restart policy
    """

    def __init__(self) -> None:
        self._comparison = load_comparison()

    def __repr__(self) -> str:
        first, *others = self._comparison.columns.items()
        lines = [f"What was measured; {', '.join(name for _, name in others)} wait"]
        lines += [
            f"{row.asks} {first[1]}: {_say(row, first[0])}"
            for row in self._comparison.rows.values()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        columns = self._comparison.columns
        rows = [
            {
                "asks": row.asks,
                "cells": [
                    (title, _say(row, column), _where(row, column), column in row.measured)
                    for column, title in columns.items()
                ],
            }
            for row in self._comparison.rows.values()
        ]
        return render("measured_comparison", {"columns": columns.values(), "rows": rows})


def _say(row: Compared, column: str) -> str:
    if column in row.measured:
        return row.measured[column].result
    return f"waits for chapter {_digits(row.waits[column])}"


def _where(row: Compared, column: str) -> str:
    if column in row.measured:
        seen = row.measured[column]
        return f"chapter {_digits(seen.chapter)}, {load_road().titles[seen.chapter]}"
    return load_road().titles[row.waits[column]]


def _digits(stem: str) -> str:
    return stem.partition("-")[0]
