import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from widgets.site import PLOTLY

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]


def stored_widgets(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    outputs = (output for cell in cells for output in cell.get("outputs", []))
    pages = ("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    return re.findall(r'data-anywidget="(\w+)"', "".join(pages))


def test_page_holds_every_widget_of_its_notebook(look: Callable[..., Any], page: str) -> None:
    notebook = (ROOT / page).with_suffix(".ipynb")
    stored = stored_widgets(notebook) if notebook.exists() else []
    assert [name for name, _ in look(page).widgets] == stored


def test_course_has_widgets() -> None:
    assert any(stored_widgets(notebook) for notebook in (ROOT / "chapters").glob("*.ipynb"))


def test_every_widget_says_that_it_is_ready(look: Callable[..., Any], page: str) -> None:
    assert look(page).not_ready == []


def test_every_widget_answers_a_key_with_the_network_cut(
    context: BrowserContext, address: str, page: str, answers: Callable[[Locator], bool]
) -> None:
    tab = context.new_page()
    tab.goto(address + page)
    widgets = tab.locator("[data-anywidget]").all()
    for widget in widgets:
        expect(widget).to_have_attribute("data-ready", "yes")
    context.set_offline(True)
    dead = [widget.get_attribute("data-anywidget") for widget in widgets if not answers(widget)]
    assert dead == []


def test_page_without_a_widget_loads_no_host(site: Path, page: str) -> None:
    text = (site / page).read_text("utf-8")
    assert ("host.js" in text) == ("data-anywidget" in text)


def test_plotly_is_served_exactly_where_a_page_has_a_chart(site: Path) -> None:
    pages = [page.read_text("utf-8") for page in site.rglob("*.html")]
    charts = [text for text in pages if 'data-anywidget="chart"' in text]
    assert (site / "_static" / PLOTLY).exists() == bool(charts)
    assert [text for text in pages if PLOTLY in text] == []
