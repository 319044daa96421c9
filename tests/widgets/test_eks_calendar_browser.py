from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from site_visit import violations

from facts import load_facts
from facts.eks_calendar import span, upgrade_plan
from widgets import EksCalendar
from widgets.eks_calendar import _view

from .conftest import contrast, first_and_live, in_jupyterlab

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

ROWS = load_facts().versions.rows
FIRST, LAST = span()
PLANS = """async ([table, asked]) => {
  const { upgradePlan, view } = await import("./eks_calendar.js");
  return asked.map(([version, day, whole]) => JSON.stringify(
    [Object.values(upgradePlan(table, version, day)), whole ? view(table, version, day) : null]));
}"""
INKS = """() => {
  const root = document.querySelector(".eks-calendar");
  const paper = getComputedStyle(root).backgroundColor;
  const ink = (part, of, least) =>
    [part.outerHTML.slice(0, 60), getComputedStyle(part)[of], paper, least];
  return [
    ...[...root.querySelectorAll("svg text")].map((part) => ink(part, "fill", 4.5)),
    ...[...root.querySelectorAll("svg rect")].map((part) => ink(part, "stroke", 3)),
    ...[...root.querySelectorAll("svg rect.standard")].map((part) => ink(part, "fill", 3)),
    ...[...root.querySelectorAll("svg .today")].map((part) => ink(part, "stroke", 3)),
  ];
}"""


def headline(page: Page) -> str:
    return page.locator('[data-slot="headline"]').inner_text()


def trouble(page: Page) -> str:
    return page.locator('[data-slot="trouble"]').inner_text()


def test_python_and_the_page_agree_on_every_day(
    open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    days = [FIRST + dt.timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
    asked = [
        (version, str(day), number % 7 == 0)
        for version, row in ROWS.items()
        for number, day in enumerate(days)
        if day >= row.on_eks
    ]
    widget = EksCalendar()
    live = open_page(widget).evaluate(PLANS, [widget.table, asked])
    for seen, (version, written, whole) in zip(live, asked, strict=True):
        day = dt.date.fromisoformat(written)
        plan = list(asdict(upgrade_plan(version, day)).values())
        mine = [plan, _view(version, day) if whole else None]
        assert json.loads(seen) == json.loads(json.dumps(mine)), (version, written)
    record_count(f"{len(live)} pairs of a Kubernetes version and a day, all days of the calendar")


def test_coming_alive_changes_no_word(open_page: Callable[..., Page], said: list[str]) -> None:
    widgets = [
        EksCalendar(),
        EksCalendar(version="1.31", today="2027-06-01"),
        EksCalendar(version="1.37", today="2028-12-02"),
    ]
    page = open_page(*widgets)
    made, live = first_and_live(page, widgets)
    assert live == made
    assert said == []


def test_keys_alone_choose_a_version_and_a_day(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(EksCalendar())
    page.context.set_offline(offline=True)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert headline(page).startswith("1.34 on 2026-11-23: standard support, $73.00")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")  # the month, as this browser writes a date
    assert headline(page).startswith("1.34 on 2026-12-23: extended support, $438.00")
    assert page.locator("tr.runs th").inner_text() == "1.34"
    assert page.locator('[data-row="1.31"] [data-support]').inner_text() == "none"
    assert page.locator("g.runs .name").text_content() == "1.34"
    assert page.get_by_role("status").count() == 2
    assert said == []


def test_a_wrong_day_is_said_and_the_rest_stays(open_page: Callable[..., Page]) -> None:
    page = open_page(EksCalendar(version="1.36"))
    before = headline(page)
    for day, words in (
        ("2029-01-01", f"The calendar goes from {FIRST} to {LAST}; 2029-01-01 is not in it."),
        ("2026-06-01", "EKS has 1.36 from 2026-06-02 on, not yet on 2026-06-01."),
        ("", f"Choose a day from {FIRST} to {LAST}."),
    ):
        page.locator('[name="today"]').fill(day)
        assert trouble(page) == f"{words} What stands below is as before."
        assert page.locator('[name="today"]').get_attribute("aria-invalid") == "true"
        assert headline(page) == before
    page.locator('[name="today"]').fill("2026-11-23")
    assert trouble(page) == ""
    page.locator('[name="today"]').fill("2026-07-01")
    page.locator('[name="version"]').select_option("1.37")
    assert "EKS has 1.37 from 2026-10-02 on" in trouble(page)
    assert page.locator('[name="version"]').input_value() == "1.36"


def test_the_button_takes_the_reader_s_own_day(open_page: Callable[..., Page]) -> None:
    page = open_page(EksCalendar())
    page.clock.set_fixed_time("2027-02-03T12:00:00")
    page.get_by_role("button", name="Today").click()
    assert headline(page).startswith("1.33 on 2027-02-03")
    assert page.locator('[data-slot="age"]').is_visible()
    page.clock.set_fixed_time("2031-02-03T12:00:00")
    page.get_by_role("button", name="Today").click()
    assert "2031-02-03 is not in it" in trouble(page)


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("light", 1350), ("dark", 1350)])
def test_axe_finds_nothing_and_the_drawing_can_be_read(
    theme: str, width: int, open_page: Callable[..., Page]
) -> None:
    page = open_page(EksCalendar(today="2027-06-01"), theme=theme, width=width)
    page.locator('[name="today"]').fill("")
    page.locator("details").evaluate("element => { element.open = true; }")
    assert violations(page) == []
    inks = page.evaluate(INKS)
    assert len(inks) > 30
    assert [what for what, ink, paper, least in inks if contrast(ink, paper) < least] == []


def test_it_fits_the_screen(open_page: Callable[..., Page]) -> None:
    page = open_page(EksCalendar(today="2027-06-01"), width=320)
    page.locator("details").evaluate("element => { element.open = true; }")
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_without_a_script_the_calendar_can_be_read(open_page: Callable[..., Page]) -> None:
    page = open_page(EksCalendar(), java_script_enabled=False)
    assert page.locator('[name="today"]').is_disabled()
    assert page.locator('[data-row="1.33"]').is_visible()
    page.locator("summary").click()
    assert page.get_by_text("one minor version at a time", exact=False).first.is_visible()


def test_a_module_that_fails_leaves_the_calendar(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(EksCalendar(), ready="failed", module="throw new Error('broken');")
    assert page.get_by_text("This widget did not start.").is_visible()
    assert page.locator('[data-row="1.33"]').is_visible()
    assert said


def test_jupyterlab_gives_an_empty_box_and_a_model(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    seen = in_jupyterlab(
        open_page(EksCalendar()),
        EksCalendar(),
        """
        const head = () => el.querySelector('[data-slot="headline"]').textContent;
        const version = el.querySelector('[name="version"]');
        version.value = "1.35";
        version.dispatchEvent(new Event("change", { bubbles: true }));
        const first = head();
        model.set("today", "2027-12-24");  // from Python
        return [first, head()];
        """,
    )
    assert seen["said"][0].startswith("1.35 on 2026-11-23: standard")
    assert seen["said"][1].startswith("1.35 on 2027-12-24: extended")
    assert (seen["calls"], seen["left"]) == (["saved"], 0)
    assert said == []
