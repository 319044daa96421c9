from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from .conftest import pages, stored_widgets

pytestmark = pytest.mark.browser


def test_course_has_widgets() -> None:
    assert any(stored_widgets(page) for page in pages())


def test_every_widget_answers_a_key_with_the_network_cut(
    context: BrowserContext,
    address: str,
    page_with_widgets: str,
    answers: Callable[[Locator], bool],
) -> None:
    tab = context.new_page()
    tab.goto(address + page_with_widgets)
    widgets = tab.locator("[data-anywidget]").all()
    for widget in widgets:
        expect(widget).to_have_attribute("data-ready", "yes")
    context.set_offline(True)
    dead = [widget.get_attribute("data-anywidget") for widget in widgets if not answers(widget)]
    assert dead == []


def test_page_without_a_widget_loads_no_host(site: Path, page: str) -> None:
    text = (site / page).read_text("utf-8")
    assert ("host.js" in text) == ("data-anywidget" in text)
