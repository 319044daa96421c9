"""A reader with an old link, or a wrong one, is led on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from pydantic import ValidationError

from widgets.site_published import complaints, load_published, redirects

from .conftest import pages

Serve = Callable[[Path], str]
WRONG = ("gone.html", "chapters/gone.html", "no/such/folder/at/all/")


def test_table_names_every_page_of_the_book() -> None:
    here = [name for name, target in load_published().items() if target is None]
    book = {page.removesuffix(".html") for page in pages()} - {"search", "404"}
    assert set(here) == book


@pytest.mark.parametrize(
    ("table", "built", "said"),
    [
        ({"a": None}, {"a"}, None),
        ({"a": None, "b": "a"}, {"a"}, None),
        ({"a": None}, {"a", "b"}, "b is a new page"),
        ({"a": None, "b": None}, {"a"}, "b was published and is gone"),
        ({"a": None, "b": "a"}, {"a", "b"}, "b is a page, and"),
        ({"a": None, "b": "c", "c": "a"}, {"a"}, "readers of b to c, which is no page"),
    ],
    ids=["all there", "moved", "new", "lost", "both", "chain"],
)
def test_a_page_cannot_be_lost(
    table: dict[str, str | None], built: set[str], said: str | None
) -> None:
    found = list(complaints(table, built))
    assert len(found) == (said is not None)
    assert all(said in complaint for complaint in found if said)


@pytest.mark.parametrize("line", ["a.html:", "a: b.html", "a: b#c", "../a:", "/a:", "A:"])
def test_what_is_no_page_s_name_is_refused(tmp_path: Path, line: str) -> None:
    table = tmp_path / "published.yaml"
    table.write_text(line)
    with pytest.raises(ValidationError):
        load_published(table)


def test_every_page_that_has_moved_is_there(site: Path) -> None:
    for name, target in redirects(load_published()).items():
        text = (site / f"{name}.html").read_text("utf-8")
        assert f"{target.rpartition('/')[2]}.html" in text


@pytest.mark.browser
def test_a_redirect_keeps_what_stands_behind_the_address(
    context: BrowserContext, address: str
) -> None:
    tab = context.new_page()
    tab.goto(address + "index.html?q=1#state")
    expect(tab).to_have_url(address + "chapters/intro.html?q=1#state")


@pytest.mark.browser
def test_a_redirect_needs_no_script(browser_without_scripts: BrowserContext, address: str) -> None:
    tab = browser_without_scripts.new_page()
    tab.goto(address)
    expect(tab).to_have_url(address + "chapters/intro.html")


@pytest.mark.browser
def test_a_wrong_address_at_any_depth_leads_on(context: BrowserContext, address: str) -> None:
    tab = context.new_page()
    missing: list[str] = []
    tab.on("response", lambda got: missing.append(got.url) if got.status >= 400 else None)
    for wrong in WRONG:
        answer = tab.goto(address + wrong)
        assert answer is not None
        assert answer.status == 404
        expect(tab.locator("h1")).to_have_text("No such page")
        expect(tab.locator("article")).to_have_css("line-height", "28.05px")  # the site's own
        tab.get_by_role("link", name="Life cycle", exact=True).click()
        expect(tab).to_have_url(address + "chapters/05-life-cycle.html")
    tab.goto(address + WRONG[1])
    field = tab.locator("article").get_by_role("searchbox")
    field.fill("container")
    field.press("Enter")
    expect(tab.locator("ul.search a").first).to_be_visible()
    assert missing == [address + wrong for wrong in (*WRONG, WRONG[1])]


@pytest.mark.browser
def test_a_wrong_address_at_the_top_of_a_host_leads_on(
    context: BrowserContext, site_without_repository: tuple[Path, str], serve: Serve
) -> None:
    tab = context.new_page()
    host = serve(site_without_repository[0])
    tab.goto(host + WRONG[1])
    tab.get_by_role("link", name="start at the beginning").click()
    expect(tab).to_have_url(host + "chapters/intro.html")
