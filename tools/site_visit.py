"""Opens pages of a built site in Chromium and notes what they cost and what is wrong with them.

For the tests of the site and for `tools/compare_site.py`, which need Chromium.
"""

from __future__ import annotations

import gzip
import http.server
import mimetypes
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession, Page, Request, Route

__all__ = [
    "NOT_FOUND",
    "PATIENCE_MS",
    "PHONE_LINE",
    "How",
    "Theme",
    "Visit",
    "serve",
    "violations",
    "visit",
]

Theme = Literal["light", "dark"]
PATIENCE_MS = 20_000  # a busy machine is no fault of the page
NOT_FOUND = "404.html"
PHONE_LINE = {  # what Lighthouse calls "slow 4G"
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 750e3 / 8,
}
_COMPRESSED = {".html", ".js", ".css", ".svg", ".ipynb"}
_OBSERVE = """
window.seen = {shift: 0, tasks: [], painted: 0};
new PerformanceObserver(list => list.getEntries().forEach(entry => {
  if (!entry.hadRecentInput) seen.shift += entry.value;
})).observe({type: "layout-shift", buffered: true});
new PerformanceObserver(list => list.getEntries().forEach(entry => seen.tasks.push(entry.duration)))
  .observe({type: "longtask", buffered: true});
new PerformanceObserver(list => list.getEntries().forEach(entry => {
  seen.painted = entry.startTime;
})).observe({type: "largest-contentful-paint", buffered: true});
"""
_CHOOSE = 'localStorage.setItem("mode", "THEME"); localStorage.setItem("theme", "THEME");'
_STATE_OF_WIDGETS = """() => [...document.querySelectorAll("[data-anywidget]")].map(el =>
  [el.dataset.anywidget, el.dataset.ready ?? "never"])"""
_WIDGETS_HAVE_ENDED = """() => [...document.querySelectorAll("[data-anywidget]")].every(el =>
  ["yes", "failed"].includes(el.dataset.ready))"""


@dataclass(frozen=True)
class How:
    """How to look at a page.

    Attributes:
        theme: The mode that the reader's system asks for.
        width: Of the window, in pixels.
        cpu_slowdown: How many times slower the machine shall be.
        line: What the network is like, as `PHONE_LINE`; None is as fast as it goes.
        patience_ms: How long to wait for widgets.
        with_axe: Whether to check the rules of accessibility, with every fold open.
        is_chosen: Whether the reader has chosen this mode on the page, too.
    """

    theme: Theme = "light"
    width: int = 1350
    cpu_slowdown: int = 1
    line: dict[str, Any] | None = None
    patience_ms: int = PATIENCE_MS
    with_axe: bool = False
    is_chosen: bool = False


@dataclass
class Visit:
    """What was seen of a page.

    Attributes:
        requests: How many addresses were asked, the page's own included.
        foreign: Addresses on other hosts that the page asked for, and did not get.
        errors: What stood on the console, warnings included.
        bytes_by_kind: Bytes that arrived, as sent, by what the browser calls their kind.
        widgets: Each widget's name and state.
        theme: The mode that the page took.
        layout_shift: The sum of its shifts, without those after a press of the reader.
        blocking_ms: By how much tasks were longer than 50 ms each.
        largest_paint_ms: When the largest thing of the first screen was painted.
        too_wide_px: By how much the page is wider than the window.
        violations: Rules of accessibility that it breaks.
    """

    requests: int = 0
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    bytes_by_kind: dict[str, int] = field(default_factory=dict)
    widgets: list[tuple[str, str]] = field(default_factory=list)
    theme: str = ""
    layout_shift: float = 0
    blocking_ms: float = 0
    largest_paint_ms: float = 0
    too_wide_px: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def script_bytes(self) -> int:
        """Bytes of scripts."""
        return self.bytes_by_kind.get("Script", 0)

    @property
    def bytes_without_images(self) -> int:
        """All bytes but those of pictures."""
        return sum(size for kind, size in self.bytes_by_kind.items() if kind != "Image")

    @property
    def not_ready(self) -> list[str]:
        """Names of the widgets that did not come alive."""
        return [name for name, state in self.widgets if state != "yes"]


