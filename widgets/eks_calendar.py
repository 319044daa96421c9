"""The EKS calendar: until when each Kubernetes version has support, and what staying on it means.

Chapter 15 and the page "then and now" show it. What a day means comes from `facts.eks_calendar`,
which Python and the ES module evaluate alike; a test proves it for every day.
"""

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

import traitlets

from facts import load_facts
from facts.costs import load_costs
from facts.eks_calendar import EXTENDED, PLAIN, Plan, cents_a_month, span, upgrade_plan
from widgets.base import CourseWidget

__all__ = ["EksCalendar"]

_PAID = (PLAIN, EXTENDED)
_RULES = (
    "eks-version-months",
    "eks-support-policy",
    "eks-forced-upgrade",
    "eks-one-minor",
    "eks-nodes-apart",
)
# The drawing: 336 units wide, so that its text stays readable on a phone.
_LEFT, _RIGHT, _TOP, _ROW = 38, 332, 30, 24
_NAMES = {
    "not yet": "not yet on EKS",
    "standard": "standard",
    "extended": "extended",
    "ended": "none",
}


class EksCalendar(CourseWidget):
    """Shows the support of each Kubernetes version on EKS, and what a day means for a cluster.

    Args:
        version: What the cluster runs, such as "1.33".
        today: The day from which it is seen, such as "2026-11-23"; the table's own day where it
            is left out.

    Raises:
        TypeError: An unknown keyword was given.
        ValueError: The calendar has no such version or day, or EKS does not have that version on
            that day.

    Example:
        >>> EksCalendar(version="1.33", today="2026-11-23").plan.to_standard
        ('1.34',)
    """

    version = traitlets.Unicode("1.33").tag(sync=True, page=True, option=True)
    today = traitlets.Unicode().tag(sync=True, page=True, option=True)
    table = traitlets.Dict(read_only=True).tag(sync=True, page=True)

    @property
    def plan(self) -> Plan:
        """What the day means for the cluster."""
        return upgrade_plan(self.version, dt.date.fromisoformat(self.today))

    @traitlets.default("today")
    def _its_own_day(self) -> str:
        return str(load_facts().versions.as_of)

    @traitlets.default("table")
    def _table(self) -> dict[str, object]:
        return _table()

    @traitlets.validate("version", "today")
    def _in_the_calendar(self, proposal: Mapping[str, Any]) -> str:
        asked = {"version": self.version, "today": self.today}
        asked[proposal["trait"].name] = proposal["value"]
        try:
            day = dt.date.fromisoformat(asked["today"])
        except ValueError:
            raise ValueError(f"today: a day such as 2026-11-23, not {asked['today']!r}.") from None
        upgrade_plan(asked["version"], day)
        return str(proposal["value"])

    def _context(self) -> dict[str, object]:
        facts, (first, last) = load_facts(), span()
        rules = [facts.limits.rows[name] for name in _RULES]
        sources = dict.fromkeys(
            name
            for row in (
                *rules,
                *facts.versions.rows.values(),
                *(facts.prices.rows[name] for name in _PAID),
            )
            for name in row.sources[:1]
        )
        return {
            "version": self.version,
            "today": self.today,
            "first": first,
            "last": last,
            "rows": facts.versions.rows,
            "names": _NAMES,
            "view": _view(self.version, dt.date.fromisoformat(self.today)),
            "bars": _bars(),
            "years": [
                (year, _across(dt.date(year, 1, 1)))
                for year in range(first.year + 1, last.year + 1)
            ],
            "bottom": _TOP + _ROW * len(facts.versions.rows),
            "rules": [row.says for row in rules],
            "as_of": facts.versions.as_of,
            "region": facts.prices.rows[PLAIN].region,
            "sources": [facts.sources.rows[name] for name in sources],
        }

    def _text(self) -> str:
        rows = load_facts().versions.rows
        lines = ["Kubernetes on EKS: on EKS from, standard support until, extended until"]
        for name, row in rows.items():
            mark = " (second-hand)" if row.confidence == "second-hand" else ""
            lines.append(f"{name}: {row.on_eks}, {row.standard_until}, {row.extended_until}{mark}")
        view = _view(self.version, dt.date.fromisoformat(self.today))
        return "\n".join([*lines, view["headline"], *view["says"]])


