from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from site_visit import violations

from widgets import ComparisonChart
from widgets.site import PLOTLY

from .conftest import contrast

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Request

pytestmark = pytest.mark.browser

LIVE = ".plot[data-live=yes]"
OBSERVE = """
window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => { shift += entry.value; }))
  .observe({ type: "layout-shift", buffered: true });
"""
# Each text and line with its colour and what it must differ from: the nearest filled box, else the
# page. Inside SVG axe sees none of it.
INKS = """(live) => {
  const plot = document.querySelector(".plot");
  const paper = getComputedStyle(plot).backgroundColor;
  const root = plot.querySelector(live ? ".live" : ":scope > svg");
  const seen = (style) => style.opacity !== "0" && style.visibility !== "hidden";
  const inks = [];
  for (const text of root.querySelectorAll("text")) {
    const style = getComputedStyle(text);
    if (!text.textContent.trim() || !seen(style)) continue;
    const box = text.closest(".hovertext")?.querySelector("path");
    inks.push([`text ${text.textContent}`, style.fill,
      box ? getComputedStyle(box).fill : paper, 4.5, parseFloat(style.fontSize)]);
  }
  for (const line of root.querySelectorAll("path, circle")) {
    const style = getComputedStyle(line);
    const area = line.getBoundingClientRect();
    if (!area.width && !area.height || !seen(style)) continue;
    const stroke = style.stroke !== "none" && style.strokeOpacity !== "0" &&
      parseFloat(style.strokeWidth) > 0;
    const ink = stroke ? style.stroke : style.fill;
    if (!stroke && (style.fill === "none" || style.fillOpacity === "0")) continue;
    if (/^rgba\\(.*, 0\\)$/.test(ink)) continue;
    inks.push([`line ${line.getAttribute("class")}`, ink, paper, 3, 99]);
  }
  return inks;
}"""


def said_in(page: Page) -> str:
    return page.locator("[data-said]").inner_text()


def by_focus(page: Page) -> None:
    page.locator("button").focus()


def by_hover(page: Page) -> None:
    page.locator(".plot").hover()


def by_press(page: Page) -> None:
    # As a screen reader presses: with neither pointer nor focus.
    page.locator("button").dispatch_event("click")


@pytest.mark.parametrize("wake", [by_focus, by_hover, by_press])
def test_it_comes_alive_on_intent_and_nothing_jumps(
    wake: Callable[[Page], None], open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(ComparisonChart())
    page.evaluate(OBSERVE)
    before = page.locator(".chart").bounding_box()
    assert page.evaluate("() => window.Plotly") is None
    wake(page)
    expect(page.locator(LIVE)).to_be_visible()
    assert page.locator(".chart").bounding_box() == before
    assert page.evaluate("() => window.shift") <= 0.002
    assert said == []


def test_before_the_touch_no_plotly_is_asked_for_and_never_another_host(
    open_page: Callable[..., Page], address: str
) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page = open_page(ComparisonChart())
    page.on("request", note)
    page.reload(wait_until="networkidle")
    assert not [url for url in asked if PLOTLY in url]
    by_focus(page)
    expect(page.locator(LIVE)).to_be_visible()
    page.keyboard.press("Enter")
    assert [url for url in asked if PLOTLY in url] == [address + PLOTLY]
    assert [url for url in asked if not url.startswith((address, "data:"))] == []


def test_two_charts_load_plotly_once(open_page: Callable[..., Page]) -> None:
    page = open_page(ComparisonChart(), ComparisonChart())
    for button in page.locator("button").all():
        button.focus()
    expect(page.locator(LIVE)).to_have_count(2)
    assert page.locator(f'script[src$="{PLOTLY}"]').count() == 1


def test_the_keys_walk_through_the_marks(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(ComparisonChart())
    page.keyboard.press("Tab")
    assert page.locator("button").evaluate("button => button === document.activeElement")
    expect(page.locator(LIVE)).to_be_visible()
    expect(page.locator("button")).to_have_text("Next mark")
    page.keyboard.press("Enter")
    expect(page.locator("[data-said]")).to_have_text(
        "EB: simplicity, drawn by hand. Source: the talk of 2019-06-22"
    )
    seen = []
    while said_in(page) not in seen:
        seen.append(said_in(page))
        page.keyboard.press("ArrowRight")
    told = [
        text for trace in ComparisonChart().spec["data"] for text in trace.get("customdata", [])
    ]
    assert len(seen) == len(told)
    page.keyboard.press("ArrowLeft")
    assert said_in(page) == seen[-1]
    assert seen[-1].startswith("Kubernetes API: ")
    expect(page.locator(".live .hovertext")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".live .hovertext")).to_have_count(0)
    assert said == []


def test_pointing_shows_the_count_and_its_source(open_page: Callable[..., Page]) -> None:
    page = open_page(ComparisonChart())
    by_focus(page)
    expect(page.locator(LIVE)).to_be_visible()
    page.locator(".live .points path").nth(5).hover(force=True)
    label = page.locator(".live .hovertext")
    expect(label).to_contain_text("fields to fill in")
    expect(label).to_contain_text("Source: ")


def test_the_picture_and_the_live_chart_show_the_same(open_page: Callable[..., Page]) -> None:
    page = open_page(ComparisonChart())
    texts = "root => [...root.querySelectorAll('text')].map((t) => t.textContent).sort()"
    drawn = page.locator(".plot > svg").evaluate(texts)
    by_focus(page)
    expect(page.locator(LIVE)).to_be_visible()
    assert page.locator(".live").evaluate(texts) == drawn
    marks = page.locator(".plot > svg circle").count()
    assert page.locator(".live .points path").count() == marks + 3


@pytest.mark.parametrize("state", ["picture", "live"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1350])
def test_text_and_lines_can_be_read(
    width: int, theme: str, state: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(ComparisonChart(), theme=theme, width=width)
    scale = page.locator(".plot").evaluate("plot => plot.clientWidth") / 380
    if state == "live":
        by_focus(page)
        expect(page.locator(LIVE)).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator(".live .hovertext")).to_be_visible()
        scale = 1
    inks = page.evaluate(INKS, state == "live")
    assert len(inks) > 60
    pale = [
        f"{what}: {ink} on {paper}: {contrast(ink, paper):.2f}"
        for what, ink, paper, least, _ in inks
        if contrast(ink, paper) < least
    ]
    assert pale == []
    assert [what for what, _, _, _, size in inks if size * scale < 11] == []


def test_it_follows_the_reader_s_change_of_mode(open_page: Callable[..., Page]) -> None:
    page = open_page(ComparisonChart())
    by_focus(page)
    expect(page.locator(LIVE)).to_be_visible()
    tick = page.locator(".live .y2tick text").first
    expect(tick).to_have_css("fill", "rgb(23, 36, 45)")
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
    expect(tick).to_have_css("fill", "rgb(230, 237, 241)")


@pytest.mark.parametrize("state", ["picture", "live"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1350])
def test_axe_finds_nothing(
    width: int, theme: str, state: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(ComparisonChart(), theme=theme, width=width)
    page.locator("details").evaluate("fold => { fold.open = true; }")
    if state == "live":
        by_focus(page)
        expect(page.locator(LIVE)).to_be_visible()
        page.keyboard.press("Enter")
    assert violations(page) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1350])
