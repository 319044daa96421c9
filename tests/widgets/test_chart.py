from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from widgets import CHARTS
from widgets.base import STATIC
from widgets.chart import COLOURS, DRAWN, MIME, Chart, ChartError, Link, Table, begin, normalise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMS = {"text/plain", "text/html", MIME}
# What Kaleido gives: ids and class names differ from one rendering to the next.
RAW = """<svg xmlns="http://www.w3.org/2000/svg" class="main-svg" viewBox="0 0 40 30" style="">
<rect x="0" y="0" width="40" height="30" style="fill: rgb(255, 255, 255); fill-opacity: 1;"/>
<rect x="0" y="0" width="9" height="9" style="fill: rgb(0, 0, 0); fill-opacity: 0;"/>
<defs id="defs-{0}"><clipPath id="clip{0}"><rect width="1" height="1"/></clipPath></defs>
<g class="empty"><g/></g><path class="xlines" d="M0,0" style="fill: none;"/>
<g transform="translate(1.2345,2)" clip-path="url(#clip{0})"><g class="trace{0}">
<path d="M5.5,0A5.5,5.5 0 1,1 0,-5.5A5.5,5.5 0 0,1 5.5,0Z" transform="translate(3,4)"
 style="opacity: 1; fill: rgb(11, 106, 123); stroke: rgb(23, 36, 45); stroke-width: 2px;"/>
<text x="1" y="2" text-anchor="end" style="font-size: 12px; fill: rgb(75, 91, 102);">a <tspan
 style="font-weight:bold">b</tspan> c</text></g></g></svg>"""
KEPT = (
    '<svg viewBox="0 0 40 30"><rect x="0" y="0" width="40" height="30" class="fill-paper"/>'
    '<g transform="translate(1.2,2)"><circle r="5.5" transform="translate(3,4)"'
    ' class="fill-accent stroke-ink" stroke-width="2"/><text x="1" y="2" text-anchor="end"'
    ' class="fill-muted" font-size="12">a <tspan font-weight="bold">b</tspan> c</text></g></svg>'
)


class Sample(Chart):
    name = "sample"

    def __init__(self, size: int = 9) -> None:
        figure = begin(width=300, height=200)
        figure.add_scatter(x=[1], y=[2], marker={"color": COLOURS["accent"], "size": size})
        row = ("a", "1", Link("<source>", "https://example.org/"))
        super().__init__(
            figure,
            alt="One mark.",
            summary="One </script> is </script> enough.",
            tables=(Table("Numbers", ("name", "count", "source"), (row,)),),
        )


def forms(chart: Chart) -> dict[str, object]:
    return chart._repr_mimebundle_(include=None, exclude=None)[0]


@pytest.fixture(params=CHARTS)
def chart(request: pytest.FixtureRequest) -> Chart:
    made: Chart = request.param()
    return made


@pytest.mark.parametrize("make", CHARTS)
def test_two_of_a_kind_give_the_same_three_forms(make: Callable[[], Chart]) -> None:
    chart = make()
    assert forms(chart) == forms(make())
    assert set(forms(chart)) == FORMS
    assert "0x" not in str(forms(chart))


def test_a_chart_keeps_to_its_budget(chart: Chart) -> None:
    data = forms(chart)
    assert len(str(data["text/html"]).encode()) <= 40_000
    assert len(str(data["text/plain"]).splitlines()) <= 20
    assert len(json.dumps(data[MIME])) <= 12_000
    assert chart.figure.layout.width <= 400


def test_two_on_a_page_share_no_id(chart: Chart) -> None:
    assert re.search(r'\sid="', str(forms(chart)["text/html"])) is None


def test_each_chart_has_its_picture_and_no_picture_is_left_over() -> None:
    assert {make().drawing for make in CHARTS} == set(DRAWN.glob("*.svg"))


def test_a_picture_has_only_what_the_normal_form_has(chart: Chart) -> None:
    svg = chart.svg()
    assert "rgb" not in svg
    assert "id=" not in svg
    assert "http" not in svg
    classes = {name for found in re.findall(r'class="([^"]+)"', svg) for name in found.split()}
    known = {f"{what}-{name}" for what in ("fill", "stroke") for name in [*COLOURS, "none"]}
    assert classes <= known


def test_every_colour_has_a_place_in_the_style_sheet_in_both_modes() -> None:
    css = (STATIC / "chart.css").read_text("utf-8")
    for name, light in COLOURS.items():
        assert css.count(f"--chart-{name}:") == 2
        assert f"--chart-{name}: {light};" in css
        for what in ("fill", "stroke"):
            assert f".{what}-{name} {{ {what}: var(--chart-{name}); }}" in css


def test_a_chart_without_its_picture_names_the_command() -> None:
    with pytest.raises(ChartError, match=r"sample-\w{12}\.svg .*tools/notebooks\.py draw"):
        forms(Sample())


def test_the_picture_is_kept_under_the_hash_of_the_spec() -> None:
    assert Sample().drawing == Sample().drawing
    assert Sample().drawing != Sample(size=10).drawing


def test_what_the_renderer_changes_at_random_is_gone() -> None:
    assert normalise(RAW.replace("{0}", "ccd497")) == normalise(RAW.replace("{0}", "12ab99"))
    assert "".join(normalise(RAW).split("\n")) == KEPT


def test_many_like_marks_say_their_class_once_and_lie_where_they_lay() -> None:
    circle = "M2,0A2,2 0 1,1 0,-2A2,2 0 0,1 2,0Z"
    marks = "".join(
        f'<path d="{path}" transform="translate({x},8.5)" style="fill: rgb(11, 106, 123);"/>'
        for path, number in (("M2,2H-2V-2H2Z", 30), (circle, 30), ("M1,1L3,4Z", 30))
        for x in range(number)
    )
    kept = normalise(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{marks}</svg>')
    assert kept.count('class="fill-accent"') == 3
    assert kept.count("<g") == 3
    assert '<rect x="-2" y="6.5" width="4" height="4"/><rect x="-1" y="6.5"' in kept
    assert '<circle cx="29" cy="8.5" r="2"/>' in kept
    assert '<path d="M1,1L3,4Z" transform="translate(29,8.5)"/>' in kept


def test_a_colour_of_one_s_own_is_refused() -> None:
    with pytest.raises(ChartError, match="#123456"):
        normalise(RAW.replace("rgb(75, 91, 102)", "rgb(18, 52, 86)"))


def test_a_text_can_end_neither_the_json_block_nor_the_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("widgets.chart.DRAWN", tmp_path)
    sample = Sample()
    sample.drawing.write_text("<svg/>", "utf-8")
    html = str(forms(sample)["text/html"])
    assert html.count("</script>") == 1
    assert '<a href="https://example.org/">&lt;source&gt;</a>' in html
