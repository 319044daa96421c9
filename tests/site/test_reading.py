from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = pytest.mark.browser

CHAPTER = "chapters/05-life-cycle.html"


def hits(tab: Page, site: str, word: str) -> list[str]:
    tab.goto(f"{site}search.html?q={word}")
    expect(tab.locator("#search-results .search-summary")).to_contain_text("found")
    return [link.get_attribute("href") or "" for link in tab.locator("ul.search a").all()]


@pytest.fixture(params=["served", "opened as a file"])
def site_address(request: pytest.FixtureRequest, address: str, site: Path) -> str:
    return address if request.param == "served" else site.as_uri() + "/"


def test_search_finds_the_chapter(context: BrowserContext, site_address: str) -> None:
    found = hits(context.new_page(), site_address, "container")
    assert any(CHAPTER in link for link in found)


def test_search_for_nonsense_finds_nothing(context: BrowserContext, site_address: str) -> None:
    tab = context.new_page()
    tab.goto(f"{site_address}search.html?q=qwertzuiop")
    expect(tab.locator("#search-results")).to_contain_text("did not match")


def test_search_by_keyboard_leads_to_the_results(context: BrowserContext, address: str) -> None:
    tab = context.new_page()
    tab.goto(address + CHAPTER)
    tab.keyboard.press("Control+k")
    tab.keyboard.type("container")
    tab.keyboard.press("Enter")
    expect(tab.locator("ul.search a").first).to_be_visible()


def test_first_page_leads_to_the_introduction(context: BrowserContext, site_address: str) -> None:
    tab = context.new_page()
    tab.goto(site_address + "index.html")
    expect(tab.locator("article h1")).to_contain_text("Containers on AWS")
    assert tab.url == site_address + "chapters/intro.html"


def test_page_opened_as_a_file_can_be_read(context: BrowserContext, site: Path) -> None:
    tab = context.new_page()
    tab.goto((site / CHAPTER).as_uri())
    expect(tab.locator("article h1")).to_be_visible()
    expect(tab.locator("article .cell_input").first).to_have_css("border-left-width", "3px")


def test_reader_s_choice_of_mode_is_kept(context: BrowserContext, address: str) -> None:
    tab = context.new_page()
    tab.goto(address + CHAPTER)
    html = tab.locator("html")
    expect(html).to_have_attribute("data-mode", "auto")
    tab.get_by_role("button", name="Color mode").click()
    expect(html).to_have_attribute("data-theme", "dark")
    tab.reload()
    expect(html).to_have_attribute("data-theme", "dark")


def test_copy_button_takes_the_code_and_leaves_the_output(
    context: BrowserContext, address: str
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.goto(address + CHAPTER)
    cell = tab.locator(".cell:has(.cell_output)").first
    cell.locator(".cell_input").hover()
    cell.locator("button.copybtn").click()
    copied = tab.evaluate("() => navigator.clipboard.readText()")
    assert copied.strip() == cell.locator(".cell_input pre").inner_text().strip()
    assert tab.locator(".cell_output button.copybtn").count() == 0


def test_solution_is_folded_until_it_is_asked_for_without_a_script(
    browser_without_scripts: BrowserContext, address: str
) -> None:
    tab = browser_without_scripts.new_page()
    tab.goto(address + "exercises/05-life-cycle.html")
    solution = tab.locator("details.solution").first
    expect(solution.locator(".cell_input").first).to_be_hidden()
    solution.locator("summary").press("Enter")
    expect(solution.locator(".cell_input").first).to_be_visible()


def test_contents_of_the_course_open_on_a_phone(context: BrowserContext, address: str) -> None:
    tab = context.new_page()
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(address + CHAPTER)
    tab.get_by_role("button", name="Chapters").press("Enter")
    expect(tab.get_by_role("link", name="Set-up").first).to_be_visible()
