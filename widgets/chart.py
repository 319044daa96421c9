"""A Plotly chart in three forms: for the page, for JupyterLab, and as plain text.

The page's first paint is an SVG that `tools/notebooks.py draw` renders once, with the author's
browser, and keeps in `widgets/charts/` under the hash of its spec. Readers, learners and tests need
no browser for it.
"""

import hashlib
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import ClassVar

import plotly.graph_objects as go

from widgets.base import page_form, render

__all__ = ["COLOURS", "DRAWN", "NONE", "Chart", "ChartError", "Link", "Table", "begin", "normalise"]

DRAWN = Path(__file__).parent / "charts"
"""Where the first paints are kept."""

COLOURS = {
    "paper": "#ffffff",
    "ink": "#17242d",
    "muted": "#4b5b66",
    "line": "#6f7d87",
    "accent": "#0b6a7b",
    "warm": "#963510",
}
"""The colours that a chart may use. `static/chart.css` has one for each and each mode, and the page
puts those in their place; JupyterLab shows these."""

NONE = "\N{EN DASH}"
"""What a table's cell has where there is nothing to count."""

MIME = "application/vnd.plotly.v1+json"
_CONFIG = {"displayModeBar": False, "doubleClick": False, "showTips": False}
_SVG = "http://www.w3.org/2000/svg"
_KEPT_STYLES = ("stroke-width", "stroke-dasharray", "font-size", "font-weight")
_KEPT_ATTRIBUTES = ("d", "x", "y", "dx", "dy", "width", "height", "transform", "text-anchor")
_USUAL = {("font-size", "13px"), ("stroke-width", "0px"), ("font-weight", "400")}
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_CIRCLE = re.compile(r"M([\d.]+),0A\1,\1 0 1,1 0,-\1A\1,\1 0 0,1 \1,0Z")
_SQUARE = re.compile(r"M([\d.]+),\1H-\1V-\1H\1Z")
_TRANSLATE = re.compile(r"translate\((-?[\d.]+),(-?[\d.]+)\)")
_SHARED = ("class", "stroke-width")
MANY = 20
_RGB = re.compile(r"rgb\((\d+), (\d+), (\d+)\)")


class ChartError(RuntimeError):
    """Says what a chart lacks, and which command gives it."""


@dataclass(frozen=True)
class Link:
    """A table's cell that leads somewhere."""

    text: str
    url: str


@dataclass(frozen=True)
class Table:
    """The numbers of a chart, to read.

    Args:
        caption: What the table holds.
        head: The columns.
        rows: The first cell of each names it.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | Link, ...], ...]


def begin(*, width: int, height: int) -> go.Figure:
    """Begin a chart: with few settings of ours instead of Plotly's template, which has 7 KB.

    Args:
        width: Pixels; at most 400, so that a phone can show the text.
        height: Pixels.
    """
    figure = go.Figure()
    figure.update_layout(
        template=go.layout.Template(),
        width=width,
        height=height,
        font={"family": "system-ui, sans-serif", "size": 13, "color": COLOURS["ink"]},
        paper_bgcolor=COLOURS["paper"],
        plot_bgcolor=COLOURS["paper"],
        hoverlabel={
            "align": "left",
            "bgcolor": COLOURS["paper"],
            "bordercolor": COLOURS["line"],
            "font": {"size": 12, "color": COLOURS["ink"]},
        },
        hovermode="closest",
        hoverdistance=12,
        dragmode=False,
        showlegend=False,
    )
    return figure


class Chart:
    """A chart that is the same on the static page, in JupyterLab and without a script.

    Each mark that says something when it is pointed at has a `customdata` text; the page's button
    walks through these.

    Args:
        figure: The Plotly figure, made with `begin`; its colours are from `COLOURS`.
        alt: What the picture shows, for those who do not see it.
        summary: What the numbers say, computed from them.
        tables: The numbers; the first stands beside the picture, the others unfold. Its last
            column says where the numbers come from.
        more: What the fold over the other tables says.
        notes: Sentences below the picture, on how to read it.
    """

    name: ClassVar[str]

    def __init__(  # noqa: PLR0913  # all but the first are named
        self,
        figure: go.Figure,
        *,
        alt: str,
        summary: str,
        tables: tuple[Table, ...],
        more: str = "All numbers",
        notes: tuple[str, ...] = (),
    ) -> None:
        self.figure = figure
        self.alt = alt
        self.summary = summary
        self.tables = tables
        self.more = more
        self.notes = notes

    @property
    def spec(self) -> dict[str, object]:
        """What Plotly draws from: the figure as plain data, in a stable order."""
        spec: dict[str, dict[str, object]] = json.loads(self.figure.to_json())
        del spec["layout"]["template"]  # an empty one
        return {"data": spec["data"], "layout": spec["layout"], "config": _CONFIG}

    @property
    def drawing(self) -> Path:
        """Where this chart's first paint is kept: under the hash of its spec."""
        text = json.dumps(self.spec, sort_keys=True, ensure_ascii=False)
        return DRAWN / f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.svg"

    def svg(self) -> str:
        """Read the first paint.

        Raises:
            ChartError: It was not drawn since the chart was changed.
        """
        try:
            return self.drawing.read_text("utf-8")
        except FileNotFoundError:
            raise ChartError(
                f"The chart {self.name!r} has changed, or was never drawn: "
                f"{self.drawing.name} is not in {DRAWN}. "
                "Draw it: .venv/bin/python tools/notebooks.py draw"
            ) from None

    def __repr__(self) -> str:
        first = self.tables[0]
        rows = []
        for name, *cells in first.rows:
            told = zip(first.head[1:-1], cells, strict=False)
            rows.append(
                f"{name}. {'; '.join(f'{head}: {cell}' for head, cell in told if cell != NONE)}"
            )
        return "\n".join([self.summary, *rows])

    @classmethod
    def stem(cls) -> str:
        """Name the ES module and the stylesheet: all charts share them."""
        return "chart"

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, object], dict[str, object]]:
        size = {name: self.figure.layout[name] for name in ("width", "height")}
        markup = render(
            self.stem(),
            {
                "alt": self.alt,
                "more": self.more,
                "notes": self.notes,
                "summary": self.summary,
                "svg": self.svg(),
                "tables": self.tables,
                **size,
            },
        )
        colours = {value: f"--chart-{name}" for name, value in COLOURS.items()}
        html = page_form(self.stem(), markup, {"spec": self.spec, "colours": colours})
        return {"text/plain": repr(self), "text/html": html, MIME: self.spec}, {}


