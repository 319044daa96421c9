from __future__ import annotations

import re
from dataclasses import replace

import pytest

from facts import DUTIES, load_facts
from widgets import ComparisonChart
from widgets import comparison_chart as module
from widgets.comparison_chart import SERVICES, Quality, qualities

FACTS = load_facts()
SIMPLICITY, CONVENIENCE, FLEXIBILITY = qualities()


@pytest.fixture(scope="module")
def html() -> str:
    return str(ComparisonChart()._repr_mimebundle_()[0]["text/html"])


def with_count(axis: Quality, name: str, count: int) -> Quality:
    marks = [replace(each, count=count) if each.name == name else each for each in axis.marks]
    return replace(axis, marks=tuple(marks))


def test_every_number_is_a_record() -> None:
    for mark in SIMPLICITY.marks:
        assert mark.count == mark.record.count
    for mark in CONVENIENCE.marks:
        assert mark.count == len(mark.record.aws_does) <= len(DUTIES) == 10
    assert {mark.count for mark in FLEXIBILITY.marks} == {
        row.fields for row in FACTS.counts.rows.values()
    }


@pytest.mark.parametrize("axis", qualities(), ids=lambda axis: axis.name)
def test_best_and_worst_are_the_ends(axis: Quality) -> None:
    for service in SERVICES:
        counts = [mark.count for mark in axis.marks if mark.service == service]
        ends = (axis.best(service).count, axis.worst(service).count)
        assert ends == (
            (min(counts), max(counts)) if axis.fewer_is_more else (max(counts), min(counts))
        )


def test_the_picture_has_every_mark_and_number() -> None:
    svg = ComparisonChart().svg()
    places = {(axis.name, mark.service, mark.count) for axis in qualities() for mark in axis.marks}
    assert svg.count("<circle") == len(places)
    written = set(re.findall(r">([\d,]+)<", svg))
    for axis in qualities():
        for service in SERVICES:
            assert f"{axis.best(service).count:,}" in written
            assert f"{axis.worst(service).count:,}" in written


def test_the_tables_hold_every_number_and_source(html: str) -> None:
    for axis in qualities():
        for mark in axis.marks:
            row = re.search(rf'<th scope="row">{re.escape(mark.name)}</th>(.*?)</tr>', html)
            assert row, mark.name
            assert f"<td>{mark.count:,}</td>" in row[1]
    used = {
        name
        for table in (FACTS.options, FACTS.inputs, FACTS.counts)
        for key, row in table.rows.items()
        if table is not FACTS.options or row.service in SERVICES
        for name in row.sources
    }
    for name in used:
        assert f'href="{FACTS.sources.rows[name].url}"' in html


def test_every_input_is_told_with_its_reason(html: str) -> None:
    plain = html.replace("&gt;", ">").replace("&#39;", "'")
    for row in FACTS.inputs.rows.values():
        for call in row.calls:
            assert f"<code>{call.call}</code>" in html
            for field, why in call.inputs.items():
                assert (field if why == "required" else f"{field} ({why})") in plain


def test_what_was_not_counted_says_why(html: str) -> None:
    for name, row in FACTS.inputs.rows.items():
        if row.left_out:
            assert f"<td>{row.left_out}</td>".replace("'", "&#39;") in html, name


def test_every_mark_that_can_be_pointed_at_has_a_count_and_a_source() -> None:
    told = [
        text for trace in ComparisonChart().spec["data"] for text in trace.get("customdata", [])
    ]
    assert len(told) == 3 + ComparisonChart().svg().count("<circle")
    for text in told[3:]:
        assert re.search(r"\d", text)
    assert all("Source: " in text for text in told)


def test_the_sentence_follows_the_numbers() -> None:
    axes = (SIMPLICITY, CONVENIENCE, FLEXIBILITY)
    now = module._summary(FACTS, axes)
    assert "convenience (ECS)" in now
    assert "flexibility (EKS)" in now
    assert "in simplicity ECS comes first, not EB" in now
    eb = (with_count(SIMPLICITY, "Beanstalk Standard", 2), CONVENIENCE, FLEXIBILITY)
    assert (
        "still holds in simplicity (EB), convenience (ECS) and flexibility (EKS)."
        in module._summary(FACTS, eb)
    )
    aws_alone = (SIMPLICITY, CONVENIENCE, with_count(FLEXIBILITY, "Kubernetes API", 9))
    assert "in flexibility ECS comes first, not EKS" in module._summary(FACTS, aws_alone)
    tie = (with_count(SIMPLICITY, "Beanstalk Standard", 5), CONVENIENCE, FLEXIBILITY)
    assert "in simplicity EB shares the first place with ECS" in module._summary(FACTS, tie)


def test_the_spread_follows_the_numbers() -> None:
    assert "differ more than the services do" in module._spread(SIMPLICITY)
    near = with_count(with_count(SIMPLICITY, "ECS on Fargate", 5), "ECS on EC2", 5)
    assert "differ no more than" in module._spread(near)


def test_it_says_that_counting_is_not_judging_and_that_the_talk_drew(html: str) -> None:
    assert "Counting is not judging." in html
    assert "it was drawn, not measured" in html
    assert "No request was sent to AWS." in html
