from __future__ import annotations

import os

import measure_times
import pytest
import typer

from facts.times import TIMES


def test_it_reads_the_loop_out_of_the_chapter() -> None:
    cells = {cell.id: cell.source for cell in measure_times._chapter()}
    assert "def reconcile(desired):" in cells[measure_times.CELLS[-1]]
    assert set(measure_times.CELLS) <= set(cells)


def test_a_busy_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (64.0, 64.0, 64.0))
    with pytest.raises(typer.Exit):
        measure_times.measure(1)
    assert "The load is 64.00" in capsys.readouterr().out


@pytest.mark.engine
@pytest.mark.swarm
@pytest.mark.slow
@pytest.mark.usefixtures("learner_of_its_own")
def test_both_are_timed_and_too_few_runs_are_not_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = TIMES.read_bytes()
    measure_times.measure(1, anyway=True)
    said = capsys.readouterr().out
    for name in ("loop", "swarm", "swarm at once"):
        for row in measure_times.ASKS:
            assert f"{name}, {row}: " in said
    assert TIMES.read_bytes() == before


@pytest.fixture
def learner_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COURSE_LEARNER", "COURSE_STATE_DIR"):
        monkeypatch.setenv(name, "")
