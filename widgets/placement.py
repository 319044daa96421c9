"""Placement: on which container instance each task of a service lands, and what a lost one takes.

Chapters 09 and 12 show it. `place_tasks` holds the rules as Amazon ECS documents them; the ES
module holds the same small function, and a test proves that both place every task alike.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import traitlets

from facts import load_facts
from widgets.base import CourseWidget

__all__ = ["FLEETS", "STRATEGIES", "Host", "Placed", "Placement", "Request", "place_tasks"]

_ZONE, _INSTANCE, _DISTINCT = "attribute:ecs.availability-zone", "instanceId", "distinctInstance"
_FIELDS = {"spread": (_ZONE, _INSTANCE, "host"), "binpack": ("cpu", "memory")}
_SPREAD_ZONES = {"type": "spread", "field": _ZONE}
_SPREAD_HOSTS = {"type": "spread", "field": _INSTANCE}
_PACK_MEMORY = {"type": "binpack", "field": "memory"}
_FACTS = (
    "ecs-placement-steps",
    "ecs-placement-binding",
    "ecs-placement-strategies",
    "ecs-placement-default",
    "ecs-placement-distinct",
)


@dataclass(frozen=True)
class Host:
    """A container instance.

    Attributes:
        name: What it is called.
        zone: The availability zone that it stands in.
        cpu: CPU units; 1024 are one vCPU.
        memory: MiB of memory.
    """

    name: str
    zone: str
    cpu: int
    memory: int


@dataclass(frozen=True)
class Placed:
    """Where one task went.

    Attributes:
        task: Its number, from 1 on.
        host: The name of its host; `None` if there is none for it.
        why: What decided, in sentences.
    """

    task: int
    host: str | None
    why: str


FLEETS: Mapping[str, tuple[str, tuple[Host, ...]]] = {
    "even": (
        "two equal hosts in each of three zones",
        tuple(Host(name, name[0], 2048, 4096) for name in ("a1", "a2", "b1", "b2", "c1", "c2")),
    ),
    "uneven": (
        "equal hosts: one, two and three in a zone",
        tuple(Host(name, name[0], 2048, 4096) for name in ("a1", "b1", "b2", "c1", "c2", "c3")),
    ),
    "mixed": (
        "hosts of different sizes",
        (
            Host("a1", "a", 2048, 4096),
            Host("a2", "a", 2048, 8192),
            Host("b1", "b", 4096, 8192),
            Host("b2", "b", 2048, 4096),
            Host("c1", "c", 2048, 16384),
            Host("c2", "c", 4096, 6144),
        ),
    ),
}
"""What the reader can place tasks on: a label and the hosts. They are the course's own example."""

STRATEGIES: Mapping[str, tuple[str, tuple[Mapping[str, str], ...]]] = {
    "zones": ("spread over zones", (_SPREAD_ZONES,)),
    "instances": ("spread over hosts", (_SPREAD_HOSTS,)),
    "memory": ("binpack on memory", (_PACK_MEMORY,)),
    "cpu": ("binpack on CPU", ({"type": "binpack", "field": "cpu"},)),
    "zones-memory": ("spread over zones, then binpack on memory", (_SPREAD_ZONES, _PACK_MEMORY)),
}
"""What the reader can choose: a label, and the strategy as boto3 takes it."""

_CPUS = {256: "0.25 vCPU", 512: "0.5 vCPU", 1024: "1 vCPU", 2048: "2 vCPU"}
_MEMORIES = {512: "512 MiB", 1024: "1,024 MiB", 2048: "2,048 MiB", 4096: "4,096 MiB"}
_CHOICES: Mapping[str, Collection[object]] = {
    "fleet": FLEETS,
    "strategy": STRATEGIES,
    "cpu": _CPUS,
    "memory": _MEMORIES,
}
_WORDS = {"cpu": "CPU", "memory": "memory"}
_UNITS = {"cpu": "units", "memory": "MiB"}
_MOST = 24
_WRONG = f"Tasks: a whole number from 1 to {_MOST}."


