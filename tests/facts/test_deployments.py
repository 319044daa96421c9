from __future__ import annotations

from pathlib import Path

import pytest

import facts
from facts import FactsError
from facts.deployments import FEWEST_RUNS, LATE_MS, Sent, load_deployments

TABLE = Path(facts.__file__).parent / "deployments.yaml"
GATED = ("stop-first", "start-first", "bad-version", "blue-green")


def test_by_hand_and_without_a_gate_each_run_lost_requests() -> None:
    for name in ("by-hand", "no-gate"):
        runs = load_deployments().ways[name].runs
        assert len(runs) >= FEWEST_RUNS
        assert all(run.lost > 0 for run in runs), name


@pytest.mark.parametrize("name", GATED)
def test_with_a_gate_no_run_lost_any(name: str) -> None:
    runs = load_deployments().ways[name].runs
    assert len(runs) >= FEWEST_RUNS
    assert [run.lost for run in runs] == [0] * len(runs)
    assert all(run.sent > 0 for run in runs)


def test_an_outcome_is_lost_late_or_a_version() -> None:
    assert Sent(at=0, ms=2000, version="").outcome == "lost"
    assert Sent(at=0, ms=LATE_MS, version="2").outcome == "late"
    assert Sent(at=0, ms=LATE_MS - 1, version="2").outcome == "2"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("per_second: 10", "per_second: 0", "per_second"),
        ("lost: ", "last: ", "lost"),
        ("version: '1'}", "version: '3'}", "version"),
        ("version: '1'}", "version: ''}", "those of none of its runs"),
    ],
)
def test_a_table_that_is_not_complete_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = TABLE.read_text("utf-8")
    assert old in text
    broken = tmp_path / "deployments.yaml"
    broken.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(FactsError) as caught:
        load_deployments(broken)
    assert said in str(caught.value)
