"""Elastic Beanstalk, ECS and EKS by simplicity, convenience and flexibility: drawn and counted.

The talk of 2019 drew it by hand; here each quality has a definition that can be counted, so that a
reader can disagree with a number rather than with a taste. Every number is a record in `facts/`.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import plotly.graph_objects as go

from facts import DUTIES, Call, Facts, load_facts
from facts.records import Sourced
from widgets.chart import COLOURS, NONE, Chart, Link, Table, begin

__all__ = ["ComparisonChart", "Mark", "Quality", "qualities"]

SERVICES = ("EB", "ECS", "EKS")
TALK = {"simplicity": "EB", "convenience": "ECS", "flexibility": "EKS"}
"""Which service stood for which quality in the talk (claim T35)."""

WIDTH, ROW, HEADING, FOOT, TALK_HEIGHT, GAP = 380, 24, 26, 24, 70, 16
LEFT, RIGHT = 44, 16
HOVER = "%{customdata}<extra></extra>"


@dataclass(frozen=True)
class Mark:
    """One number of the chart.

    Args:
        service: Whose row it stands in.
        name: The option or the API.
        count: The number.
        told: What was counted, in words.
        record: Where it comes from.
    """

    service: str
    name: str
    count: int
    told: str
    record: Sourced


@dataclass(frozen=True)
class Quality:
    """One axis.

    Args:
        name: What the talk called it.
        counts: What is counted.
        fewer_is_more: Whether the smaller count has more of the quality.
        marks: The numbers.
    """

    name: str
    counts: str
    fewer_is_more: bool
    marks: tuple[Mark, ...]

    def best(self, service: str = "") -> Mark:
        """The mark with the most of the quality, of one service or of all."""
        return min(self._of(service), key=self._rank)

    def worst(self, service: str) -> Mark:
        """The mark of a service with the least of the quality."""
        return max(self._of(service), key=self._rank)

    def leaders(self) -> list[str]:
        """The services whose best mark nobody's is better than."""
        top = self.best().count
        return [name for name in SERVICES if self.best(name).count == top]

    def _of(self, service: str) -> list[Mark]:
        return [mark for mark in self.marks if service in ("", mark.service)]

    def _rank(self, mark: Mark) -> int:
        return mark.count if self.fewer_is_more else -mark.count


def qualities() -> tuple[Quality, Quality, Quality]:
    """Read the three axes out of the tables in `facts/`.

    Example:
        >>> simplicity, convenience, flexibility = qualities()
        >>> convenience.best().name
        'ECS Express Mode'
    """
    facts = load_facts()
    options = facts.options.rows
    inputs = [(options[name], row) for name, row in facts.inputs.rows.items() if row.calls]
    return (
        Quality(
            "simplicity",
            "fields to fill in",
            fewer_is_more=True,
            marks=tuple(
                Mark(
                    option.service,
                    option.name,
                    row.count,
                    f"{row.count} fields to fill in, in {len(row.calls)} requests",
                    row,
                )
                for option, row in inputs
            ),
        ),
        Quality(
            "convenience",
            f"duties that AWS takes, of {len(DUTIES)}",
            fewer_is_more=False,
            marks=tuple(
                Mark(
                    row.service,
                    row.name,
                    len(row.aws_does),
                    f"AWS takes {len(row.aws_does)} of {len(DUTIES)} duties",
                    row,
                )
                for row in options.values()
                if row.service in SERVICES
            ),
        ),
        Quality(
            "flexibility",
            "fields that can be set",
            fewer_is_more=False,
            marks=tuple(
                Mark(
                    row.service,
                    row.api,
                    row.fields,
                    f"{row.fields:,} fields in {row.parts} {row.things}",
                    row,
                )
                for row in facts.counts.rows.values()
            ),
        ),
    )


class ComparisonChart(Chart):
    """Shows the talk's chart of the three services, and the same three qualities counted.

    Example:
        >>> ComparisonChart()  # doctest: +SKIP
    """

    name: ClassVar[str] = "comparison"

    def __init__(self) -> None:
        facts, axes = load_facts(), qualities()
        super().__init__(
            _figure(facts, axes),
            alt=_alt(axes),
            summary=_summary(facts, axes),
            tables=(_numbers(facts, axes), *_counted(facts)),
            more="How it was counted, call by call, and the sources",
            notes=_notes(facts),
        )


