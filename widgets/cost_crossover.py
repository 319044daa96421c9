"""The cost crossover: what a service costs a month on EC2, Managed Instances and Fargate.

Chapters 13 and 16 show it. The sums come from `facts.costs`, which Python and the ES module
evaluate alike; a test proves that both give the same cents.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import traitlets

from facts import load_facts
from facts.costs import (
    Cost,
    Crossing,
    Service,
    cheapest_of,
    crossings,
    limits_used,
    load_costs,
    monthly_cost,
    out_of_range,
    prices_used,
)
from facts.records import Sourced
from widgets.base import CourseWidget

__all__ = ["CostCrossover", "age_of_prices"]

_NONE = "\N{EN DASH}"


class CostCrossover(CourseWidget):
    """Sums up what a service costs a month in each way to run it, and shows where they cross.

    Args:
        inputs: What is asked for, see `facts.costs.Service`; what is left out is as there.
        today: The day by which the prices' age is told, such as "2026-11-23"; where it is
            left out, the page takes the reader's own.

    Raises:
        TypeError: An unknown keyword was given.
        ValueError: An unknown input, or one that is out of its range; the message says which.

    Example:
        >>> CostCrossover(inputs={"tasks": 4}).costs["fargate"].lines["compute"]  # cents
        14416
    """

    inputs = traitlets.Dict().tag(sync=True, page=True, option=True)
    today = traitlets.Unicode("").tag(sync=True, page=True, option=True)
    table = traitlets.Dict(read_only=True).tag(sync=True, page=True)

    @property
    def costs(self) -> dict[str, Cost]:
        """What each way costs, for the inputs as they are now."""
        return monthly_cost(**self.inputs)

    @traitlets.default("inputs")
    def _first(self) -> dict[str, Any]:
        return asdict(Service())

    @traitlets.default("table")
    def _table(self) -> dict[str, object]:
        return _table()

    @traitlets.validate("inputs")
    def _complete(self, proposal: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        known = asdict(Service())
        for name in proposal["value"]:
            if name not in known:
                raise ValueError(f"There is no input {name!r}. Known: {', '.join(known)}.")
        return asdict(Service(**proposal["value"]))

    @traitlets.validate("today")
    def _a_day(self, proposal: Mapping[str, str]) -> str:
        day = proposal["value"]
        if day:
            try:
                dt.date.fromisoformat(day)
            except ValueError:
                raise ValueError(f"today: a day such as 2026-11-23, not {day!r}.") from None
        return day

    def _context(self) -> dict[str, object]:
        table = load_costs()
        return {
            "asks": table.inputs,
            "inputs": self.inputs,
            "sizes": {f"{vcpu:g}": memory for vcpu, memory in table.sizes.items()},
            "networks": table.networks,
            "lines": table.lines,
            "ways": table.ways,
            "view": _view(Service(**self.inputs)),
            "age": age_of_prices(dt.date.fromisoformat(self.today)) if self.today else "",
            "as_of": load_facts().prices.as_of,
            "region": _region(),
            "assumes": [_assumption(words) for words in table.assumes],
            "left_out": table.left_out,
            "prices": [_price(name) for name in prices_used()],
            "limits": [
                {"says": row.says, **_sourced(row)}
                for row in (load_facts().limits.rows[name] for name in limits_used())
            ],
        }

    def _text(self) -> str:
        service, table = Service(**self.inputs), load_costs()
        view = _view(service)
        what = f"{service.tasks} tasks of {service.vcpu:g} vCPU and {service.memory:g} GB"
        lines = [f"{what}, {service.hours} hours a day: a month in {_region()}"]
        for way, row in view["rows"].items():
            lines.append(f"{table.ways[way].name}: {row['sum']}")
        told = f"Prices of {load_facts().prices.as_of}, with load balancer, way out and logs."
        return "\n".join([*lines, *view["says"], told])


def age_of_prices(today: dt.date) -> str:
    """Warn where the prices are so old on a day that they should be looked at again.

    Returns:
        The warning; empty if they are young enough.

    Example:
        >>> age_of_prices(dt.date(2026, 11, 23))
        ''
    """
    prices = load_facts().prices
    if not prices.is_amber(today):
        return ""
    days = (today - prices.as_of).days
    return (
        f"These prices are {days} days old on {today}, and were to be looked at again after "
        f"{prices.amber_after_days}. Look at AWS's price pages before you rely on a sum."
    )


def _view(service: Service) -> dict[str, Any]:
    """What is shown for a service; the ES module's `view` gives the same."""
    costs = monthly_cost(**asdict(service))
    best = cheapest_of(costs)
    longest = max(cost.total_at_most for cost in costs.values())
    return {
        "headline": f"Cheapest of what has a list price: {_name(best.way)}, "
        f"{_money(best.total)} a month.",
        "rows": {way: _row(cost, best, longest) for way, cost in costs.items()},
        "says": _says(service, costs),
    }


