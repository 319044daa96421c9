from __future__ import annotations

import re

import pytest

from facts.deployments import load_deployments
from widgets import LostRequests
from widgets.lost_requests import MARKS, SAID, _shown

TABLE = load_deployments()


def outcomes(name: str) -> list[str]:
    return [sent.outcome for sent in TABLE.ways[name].drawn]


def test_the_picture_has_a_mark_for_each_request_and_a_key_for_each_kind() -> None:
    chart = LostRequests()
    shown = [sent.outcome for way in TABLE.ways.values() for sent in _shown(way.drawn)]
    kinds = [kind for kind in MARKS if kind in shown]
    assert [len(trace["x"]) for trace in chart.spec["data"][: len(kinds)]] == [
        shown.count(kind) for kind in kinds
    ]
    svg = chart.svg()
    marks = (
        svg.count("<circle") + svg.count("<rect") - 1 + len(re.findall(r'<path d="[^"]+Z"', svg))
    )
    assert marks == len(shown) + len(kinds)


def test_what_is_cut_off_a_row_is_like_its_last_mark() -> None:
    for way in TABLE.ways.values():
        shown = _shown(way.drawn)
        assert {sent.outcome for sent in way.drawn[len(shown) :]} <= {shown[-1].outcome}
        assert list(way.drawn[: len(shown)]) == list(shown)


def test_a_kind_is_told_by_shape_and_colour_and_place() -> None:
    symbols = [mark["symbol"] for mark in MARKS.values()]
    colours = [mark["color"] for mark in MARKS.values()]
    assert len(set(symbols)) == len(set(colours)) == len(MARKS)


def test_every_row_says_how_many_were_lost() -> None:
    svg = LostRequests().svg()
    for name, way in TABLE.ways.items():
        lost = outcomes(name).count("lost")
        assert f": {lost or 'none'} of {len(way.drawn)} lost" in svg.replace("</tspan>", "")


def test_the_table_has_the_sums_of_all_runs() -> None:
    for row, way in zip(LostRequests().tables[0].rows, TABLE.ways.values(), strict=True):
        assert row[0] == way.name
        assert row[1] == str(sum(run.lost for run in way.runs))
        assert row[2] == str(sum(run.sent for run in way.runs))
        assert row[5] == str(len(way.runs))
    assert [row[1] for row in LostRequests().tables[1].rows] == [
        way.does for way in TABLE.ways.values()
    ]


def test_the_sentence_and_the_description_follow_the_numbers() -> None:
    chart = LostRequests()
    hand = TABLE.ways["by-hand"]
    assert f"by hand {hand.lost} of {hand.sent}" in chart.summary
    assert "and blue/green lost none of" in chart.summary
    assert f"{outcomes('by-hand').count('lost')} {SAID['lost']}" in chart.alt


def test_one_row_alone_is_that_row() -> None:
    chart = LostRequests("by-hand")
    assert [row[0] for row in chart.tables[0].rows] == ["by hand"]
    assert "blue/green" not in chart.summary + chart.alt + chart.svg()


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="no way 'by-foot': one of by-hand, "):
        LostRequests("by-foot")
