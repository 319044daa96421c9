from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

import facts
from facts import DUTIES, Facts, FactsError, load_facts

FOLDER = Path(facts.__file__).parent


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    for name in Facts.model_fields:
        shutil.copy(FOLDER / f"{name}.yaml", tmp_path)
    return tmp_path


def edit(tables: Path, name: str, old: str, new: str) -> None:
    path = tables / f"{name}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_every_claim_of_the_talk_is_there() -> None:
    assert list(load_facts().claims.rows) == [f"T{number:02}" for number in range(1, 39)]


def test_a_claim_that_fell_says_since_when() -> None:
    for name, claim in load_facts().claims.rows.items():
        if claim.holds == "gone":
            assert claim.since, name


def test_every_source_is_used() -> None:
    known = load_facts()
    used = {
        name
        for table in Facts.model_fields
        for row in getattr(known, table).rows.values()
        for name in getattr(row, "sources", ())
    }
    assert used == set(known.sources.rows)


def test_every_duty_is_somebody_s() -> None:
    done = {duty for option in load_facts().options.rows.values() for duty in option.aws_does}
    assert done == set(DUTIES)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("claims", "confidence: first-hand", "confidence: sure", "claims.yaml, T01, confidence"),
        ("claims", "sources: [talk]", "sources: []", "claims.yaml, T01, sources"),
        ("claims", "sources: [talk]", "sources: [rumour]", "claims.yaml, T01: unknown source"),
        ("options", "[control-plane,", "[cooking,", "ecs-express: unknown duty cooking"),
        ("sources", "read: 2026-11-23", "read: 2026-12-24", "talk: read on 2026-12-24, after"),
        ("sources", "url: https", "url: gopher", "sources.yaml, talk, url"),
        ("limits", "about:", "topic:", "limits.yaml, fargate-vcpu, about"),
        ("limits", "as_of: 2026-11-23", "", "limits.yaml, as_of: Field required"),
        ("versions", "on_eks: 2024-09-26", "on_eks: 2029-09-26", "1.31: its days are out of order"),
        (
            "services",
            "[copilot-end], confidence: second-hand",
            "[copilot-end], confidence: first-hand",
            "copilot-ended: first-hand, and all of its sources are third-party",
        ),
        ("inputs", "left_out: what", "calls: [] #", "ecs-managed-instances: Value error, give it"),
        ("prices", "rows:", "rows: [", "is no YAML. Mend this place"),
    ],
)
def test_a_faulty_table_is_refused_with_the_place(
    tables: Path, name: str, old: str, new: str, said: str
) -> None:
    edit(tables, name, old, new)
    with pytest.raises(FactsError) as caught:
        load_facts(tables)
    assert said in str(caught.value)


def test_a_missing_table_is_named(tables: Path) -> None:
    (tables / "prices.yaml").unlink()
    with pytest.raises(FactsError, match=r"prices.yaml is missing"):
        load_facts(tables)


@pytest.mark.parametrize(
    ("day", "support"),
    [
        (dt.date(2025, 10, 1), "not yet"),
        (dt.date(2025, 10, 2), "standard"),
        (dt.date(2026, 12, 2), "standard"),
        (dt.date(2026, 12, 3), "extended"),
        (dt.date(2027, 12, 2), "extended"),
        (dt.date(2027, 12, 3), "ended"),
    ],
)
def test_a_version_s_support_follows_from_the_day(day: dt.date, support: str) -> None:
    assert load_facts().versions.rows["1.34"].support(day) == support


def test_an_old_table_turns_amber() -> None:
    prices = load_facts().prices
    assert not prices.is_amber(prices.as_of)
    assert not prices.is_amber(prices.as_of + dt.timedelta(days=prices.amber_after_days))
    assert prices.is_amber(prices.as_of + dt.timedelta(days=prices.amber_after_days + 1))
