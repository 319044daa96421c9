"""What the site says of itself where its address is known, and where it is not."""

import re
import struct
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from widgets.site_address import CARD, public_site

from .conftest import ROOT, SITE_URL, pages

LISTED = [page for page in pages() if page not in {"search.html", "404.html"}]
IS_PNG = b"\x89PNG\r\n\x1a\n"


class Head(HTMLParser):
    def __init__(self, file: Path) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.canonical = ""
        self.links: list[str] = []
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "meta" and "content" in has:
            name = has.get("name") or has.get("property") or has.get("http-equiv") or ""
            assert name == "viewport" or name not in self.meta, f"{name} is there twice"
            self.meta[name] = has["content"]
        if tag == "link" and has.get("rel") == "canonical":
            self.canonical = has["href"]
        self.links += [has[name] for name in ("href", "src") if name in has]


@pytest.mark.parametrize("name", LISTED)
def test_page_describes_itself(site: Path, name: str) -> None:
    head = Head(site / name)
    description = head.meta["description"]
    assert 20 < len(description) <= 200
    assert head.canonical == head.meta["og:url"] == f"{SITE_URL}/{name}"
    assert head.meta["og:description"] == description
    assert head.meta["og:title"]
    assert head.meta["twitter:card"] == "summary_large_image"
    image = head.meta["og:image"]
    assert image.startswith(f"{SITE_URL}/_static/")
    assert (site / image.removeprefix(f"{SITE_URL}/")).is_file()
    assert "robots" not in head.meta


def test_descriptions_are_the_first_paragraphs_and_all_differ(site: Path) -> None:
    texts = {page: Head(site / page).meta["description"] for page in LISTED}
    assert len(set(texts.values())) == len(texts)
    assert texts["chapters/05-life-cycle.html"].startswith("A container has a beginning and an")


def test_the_top_of_the_site_shows_the_first_page_s_card(site: Path) -> None:
    top, first = Head(site / "index.html"), Head(site / "chapters/intro.html")
    assert top.canonical == first.canonical
    shared = {name for name in first.meta if name.startswith(("og:", "twitter:"))}
    assert {name: top.meta[name] for name in shared} == {n: first.meta[n] for n in shared}


@pytest.mark.parametrize("name", ["search.html", "404.html"])
def test_what_is_of_no_use_from_elsewhere_is_not_listed(site: Path, name: str) -> None:
    head = Head(site / name)
    assert head.meta["robots"] == "noindex"
    assert head.canonical == ""


def test_sitemap_lists_every_page_and_robots_say_where_it_is(site: Path) -> None:
    listed = [place.text for place in ET.parse(site / "sitemap.xml").iter() if place.text]  # noqa: S314  # ours
    assert sorted(filter(str.strip, listed)) == sorted(f"{SITE_URL}/{page}" for page in LISTED)
    assert f"Sitemap: {SITE_URL}/sitemap.xml" in (site / "robots.txt").read_text()


def test_without_an_address_nothing_pretends_to_have_one(
    site_without_repository: tuple[Path, str],
) -> None:
    site, said = site_without_repository
    assert "SITE_URL=https://" in said
    assert [name for name in ("sitemap.xml", "robots.txt") if (site / name).exists()] == []
    assert list(site.rglob("card*")) == []
    for page in site.rglob("*.html"):
        head = Head(page)
        assert head.canonical == ""
        assert [name for name in head.meta if name.startswith(("og:", "twitter:"))] == []
        assert head.meta["description"]


def test_no_page_names_a_place_on_its_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        absolute = [link for link in Head(page).links if link.startswith("/")]
        assert absolute == (["/a-fork/"] if page.name == "404.html" else [])


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("", ""),
        ("https://host.example", "https://host.example/"),
        ("https://host.example/a/b/", "https://host.example/a/b/"),
        ("https://host.example:8443/a", "https://host.example:8443/a/"),
    ],
)
def test_address_ends_with_a_slash(given: str, known: str) -> None:
    assert public_site(given) == known


@pytest.mark.parametrize(
    "given",
    [
        "http://host.example/",
        "host.example",
        "https://localhost/",
        "https://host.example/?a",
        "https://host.example/#a",
        "https://me:secret@host.example/",
        "ftp://host.example/",
    ],
)
def test_an_address_that_no_reader_can_open_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="Give it as https://host/"):
        public_site(given)


def test_a_wrong_address_is_told_before_anything_is_built(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "tools" / "site.py", "--into", tmp_path]
    made = subprocess.run(
        [*command, "--site-url", "host.example"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 1
    assert "SITE_URL=host.example is not an address" in made.stdout
    assert list(tmp_path.iterdir()) == []


def test_card_is_drawn_from_its_source() -> None:
    drawn = sorted(file.name for file in CARD.source.parent.glob("*.png"))
    assert drawn == [CARD.file.name], "run .venv/bin/python tools/draw_card.py"
    picture = CARD.file.read_bytes()
    assert picture.startswith(IS_PNG)
    assert struct.unpack(">II", picture[16:24]) == (CARD.width, CARD.height)
    size = re.search(r'width="(\d+)" height="(\d+)"', CARD.source.read_text("utf-8"))
    assert size
    assert (int(size[1]), int(size[2])) == (CARD.width, CARD.height)
