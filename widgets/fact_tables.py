"""Tables on the course's pages, made from `facts/`: by the site, and in learners' copies.

They link to chapters by their titles, and name a chapter that does not exist yet as one to come.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from facts import load_facts, load_measured
from facts.bills import load_bills
from facts.records import Fact, FactsError, Sourced
from facts.road import load_road
from facts.state import TITLES, ages, doubts, oldest_source
from widgets.base import render

__all__ = ["TABLES", "Book", "check_table", "make_table"]

# What is said of one claim, and of several.
_HOLDS = {
    "yes": ("holds", "hold"),
    "partly": ("holds in part", "hold in part"),
    "no": ("no longer holds", "no longer hold"),
    "gone": ("is gone", "are gone"),
}
_TALK = "talk"


@dataclass(frozen=True)
class Link:
    """A page of the book.

    Attributes:
        title: What it is called.
        address: Where it is, seen from the page with the table; empty if it does not exist yet.
        number: A chapter's number, empty for other pages.
    """

    title: str
    address: str
    number: str


@dataclass(frozen=True)
class Book:
    """What a table has to know of the book around it.

    Attributes:
        today: The day on which the page is built.
        titles: The title of each page in `chapters/`, by its stem.
        addresses: Where each of them is, seen from the page with the table.
    """

    today: dt.date
    titles: Mapping[str, str]
    addresses: Mapping[str, str]

    def link(self, stem: str) -> Link:
        """Find a page, or say what a chapter that does not exist yet will be called."""
        digits = stem.partition("-")[0]
        return Link(
            self.titles.get(stem) or load_road().titles.get(stem, stem),
            self.addresses.get(stem, ""),
            digits if digits.isdigit() else "",
        )


def make_table(name: str, rows: list[str], book: Book) -> str:
    """Draw a table as HTML.

    Args:
        name: One of `TABLES`.
        rows: Which rows. `claims` must have some; `limits` may have some, else it shows all.
        book: The book around it.

    Raises:
        FactsError: There is no such table or row; the message says which there are.

    Example:
        >>> "App Runner" in make_table("services", [], Book(dt.date(2026, 11, 25), {}, {}))
        True
    """
    check_table(name, rows)
    context = TABLES[name](rows, book)
    return render("fact_table", {"table": name, "link": book.link, **context})


def check_table(name: str, rows: list[str]) -> None:
    """Refuse a table that there is not, or that has no such rows; see `make_table`.

    Raises:
        FactsError: There is no such table or row; the message says which there are.
    """
    if name not in TABLES:
        raise FactsError(f"There is no table {name!r} of facts. There are: {', '.join(TABLES)}.")
    if name == "limits":
        if unknown := [row for row in rows if row not in load_facts().limits.rows]:
            raise FactsError(f"Unknown limit {', '.join(unknown)}: see facts/limits.yaml.")
        return
    if name != "claims":
        if rows:
            raise FactsError(f"The table {name!r} shows all its rows: take {rows[0]!r} out.")
        return
    claims = load_facts().claims.rows
    if not rows:
        raise FactsError("Say which claims, such as: claims T04 T05.")
    unknown = [row for row in rows if row not in claims]
    if unknown:
        first, *_, last = claims
        raise FactsError(
            f"Unknown claim {', '.join(unknown)}: facts/claims.yaml has {first} to {last}."
        )


def _claims(rows: list[str], _: Book) -> dict[str, object]:
    claims = load_facts().claims.rows
    chosen = [(name, claims[name]) for name in rows]
    return {"rows": [(name, row, _HOLDS[row.holds][0], _sources(row)) for name, row in chosen]}


def _verdicts(_: list[str], __: Book) -> dict[str, object]:
    claims = load_facts().claims.rows.values()
    counts = {holds: sum(claim.holds == holds for claim in claims) for holds in _HOLDS}
    said = [(count, _HOLDS[holds][count > 1]) for holds, count in counts.items() if count]
    return {"counts": said, "total": len(claims)}


def _services(_: list[str], __: Book) -> dict[str, object]:
    rows = load_facts().services.rows.values()
    return {"rows": [(row.about, row, _sources(row)) for row in _by_about(rows)]}


def _limits(chosen: list[str], _: Book) -> dict[str, object]:
    facts = load_facts()
    names = {key: option.name for key, option in facts.options.rows.items()}
    # What is true of every way of a service stands under the service's own name.
    rows = [row for name, row in facts.limits.rows.items() if not chosen or name in chosen]
    return {
        "rows": [
            (names.get(row.about, row.about.upper()), row, _sources(row)) for row in _by_about(rows)
        ]
    }


def _arc(_: list[str], __: Book) -> dict[str, object]:
    carries = {
        stem: [name for name, claim in load_facts().claims.rows.items() if stem in claim.chapters]
        for stem in load_road().titles
    }
    return {"parts": load_road().parts, "carries": carries}


def _trail_map(_: list[str], __: Book) -> dict[str, object]:
    return {"steps": load_road().steps}


def _notebooks(_: list[str], book: Book) -> dict[str, object]:
    measured = load_measured()
    stems = [stem for stem in load_road().titles if stem in book.titles]
    return {"rows": [(stem, measured.get(stem)) for stem in stems]}


def _bills(_: list[str], __: Book) -> dict[str, object]:
    bills = load_bills()
    prices = load_facts().prices
    # An image is paid by its size, which no bill by the hour can hold.
    used = {"ecr-gb-month", *(name for bill in bills.values() for name in bill.items)}
    rows = [prices.rows[name] for name in prices.rows if name in used]
    return {
        "rows": list(bills.items()),
        "as_of": prices.as_of,
        "prices": [(row, _sources(row)) for row in rows],
    }


def _ages(_: list[str], book: Book) -> dict[str, object]:
    facts = load_facts()
    rows = ages(facts, book.today)
    return {
        "titles": TITLES,
        "today": book.today,
        "rows": rows,
        "amber": [age for age in rows if age.amber],
        "oldest": oldest_source(facts),
    }


def _doubts(_: list[str], __: Book) -> dict[str, object]:
    return {"rows": [(doubt, _named(doubt.sources)) for doubt in doubts(load_facts())]}


TABLES: dict[str, Callable[[list[str], Book], dict[str, object]]] = {
    "claims": _claims,
    "verdicts": _verdicts,
    "services": _services,
    "limits": _limits,
    "arc": _arc,
    "trail-map": _trail_map,
    "notebooks": _notebooks,
    "bills": _bills,
    "ages": _ages,
    "doubts": _doubts,
}
"""What can be asked for.

`claims` are those of the talk that are named, `verdicts` says how many of them hold; `services` are
other services and tools, `limits` those of each way to run containers, all or some of them; `arc`
is the course from its first chapter to its last, `trail-map` the steps of the talk's map;
`notebooks` says when each one passed, `bills` what each chapter would cost on AWS, `ages` how old
each table of facts is, `doubts` what was not read at first hand."""


def _by_about(rows: Iterable[Fact]) -> list[Fact]:
    """Put together what speaks of one thing, in the order in which things first come."""
    found: dict[str, list[Fact]] = {}
    for row in rows:
        found.setdefault(row.about, []).append(row)
    return [row for several in found.values() for row in several]


def _sources(row: Sourced) -> list[tuple[str, str, str]]:
    """Leave the talk out where something else proves what holds today."""
    others = [name for name in row.sources if name != _TALK]
    return _named(others or row.sources)


def _named(names: Iterable[str]) -> list[tuple[str, str, str]]:
    sources = load_facts().sources.rows
    titles = {name: source.title for name, source in sources.items()}
    titles[_TALK] = "the talk itself"
    return [(titles[name], sources[name].url, str(sources[name].read)) for name in names]
