"""Sections below the screen are laid out late, and nobody who looks for one notices."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = pytest.mark.browser

CHAPTER = "chapters/05-life-cycle.html"
LAST = "section#clean-up"
# Where the heading is in the window, once two frames have passed without moving it.
TOP = """async (el) => {
  const frame = () => new Promise(requestAnimationFrame);
  for (let before = NaN; ; await frame()) {
    const now = el.getBoundingClientRect().top;
    if (now === before) return now;
    before = now;
    await frame();
  }
}"""

ALL_LAID_OUT = """() => [...document.querySelectorAll("article > section > section")].every(el =>
  getComputedStyle(el).contentVisibility === "visible")"""


def heading_is_at_the_top(tab: Page, section: str) -> bool:
    top = tab.locator(f"{section} > h2").evaluate(TOP)
    return bool(0 <= top < 200)


def test_first_paint_leaves_out_what_is_below_the_screen(
    context: BrowserContext, address: str
) -> None:
    tab = context.new_page()
    tab.goto(address + CHAPTER)
    assert not tab.evaluate(ALL_LAID_OUT)


@pytest.mark.parametrize("section", ["section#exit-codes", "section#what-can-go-wrong"])
@pytest.mark.parametrize("width", [390, 1350])
def test_a_link_to_a_late_section_lands_at_its_heading(
    context: BrowserContext, address: str, section: str, width: int
) -> None:
    tab = context.new_page()
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(address + CHAPTER + "#" + section.partition("#")[2])
    assert heading_is_at_the_top(tab, section)


def test_contents_at_the_right_lead_to_the_heading(context: BrowserContext, address: str) -> None:
    tab = context.new_page()
    tab.goto(address + CHAPTER)
    tab.locator("#pst-secondary-sidebar").get_by_role("link", name="What can go wrong").click()
    assert heading_is_at_the_top(tab, "section#what-can-go-wrong")


def test_a_reader_who_comes_back_is_where_they_were(context: BrowserContext, address: str) -> None:
    tab = context.new_page()
    tab.goto(address + CHAPTER)
    section = "section#exit-codes"
    tab.locator(f"{section} > h2").evaluate("el => el.scrollIntoView()")
    assert heading_is_at_the_top(tab, section)
    tab.reload()
    assert heading_is_at_the_top(tab, section)
    tab.goto(address + "chapters/setup.html")
    tab.go_back()
    assert heading_is_at_the_top(tab, section)


def test_find_in_page_finds_what_has_not_been_laid_out(
    context: BrowserContext, address: str
) -> None:
    tab = context.new_page()
    tab.goto(address + CHAPTER)
    words = (tab.locator(f"{LAST} > p").first.text_content() or "").strip()[:30]
    assert len(words) == 30
    assert tab.evaluate("words => window.find(words)", words)
    expect(tab.locator(LAST)).to_be_in_viewport()


def test_mode_above_the_text_leads_to_what_the_chapter_starts(
    context: BrowserContext, address: str
) -> None:
    tab = context.new_page()
    tab.goto(address + CHAPTER)
    tab.get_by_role("link", name="Runs on your Docker").click()
    expect(tab.locator("section#before-you-start table")).to_be_in_viewport()