def normalise(svg: str) -> str:
    """Turn what Kaleido renders into what is kept: the same bytes each time, and nothing unused.

    Random ids and class names, clip paths and empty groups go; a colour of `COLOURS` becomes a
    class, so that the picture follows the light and the dark mode. Where many like marks follow
    each other, their class stands once.

    Raises:
        ChartError: The picture has a colour that is not among `COLOURS`.
    """
    root = ET.fromstring(svg)  # noqa: S314  # our own browser made it
    kept = ET.Element("svg", {"viewBox": root.attrib["viewBox"]})
    for child in root:
        _keep(child, kept)
    for parent in list(kept.iter()):
        _gather(parent)
    return ET.tostring(kept, encoding="unicode").replace(" />", "/>") + "\n"


def _keep(element: ET.Element, into: ET.Element) -> None:
    parts = [part.partition(":") for part in element.get("style", "").split(";")]
    styles = {name.strip(): value.strip() for name, _, value in parts}
    tag = element.tag.removeprefix(f"{{{_SVG}}}")
    if tag == "defs" or "none" in (styles.get("display"), styles.get("pointer-events")):
        return
    made = ET.Element(tag, _attributes(element, styles))
    made.text = element.text
    for child in element:
        _keep(child, made)
        if len(made) and child.tail:
            made[-1].tail = child.tail
    if circle := _CIRCLE.match(made.get("d", "")):
        del made.attrib["d"]
        made.tag, made.attrib = "circle", {"r": circle[1], **made.attrib}
    if tag in {"path", "rect"} and not ("class" in made.attrib and made.get("d") != "M0,0"):
        return
    if tag == "g" and not (len(made) and made.attrib):
        into.extend(made)  # a group that says nothing: its children stand for themselves
        return
    into.append(made)


def _gather(parent: ET.Element) -> None:
    """Put many like marks in a row into one group, and say what they share once."""
    for (tag, *_), found in groupby(list(parent), key=_likeness):
        marks = list(found)
        if len(marks) < MANY or not {"transform"} < set(marks[0].attrib):
            continue
        shared = {name: marks[0].attrib[name] for name in _SHARED if name in marks[0].attrib}
        group = ET.Element("g", shared)
        parent.insert(list(parent).index(marks[0]), group)
        for mark in marks:
            parent.remove(mark)
            for name in shared:
                del mark.attrib[name]
            _place(mark, tag)
            group.append(mark)


def _likeness(element: ET.Element) -> tuple[str, ...]:
    names = ("d", "r", *_SHARED)
    return (element.tag, *(element.attrib.get(name, "") for name in names))


def _place(mark: ET.Element, tag: str) -> None:
    """Say in the fewest letters where a circle or a square is."""
    place = _TRANSLATE.fullmatch(mark.attrib["transform"])
    square = _SQUARE.fullmatch(mark.get("d", ""))
    if place and tag == "circle":
        mark.attrib = {"cx": place[1], "cy": place[2], "r": mark.attrib["r"]}
    elif place and square:
        half = float(square[1])
        x, y = (f"{float(at) - half:.1f}".removesuffix(".0") for at in place.groups())
        side = f"{2 * half:g}"
        mark.tag = "rect"
        mark.attrib = {"x": x, "y": y, "width": side, "height": side}


def _attributes(element: ET.Element, styles: dict[str, str]) -> dict[str, str]:
    kept = {
        name: _NUMBER.sub(_round, element.attrib[name])
        for name in _KEPT_ATTRIBUTES
        if name in element.attrib and (name, element.attrib[name]) != ("text-anchor", "start")
    }
    classes = [
        f"{name}-{_colour(styles[name])}"
        for name in ("fill", "stroke")
        if name in styles and not _has_no_effect(name, styles)
    ]
    if classes:
        kept["class"] = " ".join(classes)
    if classes or element.tag.endswith("tspan"):
        kept |= {
            name: styles[name].replace("px", "").replace(", ", " ")
            for name in _KEPT_STYLES
            if name in styles and (name, styles[name]) not in _USUAL
        }
    return kept


def _round(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _has_no_effect(name: str, styles: dict[str, str]) -> bool:
    see_through = styles.get(f"{name}-opacity") == "0" or styles[name].startswith("rgba(0, 0, 0, 0")
    unseen = name == "stroke" and styles.get("stroke-width") == "0px"
    return see_through or unseen


def _colour(value: str) -> str:
    found = _RGB.fullmatch(value)
    if not found:
        return value
    code = "#" + "".join(f"{int(part):02x}" for part in found.groups())
    for name, known in COLOURS.items():
        if code == known:
            return name
    raise ChartError(f"The picture has the colour {code}. Use one of {', '.join(COLOURS)}.")
