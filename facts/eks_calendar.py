"""When a Kubernetes version on EKS has to be left, and how many upgrades that takes.

The days come from `versions.yaml`, the money from `prices.yaml`. The ES module of the EKS calendar
holds the same small function; a test proves that both give the same on every day.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from facts.costs import load_costs
from facts.records import load_facts

__all__ = ["EXTENDED", "PLAIN", "Plan", "cents_a_month", "span", "upgrade_plan"]

_DAY = dt.timedelta(days=1)
PLAIN, EXTENDED = "eks-cluster-hour", "eks-cluster-extended-hour"
Support = Literal["not yet", "standard", "extended", "ended"]


@dataclass(frozen=True)
class Plan:
    """What a day means for a cluster that runs a version.

    Attributes:
        runs: The version that it runs on that day. Another one where support of its own has ended,
            for then EKS has upgraded it to the oldest version with support.
        support: The support that each version has on that day.
        to_standard: The versions to go through, one at a time, until one with standard support
            is reached; empty if it has it, or if none is there to go to.
        to_newest: The same until the newest version that EKS has on that day.
        days_standard: Days that are left with standard support, that day included; 0 if it is
            over.
        days_extended: The same until EKS upgrades the cluster itself.
        cents_a_month: What the cluster itself costs a month.
        cents_extra: What extended support costs on top, if it is used to its end from that day on.
    """

    runs: str
    support: dict[str, Support]
    to_standard: tuple[str, ...]
    to_newest: tuple[str, ...]
    days_standard: int
    days_extended: int
    cents_a_month: int
    cents_extra: int


def span() -> tuple[dt.date, dt.date]:
    """Tell the first and the last day of the calendar.

    Example:
        >>> [str(day) for day in span()]
        ['2024-09-26', '2028-12-02']
    """
    rows = load_facts().versions.rows.values()
    return min(row.on_eks for row in rows), max(row.extended_until for row in rows)


def upgrade_plan(version: str, today: dt.date) -> Plan:
    """Tell what a cluster of a version has to do, seen from a day.

    Args:
        version: What the cluster runs, such as "1.33".
        today: The day.

    Raises:
        ValueError: The calendar has no such version or day, or EKS does not have that version on
            that day; the message says what there is.

    Example:
        >>> plan = upgrade_plan("1.33", dt.date(2026, 11, 23))
        >>> plan.support["1.33"], plan.to_standard, plan.days_extended
        ('extended', ('1.34',), 249)
    """
    rows, (first, last) = load_facts().versions.rows, span()
    if version not in rows:
        raise ValueError(f"The calendar has no version {version!r}. It has {', '.join(rows)}.")
    if not first <= today <= last:
        raise ValueError(f"The calendar goes from {first} to {last}; {today} is not in it.")
    support: dict[str, Support] = {name: each.support(today) for name, each in rows.items()}
    if support[version] == "not yet":
        raise ValueError(f"EKS has {version} from {rows[version].on_eks} on, not yet on {today}.")
    alive = [name for name, has in support.items() if has in {"standard", "extended"}]
    runs = version if version in alive else alive[0]
    row = rows[runs]
    there = tuple(name for name in alive if alive.index(name) > alive.index(runs))
    standard = [name for name in there if support[name] == "standard"]
    steps = there[: there.index(standard[0]) + 1] if standard else ()
    plain, extended = _cents_an_hour(PLAIN), _cents_an_hour(EXTENDED)
    start = max(today, row.standard_until + _DAY)
    return Plan(
        runs=runs,
        support=support,
        to_standard=() if support[runs] == "standard" else steps,
        to_newest=there,
        days_standard=_left(row.standard_until, today),
        days_extended=_left(row.extended_until, today),
        cents_a_month=cents_a_month(PLAIN if support[runs] == "standard" else EXTENDED),
        cents_extra=_left(row.extended_until, start) * 24 * (extended - plain),
    )


def cents_a_month(price: str) -> int:
    """Tell what a price for an hour comes to in a month, as the cost table counts one.

    Example:
        >>> cents_a_month(PLAIN)
        7300
    """
    return load_costs().hours_a_month * _cents_an_hour(price)


def _left(until: dt.date, today: dt.date) -> int:
    return max(0, (until - today).days + 1)


def _cents_an_hour(price: str) -> int:
    return round(load_facts().prices.rows[price].amount * 100)
