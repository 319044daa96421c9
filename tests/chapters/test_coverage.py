"""Each claim of the talk is carried by something that a reader can see, or waits for a chapter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from facts import FactsError, load_facts
from facts.coverage import cover, load_carriers, places
from facts.road import load_road

from .prose import ROOT, chapters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FACTS = load_facts()
PAGES = {path.stem: places(path, FACTS) for path in chapters()}


def test_every_claim_of_the_talk_is_covered(
    record_property: Callable[[str, object], None],
) -> None:
    rows = cover(load_carriers(), FACTS, PAGES)
    for row in rows:
        record_property("coverage", str(row))  # for the table that ends the run
    faults = [fault for row in rows for fault in row.faults]
    assert not faults, "\n".join(faults)
    assert all(row.carried or row.waits_for for row in rows)


def test_a_claim_names_pages_that_exist_or_are_planned() -> None:
    known = {*PAGES, *load_road().titles}
    named = {page for claim in FACTS.claims.rows.values() for page in claim.chapters}
    assert named <= known


def test_then_and_now_shows_each_claim_once_and_in_order() -> None:
    text = (ROOT / "chapters/then-and-now.md").read_text("utf-8")
    shown = re.findall(r"\{facts\} claims (.*)", text)
    assert " ".join(shown).split() == list(FACTS.claims.rows)


@pytest.mark.parametrize(
    ("carriers", "said"),
    [
        ({}, "T09: nothing on the page 05-life-cycle carries it. Name a cell"),
        ({"T09": {"05-life-cycle": ["dance"]}}, "05-life-cycle has no cell and no label 'dance'"),
        (
            {"T27": {"then-and-now": ["claims.T28"]}},
            "then-and-now has no cell and no label 'claims.T28', and shows no such fact",
        ),
        ({"T09": {"04-images": ["build"]}}, "names 04-images, claims.yaml does not"),
        ({"T09": {"99-dreams": ["sleep"]}}, "names 99-dreams, which does not exist"),
        ({"T99": {"04-images": ["build"]}}, "T99 in coverage.yaml is no claim"),
    ],
)
def test_each_fault_is_named(carriers: dict[str, dict[str, list[str]]], said: str) -> None:
    pages = {
        "04-images": {"build"},
        "05-life-cycle": {"create"},
        "then-and-now": {"claims.T27"},
    }
    faults = [fault for row in cover(carriers, FACTS, pages) for fault in row.faults]
    assert any(said in fault for fault in faults)


def test_a_chapter_that_does_not_exist_is_waited_for() -> None:
    row = next(row for row in cover({}, FACTS, {}) if row.claim == "T33")
    assert (row.faults, row.waits_for) == ((), ("15-eks",))
    assert str(row) == "T33  waits for 15-eks"


def test_an_empty_list_of_carriers_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "coverage.yaml"
    table.write_text("T01:\n  intro: []\n")
    with pytest.raises(FactsError, match=r"(?s)is not complete.*T01\.intro"):
        load_carriers(table)
