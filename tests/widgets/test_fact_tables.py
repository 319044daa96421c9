from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from facts import FactsError, load_facts, load_measured
from facts.road import load_road
from facts.state import ages, doubts
from widgets.fact_tables import TABLES, Book, make_table

if TYPE_CHECKING:
    from pathlib import Path

FACTS = load_facts()
TODAY = dt.date(2026, 11, 25)
BOOK = Book(
    TODAY,
    {"05-life-cycle": "Life cycle", "then-and-now": "Then and now"},
    {"05-life-cycle": "05-life-cycle.html", "then-and-now": "then-and-now.html"},
)
ROWS = {"claims": list(FACTS.claims.rows)}


def drawn(name: str, book: Book = BOOK) -> str:
    return make_table(name, ROWS.get(name, []), book)


class Stack(HTMLParser):
    """Proves that every element is closed, and counts what has to be there on a phone."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "br":
            self.open.append(tag)
        if tag == "td":
            self.cells.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_sound_html_whose_cells_name_their_columns(name: str) -> None:
    stack = Stack()
    stack.feed(drawn(name))
    assert stack.open == []
    assert all(cell.get("data-label") for cell in stack.cells)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_same_on_each_build_of_a_day(name: str) -> None:
    assert drawn(name) == drawn(name)


def test_each_claim_says_what_holds_since_when_and_who_says_so() -> None:
    html = drawn("claims")
    for name, claim in FACTS.claims.rows.items():
        row = re.search(rf'<tr id="{name}">.*?</tr>', html, re.DOTALL)
        assert row, name
        assert f"(since {claim.since})" in row[0] or claim.since is None
        assert re.search(
            r'Source: <a href="https://[^"]+">.+?</a>, <span class="date">read 20\d\d-\d\d-\d\d<',
            row[0],
        )
    assert html.count("<tr id=") == len(FACTS.claims.rows)


def test_a_chapter_is_linked_if_it_exists_and_named_if_not() -> None:
    html = make_table("claims", ["T09", "T33"], BOOK)
    assert '<a href="05-life-cycle.html">05 Life cycle</a>' in html
    assert "15 EKS (to come)" in html


def test_the_verdicts_are_counted() -> None:
    counts = [int(count) for count in re.findall(r"(\d+) (?:hold|is|are)", drawn("verdicts"))]
    assert sum(counts) == len(FACTS.claims.rows)
    assert f"{len(FACTS.claims.rows)} slides" in drawn("verdicts")


@pytest.mark.parametrize("name", ["services", "limits"])
def test_each_fact_is_there_and_marked_if_it_is_second_hand(name: str) -> None:
    html, rows = drawn(name), getattr(FACTS, name).rows.values()
    second_hand = [row for row in rows if row.confidence != "first-hand"]
    assert html.count("<tr>") == len(rows) + 1
    assert html.count(">second-hand</strong>") == len(second_hand)


def test_what_is_true_of_all_ways_of_a_service_stands_under_its_name() -> None:
    assert '<th scope="row">ECS</th>' in drawn("limits")
    assert '<th scope="row">ECS on Fargate</th>' in drawn("limits")


def test_a_page_may_show_some_limits() -> None:
    html = make_table("limits", ["ecs-exec", "ecs-circuit-breaker"], BOOK)
    assert html.count("<tr>") == 3
    assert "circuit breaker" in html


def test_the_arc_has_every_chapter_with_its_slides() -> None:
    html = drawn("arc")
    assert all(title in html for title in load_road().titles.values())
    assert '<a href="then-and-now.html#T09">T09</a>' in html


def test_the_state_says_when_a_notebook_passed_and_when_it_has_not() -> None:
    row = load_measured()["05-life-cycle"]
    assert f"{row.date}, {row.engine}, {row.cores} cores" in drawn("notebooks")
    new = Book(TODAY, {"15-eks": "EKS"}, {"15-eks": "15-eks.html"})
    assert "not measured yet" in drawn("notebooks", new)


def test_only_an_old_table_is_amber() -> None:
    assert "amber" not in drawn("ages")
    assert "none of the 10 tables was older" in drawn("ages")
    due = ages(FACTS, TODAY)[0].due
    late = Book(due + dt.timedelta(days=1), {}, {})
    assert drawn("ages", late).count("amber: look again") == 1
    assert "1 of 10 tables is older than it should be" in drawn("ages", late)
    later = Book(due + dt.timedelta(days=1000), {}, {})
    assert drawn("ages", later).count("amber: look again") == 10
    assert "10 of 10 tables are older than they should be" in drawn("ages", later)


def test_every_doubt_is_listed_with_its_source() -> None:
    assert drawn("doubts").count(">second-hand</strong>") == len(doubts(FACTS))


WRONG = {
    "dreams": "There is no table 'dreams' of facts. There are: claims, verdicts, services,",
    "claims": "Say which claims, such as: claims T04 T05.",
    "claims T01 T99": "Unknown claim T99: facts/claims.yaml has T01 to T38.",
    "limits T01": "Unknown limit T01: see facts/limits.yaml.",
}


@pytest.mark.parametrize(("asked", "said"), WRONG.items())
def test_an_unknown_table_or_fact_is_refused(asked: str, said: str) -> None:
    name, *rows = asked.split()
    with pytest.raises(FactsError, match=re.escape(said)):
        make_table(name, rows, BOOK)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a book with a good page and a bad one, and what was said when it was built."""
    root = tmp_path_factory.mktemp("book")
    pages = root / "chapters"
    pages.mkdir()
    good = ["claims T09", "ages"]
    for name, asked in (("05-life-cycle", good), ("bad", list(WRONG))):
        tables = "\n".join(f"```{{facts}} {each}\n```\n" for each in asked)
        (pages / f"{name}.md").write_text(f"# A page\n\n{tables}", "utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going", "-C"]
    for setting in (
        "extensions=myst_parser,widgets.site_facts",
        "root_doc=chapters/05-life-cycle",
        "html_theme=basic",
    ):
        command += ["-D", setting]
    done = subprocess.run(
        [*command, str(root), str(root / "out")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1795564800"},
    )
    assert done.returncode != 0
    return root / "out" / "chapters", done.stderr


def test_a_page_of_the_book_gets_its_tables(book: tuple[Path, str]) -> None:
    page = (book[0] / "05-life-cycle.html").read_text("utf-8")
    assert '<tr id="T09">' in page
    assert "This page was built on 2026-11-25." in page
    # It links itself, too, and does not wait for itself.
    assert '<a href="#">05 A page</a>' in page


def test_a_build_with_a_wrong_table_fails_and_says_where(book: tuple[Path, str]) -> None:
    for said in WRONG.values():
        assert said in book[1]
    assert re.search(r"bad\.md:3: ERROR: There is no table 'dreams'", book[1])
    assert "05-life-cycle.md" not in book[1]
