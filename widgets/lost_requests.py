"""Lost requests: each way of deploying as one row, with a mark for each request of a recorded run.

The runs were made by `tools/deployments.py`; the numbers stand in `facts/deployments.yaml`.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import plotly.graph_objects as go

from facts.deployments import LATE_MS, Deployments, Run, Sent, Way, load_deployments
from widgets.chart import COLOURS, Chart, Table, begin

__all__ = ["LostRequests"]

WIDTH, LEFT, RIGHT = 380, 8, 10
ROW, KEYS, FOOT = 56, 34, 40
# Where things stand in a row, in pixels from its top.
TITLE, LANES = 10, {"lost": 24, "late": 36, "2": 36, "1": 48}
MARKS = {
    "1": {"symbol": "square", "size": 4, "color": COLOURS["line"]},
    "2": {"symbol": "circle", "size": 5, "color": COLOURS["accent"]},
    "late": {"symbol": "triangle-up", "size": 8, "color": COLOURS["ink"]},
    "lost": {"symbol": "x", "size": 7, "color": COLOURS["warm"]},
}
SAID = {
    "1": "by version 1",
    "2": "by version 2",
    "late": "late",
    "lost": "lost",
}
# After the last change, the picture shows so many seconds more.
TAIL_SECONDS = 1.0
HOVER = "%{customdata}<extra></extra>"


class LostRequests(Chart):
    """Shows what each way of deploying costs its users.

    Args:
        ways: The ways to show, by their short names; all that were recorded, if none is given.

    Raises:
        ValueError: A way was not recorded; the message names those that were.

    Example:
        >>> print(LostRequests("by-hand").tables[0].rows[0][0])
        by hand
    """

    name: ClassVar[str] = "lost-requests"

    def __init__(self, *ways: str) -> None:
        table = load_deployments()
        for name in ways:
            if name not in table.ways:
                raise ValueError(f"no way {name!r}: one of {', '.join(table.ways)}")
        chosen = [table.ways[name] for name in ways or table.ways]
        super().__init__(
            _figure(chosen),
            alt=_alt(chosen),
            summary=_summary(table, chosen),
            tables=(_numbers(chosen), _told(chosen)),
            more="How each way goes",
            notes=_notes(table),
        )


def _figure(ways: list[Way]) -> go.Figure:
    height = KEYS + ROW * len(ways) + FOOT
    shown = [_shown(way.drawn) for way in ways]
    longest = max(sent[-1].at for sent in shown)
    figure = begin(width=WIDTH, height=height)
    figure.update_layout(
        margin={"l": LEFT, "r": RIGHT, "t": 0, "b": FOOT},
        xaxis={
            "range": [-longest * 0.02, longest * 1.02],
            "fixedrange": True,
            "linecolor": COLOURS["line"],
            "showgrid": False,
            "tickcolor": COLOURS["line"],
            "tickfont": {"color": COLOURS["muted"], "size": 12},
            "ticklen": 4,
            "ticks": "outside",
            "title": {
                "text": "seconds since the first request",
                "font": {"color": COLOURS["muted"], "size": 12},
            },
            "zeroline": False,
        },
        yaxis={
            "range": [height - FOOT, 0],
            "fixedrange": True,
            "showgrid": False,
            "visible": False,
            "zeroline": False,
        },
    )
    tops = [KEYS + ROW * number for number in range(len(ways))]
    for outcome, mark in MARKS.items():
        points = [
            (sent.at, top + LANES[outcome])
            for row, top in zip(shown, tops, strict=True)
            for sent in row
            if sent.outcome == outcome
        ]
        if not points:
            continue
        figure.add_scatter(
            x=[round(at, 2) for at, _ in points],
            y=[y for _, y in points],
            mode="markers",
            marker={"opacity": 1, "line": {"width": 0}, **mark},
            hoverinfo="skip",
            cliponaxis=False,
        )
    figure.add_scatter(
        x=[0] * len(ways),
        y=[top + TITLE for top in tops],
        mode="text",
        text=[f"<b>{way.name}</b>: {_lost(way.drawn)}" for way in ways],
        textposition="middle right",
        textfont={"size": 12},
        customdata=[_hover(way) for way in ways],
        hovertemplate=HOVER,
        cliponaxis=False,
    )
    _add_keys(figure, longest, {sent.outcome for row in shown for sent in row})
    return figure


def _shown(drawn: Sequence[Sent]) -> Sequence[Sent]:
    """Cut the end of a run where nothing changes any more."""
    last = drawn[-1].outcome
    changed = [sent.at for sent in drawn if sent.outcome != last]
    until = changed[-1] + TAIL_SECONDS if changed else drawn[-1].at
    return [sent for sent in drawn if sent.at <= until]


def _add_keys(figure: go.Figure, longest: float, seen: set[str]) -> None:
    """Say above the rows what each mark means."""
    keys = {outcome: mark for outcome, mark in MARKS.items() if outcome in seen}
    for number, (outcome, mark) in enumerate(keys.items()):
        place = longest * number / len(keys)
        figure.add_scatter(
            x=[place],
            y=[KEYS / 2],
            mode="markers+text",
            text=[f" {SAID[outcome]}"],
            textposition="middle right",
            textfont={"color": COLOURS["muted"], "size": 12},
            marker={"opacity": 1, "line": {"width": 0}, **mark},
            hoverinfo="skip",
            cliponaxis=False,
        )


def _lost(drawn: Sequence[Sent]) -> str:
    run = Run.of(drawn)
    return f"{run.lost or 'none'} of {run.sent} lost"


def _hover(way: Way) -> str:
    spread = _spread([run.lost for run in way.runs])
    return f"<b>{way.name}</b><br>{_lost(way.drawn)}; in {len(way.runs)} runs {spread} a run"


def _spread(numbers: list[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least}" if least == most else f"{least} to {most}"


def _alt(ways: list[Way]) -> str:
    rows = []
    for way in ways:
        outcomes = [sent.outcome for sent in way.drawn]
        lost = [sent.at for sent in way.drawn if sent.outcome == "lost"]
        told = [f"{outcomes.count(name)} {SAID[name]}" for name in MARKS if name in outcomes]
        when = f", the lost ones between second {lost[0]:.1f} and {lost[-1]:.1f}" if lost else ""
        rows.append(f"{way.name}: {', '.join(told)}{when}.")
    return (
        "A row for each way of deploying, with a mark for each request of one run at the moment "
        f"when it was sent, in seconds. {' '.join(rows)}"
    )


def _summary(table: Deployments, ways: list[Way]) -> str:
    costly = [f"{way.name} {way.lost} of {way.sent}" for way in ways if way.lost]
    free = [way.name for way in ways if not way.lost]
    told = []
    if costly:
        told.append(f"requests were lost {_and(costly)}")
    if free:
        total = sum(way.sent for way in ways if not way.lost)
        told.append(f"{_and(free)} lost none of {total}")
    runs = _spread([len(way.runs) for way in ways])
    each = " of each way" if len(ways) > 1 else ""
    return (
        f"{runs} runs{each} on {table.date}, {table.engine}, {table.cores} cores, "
        f"{table.per_second} requests a second: {'; '.join(told)}."
    )


def _numbers(ways: list[Way]) -> Table:
    return Table(
        "The numbers of all runs together",
        ("way", "lost", "sent", "lost in a run", "late", "runs"),
        tuple(
            (
                way.name,
                str(way.lost),
                str(way.sent),
                _spread([run.lost for run in way.runs]),
                str(way.late),
                str(len(way.runs)),
            )
            for way in ways
        ),
    )


def _told(ways: list[Way]) -> Table:
    rows = tuple((way.name, way.does) for way in ways)
    return Table("How each way goes", ("way", "how it goes"), rows)


def _notes(table: Deployments) -> tuple[str, ...]:
    return (
        (
            f"The picture shows one run of {table.per_second} requests a second for each way, and "
            "the count beside its name is of the whole run. "
            f"Version 2 listens {table.start_seconds} s after its start, as larger programs do. "
            f"An answer after {LATE_MS / 1000:g} s or more is called late. "
            "A row ends a second after its last change."
        ),
    )


def _and(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
