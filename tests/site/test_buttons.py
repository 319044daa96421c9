import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from widgets.site import binder_url, public_repository

ROOT = Path(__file__).parents[2]


def links_to(host: str, site: Path) -> dict[str, list[str]]:
    found = {
        page.relative_to(site).as_posix(): re.findall(
            rf'href="(https://{re.escape(host)}[^"]*)"', page.read_text("utf-8")
        )
        for page in sorted(site.rglob("*.html"))
    }
    return {page: links for page, links in found.items() if links}


def test_each_chapter_and_no_other_page_has_a_binder_button(site: Path) -> None:
    chapters = {f"chapters/{file.stem}.html" for file in (ROOT / "chapters").glob("*.ipynb")}
    assert links_to("mybinder.org", site).keys() == chapters


def test_binder_button_opens_the_page_s_own_notebook_in_the_fork(site: Path) -> None:
    for page, links in links_to("mybinder.org", site).items():
        (link,) = links
        assert link.startswith("https://mybinder.org/v2/gh/someone/a-fork/HEAD?")
        (path,) = parse_qs(urlsplit(link).query)["urlpath"]
        opened = path.removeprefix("lab/tree/")
        assert opened == page.replace(".html", ".ipynb")
        assert (ROOT / opened).is_file()


def test_without_a_public_repository_there_is_no_button_and_a_message(
    site_without_repository: tuple[Path, str],
) -> None:
    site, said = site_without_repository
    assert links_to("mybinder.org", site) == {}
    assert "No Binder button" in said
    assert str(site / "index.html") in said


def test_no_page_names_jupyter_book_s_own_repository(
    site: Path, site_without_repository: tuple[Path, str]
) -> None:
    for folder in (site, site_without_repository[0]):
        for page in folder.rglob("*.html"):
            assert "executablebooks" not in page.read_text("utf-8"), page


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/someone/course", "https://github.com/someone/course"),
        ("https://github.com/someone/course.git", "https://github.com/someone/course"),
        ("git@github.com:someone/course.git", "https://github.com/someone/course"),
        ("ssh://git@gitlab.com/group/sub/course.git", "https://gitlab.com/group/sub/course"),
        ("https://someone:secret@github.com/someone/course", "https://github.com/someone/course"),
        ("http://github.com/someone/course", ""),
        ("https://localhost/someone/course", ""),
        ("https://github.com/", ""),
        ("/srv/git/course", ""),
        ("../course", ""),
        ("", ""),
    ],
)
def test_only_a_public_https_address_is_shown(remote: str, address: str) -> None:
    assert public_repository(remote) == address


@pytest.mark.parametrize(
    ("repository", "source"),
    [
        ("https://github.com/someone/course", "gh/someone/course"),
        ("https://gitlab.com/group/sub/course", "gl/group%2Fsub%2Fcourse"),
        (
            "https://codeberg.org/someone/course",
            "git/https%3A%2F%2Fcodeberg.org%2Fsomeone%2Fcourse",
        ),
    ],
)
def test_binder_address_is_the_host_s(repository: str, source: str) -> None:
    url = binder_url(repository, "chapters/01-first.ipynb")
    assert url == f"https://mybinder.org/v2/{source}/HEAD?urlpath=lab/tree/chapters/01-first.ipynb"
