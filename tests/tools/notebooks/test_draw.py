from __future__ import annotations

from typing import TYPE_CHECKING

import notebooks_draw
import pytest

from widgets import CHARTS

if TYPE_CHECKING:
    from pathlib import Path

    from widgets.chart import Chart


@pytest.fixture
def charts() -> list[Chart]:
    return [make() for make in CHARTS]


def test_only_what_has_changed_is_drawn_and_what_is_left_over_goes(
    charts: list[Chart], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks_draw, "render", lambda each: f"<svg>{each.name}</svg>")
    (tmp_path / "comparison-0123456789ab.svg").write_text("<svg/>")
    names = {each.drawing.name for each in charts}
    first = notebooks_draw.draw(charts, tmp_path)
    assert first == {**dict.fromkeys(names, "drawn"), "comparison-0123456789ab.svg": "removed"}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert notebooks_draw.draw(charts, tmp_path) == dict.fromkeys(names, "as it was")


@pytest.mark.browser
def test_two_renderings_are_the_same_bytes(charts: list[Chart]) -> None:
    for each in charts:
        assert notebooks_draw.render(each) == notebooks_draw.render(each)