def _view(version: str, today: dt.date) -> dict[str, Any]:
    """What is shown for a version and a day; the ES module's `view` gives the same."""
    plan = upgrade_plan(version, today)
    return {
        "headline": f"{version} on {today}: {_headline(version, plan)}",
        "says": _says(version, today, plan),
        "support": {name: _NAMES[has] for name, has in plan.support.items()},
        "runs": plan.runs,
        "across": _across(today),
        "age": _age(today),
    }


def _headline(version: str, plan: Plan) -> str:
    has = plan.support[version]
    if has == "ended":
        return "no support."
    return f"{has} support, {_money(plan.cents_a_month)} a month for the cluster itself."


def _says(version: str, today: dt.date, plan: Plan) -> list[str]:
    row = load_facts().versions.rows[plan.runs]
    says = []
    if plan.runs != version:
        ended = load_facts().versions.rows[version].extended_until
        says.append(
            f"Support ended with {ended}. EKS has upgraded the cluster itself, to {plan.runs}: "
            f"{plan.support[plan.runs]} support, {_money(plan.cents_a_month)} a month."
        )
    stays = f"staying on {plan.runs} to its end costs {_money(plan.cents_extra)} more than"
    if plan.days_standard:
        says.append(
            f"Upgrade by {row.standard_until}, {_left(plan.days_standard)}: with that day standard "
            f"support ends. After it the cluster costs {_money(cents_a_month(EXTENDED))} a month, "
            f"and {stays} with standard support."
        )
    else:
        says.append(
            f"Standard support ended with {row.standard_until}. From {today} on {stays} with "
            "standard support."
        )
    says.append(
        f"Upgrade by {row.extended_until} at the latest, {_left(plan.days_extended)}: after it EKS "
        "upgrades the cluster itself."
    )
    if plan.to_standard:
        says.append(_leads(plan.to_standard, "standard support"))
    elif not plan.days_standard:
        says.append("No version of this calendar has standard support on that day.")
    if plan.to_newest:
        says.append(_leads(plan.to_newest, "the newest version on EKS that day"))
    else:
        says.append(f"{plan.runs} is the newest of this calendar on EKS that day.")
    return says


def _age(today: dt.date) -> str:
    versions = load_facts().versions
    if not versions.is_amber(today):
        return ""
    days = (today - versions.as_of).days
    return (
        f"The calendar is of {versions.as_of}. {today} is {days} days later: newer versions will "
        "have come that it does not know."
    )


def _leads(versions: tuple[str, ...], where: str) -> str:
    many = len(versions)
    steps = "1 upgrade leads" if many == 1 else f"{many} upgrades, one minor version each, lead"
    return f"{steps} to {where}: {', '.join(versions)}."


def _left(days: int) -> str:
    """Words for a number of days that counts the day itself."""
    return {1: "that very day", 2: "the day after"}.get(days, f"in {days - 1} days")


def _money(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02}"


def _across(day: dt.date) -> float:
    """Where a day is in the drawing, in tenths of a unit."""
    first, last = span()
    tenths = 10 * (_RIGHT - _LEFT) * (day - first).days // (last - first).days
    return _LEFT + tenths / 10


@cache
def _bars() -> dict[str, dict[str, float]]:
    """Where each version's bars are: from, the end of standard, the end of extended support."""
    return {
        name: {
            "y": _TOP + _ROW * number,
            "from": _across(row.on_eks),
            "standard": _across(row.standard_until),
            "extended": _across(row.extended_until),
        }
        for number, (name, row) in enumerate(load_facts().versions.rows.items())
    }


def _table() -> dict[str, object]:
    """What the ES module reckons with."""
    facts, (first, last) = load_facts(), span()
    return {
        "rows": {
            name: [str(row.on_eks), str(row.standard_until), str(row.extended_until)]
            for name, row in facts.versions.rows.items()
        },
        "span": [str(first), str(last)],
        "names": _NAMES,
        "cents": [round(facts.prices.rows[name].amount * 100) for name in _PAID],
        "month": load_costs().hours_a_month,
        "edges": [_LEFT, _RIGHT],
        "asOf": str(facts.versions.as_of),
        "amber": facts.versions.amber_after_days,
    }