def _figure(facts: Facts, axes: Iterable[Quality]) -> go.Figure:
    axes = list(axes)
    panel = HEADING + ROW * len(SERVICES) + FOOT + GAP
    height = HEADING + TALK_HEIGHT + GAP + panel * len(axes)
    figure = begin(width=WIDTH, height=height)
    figure.update_layout(margin={"l": LEFT, "r": RIGHT, "t": 0, "b": 0, "pad": 0})
    _heading(figure, height, 0, "2019: a drawing by hand, with no scale")
    _talk(figure, height)
    for number, axis in enumerate(axes, start=2):
        top = HEADING + TALK_HEIGHT + GAP + panel * (number - 2)
        way = "fewer is simpler" if axis.fewer_is_more else "counted"
        words = axis.counts if not axis.fewer_is_more else f"{axis.counts}, {way}"
        _heading(figure, height, top, f"{axis.name.capitalize()}: {words}")
        _panel(figure, facts, axis, number, _share(height, top + HEADING, ROW * len(SERVICES)))
    return figure


def _share(height: int, top: int, high: int) -> list[float]:
    """A panel's place as Plotly wants it: parts of the whole, from below."""
    return [round(1 - (top + high) / height, 4), round(1 - top / height, 4)]


def _heading(figure: go.Figure, height: int, top: int, text: str) -> None:
    figure.add_annotation(
        text=f"<b>{text}</b>",
        x=-LEFT / (WIDTH - LEFT - RIGHT),
        xanchor="left",
        xref="paper",
        y=1 - top / height,
        yanchor="top",
        yref="paper",
        showarrow=False,
        borderpad=0,
        xshift=2,
        yshift=-4,
    )


def _talk(figure: go.Figure, height: int) -> None:
    figure.update_layout(
        xaxis={"visible": False, "range": [-0.45, 2.45], "fixedrange": True},
        yaxis={
            "visible": False,
            "range": [-1, 1],
            "domain": _share(height, HEADING, TALK_HEIGHT),
            "fixedrange": True,
        },
    )
    figure.add_scatter(
        x=[0, 1, 2],
        y=[0, 0, 0],
        mode="lines+markers+text",
        text=[f"<b>{service}</b>" for service in TALK.values()],
        textposition="top center",
        customdata=[
            f"<b>{service}</b><br>{name}, drawn by hand<br>Source: the talk of 2019-06-22"
            for name, service in TALK.items()
        ],
        hovertemplate=HOVER,
        line={"color": COLOURS["line"], "width": 1.5, "dash": "4px,4px"},
        marker={"color": COLOURS["warm"], "size": 12, "symbol": "square"},
        textfont={"size": 13},
        cliponaxis=False,
    )
    figure.add_scatter(
        x=[0, 1, 2],
        y=[-0.62, -0.62, -0.62],
        mode="text",
        text=list(TALK),
        textfont={"color": COLOURS["muted"], "size": 12},
        hoverinfo="skip",
        cliponaxis=False,
    )


def _panel(
    figure: go.Figure, facts: Facts, axis: Quality, number: int, domain: list[float]
) -> None:
    most = max(mark.count for mark in axis.marks)
    scales: dict[str, dict[str, object]] = {
        "simplicity": {"range": [most * 1.12, -most * 0.06], "tickvals": [0, 10, 20, 30, 40]},
        "convenience": {"range": [0, len(DUTIES) * 1.06], "tickvals": [0, 5, len(DUTIES)]},
        "flexibility": {
            "type": "log",
            "range": [2, 4.75],
            "tickvals": [100, 1000, 10000],
            "ticktext": ["100", "1,000", "10,000"],
        },
    }
    figure.update_layout(
        {
            f"xaxis{number}": {
                "anchor": f"y{number}",
                "fixedrange": True,
                "linecolor": COLOURS["line"],
                "showgrid": False,
                "tickcolor": COLOURS["line"],
                "tickfont": {"color": COLOURS["muted"], "size": 12},
                "ticklen": 4,
                "ticks": "outside",
                "zeroline": False,
                **scales[axis.name],
            },
            f"yaxis{number}": {
                "anchor": f"x{number}",
                "domain": domain,
                "fixedrange": True,
                "range": [len(SERVICES) - 0.4, -0.6],
                "showgrid": False,
                "tickfont": {"size": 13},
                "ticktext": list(SERVICES),
                "tickvals": list(range(len(SERVICES))),
                "zeroline": False,
            },
        }
    )
    place = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    ends: list[int | None] = []
    rows: list[int] = []
    shown: list[tuple[list[Mark], str]] = []
    for row, service in enumerate(SERVICES):
        best, worst = axis.best(service).count, axis.worst(service).count
        ends += [worst, best, None]
        for marks in _together([mark for mark in axis.marks if mark.service == service]):
            count = marks[0].count
            shown.append((marks, "best" if count == best else "worst" if count == worst else ""))
            rows.append(row)
    figure.add_scatter(
        x=ends,
        y=[row for row in range(len(SERVICES)) for _ in range(3)],
        mode="lines",
        line={"color": COLOURS["line"], "width": 2},
        hoverinfo="skip",
        **place,
    )
    figure.add_scatter(
        x=[marks[0].count for marks, _ in shown],
        y=rows,
        mode="markers+text",
        text=[_label(marks[0].count, which) for marks, which in shown],
        textposition=[f"middle {'right' if which == 'best' else 'left'}" for _, which in shown],
        textfont={"size": 12},
        customdata=[_hover(marks, facts) for marks, _ in shown],
        hovertemplate=HOVER,
        marker={
            "color": [COLOURS["accent" if which == "best" else "paper"] for _, which in shown],
            "line": {"color": COLOURS["accent"], "width": 2},
            "opacity": 1,
            "size": 11,
        },
        cliponaxis=False,
        **place,
    )


