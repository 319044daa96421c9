"""Tables on the course's pages that are made from `facts/` while the site is built.

A page asks for one with the directive `facts` and the name of a table, here some claims:

    ```{facts} claims T04 T05 T06
    ```

`TABLES` lists the others. They are drawn once all pages are read, because they link to chapters by
their titles, and because a chapter that does not exist yet is named as one to come.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from facts import load_facts, load_measured
from facts.bills import load_bills
from facts.records import Fact, FactsError, Sourced
from facts.road import load_road
from facts.state import TITLES, ages, build_day, doubts, oldest_source
from widgets.base import render

__all__ = ["TABLES", "Book", "FactTable", "make_table", "setup"]

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
    _check(name, rows)
    context = TABLES[name](rows, book)
    return render("fact_table", {"table": name, "link": book.link, **context})


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the directive with Sphinx."""
    app.add_config_value("course_today", "", "html", types=[str])
    app.add_node(fact_table)
    app.add_directive("facts", FactTable)
    app.add_post_transform(DrawFactTables)
    app.connect("config-inited", _set_today)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class fact_table(nodes.General, nodes.Element):  # noqa: N801 - docutils names nodes so
    """The place of a table."""


class FactTable(SphinxDirective):
    """The directive: the name of a table, and which rows of it."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Puts a place for the table into the page.

        Raises:
            docutils.parsers.rst.DirectiveError: There is no such table or row.
        """
        name, *rows = self.arguments[0].split()
        try:
            _check(name, rows)
        except FactsError as error:
            raise self.error(str(error)) from error
        return [fact_table(table=name, rows=rows)]


class DrawFactTables(SphinxPostTransform):
    """Draws the tables once every page is read."""

    default_priority = 400
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Replaces each place by its table."""
        places = list(self.document.findall(fact_table))
        if not places:
            return
        # Links seen from this page; pages are named by their stems, as in facts/.
        pages = {
            name.removeprefix("chapters/"): name
            for name in self.env.found_docs
            if name.startswith("chapters/")
        }
        address = partial(self.app.builder.get_relative_uri, self.env.docname)
        book = Book(
            today=dt.date.fromisoformat(self.config.course_today),
            titles={stem: self.env.titles[name].astext() for stem, name in pages.items()},
            # From a page to itself the address is empty, which would mean that there is none.
            addresses={stem: address(name) or "#" for stem, name in pages.items()},
        )
        for place in places:
            markup = make_table(place["table"], place["rows"], book)
            place.replace_self(nodes.raw("", markup, format="html"))


def _check(name: str, rows: list[str]) -> None:
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


def _set_today(_: Sphinx, config: Config) -> None:
    today = build_day(os.environ, dt.datetime.now(dt.UTC))
    config.course_today = config.course_today or str(today)
