"""Compares what pages cost a reader, ours and the same content in Jupyter Book's defaults.

    .venv/bin/python tools/compare_site.py chapters/05-life-cycle chapters/04-images

Builds both, opens the pages of both in one run of Chromium, at a desk and on a slow phone, and
prints a table for each page. The defaults are meant as an author without our extension would have
them: its scripts from other hosts, widgets as ipywidgets stores them, charts by Plotly's own HTML.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import nbformat
import plotly.io
import typer
import yaml
from jupyter_book.config import get_default_sphinx_config
from playwright.sync_api import sync_playwright
from rich import box
from rich.console import Console
from rich.table import Table
from site_visit import PHONE_LINE, How, serve, visit

from widgets.base import PANEL, STATIC
from widgets.chart import MIME as CHART

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbformat import NotebookNode
    from playwright.sync_api import Browser
    from site_visit import Visit

__all__ = ["Figure", "as_by_default", "default_settings", "figures", "rows"]

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DESK = How()
WIDTH = 100  # of a table, also where the output is a file
PHONE = How(width=390, cpu_slowdown=4, line=PHONE_LINE)
OURS = "widgets.site"
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
_WIDGET = re.compile(
    r'<div class="course-widget" data-anywidget="(\w+)">\n(.*)\n<script', re.DOTALL
)
_VALUES = re.compile(r'<script type="application/json">(.*?)</script>\n</div>', re.DOTALL)
_FACTOR = 1.05  # below, two figures are called equal


Row = tuple[str, str, str, str]


class Figure(NamedTuple):
    """A number and how it is shown."""

    value: float
    form: str


@dataclass(frozen=True)
class Seen:
    """One page of one site, looked at in all ways.

    Attributes:
        desk: Visits on a fast machine.
        phone: Visits as a slow phone.
        light: A visit with the rules of accessibility.
        dark: The same in the dark mode, which the reader has chosen on the page.
    """

    desk: Sequence[Visit]
    phone: Sequence[Visit]
    light: Visit
    dark: Visit


def default_settings(ours: dict[str, Any]) -> dict[str, Any]:
    """Write the settings of an author who changes only what this content can't be built without.

    Args:
        ours: The content of `_config.yml`.

    Returns:
        The same title, no run of cells, no other page than the listed ones, and the extensions
        that bring directives which the content uses.
    """
    by_default = get_default_sphinx_config()["extensions"]
    extensions = ours["sphinx"]["config"]["extensions"]
    extra = [name for name in extensions if name not in {*by_default, OURS}]
    return {
        "title": ours["title"],
        "author": ours["author"],
        "only_build_toc_files": True,
        "execute": {"execute_notebooks": "off"},
        "sphinx": {"extra_extensions": extra},
    }


def as_by_default(notebook: NotebookNode) -> NotebookNode:
    """Store a notebook's widgets and charts as ipywidgets and Plotly do by themselves.

    A widget becomes a view with its state, module and stylesheet included; a chart becomes
    Plotly's HTML, which takes plotly.js from its CDN, the lightest of Plotly's own ways.
    """
    states: dict[str, Any] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            widget = _WIDGET.search(data.get("text/html", ""))
            if CHART in data:
                figure = plotly.io.from_json(json.dumps(data.pop(CHART)))
                data["text/html"] = figure.to_html(full_html=False, include_plotlyjs="cdn")
            elif widget:
                identity = f"{len(states):032x}"
                states[identity] = _state(widget[1], widget[2], data.pop("text/html"))
                data[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": identity}
    if states:
        notebook.metadata["widgets"] = {
            STATE: {"version_major": 2, "version_minor": 0, "state": states}
        }
    return notebook


def figures(seen: Seen) -> dict[str, Figure]:
    """Sum up what one page costs, in the order of the table."""
    first = seen.desk[0]
    sizes = {f"bytes: {kind.lower()}": size for kind, size in sorted(first.bytes_by_kind.items())}
    sizes["bytes: all"] = sum(sizes.values())
    found = {
        "requests": Figure(first.requests, "{:.0f}"),
        "other hosts asked": Figure(len({urlsplit(url).hostname for url in first.foreign}), "{}"),
        **{what: Figure(size / 1024, "{:,.1f} KB") for what, size in sizes.items()},
    }
    for place, visits in (("desk", seen.desk), ("phone", seen.phone)):
        painted = statistics.median(visit.largest_paint_ms for visit in visits)
        blocked = statistics.median(visit.blocking_ms for visit in visits)
        shifted = statistics.median(visit.layout_shift for visit in visits)
        found[f"largest paint, {place}"] = Figure(painted, "{:,.0f} ms")
        found[f"blocked, {place}"] = Figure(blocked, "{:,.0f} ms")
        found[f"layout shift, {place}"] = Figure(shifted, "{:.4f}")
    found["axe rules broken, light"] = Figure(len(seen.light.violations), "{}")
    found["axe rules broken, dark"] = Figure(len(seen.dark.violations), "{}")
    found["lines on the console"] = Figure(len(first.errors), "{}")
    return found


def rows(default: dict[str, Figure], ours: dict[str, Figure]) -> Iterator[Row]:
    """Compare two pages, figure by figure.

    Yields:
        What was looked at, by default, ours, and how many times more the default has.

    Example:
        >>> next(rows({"bytes": Figure(30, "{} KB")}, {"bytes": Figure(10, "{} KB")}))
        ('bytes', '30 KB', '10 KB', '3.00 times')
    """
    for what in (*(name for name in default if name not in ours), *ours):
        left, right = (page.get(what, Figure(0, "{:.0f}")) for page in (default, ours))
        shown = left.form.format(left.value), right.form.format(right.value)
        yield what, *shown, _ratio(left.value, right.value)


def main(
    pages: Annotated[
        list[str] | None, typer.Argument(help="names without .html; two chapters if left out")
    ] = None,
    tries: Annotated[int, typer.Option(min=1, help="visits for each figure of time")] = 3,
) -> None:
    """Builds both sites in a temporary folder and prints the comparison."""
    wanted = pages or ["chapters/05-life-cycle", "chapters/04-images"]
    missing = [name for name in wanted if not list(ROOT.glob(f"{name}.*"))]
    if missing:
        print(f"No such page: {', '.join(missing)}. Give names such as chapters/05-life-cycle.")
        raise typer.Exit(1)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sites = [_build_default(Path(folder) / "default"), _build_ours(Path(folder) / "ours")]
        addresses = [stack.enter_context(serve(site)) for site in sites]
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        stack.callback(browser.close)
        print(f"Chromium {browser.version}; medians of {tries}; gzip; other hosts do not answer.")
        for name in wanted:
            # One after the other, so that a busy minute of the machine meets both.
            default, ours = (
                _look(browser, f"{address}{name}.html", tries) for address in addresses
            )
            print(f"\n{name}")
            Console(width=WIDTH).print(_table(list(rows(figures(default), figures(ours)))))
    print(
        "\nWhat the default asks of other hosts does not come here: add its bytes and its time.\n"
        "The phone is 390 px wide, four times slower, at 1.6 Mbit/s and 150 ms."
    )


def _look(browser: Browser, url: str, tries: int) -> Seen:
    return Seen(
        [visit(browser, url, DESK) for _ in range(tries)],
        [visit(browser, url, PHONE) for _ in range(tries)],
        visit(browser, url, How(with_axe=True, is_chosen=True)),
        visit(browser, url, How("dark", with_axe=True, is_chosen=True)),
    )


def _build_ours(into: Path) -> Path:
    _run([sys.executable, str(ROOT / "tools" / "site.py"), "--into", str(into)])
    return into / "_build" / "html"


def _build_default(into: Path) -> Path:
    into.mkdir()
    for room in ("chapters", "exercises"):
        shutil.copytree(ROOT / room, into / room, ignore=shutil.ignore_patterns(".*"))
    for path in into.rglob("*.ipynb"):
        nbformat.write(as_by_default(nbformat.read(path, as_version=4)), path)
    shutil.copy(ROOT / "_toc.yml", into)
    settings = default_settings(yaml.safe_load((ROOT / "_config.yml").read_text("utf-8")))
    (into / "_config.yml").write_text(yaml.safe_dump(settings), "utf-8")
    book = Path(sys.executable).with_name("jupyter-book")
    # Its warnings are of no interest here: the content names what only our extension has.
    _run([str(book), "build", str(into), "--all", "--quiet"])
    return into / "_build" / "html"


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        print(done.stdout, f"Failed: {' '.join(command)}", sep="\n")
        raise typer.Exit(1)


def _state(stem: str, markup: str, html: str) -> dict[str, Any]:
    values = _VALUES.search(html)
    sheets = (STATIC / f"{name}.css" for name in (PANEL, stem))
    return {
        "model_module": "anywidget",
        "model_module_version": "~0.11.*",
        "model_name": "AnyModel",
        "state": {
            **(json.loads(values[1]) if values else {}),
            "_model_module": "anywidget",
            "_model_module_version": "~0.11.*",
            "_model_name": "AnyModel",
            "_view_module": "anywidget",
            "_view_module_version": "~0.11.*",
            "_view_name": "AnyView",
            "_esm": (STATIC / f"{stem}.js").read_text("utf-8"),
            "_css": "\n".join(sheet.read_text("utf-8") for sheet in sheets if sheet.exists()),
            "markup": markup,
        },
    }


def _ratio(default: float, ours: float) -> str:
    if default == ours:
        return "equal"
    if not ours:
        return "ours none"
    if not default:
        return "default none"
    factor = default / ours
    return "equal" if 1 / _FACTOR < factor < _FACTOR else f"{factor:.2f} times"


def _table(found: list[Row]) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column()
    for title in ("default", "ours", "default / ours"):
        table.add_column(title, justify="right")
    for row in found:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    typer.run(main)