def _label(count: int, which: str) -> str:
    """Write the ends of a row beside their marks, the best in bold."""
    return {"best": f"<b>{count:,}</b>", "worst": f"{count:,}"}.get(which, "")


def _together(marks: list[Mark]) -> list[list[Mark]]:
    """Put the marks of one count together: they stand on one place, the worst first."""
    found: dict[int, list[Mark]] = {}
    for mark in marks:
        found.setdefault(mark.count, []).append(mark)
    return [found[count] for count in sorted(found)]


def _hover(marks: list[Mark], facts: Facts) -> str:
    """What is shown where the reader points: the names, the count, the first source."""
    record = marks[0].record
    source = facts.sources.rows[record.sources[0]]
    second = "" if record.confidence == "first-hand" else " (second-hand)"
    name = ", ".join(mark.name for mark in marks)
    lines = textwrap.wrap(f"Source: {source.title}{second}", 44)
    return "<br>".join([f"<b>{'<br>'.join(textwrap.wrap(name, 40))}</b>", marks[0].told, *lines])


def _summary(facts: Facts, axes: tuple[Quality, ...]) -> str:
    """Say what the numbers say; nothing here is typed that a number could change."""
    as_drawn = [axis.name for axis in axes if axis.leaders() == [TALK[axis.name]]]
    day = max(facts.inputs.as_of, facts.options.as_of, facts.counts.as_of)
    held = _and(f"{name} ({TALK[name]})" for name in as_drawn)
    moved = _and(_first(axis, TALK[axis.name]) for axis in axes if axis.name not in as_drawn)
    if not moved:
        told = f"the talk's drawing still holds in {held}"
    elif not held:
        told = f"the talk's drawing holds no more: {moved}"
    else:
        told = f"the talk's drawing still holds in {held}, and no more in the rest: {moved}"
    return f"Counted as of {day}, {told}. {_spread(axes[0])}"


def _first(axis: Quality, drawn: str) -> str:
    others = [name for name in axis.leaders() if name != drawn]
    if drawn in axis.leaders():
        return f"in {axis.name} {drawn} shares the first place with {_and(others)}"
    comes = "come" if len(others) > 1 else "comes"
    return f"in {axis.name} {_and(others)} {comes} first, not {drawn}"


def _spread(axis: Quality) -> str:
    """Compare how far a service's own options lie apart with how far the services do."""
    widest = max(SERVICES, key=lambda name: axis.worst(name).count - axis.best(name).count)
    low, high = axis.best(widest).count, axis.worst(widest).count
    bests = sorted(axis.best(name).count for name in SERVICES)
    apart = "more" if high - low > bests[-1] - bests[0] else "no more"
    return (
        f"The options of one service differ {apart} than the services do: {widest} asks for "
        f"{low} to {high} fields, the best options of all three for {bests[0]} to {bests[-1]}."
    )


def _and(words: Iterable[str]) -> str:
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _alt(axes: tuple[Quality, ...]) -> str:
    parts = [
        "Four rows of marks. First the talk's drawing of 2019: "
        + "; ".join(f"{service} for {name}" for name, service in TALK.items())
        + "."
    ]
    for axis in axes:
        rows = "; ".join(
            f"{name} {axis.worst(name).count:,}"
            + (
                f" to {axis.best(name).count:,}"
                if axis.best(name).count != axis.worst(name).count
                else ""
            )
            for name in SERVICES
        )
        parts.append(f"{axis.name.capitalize()}, {axis.counts}: {rows}.")
    return " ".join(parts)