def _row(cost: Cost, best: Cost, longest: int) -> dict[str, Any]:
    if cost.out:
        lines = dict.fromkeys(load_costs().lines, _NONE)
        return {"sum": cost.out, "best": False, "hosts": "", "bar": [0, 0], "lines": lines}
    return {
        "sum": _room(cost.total, cost.total_at_most),
        "best": cost.way == best.way,
        "hosts": f"{cost.hosts} {'host' if cost.hosts == 1 else 'hosts'}" if cost.hosts else "",
        "bar": [100 * cost.total // longest, 100 * cost.total_at_most // longest],
        "lines": {name: _room(cost.lines[name], cost.most[name]) for name in load_costs().lines},
    }


def _says(service: Service, costs: Mapping[str, Cost]) -> list[str]:
    found = crossings(service)
    says = []
    for at in (crossing for crossing in found if crossing.by == "full"):
        if costs[at.way].out:
            says.append(f"{_name(at.way)}: {costs[at.way].out}")
            continue
        tasks = next(other for other in found if (other.way, other.by) == (at.way, "tasks"))
        if at.at is None and tasks.at is None:
            says.append(
                f"{_name(at.way)} is not cheaper than {_name(at.than)}: neither with fuller hosts "
                f"nor, at {_percent(service.full)}, from any number of tasks up to "
                f"{load_costs().inputs['tasks'].most} on."
            )
            continue
        says.append(f"{_says_full(at, service)} {_says_tasks(tasks, service)}")
    says += [_says_discount(at) for at in found if at.by == "discount" and not costs[at.way].out]
    return says


def _says_full(at: Crossing, service: Service) -> str:
    least = load_costs().inputs["full"].least
    way, than = _name(at.way), _name(at.than)
    if at.at is None:
        return f"{way} is not cheaper than {than}, however full its hosts are."
    if at.at == least:
        return f"{way} is cheaper than {than}, even if hosts are only {_percent(least)} full."
    return (
        f"{way} is cheaper than {than} where hosts are at least {_percent(at.at)} full; "
        f"you set {_percent(service.full)}."
    )


def _says_tasks(at: Crossing, service: Service) -> str:
    span, full = load_costs().inputs["tasks"], _percent(service.full)
    if at.at is None:
        return (
            f"At {full} there is no number of tasks up to {span.most} from which on it "
            "stays cheaper."
        )
    if at.at == span.least:
        return f"At {full} it is, whatever the number of tasks up to {span.most}."
    return f"At {full} it stays cheaper from {at.at} tasks on."


def _says_discount(at: Crossing) -> str:
    up_to = _percent(_up_to(at.way))
    if at.at is None:
        return f"{_name(at.way)} would not undercut {_name(at.than)}, even at {up_to} off."
    least = "with any discount" if at.at == 1 else f"from a discount of {_percent(at.at)} on"
    return f"{_name(at.way)} undercuts {_name(at.than)} {least}; AWS says “up to {up_to}”."


def _table() -> dict[str, object]:
    """What the ES module reckons with."""
    table, facts = load_costs(), load_facts()
    value = {name: facts.limits.rows[name].value for name in (table.host.vcpu, table.host.memory)}
    return {
        "ways": {
            way: {
                "name": row.name,
                "host": row.runs_on == "host",
                "fee": row.fee,
                "upTo": _up_to(way),
                "committed": row.committed,
            }
            for way, row in table.ways.items()
        },
        "lines": list(table.lines),
        "host": {
            "type": table.host.type,
            "price": table.host.price,
            "vcpu": value[table.host.vcpu],
            "memory": value[table.host.memory],
        },
        "sizes": [[vcpu, *memory] for vcpu, memory in table.sizes.items()],
        "inputs": {
            name: {"least": span.least, "most": span.most, "wrong": out_of_range(span)}
            for name, span in table.inputs.items()
        },
        "month": table.hours_a_month,
        "zones": table.zones,
        "disk": table.disk_gb,
        "units": table.capacity_units,
        "prices": {name: facts.prices.rows[name].amount for name in prices_used()},
        "asOf": str(facts.prices.as_of),
        "amber": facts.prices.amber_after_days,
    }


def _price(name: str) -> dict[str, object]:
    row = load_facts().prices.rows[name]
    amount = f"{row.amount:.2f}" if round(row.amount, 2) == row.amount else f"{row.amount:g}"
    return {"what": row.what, "says": f"${amount} per {row.unit}", **_sourced(row)}


def _sourced(row: Sourced) -> dict[str, object]:
    source = load_facts().sources.rows[row.sources[0]]
    return {
        "second_hand": row.confidence == "second-hand",
        "title": source.title,
        "url": source.url,
        "read": source.read,
    }


def _assumption(words: str) -> str:
    table, limits = load_costs(), load_facts().limits.rows
    return words.format(
        hours_a_month=table.hours_a_month,
        zones=table.zones,
        disk_gb=table.disk_gb,
        capacity_units=table.capacity_units,
        host=table.host.type,
        vcpu=f"{limits[table.host.vcpu].value:g}",
        memory=f"{limits[table.host.memory].value:g}",
    )


def _region() -> str:
    return load_facts().prices.rows[prices_used()[0]].region


def _name(way: str) -> str:
    return load_costs().ways[way].name


def _up_to(way: str) -> int:
    discount = load_costs().ways[way].discount
    return round(load_facts().limits.rows[discount].value or 0) if discount else 0


def _percent(number: int) -> str:
    return f"{number}\N{NO-BREAK SPACE}%"


def _room(cents: int, most: int) -> str:
    if cents == most:
        return _money(cents) if cents else _NONE
    return f"{_money(cents)} to {_money(most)}"


def _money(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02}"
