"""What a service of some tasks costs a month on EC2, Managed Instances and Fargate, line by line.

All prices come from `prices.yaml`; what has no verified price is given as the room in which it
lies. The ES module of the cost crossover holds the same small function; a test proves that both
give the same cents.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from facts.records import FactsError, Record, load_facts, read_as

__all__ = [
    "Cost",
    "CostTable",
    "Crossing",
    "Service",
    "cheapest_of",
    "crossings",
    "limits_used",
    "load_costs",
    "monthly_cost",
    "out_of_range",
    "prices_used",
]

_COSTS = Path(__file__).parent / "costs.yaml"
_COMMON = (
    "fargate-x86-vcpu-hour",
    "fargate-x86-gb-hour",
    "ebs-gp3-gb-month",
    "alb-hour",
    "alb-lcu-hour",
    "public-ipv4-hour",
    "nat-gateway-hour",
    "nat-gateway-gb",
    "logs-in-gb",
    "logs-kept-gb-month",
)
_Words = Annotated[str, Field(min_length=1)]
Network = Literal["nat", "public"]


class Way(Record):
    """One way to pay for what tasks run on.

    Attributes:
        name: What it is called.
        runs_on: Whether hosts are paid for, or the tasks themselves.
        fee: The price of what comes on top of each host, if something does.
        discount: The limit that says how far its discount goes; empty if it has a list price.
        committed: Whether it is paid round the clock.
    """

    name: _Words
    runs_on: Literal["host", "task"]
    fee: str = ""
    discount: str = ""
    committed: bool = False


class Host(Record):
    """The one type of host: its name, its price, and the limits that say what it holds."""

    type: _Words
    price: _Words
    vcpu: _Words
    memory: _Words


class Span(Record):
    """What can be asked for: a whole number from `least` to `most`."""

    asks: _Words
    least: int
    most: int


class CostTable(Record):
    """What a month's sum is made of, what it assumes and what it leaves out."""

    ways: dict[str, Way]
    lines: dict[str, _Words]
    host: Host
    sizes: dict[float, tuple[float, ...]]
    inputs: dict[str, Span]
    networks: dict[Network, _Words]
    hours_a_month: int
    zones: int
    disk_gb: int
    capacity_units: int
    assumes: tuple[_Words, ...]
    left_out: tuple[_Words, ...]


@dataclass(frozen=True)
class Cost:
    """What one way costs a month, in US cents.

    Attributes:
        way: Its id in `costs.yaml`.
        lines: Each line of the sum. Where the price has a discount that is not verified, what it
            is at the largest discount that AWS names.
        most: The same lines without a discount; equal to `lines` where there is a list price.
        hosts: How many hosts it needs; 0 where none are yours.
        out: Why it is not possible; empty if it is.
    """

    way: str
    lines: Mapping[str, int]
    most: Mapping[str, int]
    hosts: int
    out: str = ""

    @property
    def total(self) -> int:
        """The sum of `lines`, in cents."""
        return sum(self.lines.values())

    @property
    def total_at_most(self) -> int:
        """The sum of `most`, in cents."""
        return sum(self.most.values())

    @property
    def has_price(self) -> bool:
        """Whether it has a list price."""
        return not load_costs().ways[self.way].discount


@dataclass(frozen=True)
class Crossing:
    """Where one way gets cheaper than another, found by trying every value.

    Attributes:
        way: The way that gets cheaper.
        than: The other way.
        by: What is changed: "full", "tasks" or "discount".
        at: The least value from which on `way` is cheaper; `None` if there is none.
    """

    way: str
    than: str
    by: Literal["full", "tasks", "discount"]
    at: int | None


