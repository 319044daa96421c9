from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from ipywidgets import Widget
from plotly.offline import get_plotlyjs

from widgets.base import PANEL, STATIC, CourseWidget, fill_tables
from widgets.site import PLOTLY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from widgets.chart import Chart

COUNTS: pytest.StashKey[list[str]] = pytest.StashKey()
PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Widgets</title><link rel="icon" href="data:,">{styles}
<style>.course-widget > .asleep {{ display: none; }}</style></head>
<body style="margin: 0; padding: 0 1rem; background: {background}">
<main><h1 style="color: gray">Widgets</h1>
{widgets}</main>
<script type="module" src="host.js"></script>
</body></html>"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def record_count(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keeps how much was compared, for the lines that end the run."""
    return request.config.stash.setdefault(COUNTS, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash.get(COUNTS, [])
    if rows:
        terminalreporter.section("the same in Python and in the browser")
        for row in rows:
            terminalreporter.line(row)


@pytest.fixture(autouse=True)
def closed_widgets() -> Iterator[None]:
    yield
    Widget.close_all()


def html_of(widget: CourseWidget | Chart) -> str:
    data, _ = widget._repr_mimebundle_()
    return fill_tables(str(data["text/html"]))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    for file in STATIC.iterdir():
        shutil.copy(file, made)
    (made / PLOTLY).write_text(get_plotlyjs(), "utf-8")
    return made


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def said() -> list[str]:
    """What the browser's console said: errors and warnings."""
    return []


@pytest.fixture
def open_page(
    browser: Browser, folder: Path, address: str, said: list[str]
) -> Iterator[Callable[..., Page]]:
    contexts: list[BrowserContext] = []

    def open_it(
        *widgets: CourseWidget | Chart,
        theme: str = "light",
        width: int = 1350,
        ready: str = "yes",
        module: str | None = None,
        **options: Any,  # noqa: ANN401 - Playwright's own options of a context
    ) -> Page:
        styles = "".join(
            f'<link rel="stylesheet" href="{stem}.css">'
            for stem in (PANEL, *sorted({widget.stem() for widget in widgets}))
        )
        html = PAGE.format(
            theme=theme,
            styles=styles,
            background="#14181e" if theme == "dark" else "#ffffff",
            widgets="".join(html_of(widget) for widget in widgets),
        )
        (folder / "index.html").write_text(html, "utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        if module is not None:  # stands in for the widget's own module
            kind = "text/javascript"
            page.route(
                f"**/{widgets[0].stem()}.js",
                lambda route: route.fulfill(body=module, content_type=kind),
            )
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "console",
            lambda line: said.append(line.text) if line.type in {"error", "warning"} else None,
        )
        page.goto(address, wait_until="networkidle")
        if options.get("java_script_enabled", True):
            for widget in page.locator("[data-anywidget]").all():
                widget.and_(page.locator(f'[data-ready="{ready}"]')).wait_for(timeout=10_000)
        return page

    yield open_it
    for context in contexts:
        context.close()


def first_and_live(page: Page, widgets: list[CourseWidget]) -> tuple[list[str], list[str]]:
    """Gives the markup that Python made for each widget, alive, and what stands on the page."""
    made: list[str] = page.evaluate(
        """(pieces) => pieces.map((piece) => {
          const box = document.createElement("template");
          box.innerHTML = piece;
          box.content.querySelectorAll("fieldset").forEach((part) => { part.disabled = false; });
          return box.content.firstElementChild.outerHTML;
        })""",
        [widget.markup for widget in widgets],
    )
    live: list[str] = page.locator(".course-panel").evaluate_all(
        "roots => roots.map((root) => root.outerHTML)"
    )
    return made, live


def contrast(one: str, other: str) -> float:
    """Tells the contrast of two colours, as WCAG reckons it: 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


IN_JUPYTERLAB = """async ([stem, state, act]) => {
  const { default: widget } = await import(`./${stem}.js`);
  const calls = [];
  const listeners = new Map();
  const model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; listeners.get(`change:${name}`)(); },
    on: (event, call) => listeners.set(event, call),
    off: (event) => listeners.delete(event),
    save_changes: () => calls.push("saved"),
  };
  const el = document.createElement("div");
  document.body.append(el);
  const cleanup = await widget.render({ model, el });
  const said = new Function("el", "model", act)(el, model);
  cleanup();
  return { said, state, calls, left: listeners.size };
}"""


def in_jupyterlab(page: Page, widget: CourseWidget, act: str) -> dict[str, Any]:
    """Gives a widget's module an empty box and a model, as JupyterLab does.

    Args:
        page: A page of the same origin as the module.
        widget: The state of the model.
        act: What is done in the box, in JavaScript with `el` and `model`; its value is `said`.

    Returns:
        What was said, the state afterwards, the calls of the model, and the listeners left.
    """
    state = {name: getattr(widget, name) for name in ("markup", *widget.trait_names(page=True))}
    seen: dict[str, Any] = page.evaluate(IN_JUPYTERLAB, [widget.stem(), state, act])
    return seen
