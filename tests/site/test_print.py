"""What comes out on paper: all that the page says, and nothing to press."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = pytest.mark.browser

PAPER = {"width": 680, "height": 960}  # A4 between its margins
CUT = """() => [...document.querySelectorAll("article *")].filter(el =>
  el.scrollWidth > el.clientWidth + 1 && el.clientWidth > 1 && !el.closest("svg")
  && !["inline", "none"].includes(getComputedStyle(el).display)).map(el => el.outerHTML)"""
LAZY = """() => [...document.querySelectorAll("article section")].filter(el =>
  getComputedStyle(el).contentVisibility !== "visible").length"""


@pytest.fixture
def paper(context: BrowserContext) -> Page:
    tab = context.new_page()
    tab.set_viewport_size(PAPER)
    tab.emulate_media(media="print")
    return tab


def test_paper_has_the_text_and_no_way_around_it(paper: Page, address: str) -> None:
    paper.goto(address + "chapters/05-life-cycle.html")
    expect(paper.locator("article h1")).to_be_visible()
    for left_out in (
        "#pst-primary-sidebar",
        "#pst-secondary-sidebar",
        ".bd-header-article",
        ".prev-next-footer",
        "article .copybtn >> nth=0",
        "article .headerlink >> nth=0",
    ):
        expect(paper.locator(left_out)).to_be_hidden()


def test_what_is_folded_is_open_on_paper(paper: Page, address: str) -> None:
    paper.goto(address + "exercises/05-life-cycle.html")
    folds = paper.locator("article details:not([open])")
    expect(folds.first).to_be_attached()
    for fold in folds.all():
        box = fold.locator("> :not(summary)").last.bounding_box()
        assert box
        assert box["height"] > 0


@pytest.mark.parametrize(
    "name", ["chapters/04-images.html", "exercises/02-limits-and-privileges.html"]
)
def test_nothing_is_cut_at_the_edge_of_the_paper(paper: Page, address: str, name: str) -> None:
    paper.goto(address + name)
    assert paper.evaluate(CUT) == []
    assert paper.evaluate(LAZY) == 0


def test_a_link_out_of_the_site_shows_its_address(paper: Page, address: str) -> None:
    paper.goto(address + "chapters/04-images.html")
    shown = "el => getComputedStyle(el, '::after').content"
    out = paper.locator('article a[href^="http"]').first
    assert out.get_attribute("href") in out.evaluate(shown)
    assert paper.locator("article a.internal").first.evaluate(shown) == "none"


def test_paper_is_white_though_the_screen_is_dark(context: BrowserContext, address: str) -> None:
    tab = context.new_page()
    tab.emulate_media(color_scheme="dark")
    tab.goto(address + "chapters/04-images.html")
    colour = "getComputedStyle(document.documentElement).getPropertyValue('--pst-color-background')"
    tab.evaluate(f"() => addEventListener('beforeprint', () => {{ window.paper = {colour} }})")
    screen = tab.evaluate(f"() => {colour}")
    printed = tab.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert tab.evaluate("() => window.paper") == "#ffffff"
    assert tab.evaluate(f"() => {colour}") == screen != "#ffffff"