def test_it_fits_the_screen(width: int, open_page: Callable[..., Page]) -> None:
    page = open_page(ComparisonChart(), width=width)
    by_focus(page)
    expect(page.locator(LIVE)).to_be_visible()
    page.locator("details").evaluate("fold => { fold.open = true; }")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    inside = """() => {
      const plot = document.querySelector(".plot").getBoundingClientRect();
      return [...document.querySelectorAll(".live text")].filter((text) => {
        const area = text.getBoundingClientRect();
        return area.left < plot.left - 1 || area.right > plot.right + 1;
      }).map((text) => text.textContent);
    }"""
    if width >= 390:
        assert page.evaluate(inside) == []


def test_it_follows_the_window(open_page: Callable[..., Page]) -> None:
    page = open_page(ComparisonChart())
    by_focus(page)
    expect(page.locator(LIVE)).to_be_visible()
    page.set_viewport_size({"width": 340, "height": 900})
    drawn = page.locator(".live .main-svg").first
    expect(drawn).to_have_attribute("width", "308")


def test_without_a_script_the_picture_and_the_tables_tell_it(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(ComparisonChart(), java_script_enabled=False)
    assert page.locator("button:visible").count() == 0
    assert page.locator(".plot > svg").is_visible()
    assert page.locator(".stage table tr", has_text="ECS Express Mode").is_visible()
    page.locator("summary").click()
    assert page.locator("code", has_text="ecs.CreateExpressGatewayService").is_visible()


def test_where_plotly_cannot_be_loaded_the_page_says_so_and_can_be_read(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(ComparisonChart())
    page.context.set_offline(offline=True)
    by_focus(page)
    expect(page.locator("[data-said]")).to_contain_text("Plotly could not be loaded")
    assert page.locator(".plot > svg").is_visible()
    assert page.locator(".live").count() == 0
    page.context.set_offline(offline=False)
    page.keyboard.press("Enter")  # the next try
    expect(page.locator(LIVE)).to_be_visible()


def test_where_the_file_is_no_plotly_the_page_says_so(open_page: Callable[..., Page]) -> None:
    page = open_page(ComparisonChart())
    page.route(f"**/{PLOTLY}", lambda route: route.fulfill(body="", content_type="text/javascript"))
    by_hover(page)
    expect(page.locator("[data-said]")).to_contain_text("Plotly could not be loaded")
    assert page.locator(".plot > svg").is_visible()
