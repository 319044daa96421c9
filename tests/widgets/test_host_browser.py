from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from widgets import LifeCycle, SelfCheck
from widgets.base import STATIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_widgets_of_two_kinds_come_alive_on_one_page(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(LifeCycle(), SelfCheck("05-life-cycle"))
    assert page.locator('[data-ready="yes"]').count() == 2
    assert page.locator("fieldset:disabled").count() == 0
    assert said == []


@pytest.mark.parametrize(
    "module",
    ["throw new Error('broken');", "export default { render() { throw new Error('broken'); } };"],
    ids=["while it is read", "while it renders"],
)
def test_a_widget_that_fails_says_so_and_the_rest_goes_on(
    module: str, open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(LifeCycle(), ready="failed", module=module)
    assert page.get_by_text("This widget did not start.").is_visible()
    assert [line for line in said if "The widget life_cycle did not start." in line]
    page.locator("summary").click()
    assert page.locator("details table").first.is_visible()
    assert page.locator("fieldset:not(:disabled)").count() == 0


def test_the_host_stays_small() -> None:
    assert (STATIC / "host.js").stat().st_size <= 1800