def place_tasks(  # noqa: PLR0913 - a task has so many sides
    hosts: Iterable[Host],
    count: int,
    *,
    cpu: int,
    memory: int,
    strategy: Sequence[Mapping[str, str]] = (_SPREAD_ZONES,),
    constraints: Sequence[Mapping[str, str]] = (),
    running: Mapping[str, int] | None = None,
) -> list[Placed]:
    """Place equal tasks of one service, one after the other, by the rules of Amazon ECS.

    A host must have enough CPU and memory, then meet the constraints; of those that do, each
    strategy keeps the best. If zones decided last, the host with the fewest tasks is favoured.
    Of hosts that are equal to the end it takes the first, for which ECS documents no rule.

    Args:
        hosts: The container instances.
        count: How many tasks to place.
        cpu: CPU units of a task; 1024 are one vCPU.
        memory: MiB of a task.
        strategy: The `placementStrategy` that boto3 takes; `random` is not here, because a
            random answer can't be explained.
        constraints: The `placementConstraints` that boto3 takes; only `distinctInstance` is here.
        running: How many tasks of the service run on a host already, by its name.

    Returns:
        Each task in its order, with the reason.

    Raises:
        ValueError: A figure is no whole number or too small, two hosts have one name, or a
            strategy or constraint is not known; the message says which.

    Example:
        >>> hosts = [Host("a1", "a", 2048, 4096), Host("b1", "b", 2048, 1024)]
        >>> [task.host for task in place_tasks(hosts, 4, cpu=512, memory=1024)]
        ['a1', 'b1', 'a1', 'a1']
    """
    hosts = list(hosts)
    _check(hosts, strategy, constraints, count=(count, 0), cpu=(cpu, 1), memory=(memory, 1))
    tasks, needs = Counter(running or {}), {"cpu": cpu, "memory": memory}
    placed = []
    for number in range(1, count + 1):
        best, why = _best(hosts, tasks, needs, strategy, distinct=bool(constraints))
        if best:
            tasks[best.name] += 1
        placed.append(Placed(number, best.name if best else None, why))
    return placed


def _check(
    hosts: list[Host],
    strategy: Sequence[Mapping[str, str]],
    constraints: Sequence[Mapping[str, str]],
    **figures: tuple[object, int],
) -> None:
    for name, (figure, least) in figures.items():
        if isinstance(figure, bool) or not isinstance(figure, int) or figure < least:
            raise ValueError(f"{name}: a whole number, at least {least}, not {figure!r}.")
    for name, times in Counter(host.name for host in hosts).items():
        if times > 1:
            raise ValueError(f"{times} hosts are called {name!r}: give each a name of its own.")
    for step in strategy:
        known = _FIELDS.get(step.get("type", ""))
        if known is None:
            raise ValueError(f"No strategy {step.get('type')!r} here: {' or '.join(_FIELDS)}.")
        if step.get("field") not in known:
            raise ValueError(f"{step['type']} by {step.get('field')!r}: {' or '.join(known)}.")
    for constraint in constraints:
        if constraint.get("type") != _DISTINCT:
            raise ValueError(f"No constraint {constraint.get('type')!r} here: {_DISTINCT}.")


def _best(
    hosts: list[Host],
    tasks: Mapping[str, int],
    needs: Mapping[str, int],
    strategy: Sequence[Mapping[str, str]],
    *,
    distinct: bool,
) -> tuple[Host | None, str]:
    """Choose the host of one task, and say why; the ES module has the same steps."""
    fit, says = _rule_out(hosts, tasks, needs, distinct=distinct)
    if not fit:
        return None, " ".join(says) or "There is no host."
    if len(fit) == 1:
        return fit[0], " ".join([*says, f"Only {fit[0].name} is left."])
    steps = list(strategy)
    if steps and steps[-1] == _SPREAD_ZONES:
        steps.append(_SPREAD_HOSTS)
    for step in steps:
        if len(fit) > 1:
            fit, said = _narrow(fit, step, hosts, tasks, needs)
            says.append(said)
    if len(fit) > 1:
        says.append(f"{fit[0].name} is the first of them.")
    return fit[0], " ".join(says)


