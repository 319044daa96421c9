"""How old the facts are on a day, and which of them nobody has read at first hand."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facts.records import (
    Claim,
    Fact,
    Facts,
    FactsError,
    Option,
    Price,
    Record,
    Source,
    Sourced,
    Table,
    Version,
)

__all__ = ["TITLES", "Age", "Doubt", "ages", "build_day", "doubts", "oldest_source"]

TITLES = {
    "sources": "Where the facts were read",
    "claims": "The talk's claims",
    "options": "Ways to run containers on AWS",
    "limits": "Limits of each way",
    "services": "Other services and tools",
    "prices": "Prices",
    "versions": "Versions of Kubernetes on EKS",
    "models": "Proofs in AWS's API models",
    "inputs": "Inputs that a first start needs",
    "counts": "Sizes of the APIs",
}
"""What each table is called on a page."""


@dataclass(frozen=True)
class Age:
    """How old one table is.

    Attributes:
        table: Its name.
        records: How many records it has.
        as_of: The day on which they were last looked at.
        due: The last day on which it is not amber.
        amber: Whether it should be looked at again.
    """

    table: str
    records: int
    as_of: dt.date
    due: dt.date
    amber: bool


@dataclass(frozen=True)
class Doubt:
    """A record that was only read in a text by somebody else.

    Attributes:
        about: What it speaks of.
        says: What it says.
        sources: The ids of its sources.
    """

    about: str
    says: str
    sources: tuple[str, ...]


def build_day(environment: Mapping[str, str], now: dt.datetime) -> dt.date:
    """Say which day it is for a page that is built.

    Args:
        environment: ``SOURCE_DATE_EPOCH`` in it is the day, so that a build can be repeated.
        now: The time, for when it is not set.

    Raises:
        FactsError: The variable is no number of seconds.

    Example:
        >>> build_day({"SOURCE_DATE_EPOCH": "0"}, dt.datetime.now(dt.UTC))
        datetime.date(1970, 1, 1)
    """
    epoch = environment.get("SOURCE_DATE_EPOCH", "")
    if not epoch:
        return now.date()
    try:
        return dt.datetime.fromtimestamp(int(epoch), dt.UTC).date()
    except (ValueError, OverflowError, OSError):
        raise FactsError(
            f"SOURCE_DATE_EPOCH is {epoch!r}: give the seconds since 1970 as a whole number, "
            "or do not set it."
        ) from None


def ages(facts: Facts, today: dt.date) -> list[Age]:
    """List all tables, the one that is due first in front.

    Example:
        >>> from facts import load_facts
        >>> any(age.amber for age in ages(load_facts(), dt.date(2026, 11, 25)))
        False
    """
    found = []
    for name in TITLES:
        table: Table[Any] = getattr(facts, name)
        due = table.as_of + dt.timedelta(days=table.amber_after_days)
        found.append(Age(name, len(table.rows), table.as_of, due, table.is_amber(today)))
    return sorted(found, key=lambda age: age.due)


def oldest_source(facts: Facts) -> Source:
    """Give the source whose copy was read first."""
    return min(facts.sources.rows.values(), key=lambda source: source.read)


def doubts(facts: Facts) -> list[Doubt]:
    """List every record that is not first-hand."""
    return [
        Doubt(*_words(key, row), row.sources)
        for name in type(facts).model_fields
        for key, row in getattr(facts, name).rows.items()
        if isinstance(row, Sourced) and row.confidence != "first-hand"
    ]


def _words(key: str, row: Record) -> tuple[str, str]:
    match row:
        case Claim():
            return row.slide, row.today
        case Fact():
            return row.about, row.says
        case Option():
            return row.name, row.is_for
        case Price():
            amount = f"{row.amount:.6f}".rstrip("0").rstrip(".")
            return row.what, f"{amount} US dollars per {row.unit} in {row.region}."
        case Version():
            return f"Kubernetes {key} on EKS", (
                f"Since {row.on_eks}, standard support until {row.standard_until}, "
                f"extended until {row.extended_until}."
            )
        case _:
            return key, str(row)
