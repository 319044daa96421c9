import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, Locator
from site_visit import NOT_FOUND, How, Theme, Visit, visit
from site_visit import serve as serve_folder

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/someone/a-fork"
SITE_URL = "https://someone.github.io/a-fork"
SLOW_MACHINE = 6
DAY_OF_THE_BUILD = "1795564800"  # 2026-11-25

Look = Callable[..., Visit]
Build = Callable[..., tuple[Path, str]]


@cache
def pages() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))

    def files(entry: object) -> Iterator[str]:
        if isinstance(entry, dict):
            yield from (str(entry[key]) for key in ("root", "file") if key in entry)
            for value in entry.values():
                yield from files(value)
        elif isinstance(entry, list):
            for value in entry:
                yield from files(value)

    return [f"{name}.html" for name in files(toc)] + ["search.html", NOT_FOUND]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages())
    if "page_with_widgets" in metafunc.fixturenames:
        metafunc.parametrize(
            "page_with_widgets", [page for page in pages() if stored_widgets(page)]
        )


def stored_widgets(page: str) -> list[str]:
    """Names the widgets that the notebook of a page stores, if it has one."""
    notebook = (ROOT / page).with_suffix(".ipynb")
    if not notebook.exists():
        return []
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    outputs = (output for cell in cells for output in cell.get("outputs", []))
    shown = ("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    return re.findall(r'data-anywidget="(\w+)"', "".join(shown))


def build(into: Path, *known: str) -> str:
    command = [sys.executable, str(ROOT / "tools" / "site.py"), "--into", str(into), *known]
    # The page on the state of the book says how old the facts are on the day of the build.
    day = {**os.environ, "SOURCE_DATE_EPOCH": DAY_OF_THE_BUILD}
    made = subprocess.run(command, capture_output=True, text=True, check=False, env=day)
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Build:
    """Builds the site in the worker that needs it first, and waits for that in the other."""
    mine = tmp_path_factory.getbasetemp()
    shared = mine if worker_id == "master" else mine.parent

    def built(name: str, *known: str) -> tuple[Path, str]:
        into = shared / name
        said = into / "said"
        with FileLock(f"{into}.lock"):
            if not said.exists():
                said.write_text(build(into, *known), "utf-8")
        return into / "_build" / "html", said.read_text("utf-8")

    return built


@pytest.fixture(scope="session")
def site(build_once: Build) -> Path:
    """The site of a fork, as its workflow publishes it."""
    return build_once("fork", "--repository", REPOSITORY, "--site-url", SITE_URL)[0]


@pytest.fixture(scope="session")
def site_without_repository(build_once: Build) -> tuple[Path, str]:
    """The site of a clone without an origin, and what was said while it was built."""
    return build_once("clone", "--repository", "/no/public/address")


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    with ExitStack() as servers:
        yield lambda folder: servers.enter_context(serve_folder(folder))


@pytest.fixture(scope="session")
def address(
    site: Path, serve: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Where the site is served: below a path, as the Pages of a repository are."""
    host = tmp_path_factory.mktemp("host")
    below = urlsplit(SITE_URL).path
    (host / below.strip("/")).symlink_to(site)
    return f"{serve(host)}{below.strip('/')}/"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1350, "height": 900})
    yield made
    made.close()


@pytest.fixture
def browser_without_scripts(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(java_script_enabled=False)
    yield made
    made.close()


@pytest.fixture(scope="session")
def look(browser: Browser, address: str) -> Look:
    """Opens a page of the site once for each way of looking at it; in light on a slow machine.

    What arrives in one go on a fast machine arrives bit by bit on a slow one.
    """

    @cache
    def at(page: str, theme: Theme = "light", width: int = 1350) -> Visit:
        slowdown = 1 if theme == "dark" else SLOW_MACHINE  # colours move nothing
        return see(browser, address + page, How(theme, width, slowdown, with_axe=True))

    return at


@pytest.fixture(scope="session")
def look_again(browser: Browser) -> Look:
    """Opens any address, each time anew: for figures that vary and for pages made wrong."""

    return lambda url, *how, **more: see(browser, url, How(*how, **more))


def see(browser: Browser, url: str, how: How) -> Visit:
    seen = visit(browser, url, how)
    assert seen.theme == how.theme
    return seen


PRESS = """(el) => {
  const controls = [...el.querySelectorAll("button, input, select, textarea, [tabindex='0']")];
  return controls.filter(each => !each.disabled && each.getClientRects().length).length;
}"""
FOCUS = """(el, index) => {
  const controls = [...el.querySelectorAll("button, input, select, textarea, [tabindex='0']")];
  controls.filter(each => !each.disabled && each.getClientRects().length)[index]?.focus();
}"""


@pytest.fixture(scope="session")
def answers() -> Callable[[Locator], bool]:
    """Says whether a widget changes what it shows when a key is pressed on one of its controls.

    A browser ticks a box and opens a fold by itself; neither is in the markup that is compared.
    ArrowUp is the key of a number field.
    """

    def pressed(widget: Locator) -> bool:
        shown = "el => [...el.childNodes].map(node => node.outerHTML ?? node.data).join('')"
        before = widget.evaluate(shown)
        for index in range(widget.evaluate(PRESS)):
            for key in ("Space", "ArrowRight", "ArrowUp", "Enter"):
                widget.evaluate(FOCUS, index)
                widget.page.keyboard.press(key)
                if widget.evaluate(shown) != before:
                    return True
        return False

    return pressed
