from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from lab.errors import LabInUseError
from lab.lock import KernelLock
from lab.naming import Naming

if TYPE_CHECKING:
    from pathlib import Path

NAMING = Naming(chapter="05-life-cycle", learner="lock-test")
HOLD = """
import time
from lab.lock import KernelLock
from lab.naming import Naming
KernelLock(Naming(chapter="05-life-cycle", learner="lock-test")).acquire(take_over=False)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))


@pytest.fixture
def other_kernel() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as out:
        assert out.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


def test_a_second_live_kernel_is_refused_and_told_how_to_take_over(
    other_kernel: subprocess.Popen[str],
) -> None:
    with pytest.raises(LabInUseError, match=f"process {other_kernel.pid}") as caught:
        KernelLock(NAMING).acquire(take_over=False)
    assert "take_over=True" in caught.value.next_step
    mine = KernelLock(NAMING)
    mine.acquire(take_over=True)
    assert mine.is_mine()
    end(other_kernel)


def test_a_kernel_that_was_killed_holds_nothing(other_kernel: subprocess.Popen[str]) -> None:
    end(other_kernel)
    mine = KernelLock(NAMING)
    mine.acquire(take_over=False)
    assert mine.is_mine()


def test_the_same_kernel_may_open_its_lab_again() -> None:
    first = KernelLock(NAMING)
    first.acquire(take_over=False)
    second = KernelLock(NAMING)
    second.acquire(take_over=False)
    assert second.is_mine()
    assert not first.is_mine()
    first.release()
    assert second.is_mine()


def test_a_note_cut_short_names_nobody(tmp_path: Path) -> None:
    KernelLock(NAMING).acquire(take_over=False)
    (note,) = (tmp_path / "locks").glob("*.json")
    note.write_text('{"pid": ')
    mine = KernelLock(NAMING)
    mine.acquire(take_over=False)
    assert mine.is_mine()


def test_a_number_given_to_another_process_counts_nothing(tmp_path: Path) -> None:
    KernelLock(NAMING).acquire(take_over=False)
    (note,) = (tmp_path / "locks").glob("*.json")
    note.write_text(f'{{"pid": {os.getppid()}, "started": {time.time() - 1e6}, "token": "x"}}')
    KernelLock(NAMING).acquire(take_over=False)