@dataclass(frozen=True)
class Service:
    """What is asked for.

    Attributes:
        tasks: How many tasks run.
        vcpu: vCPU of a task.
        memory: GB of memory of a task.
        hours: Hours a day in which they run.
        full: How full hosts get, in percent of their vCPU or memory, whichever is full first.
        logs: GB of logs a month.
        network: The way out: "nat" or "public".

    Raises:
        ValueError: A figure is out of its range, or Fargate has no such task; the message names
            what there is.
    """

    tasks: int = 20
    vcpu: float = 1
    memory: float = 2
    hours: int = 24
    full: int = 60
    logs: int = 20
    network: str = "nat"

    def __post_init__(self) -> None:
        table = load_costs()
        for name, span in table.inputs.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(out_of_range(span))  # noqa: TRY004 - a learner gets one kind
            if not span.least <= value <= span.most:
                raise ValueError(out_of_range(span))
        if self.vcpu not in table.sizes:
            raise ValueError(f"vCPU of a task: one of {_listed(table.sizes)}.")
        if self.memory not in table.sizes[self.vcpu]:
            raise ValueError(
                f"Fargate has no task of {self.vcpu:g} vCPU and {self.memory:g} GB. With "
                f"{self.vcpu:g} vCPU it has {_listed(table.sizes[self.vcpu])} GB."
            )
        if self.network not in table.networks:
            raise ValueError(f"The way out: one of {', '.join(table.networks)}.")


@cache
def load_costs(path: Path = _COSTS) -> CostTable:
    """Read the table, and prove that each price and limit that it names is there.

    Raises:
        FactsError: The table is not complete, or names an unknown price or limit.
    """
    table = read_as(CostTable, path)
    facts = load_facts()
    faults = [
        f"unknown price {name}" for name in _prices_of(table) if name not in facts.prices.rows
    ]
    for name in _limits_of(table):
        row = facts.limits.rows.get(name)
        if row is None or row.value is None:
            faults.append(f"no limit {name} with a value")
    if faults:
        raise FactsError("\n".join([f"{path.name} does not fit the other tables:", *faults]))
    return table


def monthly_cost(  # noqa: PLR0913 - a service has so many sides
    *,
    tasks: int = 20,
    vcpu: float = 1,
    memory: float = 2,
    hours: int = 24,
    full: int = 60,
    logs: int = 20,
    network: str = "nat",
) -> dict[str, Cost]:
    """Sum up what a service costs a month, for each way to run it.

    Args:
        tasks: How many tasks run.
        vcpu: vCPU of a task.
        memory: GB of memory of a task.
        hours: Hours a day in which they run.
        full: How full hosts get, in percent of their vCPU or memory, whichever is full first.
        logs: GB of logs a month.
        network: The way out: "nat" or "public".

    Raises:
        ValueError: A figure is out of its range, or Fargate has no such task; the message names
            what there is.

    Example:
        >>> costs = monthly_cost(tasks=20, vcpu=1, memory=2, full=60)
        >>> costs["fargate"].lines["compute"]  # cents
        72080
        >>> costs["ec2"].hosts
        5
    """
    service = Service(tasks, vcpu, memory, hours, full, logs, network)
    return {way: _cost(service, way) for way in load_costs().ways}


def crossings(service: Service) -> list[Crossing]:
    """Find where EC2 and Managed Instances get cheaper than Fargate, and what discounts do.

    Every value is tried: how full hosts get, how many tasks there are, each percent of a discount
    that AWS names. A discount is compared with the cheapest way that has a list price.

    Example:
        >>> [found.at for found in crossings(Service()) if found.by == "full"]
        [84, None]
    """
    table = load_costs()
    tried: tuple[Literal["full", "tasks"], ...] = ("full", "tasks")
    found = [
        Crossing(way, _PLAIN, by, _cheaper_from(service, way, by))
        for way in _PAIRED
        for by in tried
    ]
    costs = {way: _cost(service, way) for way in table.ways}
    cheapest = cheapest_of(costs)
    for way, cost in costs.items():
        if not cost.has_price:
            found.append(
                Crossing(way, cheapest.way, "discount", _discount_from(service, cost, cheapest))
            )
    return found


def cheapest_of(costs: Mapping[str, Cost]) -> Cost:
    """Tell the cheapest way that has a list price; of equals the first."""
    return min(
        (cost for cost in costs.values() if cost.has_price and not cost.out),
        key=lambda cost: cost.total,
    )


def prices_used() -> list[str]:
    """Name the rows of `prices.yaml` that the sums are made of."""
    return _prices_of(load_costs())


def limits_used() -> list[str]:
    """Name the rows of `limits.yaml` that the sums rest on: what a host holds, and discounts."""
    return _limits_of(load_costs())


def out_of_range(span: Span) -> str:
    """Say what can be asked for, where something else was."""
    return f"{span.asks}: a whole number from {span.least} to {span.most}."


_PLAIN = "fargate"
_PAIRED = ("ec2", "managed-instances")


