from __future__ import annotations

from facts.comparison import load_comparison
from facts.times import load_times
from widgets import MeasuredComparison

COMPARISON = load_comparison()


def test_each_question_has_a_cell_for_each_column() -> None:
    html = MeasuredComparison()._repr_html_()
    assert html.count("<td ") == len(COMPARISON.rows) * len(COMPARISON.columns)
    measured = sum(len(row.measured) for row in COMPARISON.rows.values())
    assert html.count("<strong>") == measured
    assert html.count("waits for chapter") == html.count("<td ") - measured


def test_what_waits_names_its_chapter() -> None:
    html = MeasuredComparison()._repr_html_()
    assert '<td data-label="ECS">waits for chapter 13<br><small>ECS data planes</small>' in html
    assert "<strong>no, only reported</strong><br><small>chapter 05, Life cycle</small>" in html


def test_the_text_fits_under_a_cell() -> None:
    lines = repr(MeasuredComparison()).splitlines()
    assert len(lines) == len(COMPARISON.rows) + 1
    scale = load_times().rows["scale"]
    own, swarm = (f"{scale[column].median:.1f}" for column in ("loop", "swarm"))
    said = f"Docker on one host: {own} by a loop of your own, {swarm} by Swarm"
    assert lines[-1].endswith(said)
