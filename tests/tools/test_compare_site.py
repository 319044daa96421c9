from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat.v4
import pytest
import yaml
from compare_site import CHART, STATE, VIEW, Figure, as_by_default, default_settings, rows

from widgets import SelfCheck
from widgets.comparison_chart import ComparisonChart

ROOT = Path(__file__).parents[2]


def stored(*data: dict[str, object]) -> nbformat.NotebookNode:
    outputs = [nbformat.v4.new_output("display_data", data=each) for each in data]
    cells = [nbformat.v4.new_code_cell("x", outputs=outputs)]
    return nbformat.v4.new_notebook(cells=cells)


def shown(notebook: nbformat.NotebookNode) -> list[dict[str, object]]:
    return [output.data for output in notebook.cells[0].outputs]


def test_widget_is_stored_as_ipywidgets_does() -> None:
    html = SelfCheck("05-life-cycle")._repr_mimebundle_()[0]["text/html"]
    notebook = as_by_default(stored({"text/html": html, "text/plain": "x"}))
    (data,) = shown(notebook)
    assert data.keys() == {VIEW, "text/plain"}
    (state,) = notebook.metadata["widgets"][STATE]["state"].values()
    assert "render" in state["state"]["_esm"]
    assert "fieldset" in state["state"]["markup"]
    assert "anywidget" not in state["state"]["markup"]
    assert "<script" not in state["state"]["markup"]
    assert "answers" in state["state"]
    nbformat.validate(notebook)


def test_chart_is_stored_as_plotly_does() -> None:
    bundle = json.loads(json.dumps(ComparisonChart()._repr_mimebundle_()[0]))
    (data,) = shown(as_by_default(stored(bundle)))
    assert CHART in bundle
    assert CHART not in data
    assert "https://cdn.plot.ly/" in str(data["text/html"])
    assert "data-anywidget" not in str(data["text/html"])


def test_what_is_no_widget_stays() -> None:
    data: dict[str, object] = {"text/html": "<table></table>", "text/plain": "x"}
    assert shown(as_by_default(stored(data))) == [data]


def test_settings_keep_what_the_content_needs_and_nothing_of_ours() -> None:
    settings = default_settings(yaml.safe_load((ROOT / "_config.yml").read_text()))
    extra = settings["sphinx"]["extra_extensions"]
    assert "sphinx_exercise" in extra
    assert "widgets.site" not in extra
    assert "html" not in settings


@pytest.mark.parametrize(
    ("default", "ours", "ratio"),
    [
        (30, 10, "3.00 times"),
        (10, 30, "0.33 times"),
        (10, 10.2, "equal"),
        (0, 0, "equal"),
        (3, 0, "ours none"),
        (0, 3, "default none"),
    ],
)
def test_ratio_says_who_has_more(default: float, ours: float, ratio: str) -> None:
    ((*_, said),) = rows({"x": Figure(default, "{}")}, {"x": Figure(ours, "{}")})
    assert said == ratio


def test_a_kind_that_one_page_lacks_is_zero() -> None:
    found = list(rows({"font": Figure(3, "{} KB")}, {"all": Figure(1, "{} KB")}))
    assert found == [("font", "3 KB", "0", "ours none"), ("all", "0", "1 KB", "default none")]


def test_a_page_that_is_not_there_is_told_at_once() -> None:
    command = [sys.executable, ROOT / "tools" / "compare_site.py", "chapters/99-gone"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "No such page: chapters/99-gone" in said.stdout


@pytest.mark.slow
@pytest.mark.browser
def test_both_sites_are_built_and_looked_at() -> None:
    command = [sys.executable, ROOT / "tools" / "compare_site.py", "--tries", "1"]
    said = subprocess.run([*command, "chapters/setup"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    cells = [line.split("|") for line in said.stdout.splitlines() if line.startswith("|")]
    lines = {line[1].strip(): line for line in cells}
    assert lines["other hosts asked"][3].strip() == "0"
    assert lines["axe rules broken, light"][3].strip() == "0"
    assert lines["bytes: all"][4].strip().endswith("times")
