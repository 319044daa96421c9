"""The scaling race: more virtual machines against more tasks, when the load rises at once.

Chapter 13 shows it. `run_race` reckons in whole seconds and requests, so that the ES module, which
holds the same small function, gives the same numbers; a test proves it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import traitlets

from facts import load_facts
from widgets.base import CourseWidget

__all__ = ["INPUTS", "Race", "Run", "ScalingRace", "Span", "run_race"]

_NOTICE = "ecs-fast-scaling"
_FACTS = (_NOTICE, "ecs-host-first", "eb-standard-unit")
_NAMES = {"machines": "Virtual machines", "tasks": "Tasks"}
# The drawing: 336 units wide, so that its text stays readable on a phone.
_LEFT, _RISE, _RIGHT, _HEIGHT = 4, 28, 332, 80
_NO_RISE = "The load must rise: more requests a second after than before."


@dataclass(frozen=True)
class Span:
    """What can be asked for: a whole number from `least` to `most`.

    Attributes:
        asks: The words of the form.
        least: The smallest number.
        most: The largest number.
        rests: What the first value rests on.
    """

    asks: str
    least: int
    most: int
    rests: Literal["fact", "your assumption", "your service"]

    @property
    def wrong(self) -> str:
        """What is said where a figure can't be used."""
        return f"{self.asks}: a whole number from {self.least:,} to {self.most:,}."


INPUTS: Mapping[str, Span] = {
    "before": Span("Requests a second before", 1, 100_000, "your service"),
    "after": Span("Requests a second after", 1, 100_000, "your service"),
    "each": Span("Requests a second that one task or machine serves", 1, 10_000, "your service"),
    "room": Span("Tasks that running hosts still have room for", 0, 1_000, "your service"),
    "notice": Span("Seconds until scaling acts", 0, 3_600, "fact"),
    "machine": Span("Seconds until a new machine serves", 1, 3_600, "your assumption"),
    "task": Span("Seconds until a new task serves", 1, 3_600, "your assumption"),
}
"""What `run_race` and the form ask for."""


@dataclass(frozen=True)
class Run:
    """How one way to scale fares.

    Attributes:
        steps: When how many new tasks or machines begin to serve: pairs of a second and a number.
        fits_after: The second from which on the capacity is as large as the load.
        unserved: How many requests have found no capacity by then: the area between load and
            capacity.
        spare: How many requests a second the new capacity can serve on top of the load.
        drained_after: The second by which those that waited are served, too; `None` if there is
            no spare capacity for them.
    """

    steps: tuple[tuple[int, int], ...]
    fits_after: int
    unserved: int
    spare: int
    drained_after: int | None


@dataclass(frozen=True)
class Race:
    """What is asked for; each is a whole number within its span of `INPUTS`.

    Attributes:
        before: Requests a second before the load rises.
        after: Requests a second from then on.
        each: Requests a second that one task or one machine serves.
        room: Tasks for which the hosts that run already have room.
        notice: Seconds until scaling acts, in both ways alike.
        machine: Seconds until a machine that is launched serves.
        task: Seconds until a task that is started serves.

    Raises:
        ValueError: A figure is out of its span, or the load does not rise; the message says so.
    """

    before: int = 400
    after: int = 850
    each: int = 100
    room: int = 8
    notice: int = field(default_factory=lambda: int(load_facts().limits.rows[_NOTICE].value or 0))
    machine: int = 180
    task: int = 10

    def __post_init__(self) -> None:
        for name, span in INPUTS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(span.wrong)  # noqa: TRY004 - a learner gets one kind
            if not span.least <= value <= span.most:
                raise ValueError(span.wrong)
        if self.after <= self.before:
            raise ValueError(_NO_RISE)

    @property
    def had(self) -> int:
        """How many tasks or machines serve before the load rises: as many as it needs."""
        return _up(self.before, self.each)

    @property
    def more(self) -> int:
        """How many more the risen load needs."""
        return _up(self.after, self.each) - self.had


def run_race(  # noqa: PLR0913 - a race has so many sides
    *,
    before: int = Race.before,
    after: int = Race.after,
    each: int = Race.each,
    room: int = Race.room,
    notice: int | None = None,
    machine: int = Race.machine,
    task: int = Race.task,
) -> dict[str, Run]:
    """Let virtual machines and tasks race, when the load rises from one second to the next.

    Both have as many as the load needed before, both are asked for what is missing in the same
    second, and all that is asked for starts at once. A new machine serves after its time. A new
    task serves after its time where a running host has room; else it waits for a machine first.

    Args:
        before: Requests a second before the load rises.
        after: Requests a second from then on.
        each: Requests a second that one task or one machine serves.
        room: Tasks for which the hosts that run already have room.
        notice: Seconds until scaling acts; where it is left out, AWS's own figure for ECS.
        machine: Seconds until a machine that is launched serves; an assumption of yours.
        task: Seconds until a task that is started serves; an assumption of yours.

    Returns:
        The runs of "machines" and of "tasks".

    Raises:
        ValueError: A figure is out of its span, or the load does not rise; the message says so.

    Example:
        >>> runs = run_race(before=100, after=300, each=100, notice=60, machine=120, task=5)
        >>> runs["machines"].unserved, runs["tasks"].unserved
        (36000, 13000)
    """
    figures = {"before": before, "after": after, "each": each, "room": room}
    figures |= {"machine": machine, "task": task}
    if notice is not None:
        figures["notice"] = notice
    return _run(Race(**figures))


