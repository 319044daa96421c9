"""What chapter 09 claims of its ways of deploying, five runs in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from deployments import WAYS

from facts.deployments import load_deployments
from lab import Lab, images, open_lab
from lab.checks.deployments_and_scheduling import CHAPTER
from lab.cleaning import sweep
from lab.engine import find_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_A_ROW = 5
SWARM = ("stop-first", "start-first", "bad-version")
FREE = (*SWARM, "blue-green")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    client = find_engine().connect()
    images.prepare(client)
    learner = f"test-{tmp_path.name[-20:]}"
    monkeypatch.setenv("COURSE_LEARNER", learner)
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / "state"))
    opened = open_lab(CHAPTER)
    yield opened
    opened.close()
    sweep(client, chapter=None, learner=opened.naming.learner)
    client.close()


def test_the_table_has_each_way_as_it_is_told_here() -> None:
    ways = load_deployments().ways
    assert {short: (way.name, way.does) for short, way in ways.items()} == {
        short: (way.name, way.does) for short, way in WAYS.items()
    }


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_by_hand_requests_are_lost_each_time(lab: Lab) -> None:
    lost = [WAYS["by-hand"].run(lab).lost for _ in range(IN_A_ROW)]
    assert len(lost) == IN_A_ROW
    assert all(lost), lost


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.swarm] if way in SWARM else []) for way in FREE]
)
def test_with_a_gate_none_is_lost_five_times_in_a_row(lab: Lab, way: str) -> None:
    loads = [WAYS[way].run(lab) for _ in range(IN_A_ROW)]
    assert [load.lost for load in loads] == [0] * IN_A_ROW, [load.reasons for load in loads]
    versions = ["1"] if way == "bad-version" else ["1", "2"]
    assert [load.versions for load in loads] == [versions] * IN_A_ROW