def visit(browser: Browser, url: str, how: How) -> Visit:
    """Open a page in a window of its own; other hosts are asked, and none of them answers."""
    seen = Visit()
    context = browser.new_context(
        viewport={"width": how.width, "height": 900}, color_scheme=how.theme
    )
    context.add_init_script(_OBSERVE)
    if how.is_chosen:
        context.add_init_script(_CHOOSE.replace("THEME", how.theme))
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": how.cpu_slowdown})
    _record_bytes(session, seen)
    if how.line:
        session.send("Network.emulateNetworkConditions", how.line)
    page.on(
        "console",
        lambda said: seen.errors.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    host = "/".join(url.split("/")[:3]) + "/"

    def count(asked: Request) -> None:
        seen.requests += asked.url.startswith("http")

    def refuse(route: Route) -> None:
        seen.foreign.append(route.request.url)
        route.abort("internetdisconnected")

    page.on("request", count)
    page.route(lambda asked: asked.startswith("http") and not asked.startswith(host), refuse)
    page.goto(url, wait_until="networkidle")
    # On a slow machine the network can rest while the page is still being read.
    page.wait_for_load_state("load")
    _wait_for_widgets(page, how.patience_ms)
    seen.widgets = [(name, state) for name, state in page.evaluate(_STATE_OF_WIDGETS)]
    noticed = page.evaluate("() => window.seen")
    seen.layout_shift = noticed["shift"]
    seen.blocking_ms = sum(max(0, task - 50) for task in noticed["tasks"])
    seen.largest_paint_ms = noticed["painted"]
    page.add_style_tag(content="section { content-visibility: visible !important; }")
    seen.too_wide_px = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    seen.theme = page.evaluate("() => document.documentElement.dataset.theme ?? ''")
    # All that depends on speed has been seen.
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    if how.with_axe:
        folds = page.locator("details")
        folds.evaluate_all("folds => folds.forEach(fold => { fold.open = true; })")
        seen.violations = violations(page)
    context.close()
    return seen


def violations(page: Page) -> list[str]:
    """List the rules of accessibility that a page breaks, each with its first places."""
    # Of each element that breaks no rule axe would tell, too, which takes it as long again.
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'] for node in rule['nodes'][:3]]}"
        for rule in found
    ]


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder as a host of pages would: compressed, and with its page for wrong addresses.

    Yields:
        The address, which ends with a slash.
    """
    handler = partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def _wait_for_widgets(page: Page, patience_ms: int) -> None:
    # A widget that never ends its start is reported by its state, not by this wait.
    with suppress(PlaywrightTimeoutError):
        page.wait_for_function(_WIDGETS_HAVE_ENDED, polling=50, timeout=patience_ms)


def _record_bytes(session: CDPSession, seen: Visit) -> None:
    kinds: dict[str, str] = {}
    session.send("Network.enable")

    def name(event: dict[str, Any]) -> None:
        kinds.setdefault(event["requestId"], event.get("type", "Other"))

    def add(event: dict[str, Any]) -> None:
        kind = kinds.get(event["requestId"], "Other")
        so_far = seen.bytes_by_kind.get(kind, 0)
        seen.bytes_by_kind[kind] = so_far + int(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", name)
    session.on("Network.loadingFinished", add)


@lru_cache(maxsize=500)
def _compressed(body: bytes) -> bytes:
    """Compress once what each page asks for again."""
    return gzip.compress(body, 6)


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep silent."""

    def do_GET(self) -> None:
        """Answer with a file, or with the site's own page for what is not there."""
        file = Path(self.translate_path(self.path))
        file = file / "index.html" if file.is_dir() else file
        status = 200 if file.is_file() else 404
        if not file.is_file():
            file = self._not_found()
        body = file.read_bytes() if file.is_file() else b""
        self.send_response(status)
        self.send_header(
            "Content-Type", mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        )
        if file.suffix in _COMPRESSED:
            body = _compressed(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _not_found(self) -> Path:
        # As GitHub Pages does: one page for a whole site, at its top; a site's path has one part.
        top = Path(self.translate_path("/".join(self.path.split("/")[:2])))
        inside = top / NOT_FOUND
        return inside if inside.is_file() else Path(self.translate_path("/")) / NOT_FOUND