def _run(race: Race) -> dict[str, Run]:
    fit = min(race.more, race.room)
    serves = race.notice + race.task
    steps = {
        "machines": [(race.notice + race.machine, race.more)],
        "tasks": [(serves, fit), (serves + race.machine, race.more - fit)],
    }
    return {
        way: _fare(race, tuple((second, many) for second, many in each if many))
        for way, each in steps.items()
    }


def _fare(race: Race, steps: tuple[tuple[int, int], ...]) -> Run:
    capacity, at, waiting = race.had * race.each, 0, 0
    for second, many in steps:
        waiting += (race.after - capacity) * (second - at)
        capacity, at = capacity + many * race.each, second
    spare = capacity - race.after
    drained = at + _up(waiting, spare) if spare else None
    return Run(steps, at, waiting, spare, drained if waiting else at)


def _waiting(race: Race, run: Run, second: int) -> int:
    """How many requests wait in a second."""
    if second >= run.fits_after:
        return max(0, run.unserved - run.spare * (second - run.fits_after))
    capacity, at, waiting = race.had * race.each, 0, 0
    for step, many in run.steps:
        until = min(step, second)
        waiting += (race.after - capacity) * (until - at)
        capacity, at = capacity + many * race.each, until
    return waiting


class ScalingRace(CourseWidget):
    """Shows how many requests wait while machines boot, and while tasks start.

    Args:
        inputs: What is asked for, see `Race`; what is left out is as there.

    Raises:
        TypeError: An unknown keyword was given.
        ValueError: An unknown input, or one that is out of its span; the message says which.

    Example:
        >>> ScalingRace(inputs={"notice": 60, "task": 5}).runs["tasks"].fits_after
        65
    """

    inputs = traitlets.Dict().tag(sync=True, page=True, option=True)
    table = traitlets.Dict(read_only=True).tag(sync=True, page=True)

    @property
    def runs(self) -> dict[str, Run]:
        """How machines and tasks fare, for the inputs as they are now."""
        return _run(Race(**self.inputs))

    @traitlets.default("inputs")
    def _first(self) -> dict[str, Any]:
        return asdict(Race())

    @traitlets.default("table")
    def _table(self) -> dict[str, object]:
        return {
            "names": _NAMES,
            "inputs": {
                name: {"least": span.least, "most": span.most, "wrong": span.wrong}
                for name, span in INPUTS.items()
            },
            "noRise": _NO_RISE,
            "edges": [_LEFT, _RISE, _RIGHT],
            "height": _HEIGHT,
        }

    @traitlets.validate("inputs")
    def _complete(self, proposal: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        for name in proposal["value"]:
            if name not in INPUTS:
                raise ValueError(f"There is no input {name!r}. Known: {', '.join(INPUTS)}.")
        return asdict(Race(**proposal["value"]))

    def _context(self) -> dict[str, object]:
        facts = load_facts()
        rows = [facts.limits.rows[name] for name in _FACTS]
        return {
            "asks": INPUTS,
            "inputs": self.inputs,
            "names": _NAMES,
            "view": _view(Race(**self.inputs)),
            "height": _HEIGHT,
            "edges": (_LEFT, _RISE, _RIGHT),
            "notice": facts.limits.rows[_NOTICE],
            "rules": [(row.says, facts.sources.rows[row.sources[0]]) for row in rows],
        }

    def _text(self) -> str:
        race = Race(**self.inputs)
        view = _view(race)
        load = f"The load rises from {race.before:,} to {race.after:,} requests a second."
        serves = f"One task or machine serves {race.each:,}."
        until = f"{race.machine:,} s until a machine serves, {race.task:,} s until a task does."
        lines = [f"{load} {serves}", f"{race.notice:,} s until scaling acts, {until}"]
        return "\n".join([*lines, view["headline"], *view["says"]])


def _view(race: Race) -> dict[str, Any]:
    """What is shown of a race; the ES module's `view` gives the same."""
    runs = _run(race)
    return {
        "headline": _headline(race, runs),
        "says": _says(race, runs),
        "rows": {way: _row(run) for way, run in runs.items()},
        "moments": _moments(race, runs),
        "drawn": _drawn(race, runs),
    }


def _headline(race: Race, runs: Mapping[str, Run]) -> str:
    if not race.more:
        can = race.had * race.each
        return f"Nothing has to grow: the capacity of before serves {can:,} requests a second."
    tasks, machines = runs["tasks"].fits_after, runs["machines"].fits_after
    first, second = (
        f"Tasks fit the load after {tasks:,} s",
        f"virtual machines after {machines:,} s",
    )
    if tasks < machines:
        return f"{first}, {second}: {_times(machines, tasks)} times as long."
    return f"{first}, {second}: here tasks are not faster."


def _says(race: Race, runs: Mapping[str, Run]) -> list[str]:
    if not race.more:
        return []
    tasks, machines = runs["tasks"], runs["machines"]
    found = f"{tasks.unserved:,} requests find no capacity with tasks"
    says = [f"Until then {found}, and {machines.unserved:,} with machines."]
    if not race.room:
        says.append("Running hosts have no room for a new task: each waits for a host to boot.")
    elif race.room < race.more:
        says.append(
            f"Running hosts have room for {race.room:,} of {race.more:,} new tasks; the others "
            "wait for a host to boot."
        )
    if not tasks.spare:
        says.append("The new capacity has nothing to spare: what waits by then goes on waiting.")
    else:
        says.append(
            f"All that waited is served after {tasks.drained_after:,} s with tasks, and after "
            f"{machines.drained_after:,} s with machines."
        )
    if race.notice:
        shares = [_percent(race.notice, run) for run in (tasks, machines)]
        says.append(
            f"Until scaling acts, {race.notice:,} s go by in both: {shares[0]} of the time that "
            f"tasks need, {shares[1]} of the time that machines need."
        )
    return says


def _row(run: Run) -> list[str]:
    drained = "never" if run.drained_after is None else f"{run.drained_after:,} s"
    return [f"{run.fits_after:,} s", f"{run.unserved:,}", drained]


def _moments(race: Race, runs: Mapping[str, Run]) -> list[list[str]]:
    """What happens when, and how many requests wait then: by machines, by tasks."""
    happens: dict[int, list[str]] = {}

    def note(second: int | None, words: str) -> None:
        if second is not None:
            happens.setdefault(second, []).append(words)

    note(0, f"The load rises to {race.after:,} requests a second.")
    if race.more:
        are = "is" if race.more == 1 else "are"
        note(race.notice, f"Scaling acts: {race.more:,} more {are} asked for.")
    for way, run in runs.items():
        for second, many in run.steps:
            things = way if many > 1 else way[:-1]
            note(second, f"{many:,} {things} {'begin' if many > 1 else 'begins'} to serve.")
    for way, run in runs.items():
        if run.unserved:
            note(run.drained_after, f"{_NAMES[way]}: nothing waits any more.")
    return [
        [
            f"{second:,} s",
            " ".join(happens[second]),
            *(f"{_waiting(race, run, second):,}" for run in runs.values()),
        ]
        for second in sorted(happens)
    ]


def _drawn(race: Race, runs: Mapping[str, Run]) -> dict[str, dict[str, str]]:
    """The paths of each way's drawing; both have the same axes."""
    last = max(run.fits_after for run in runs.values())
    end = last + last // 6 + 1
    top = max(race.after, *(race.after + run.spare for run in runs.values()))

    def x(second: int) -> str:
        return f"{(10 * _RISE + 10 * (_RIGHT - _RISE) * second // end) / 10:g}"

    def y(requests: int) -> str:
        return f"{(10 * _HEIGHT - 10 * _HEIGHT * requests // top) / 10:g}"

    drawn = {}
    for way, run in runs.items():
        capacity = race.had * race.each
        stairs, area = f"M{_LEFT} {y(capacity)}", f"M{_RISE} {y(capacity)}"
        for second, many in run.steps:
            stairs, area = f"{stairs}H{x(second)}", f"{area}H{x(second)}"
            capacity += many * race.each
            stairs += f"V{y(capacity)}"
            area += f"V{y(min(capacity, race.after))}"
        drawn[way] = {
            "load": f"M{_LEFT} {y(race.before)}H{_RISE}V{y(race.after)}H{_RIGHT}",
            "capacity": f"{stairs}H{_RIGHT}",
            "area": f"{area}H{_RISE}Z",
            "says": f"{_NAMES[way]}: fits after {run.fits_after:,} s",
            "end": f"{end:,} s",
        }
    return drawn


def _times(much: int, little: int) -> str:
    tenths = (20 * much + little) // (2 * little)
    return f"{tenths // 10:,}.{tenths % 10}"


def _percent(part: int, run: Run) -> str:
    whole = run.fits_after
    return f"{(200 * part + whole) // (2 * whole)}\N{NO-BREAK SPACE}%"


def _up(number: int, by: int) -> int:
    return -(-number // by)
