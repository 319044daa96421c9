from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import ipywidgets
import pytest
import tenacity

from lab.panel import age, memory_bytes, usual_name

if TYPE_CHECKING:
    from lab import Lab

NOW = dt.datetime(2026, 11, 24, 12, 0, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("started", "text"),
    [
        ("2026-11-24T11:59:55.1Z", "5 s"),
        ("2026-11-24T11:57:55Z", "2 min"),
        ("2026-11-24T09:00:00Z", "3 h"),
        ("2026-11-20T09:00:00Z", "4 d"),
        ("2026-11-24T12:00:05Z", "0 s"),
    ],
)
def test_age_is_said_in_its_largest_unit(started: str, text: str) -> None:
    assert age(started, NOW) == text


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ({"memory_stats": {"usage": 10, "stats": {"total_inactive_file": 4}}}, 6),
        ({"memory_stats": {"usage": 10, "stats": {"inactive_file": 3}}}, 7),
        ({"memory_stats": {}}, 0),
        ({}, 0),
    ],
)
def test_memory_leaves_out_the_cache_in_both_versions(
    stats: dict[str, object], expected: int
) -> None:
    assert memory_bytes(stats) == expected


@pytest.mark.parametrize(
    ("image", "usual"),
    [
        ("course/base:1", "course/base:1"),
        ("docker.io/course/base:1", "course/base:1"),
        ("docker.io/library/python:3.11", "python:3.11"),
        ("127.0.0.1:5000/greeter:1", "127.0.0.1:5000/greeter:1"),
    ],
)
def test_an_image_has_the_same_name_on_both_engines(image: str, usual: str) -> None:
    assert usual_name(image) == usual


def labels(widget: ipywidgets.Widget) -> list[str]:
    if isinstance(widget, ipywidgets.Box):
        return [text for child in widget.children for text in labels(child)]
    if isinstance(widget, ipywidgets.Button):
        return [f"[{widget.description}{' off' if widget.disabled else ''}]"]
    return [widget.value]


def button(widget: ipywidgets.Widget) -> ipywidgets.Button:
    if isinstance(widget, ipywidgets.Button):
        return widget
    found = [
        button(child)
        for child in getattr(widget, "children", ())
        if isinstance(child, (ipywidgets.Box, ipywidgets.Button))
    ]
    return found[0]


@pytest.mark.engine
def test_the_panel_shows_what_runs_and_stops_it(lab: Lab) -> None:
    lab.docker.containers.run(
        "course/base:1", "sleep 600", name=lab.name("web"), init=True, detach=True
    )
    panel = lab.panel()
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"].splitlines()[-1] == "web   course/base:1  running"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "web" in labels(panel._box)
    assert "[Stop]" in labels(panel._box)
    button(panel._box).click()
    for attempt in tenacity.Retrying(
        stop=tenacity.stop_after_delay(20), wait=tenacity.wait_fixed(0.2), reraise=True
    ):
        with attempt:
            assert "exited" in labels(panel._box)
            assert "[Stop off]" in labels(panel._box)
    lab.close()
    assert labels(panel._box) == ["The lab is closed."]
