from __future__ import annotations

import json
import re

import pytest

from widgets import (
    CostCrossover,
    EksCalendar,
    ImageLayers,
    LifeCycle,
    Placement,
    ScalingRace,
    SelfCheck,
    ServiceSelector,
)
from widgets.base import PANEL, STATIC, CourseWidget

VIEW = "application/vnd.jupyter.widget-view+json"
MAKERS = {
    "cost_crossover": CostCrossover,
    "eks_calendar": EksCalendar,
    "image_layers": ImageLayers,
    "life_cycle": LifeCycle,
    "placement": Placement,
    "scaling_race": ScalingRace,
    "self_check": lambda: SelfCheck("05-life-cycle"),
    "service_selector": ServiceSelector,
}


@pytest.fixture(params=sorted(MAKERS))
def widget(request: pytest.FixtureRequest) -> CourseWidget:
    return MAKERS[request.param]()


def bundle(widget: CourseWidget) -> dict[str, object]:
    return widget._repr_mimebundle_(include=None, exclude=None)[0]


def block(html: str) -> str:
    return re.search(r'<script type="application/json">(.*)</script>', html, re.DOTALL)[1]


def test_each_form_of_the_widget_is_in_the_bundle(widget: CourseWidget) -> None:
    data = bundle(widget)
    assert set(data) == {"text/plain", "text/html", VIEW}
    assert f'data-anywidget="{widget.stem()}"' in data["text/html"]
    assert widget.markup in data["text/html"]


def test_two_of_a_kind_give_equal_text_and_html(widget: CourseWidget) -> None:
    other = MAKERS[widget.stem()]()
    assert repr(other) == repr(widget) == bundle(widget)["text/plain"]
    assert bundle(other)["text/html"] == bundle(widget)["text/html"]
    assert "0x" not in repr(widget)


def test_a_widget_keeps_to_its_budget(widget: CourseWidget) -> None:
    data = bundle(widget)
    assert len(data["text/html"].encode()) <= 40_000
    assert len(data["text/plain"].splitlines()) <= 20


def test_two_on_a_page_share_no_id(widget: CourseWidget) -> None:
    assert re.search(r'\sid="', bundle(widget)["text/html"]) is None


def test_the_json_block_holds_what_the_page_needs(widget: CourseWidget) -> None:
    state = json.loads(block(bundle(widget)["text/html"]))
    assert set(state) == set(widget.trait_names(page=True))
    assert "markup" not in state


def test_a_text_cannot_end_the_json_block() -> None:
    life_cycle = LifeCycle()
    life_cycle.set_trait("table", {"text": "</script>"})
    html = bundle(life_cycle)["text/html"]
    assert json.loads(block(html))["table"] == {"text": "</script>"}
    assert html.count("</script>") == 1


def test_module_and_style_come_from_the_files_of_the_stem(widget: CourseWidget) -> None:
    assert widget._esm == (STATIC / f"{widget.stem()}.js").read_text("utf-8")
    sheets = [(STATIC / f"{name}.css").read_text("utf-8") for name in (PANEL, widget.stem())]
    assert widget._css == "\n".join(sheets)


def test_the_live_view_gets_the_same_markup(widget: CourseWidget) -> None:
    assert widget.get_state()["markup"] == widget.markup


def test_a_page_made_after_a_change_shows_the_change() -> None:
    life_cycle = LifeCycle()
    life_cycle.history = ["create"]
    assert "<b>create</b>" in bundle(life_cycle)["text/html"]


@pytest.mark.parametrize(
    ("option", "hint"),
    [("prog", "Did you mean 'program'"), ("colour", "It takes: history, program")],
)
def test_an_unknown_keyword_gets_a_hint(option: str, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        LifeCycle(**{option: "handles"})


def test_an_unknown_keyword_of_a_widget_that_takes_none() -> None:
    with pytest.raises(TypeError, match="It takes none"):
        SelfCheck("05-life-cycle", shuffle=True)
