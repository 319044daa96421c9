from __future__ import annotations

import datetime as dt
import re

import pytest

from facts import load_facts
from facts.eks_calendar import Plan, span, upgrade_plan

ROWS = load_facts().versions.rows


def plan(version: str, day: str) -> Plan:
    return upgrade_plan(version, dt.date.fromisoformat(day))


def test_the_last_days_count() -> None:
    last, over = plan("1.34", "2026-12-02"), plan("1.34", "2026-12-03")
    assert (last.days_standard, last.cents_a_month, last.to_standard) == (1, 7300, ())
    assert (over.days_standard, over.cents_a_month, over.to_standard) == (0, 43800, ("1.35",))
    assert plan("1.34", "2027-12-02").days_extended == 1


def test_extended_support_costs_by_the_hour_that_is_left() -> None:
    whole = (ROWS["1.34"].extended_until - ROWS["1.34"].standard_until).days
    for day in ("2025-10-02", "2026-12-02", "2026-12-03"):
        assert plan("1.34", day).cents_extra == whole * 24 * 50
    assert plan("1.34", "2027-12-02").cents_extra == 24 * 50


def test_one_minor_at_a_time() -> None:
    seen = plan("1.31", "2026-11-23")
    assert seen.to_standard == ("1.32", "1.33", "1.34")
    assert seen.to_newest == ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
    assert plan("1.33", "2026-10-01").to_newest[-1] == "1.36"  # EKS has 1.37 a day later
    assert plan("1.37", "2026-11-23").to_newest == ()


def test_a_version_without_support_was_upgraded_by_eks() -> None:
    assert plan("1.31", "2026-11-26").runs == "1.31"
    gone = plan("1.31", "2026-11-27")
    assert (gone.runs, gone.support["1.31"], gone.cents_a_month) == ("1.32", "ended", 43800)


def test_every_day_of_the_calendar_has_a_plan() -> None:
    first, last = span()
    for number in range((last - first).days + 1):
        day = first + dt.timedelta(days=number)
        seen = upgrade_plan("1.31", day)
        assert seen.days_extended > 0
        assert seen.support[seen.runs] in {"standard", "extended"}


@pytest.mark.parametrize(
    ("version", "day", "said"),
    [
        ("1.30", "2026-11-23", "no version '1.30'. It has 1.31, 1.32"),
        ("1.31", "2024-09-25", "from 2024-09-26 to 2028-12-02; 2024-09-25 is not in it"),
        ("1.31", "2028-12-03", "2028-12-03 is not in it"),
        ("1.37", "2026-10-01", "EKS has 1.37 from 2026-10-02 on, not yet on 2026-10-01."),
    ],
)
def test_what_the_calendar_does_not_have_is_said(version: str, day: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        plan(version, day)
