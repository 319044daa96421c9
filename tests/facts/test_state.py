from __future__ import annotations

import datetime as dt

import pytest

from facts import Facts, FactsError, load_facts
from facts.records import Sourced
from facts.state import TITLES, ages, build_day, doubts, oldest_source

FACTS = load_facts()
NOW = dt.datetime(2026, 11, 25, 23, 59, tzinfo=dt.UTC)


def test_every_table_has_an_age_and_the_next_one_due_is_first() -> None:
    found = ages(FACTS, NOW.date())
    assert {age.table for age in found} == set(Facts.model_fields) == set(TITLES)
    assert [age.due for age in found] == sorted(age.due for age in found)
    assert not any(age.amber for age in found)


def test_a_table_turns_amber_on_the_day_after_it_was_due() -> None:
    first = ages(FACTS, NOW.date())[0]
    before, after = (ages(FACTS, first.due + dt.timedelta(days=days)) for days in (0, 1))
    assert [age.table for age in before if age.amber] == []
    assert first.table in [age.table for age in after if age.amber]


def test_whatever_is_not_first_hand_is_listed_in_words() -> None:
    rows = [row for name in TITLES for row in getattr(FACTS, name).rows.values()]
    expected = [row for row in rows if isinstance(row, Sourced) and row.confidence != "first-hand"]
    found = doubts(FACTS)
    assert len(found) == len(expected) > 0
    said = {doubt.about: doubt.says for doubt in found}
    assert said["AWS Copilot CLI"].startswith("The Copilot CLI is not supported")
    assert said["Kubernetes 1.37 on EKS"].startswith("Since 2026-10-02, standard support until")
    price = FACTS.prices.rows["fargate-x86-gb-hour"]
    assert said[price.what] == f"{price.amount} US dollars per GB-hour in us-east-1."
    assert not any("confidence" in words for words in said.values())


def test_the_oldest_source_is_the_one_read_first() -> None:
    days = [source.read for source in FACTS.sources.rows.values()]
    assert oldest_source(FACTS).read == min(days)


@pytest.mark.parametrize(
    ("epoch", "day"),
    [
        (None, dt.date(2026, 11, 25)),
        ("", dt.date(2026, 11, 25)),
        ("0", dt.date(1970, 1, 1)),
        ("1795564799", dt.date(2026, 11, 24)),
    ],
)
def test_the_day_of_a_build_can_be_given(epoch: str | None, day: dt.date) -> None:
    environment = {} if epoch is None else {"SOURCE_DATE_EPOCH": epoch}
    assert build_day(environment, NOW) == day


@pytest.mark.parametrize("epoch", ["yesterday", "1.5", "9" * 30])
def test_a_day_that_is_none_is_refused(epoch: str) -> None:
    with pytest.raises(FactsError, match=f"SOURCE_DATE_EPOCH is '{epoch}': give the seconds"):
        build_day({"SOURCE_DATE_EPOCH": epoch}, NOW)
