import gzip
import http.server
import json
import mimetypes
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from filelock import FileLock
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Locator,
    Page,
    Route,
)
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/someone/a-fork"
COMPRESSED = {".html", ".js", ".css", ".svg", ".ipynb"}
Theme = Literal["light", "dark"]
PATIENCE_MS = 20_000  # a busy machine is no fault of the page
SLOW_MACHINE = 6
DAY_OF_THE_BUILD = "1795564800"  # 2026-11-25

OBSERVE = """
window.seen = {shift: 0, tasks: []};
new PerformanceObserver(list => list.getEntries().forEach(entry => {
  if (!entry.hadRecentInput) seen.shift += entry.value;
})).observe({type: "layout-shift", buffered: true});
new PerformanceObserver(list => list.getEntries().forEach(entry => seen.tasks.push(entry.duration)))
  .observe({type: "longtask", buffered: true});
"""
STATE_OF_WIDGETS = """() => [...document.querySelectorAll("[data-anywidget]")].map(el =>
  [el.dataset.anywidget, el.dataset.ready ?? "never"])"""
WIDGETS_HAVE_ENDED = """() => [...document.querySelectorAll("[data-anywidget]")].every(el =>
  ["yes", "failed"].includes(el.dataset.ready))"""


@dataclass
class Visit:
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    bytes_by_kind: dict[str, int] = field(default_factory=dict)
    widgets: list[tuple[str, str]] = field(default_factory=list)
    layout_shift: float = 0
    blocking_ms: float = 0
    too_wide_px: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def script_bytes(self) -> int:
        return self.bytes_by_kind.get("Script", 0)

    @property
    def bytes_without_images(self) -> int:
        return sum(size for kind, size in self.bytes_by_kind.items() if kind != "Image")

    @property
    def not_ready(self) -> list[str]:
        return [name for name, state in self.widgets if state != "yes"]


@dataclass(frozen=True)
class How:
    theme: Theme = "light"
    width: int = 1350
    cpu_slowdown: int = 1
    patience_ms: int = PATIENCE_MS
    with_axe: bool = False


Look = Callable[..., Visit]


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

    return [f"{name}.html" for name in files(toc)] + ["search.html"]


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


def build(into: Path, repository: str) -> str:
    command = [sys.executable, str(ROOT / "tools" / "site.py"), "--into", str(into)]
    made = subprocess.run(
        [*command, "--repository", repository],
        capture_output=True,
        text=True,
        check=False,
        # The page on the state of the book says how old the facts are on the day of the build.
        env={**os.environ, "SOURCE_DATE_EPOCH": DAY_OF_THE_BUILD},
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


@pytest.fixture(scope="session")
def build_once(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[[str, str], tuple[Path, str]]:
    """Builds the site in the worker that needs it first, and waits for that in the other."""
    mine = tmp_path_factory.getbasetemp()
    shared = mine if worker_id == "master" else mine.parent

    def built(name: str, repository: str) -> tuple[Path, str]:
        into = shared / name
        said = into / "said"
        with FileLock(f"{into}.lock"):
            if not said.exists():
                said.write_text(build(into, repository), "utf-8")
        return into / "_build" / "html", said.read_text("utf-8")

    return built


@pytest.fixture(scope="session")
def site(build_once: Callable[[str, str], tuple[Path, str]]) -> Path:
    """The site of a fork."""
    return build_once("fork", REPOSITORY)[0]


@pytest.fixture(scope="session")
def site_without_repository(
    build_once: Callable[[str, str], tuple[Path, str]],
) -> tuple[Path, str]:
    """The site of a clone without an origin, and what was said while it was built."""
    return build_once("clone", "/no/public/address")


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    servers = []

    def start(folder: Path) -> str:
        handler = partial(Handler, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def address(site: Path, serve: Callable[[Path], str]) -> str:
    return serve(site)


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
        return visit(browser, address + page, How(theme, width, slowdown, with_axe=True))

    return at


@pytest.fixture(scope="session")
def look_again(browser: Browser) -> Look:
    """Opens any address, each time anew: for figures that vary and for pages made wrong."""

    return lambda url, *how, **more: visit(browser, url, How(*how, **more))


def visit(browser: Browser, url: str, how: How) -> Visit:
    seen = Visit()
    context = browser.new_context(
        viewport={"width": how.width, "height": 900}, color_scheme=how.theme
    )
    context.add_init_script(OBSERVE)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": how.cpu_slowdown})
    _record_bytes(session, seen)
    page.on(
        "console",
        lambda said: seen.errors.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    host = "/".join(url.split("/")[:3]) + "/"

    def refuse(route: Route) -> None:
        seen.foreign.append(route.request.url)
        route.abort("internetdisconnected")

    page.route(lambda asked: asked.startswith("http") and not asked.startswith(host), refuse)
    page.goto(url, wait_until="networkidle")
    _wait_for_widgets(page, how.patience_ms)
    seen.widgets = [(name, state) for name, state in page.evaluate(STATE_OF_WIDGETS)]
    noticed = page.evaluate("() => window.seen")
    seen.layout_shift = noticed["shift"]
    seen.blocking_ms = sum(max(0, task - 50) for task in noticed["tasks"])
    page.add_style_tag(content="section { content-visibility: visible !important; }")
    seen.too_wide_px = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert page.evaluate("() => document.documentElement.dataset.theme") == how.theme
    # All that depends on speed has been seen.
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    if how.with_axe:
        seen.violations = _violations(page)
    context.close()
    return seen


def _violations(page: Page) -> list[str]:
    page.locator("details").evaluate_all("folds => folds.forEach(fold => { fold.open = true; })")
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'] for node in rule['nodes'][:3]]}"
        for rule in found
    ]


def _wait_for_widgets(page: Page, patience_ms: int) -> None:
    # A widget that never ends its start is reported by its state, not by this wait.
    with suppress(PlaywrightTimeoutError):
        page.wait_for_function(WIDGETS_HAVE_ENDED, polling=50, timeout=patience_ms)


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
    """

    def pressed(widget: Locator) -> bool:
        shown = "el => [...el.childNodes].map(node => node.outerHTML ?? node.data).join('')"
        before = widget.evaluate(shown)
        for index in range(widget.evaluate(PRESS)):
            for key in ("Space", "ArrowRight", "Enter"):
                widget.evaluate(FOCUS, index)
                widget.page.keyboard.press(key)
                if widget.evaluate(shown) != before:
                    return True
        return False

    return pressed


def _record_bytes(session: CDPSession, seen: Visit) -> None:
    kinds: dict[str, str] = {}
    session.send("Network.enable")
    session.on(
        "Network.requestWillBeSent",
        lambda event: kinds.setdefault(event["requestId"], event.get("type", "Other")),
    )

    def add(event: dict[str, Any]) -> None:
        kind = kinds.get(event["requestId"], "Other")
        so_far = seen.bytes_by_kind.get(kind, 0)
        seen.bytes_by_kind[kind] = so_far + int(event["encodedDataLength"])

    session.on("Network.loadingFinished", add)


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        file = file / "index.html" if file.is_dir() else file
        body = file.read_bytes() if file.is_file() else b""
        self.send_response(200 if file.is_file() else 404)
        self.send_header(
            "Content-Type", mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        )
        if file.suffix in COMPRESSED:
            body = gzip.compress(body, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