def _notes(facts: Facts) -> tuple[str, ...]:
    ecs, eks = facts.counts.rows["ecs"], facts.counts.rows["eks"]
    more = "more" if ecs.fields > eks.fields else "fewer"
    return (
        (
            "Further right is more of the quality. A filled mark is a service's best option, an "
            "empty one each other option. In the last rows a mark is an API, on a scale whose "
            "steps are ten times as much."
        ),
        "The first row is the talk's opinion: it was drawn, not measured.",
        (
            f"Counting is not judging. By the AWS APIs alone ECS would have {more} to set "
            f"({ecs.fields:,} fields) than EKS ({eks.fields:,}): what EKS's users set is in the "
            "Kubernetes API. And one field can be worth more than a hundred others."
        ),
        (
            "The fields to fill in are the least that API models and guides ask for. No request "
            "was sent to AWS. Given are the image in a registry, the IAM roles, and a new "
            "account's network."
        ),
    )


def _numbers(facts: Facts, axes: tuple[Quality, ...]) -> Table:
    simplicity, convenience, flexibility = axes
    inputs = {mark.name: mark for mark in simplicity.marks}
    rows: list[tuple[str, ...]] = []
    for service in SERVICES:
        for mark in convenience.marks:
            if mark.service == service:
                mine = inputs.get(mark.name)
                rows.append(
                    (
                        mark.name,
                        str(mine.count) if mine else "not counted",
                        str(mark.count),
                        NONE,
                        _named(facts, mark.record, *([mine.record] if mine else [])),
                    )
                )
        rows += [
            (mark.name, NONE, NONE, f"{mark.count:,}", _named(facts, mark.record))
            for mark in flexibility.marks
            if mark.service == service
        ]
    return Table(
        "The numbers; the sources are listed by number below",
        (
            "option or API",
            "fields to fill in",
            f"duties taken, of {len(DUTIES)}",
            "fields that can be set",
            "sources",
        ),
        tuple(rows),
    )


def _named(facts: Facts, *records: Sourced) -> str:
    """The records' sources by their numbers in the table; marks what is second-hand."""
    numbers = _numbered(facts)
    used = sorted({numbers[name] for record in records for name in record.sources})
    second = any(record.confidence == "second-hand" for record in records)
    return ", ".join(map(str, used)) + (" (second-hand)" if second else "")


def _numbered(facts: Facts) -> dict[str, int]:
    records = [
        *(row for row in facts.options.rows.values() if row.service in SERVICES),
        *facts.inputs.rows.values(),
        *facts.counts.rows.values(),
        facts.claims.rows["T35"],
    ]
    names = dict.fromkeys(name for record in records for name in record.sources)
    return {name: number for number, name in enumerate(names, start=1)}


def _fields(call: Call) -> str:
    told = (
        field + (f" ({why})" if why != "required" else "") for field, why in call.inputs.items()
    )
    return "; ".join(told) or "nothing"


def _counted(facts: Facts) -> tuple[Table, ...]:
    options = facts.options.rows
    numbers = _numbered(facts)
    fields: list[tuple[str, ...]] = []
    first: dict[str, str] = {}
    for name, row in facts.inputs.rows.items():
        for number, call in enumerate(row.calls):
            option = options[name].name
            known = first.setdefault(call.model_dump_json(), option) if call.inputs else option
            fields.append(
                (
                    option if not number else "",
                    f"`{call.call}`",
                    _fields(call) if known == option else f"as with {known}",
                    str(len(call.inputs)),
                )
            )
    return (
        Table(
            "The fields to fill in; where no reason stands, the API model requires the field",
            ("option", "request", "fields", "count"),
            tuple(fields),
        ),
        Table(
            "Not counted",
            ("option", "why"),
            tuple(
                (options[name].name, row.left_out)
                for name, row in facts.inputs.rows.items()
                if row.left_out
            ),
        ),
        Table(
            f"Of the {len(DUTIES)} duties, those that AWS does not take",
            ("option", "duties that stay yours"),
            tuple(
                (row.name, ", ".join(duty for duty in DUTIES if duty not in row.aws_does) or "none")
                for row in options.values()
                if row.service in SERVICES
            ),
        ),
        Table(
            "What can be set",
            ("API", "counted", "in the models of"),
            tuple(
                (row.api, f"{row.fields:,} fields in {row.parts} {row.things}", row.counted_in)
                for row in facts.counts.rows.values()
            ),
        ),
        Table(
            "The sources",
            ("number", "title", "read"),
            tuple(
                (
                    str(number),
                    Link(facts.sources.rows[name].title, facts.sources.rows[name].url),
                    str(facts.sources.rows[name].read),
                )
                for name, number in numbers.items()
            ),
        ),
    )