def _rule_out(
    hosts: list[Host], tasks: Mapping[str, int], needs: Mapping[str, int], *, distinct: bool
) -> tuple[list[Host], list[str]]:
    fit, ruled = [], dict[str, list[str]]()
    for host in hosts:
        short = [_WORDS[name] for name in needs if _left(host, name, tasks, needs) < needs[name]]
        if short:
            ruled.setdefault(f"Not enough {' and '.join(short)}", []).append(host.name)
        elif distinct and tasks.get(host.name):
            ruled.setdefault("Has a task already", []).append(host.name)
        else:
            fit.append(host)
    return fit, [f"{reason}: {', '.join(names)}." for reason, names in ruled.items()]


def _narrow(
    fit: list[Host],
    step: Mapping[str, str],
    hosts: list[Host],
    tasks: Mapping[str, int],
    needs: Mapping[str, int],
) -> tuple[list[Host], str]:
    field = step["field"]

    def size(host: Host) -> int:
        if step["type"] == "binpack":
            return _left(host, field, tasks, needs)
        alike = [other for other in hosts if other.zone == host.zone] if field == _ZONE else [host]
        return sum(tasks.get(other.name, 0) for other in alike)

    least = min(map(size, fit))
    best = [host for host in fit if size(host) == least]
    zones = list(dict.fromkeys(host.zone for host in best))
    where = ", ".join(host.name for host in best)
    if step["type"] == "binpack":
        return best, f"Least {_WORDS[field]} left ({least:,} {_UNITS[field]}): {where}."
    if field == _ZONE:
        where = f"{'zones' if len(zones) > 1 else 'zone'} {', '.join(zones)}"
    return best, f"Fewest tasks ({least}): {where}."


def _left(host: Host, field: str, tasks: Mapping[str, int], needs: Mapping[str, int]) -> int:
    has = {"cpu": host.cpu, "memory": host.memory}
    return has[field] - tasks.get(host.name, 0) * needs[field]