def _prices_of(table: CostTable) -> list[str]:
    return [table.host.price, *(way.fee for way in table.ways.values() if way.fee), *_COMMON]


def _limits_of(table: CostTable) -> list[str]:
    discounts = dict.fromkeys(way.discount for way in table.ways.values() if way.discount)
    return [table.host.vcpu, table.host.memory, *discounts]


def _cost(service: Service, way: str) -> Cost:
    rules = load_costs().ways[way]
    hosts, out = (0, "") if rules.runs_on == "task" else _hosts(service)
    if out:
        return Cost(way, {}, {}, 0, out)
    up_to = int(_limit(rules.discount)) if rules.discount else 0
    return Cost(way, _lines(service, rules, hosts, up_to), _lines(service, rules, hosts, 0), hosts)


def _hosts(service: Service) -> tuple[int, str]:
    """How many hosts the tasks need; in whole CPU units and MiB, as ECS reckons."""
    table = load_costs()
    cpu, memory = round(service.vcpu * 1024), round(service.memory * 1024)
    host_cpu = round(_limit(table.host.vcpu)) * 1024
    host_memory = round(_limit(table.host.memory)) * 1024
    on_one = min(host_cpu // cpu, host_memory // memory)
    if not on_one:
        return 0, f"One task is larger than a {table.host.type}."
    hosts = max(
        _up(service.tasks * cpu * 100, host_cpu * service.full),
        _up(service.tasks * memory * 100, host_memory * service.full),
        _up(service.tasks, on_one),
        min(service.tasks, table.zones),
    )
    return hosts, ""


# The ES module does the same steps in the same order, so that both round the same numbers.
def _lines(service: Service, way: Way, hosts: int, discount: int) -> dict[str, int]:
    table, price = load_costs(), _prices()
    always = table.hours_a_month
    month = always * service.hours / 24
    of_a_task = (
        service.vcpu * price["fargate-x86-vcpu-hour"]
        + service.memory * price["fargate-x86-gb-hour"]
    )
    an_hour = hosts * price[table.host.price] if hosts else service.tasks * of_a_task
    paid = always if way.committed else month
    addresses = hosts or service.tasks
    balancer = price["alb-hour"] + table.capacity_units * price["alb-lcu-hour"]
    gateway = price["nat-gateway-hour"] + price["public-ipv4-hour"]
    network = (
        table.zones * gateway * always + service.logs * price["nat-gateway-gb"]
        if service.network == "nat"
        else addresses * price["public-ipv4-hour"] * month
    )
    disks = hosts * table.disk_gb * price["ebs-gp3-gb-month"] * month / always
    return {
        "compute": _cents(an_hour * paid * (100 - discount) / 100),
        "fee": _cents(hosts * price[way.fee] * month) if way.fee else 0,
        "disk": _cents(disks),
        "balancer": _cents((balancer + table.zones * price["public-ipv4-hour"]) * always),
        "network": _cents(network),
        "logs": _cents(service.logs * (price["logs-in-gb"] + price["logs-kept-gb-month"])),
    }


def _cheaper_from(service: Service, way: str, by: Literal["full", "tasks"]) -> int | None:
    span = load_costs().inputs[by]
    at = None
    for value in range(span.most, span.least - 1, -1):
        tried = replace(service, full=value) if by == "full" else replace(service, tasks=value)
        cost = _cost(tried, way)
        if cost.out or cost.total >= _cost(tried, _PLAIN).total:
            break
        at = value
    return at


def _discount_from(service: Service, cost: Cost, than: Cost) -> int | None:
    rules = load_costs().ways[cost.way]
    if cost.out or cost.total >= than.total:
        return None
    return next(
        discount
        for discount in range(int(_limit(rules.discount)) + 1)
        if sum(_lines(service, rules, cost.hosts, discount).values()) < than.total
    )


def _cents(dollars: float) -> int:
    return math.floor(dollars * 100 + 0.5)


def _up(number: int, by: int) -> int:
    return -(-number // by)


def _listed(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def _limit(name: str) -> float:
    value = load_facts().limits.rows[name].value
    if value is None:
        raise FactsError(f"limits.yaml, {name}: the sums need its value.")
    return value


@cache
def _prices() -> dict[str, float]:
    rows = load_facts().prices.rows
    return {name: rows[name].amount for name in prices_used()}
