from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

Look = Callable[..., Any]
PHONE = 390


def test_page_is_no_wider_than_the_phone(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).too_wide_px == 0


def test_page_has_no_axe_violation_with_every_fold_open(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).violations == []


def test_page_does_not_shift_on_a_slow_machine(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).layout_shift <= 0.002


# What is wider than its place, of all that is laid out, and is not reached by Tab.
UNREACHED = """() => [...document.querySelectorAll("pre, .output, .pst-scrollable-table-container")]
  .filter(el => el.checkVisibility({contentVisibilityAuto: true}))
  .filter(el => (el.scrollWidth > el.clientWidth) !== (el.tabIndex === 0))
  .map(el => el.outerHTML.slice(0, 200))"""


def test_what_scrolls_sideways_is_reached_by_key_and_nothing_else_is(
    context: BrowserContext, address: str, page: str
) -> None:
    tab = context.new_page()
    tab.set_viewport_size({"width": PHONE, "height": 900})
    tab.goto(address + page)
    tab.wait_for_function("() => document.readyState === 'complete'")
    assert tab.evaluate(UNREACHED) == []
    # Each late section, as the reader comes near.
    for section in tab.locator("article > section > section").all():
        section.scroll_into_view_if_needed()
        expect_none(tab)
    tab.set_viewport_size({"width": 1350, "height": 900})
    expect_none(tab)


def expect_none(tab: Page) -> None:
    tab.wait_for_function(f"() => ({UNREACHED})().length === 0")