@dataclass(frozen=True)
class Request:
    """What the reader asks for.

    Attributes:
        fleet: Which of `FLEETS`.
        strategy: Which of `STRATEGIES`.
        distinct: Whether each task must have a host of its own.
        tasks: How many tasks.
        cpu: CPU units of a task: 256, 512, 1024 or 2048.
        memory: MiB of a task: 512, 1024, 2048 or 4096.

    Raises:
        ValueError: One of them is not to be had; the message says what is.
    """

    fleet: str = "even"
    strategy: str = "zones"
    distinct: bool = False
    tasks: int = 10
    cpu: int = 512
    memory: int = 1024

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or value not in known:
                raise ValueError(f"{name}: one of {', '.join(map(str, known))}, not {value!r}.")
        if not isinstance(self.distinct, bool):
            raise ValueError(f"distinct: True or False, not {self.distinct!r}.")  # noqa: TRY004 - a learner gets one kind
        whole = isinstance(self.tasks, int) and not isinstance(self.tasks, bool)
        if not whole or not 1 <= self.tasks <= _MOST:
            raise ValueError(_WRONG)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts of its fleet."""
        return FLEETS[self.fleet][1]

    def place(self, strategy: str = "") -> list[Placed]:
        """Place its tasks, by its own strategy or by another."""
        return self._place(self.hosts, self.tasks, strategy or self.strategy, {})

    def place_again(self, on: Mapping[str, int], lost: str) -> list[Placed]:
        """Place the tasks of a lost host on the others, where `on` says what runs."""
        left = [host for host in self.hosts if host.name != lost]
        return self._place(left, on.get(lost, 0), self.strategy, on)

    def _place(
        self, hosts: Iterable[Host], count: int, strategy: str, running: Mapping[str, int]
    ) -> list[Placed]:
        return place_tasks(
            hosts,
            count,
            cpu=self.cpu,
            memory=self.memory,
            strategy=STRATEGIES[strategy][1],
            constraints=[{"type": _DISTINCT}] if self.distinct else [],
            running=running,
        )


class Placement(CourseWidget):
    """Places the tasks of a service on hosts, one after the other, and takes a host away.

    Args:
        inputs: What is asked for, see `Request`; what is left out is as there.
        shown: How many tasks are placed so far; all, where it is left out.
        lost: The name of the host that is gone; none, where it is left out.

    Raises:
        TypeError: An unknown keyword was given.
        ValueError: An unknown input, one that is not to be had, or a host that the fleet does not
            have; the message says which.

    Example:
        >>> [task.host for task in Placement(inputs={"tasks": 4}).placed]
        ['a1', 'b1', 'c1', 'a2']
    """

    inputs = traitlets.Dict().tag(sync=True, page=True, option=True)
    shown = traitlets.Int(None, allow_none=True).tag(sync=True, page=True, option=True)
    lost = traitlets.Unicode("").tag(sync=True, page=True, option=True)
    table = traitlets.Dict(read_only=True).tag(sync=True, page=True)

    @property
    def placed(self) -> list[Placed]:
        """Where each task went that is placed so far."""
        return Request(**self.inputs).place()[: self.shown]

    @traitlets.default("inputs")
    def _first(self) -> dict[str, Any]:
        return asdict(Request())

    @traitlets.default("table")
    def _table(self) -> dict[str, object]:
        return {
            "fleets": {
                name: [[host.name, host.zone, host.cpu, host.memory] for host in hosts]
                for name, (_, hosts) in FLEETS.items()
            },
            "strategies": {
                name: {"name": label, "steps": [[step["type"], step["field"]] for step in steps]}
                for name, (label, steps) in STRATEGIES.items()
            },
            "most": _MOST,
            "wrong": _WRONG,
        }

    @traitlets.validate("inputs")
    def _complete(self, proposal: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        known = asdict(Request())
        for name in proposal["value"]:
            if name not in known:
                raise ValueError(f"There is no input {name!r}. Known: {', '.join(known)}.")
        return asdict(Request(**proposal["value"]))

    @traitlets.validate("shown")
    def _not_negative(self, proposal: Mapping[str, int | None]) -> int | None:
        shown = proposal["value"]
        if shown is not None and shown < 0:
            raise ValueError(f"shown: a whole number, at least 0, not {shown}.")
        return shown

    @traitlets.validate("lost")
    def _a_host(self, proposal: Mapping[str, str]) -> str:
        lost, fleet = proposal["value"], self.inputs.get("fleet", Request.fleet)
        names = [host.name for host in FLEETS[fleet][1]] if fleet in FLEETS else []
        if lost and lost not in names:
            raise ValueError(f"lost: one of {', '.join(names)}, not {lost!r}.")
        return lost

    def _context(self) -> dict[str, object]:
        facts = load_facts()
        rows = [facts.limits.rows[name] for name in _FACTS]
        sources = dict.fromkeys(name for row in rows for name in row.sources)
        return {
            "fleets": {name: label for name, (label, _) in FLEETS.items()},
            "strategies": {name: label for name, (label, _) in STRATEGIES.items()},
            "cpus": _CPUS,
            "memories": _MEMORIES,
            "most": _MOST,
            "inputs": self.inputs,
            "lost": self.lost,
            "view": _view(Request(**self.inputs), self.shown, self.lost),
            "rules": [row.says for row in rows],
            "sources": [facts.sources.rows[name] for name in sources],
        }

    def _text(self) -> str:
        request = Request(**self.inputs)
        view = _view(request, self.shown, self.lost)
        size = f"{_CPUS[request.cpu]} and {_MEMORIES[request.memory]}"
        rules = f"{STRATEGIES[request.strategy][0]}{', distinctInstance' * request.distinct}"
        lines = [f"{request.tasks} tasks of {size}, {rules}: {FLEETS[request.fleet][0]}"]
        lines += [f"{host['name']}: {host['tasks']}" for host in view["hosts"]]
        return "\n".join(line for line in [*lines, view["headline"], *view["says"]] if line)


def _view(request: Request, shown: int | None, lost: str) -> dict[str, Any]:
    """What is shown; the ES module's `view` gives the same."""
    placed = request.place()[:shown]
    on = Counter(task.host for task in placed if task.host)
    rows = {name: _compared(request, name, len(placed), lost) for name in STRATEGIES}
    return {
        "headline": _headline(request, placed, on),
        "last": _last(placed),
        "hosts": [_host(request, host, placed, lost) for host in request.hosts],
        "says": [
            line
            for line in (_loss(request, on, lost), _worst(request, rows), _free(request, on))
            if line
        ],
        "rows": [[task.task, task.host or "no host", task.why] for task in placed],
        "compared": {name: row["cells"] for name, row in rows.items()},
        "all": len(placed) == request.tasks,
        "none": not placed,
    }


def _headline(request: Request, placed: list[Placed], on: Mapping[str, int]) -> str:
    many = sum(on.values())
    says = (
        f"{many} of {request.tasks} tasks are placed, on {len(on)} of {len(request.hosts)} hosts."
    )
    failed = len(placed) - many
    if failed:
        says += f" {failed} {'finds' if failed == 1 else 'find'} no host."
    return says


def _last(placed: list[Placed]) -> str:
    if not placed:
        return "Place the first task to see where it goes, and why."
    task = placed[-1]
    went = f"goes to {task.host}" if task.host else "finds no host"
    return f"Task {task.task} {went}. {task.why}"


def _host(request: Request, host: Host, placed: list[Placed], lost: str) -> dict[str, Any]:
    numbers = [str(task.task) for task in placed if task.host == host.name]
    many = len(numbers)
    used = {"cpu": many * request.cpu, "memory": many * request.memory}
    has = {"cpu": host.cpu, "memory": host.memory}
    tasks = f"{'task' if many == 1 else 'tasks'} {', '.join(numbers)}" if many else "no task"
    return {
        "name": host.name,
        "zone": f"zone {host.zone}",
        "lost": host.name == lost,
        "tasks": f"gone, with {tasks}" if host.name == lost else tasks,
        "used": {
            name: [
                100 * used[name] // has[name],
                f"{_WORDS[name]}: {used[name]:,} of {has[name]:,} {_UNITS[name]}",
            ]
            for name in has
        },
    }


def _compared(request: Request, strategy: str, shown: int, lost: str) -> dict[str, Any]:
    on = Counter(task.host for task in request.place(strategy)[:shown] if task.host)
    zones = Counter[str]()
    for host in request.hosts:
        zones[host.zone] += on[host.name]
    many, worst = sum(on.values()), max(on.values(), default=0)
    return {
        "cells": [
            str(many),
            str(len(on)),
            _share(on[lost], many) if lost else "\N{EN DASH}",
            _share(worst, many),
            _share(max(zones.values()), many),
        ],
        "worst": worst,
        "many": many,
    }


def _loss(request: Request, on: Mapping[str, int], lost: str) -> str:
    if not lost:
        return ""
    gone = on.get(lost, 0)
    if not gone:
        return f"{lost} is gone. No task ran on it."
    again = request.place_again(on, lost)
    found = sum(task.host is not None for task in again)
    says = f"{lost} is gone, and with it {_share(gone, sum(on.values()), ' tasks')}"
    if found == gone:
        return f"{says}. All of them find room on the other hosts."
    if not found:
        return f"{says}. None of them finds room on the other hosts."
    return f"{says}. {found} of them find room on the other hosts."


def _worst(request: Request, rows: Mapping[str, Mapping[str, Any]]) -> str:
    mine = rows[request.strategy]
    if not mine["many"]:
        return ""
    # Compared as fractions without a division, so that both languages decide alike.
    best = request.strategy
    for name, row in rows.items():
        if row["many"] and row["worst"] * rows[best]["many"] < rows[best]["worst"] * row["many"]:
            best = name
    most = _share(mine["worst"], mine["many"], " tasks")
    says = f"One host takes at most {most} with it."
    if best == request.strategy:
        return f"{says} No other strategy here loses less to one host."
    least = _share(rows[best]["worst"], rows[best]["many"])
    return f"{says} With “{STRATEGIES[best][0]}” it is {least}."


def _free(request: Request, on: Mapping[str, int]) -> str:
    free = len(request.hosts) - len(on)
    if not free or not on:
        return ""
    return "1 host stays empty." if free == 1 else f"{free} hosts stay empty."


def _share(part: int, whole: int, things: str = "") -> str:
    if not whole:
        return "\N{EN DASH}"
    return f"{part} of {whole}{things} ({(200 * part + whole) // (2 * whole)}\N{NO-BREAK SPACE}%)"
