from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from docker.types import RestartPolicy, ServiceMode

from lab import open_lab
from lab.errors import LabError, NotReadyError
from lab.loop import Loop

if TYPE_CHECKING:
    from lab import Lab


def wait_until(holds: object) -> None:
    deadline = time.monotonic() + 20
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_calls_again_and_again_until_it_is_stopped() -> None:
    seen: list[int] = []

    def look(number: int) -> int:
        seen.append(number)
        return len(seen)

    loop = Loop(look, (7,), every=0.1)
    wait_until(lambda: loop.passes > 2)
    assert repr(loop).startswith("look: runs, after ")
    assert loop.stop().stop() is loop
    passes = len(seen)
    time.sleep(0.3)
    assert seen == [7] * passes
    assert loop.last == loop.passes == passes
    assert repr(loop) == f"look: stopped after {passes} (varies) passes"


def test_a_call_that_fails_is_told_and_does_not_end_it() -> None:
    answers = iter([1, 0, 2])
    loop = Loop(lambda: 1 // next(answers), (), every=0.1)
    wait_until(lambda: loop.error == "ZeroDivisionError: integer division or modulo by zero")
    wait_until(lambda: loop.error.startswith("StopIteration") or loop.error == "")
    loop.stop()
    assert "the last one failed: StopIteration" in repr(loop) or loop.error == ""


@pytest.mark.parametrize(("function", "every"), [("reconcile", 1), (print, 0), (print, 61)])
def test_what_can_not_be_looped_is_refused(function: object, every: float) -> None:
    before = threading.active_count()
    with pytest.raises(LabError) as caught:
        Loop(function, (), every=every)  # type: ignore[arg-type]
    assert caught.value.next_step
    assert threading.active_count() == before


@pytest.mark.engine
def test_a_lab_stops_its_loops_and_the_earlier_one_of_a_name(lab: Lab) -> None:
    def reconcile() -> str:
        return lab.name("web")

    first = lab.loop(reconcile, every=0.1)
    second = lab.loop(reconcile, every=0.1)
    assert not first.is_running
    wait_until(lambda: second.last == lab.name("web"))
    lab.close()
    assert not second.is_running


@pytest.mark.engine
def test_the_loop_of_a_lab_that_was_opened_again_ends(lab: Lab) -> None:
    def ping() -> bool:
        return bool(lab.docker.ping())

    loop = lab.loop(ping, every=0.1)
    again = open_lab(lab.naming.chapter)
    wait_until(lambda: not loop.is_running)
    again.close()


@pytest.mark.engine
@pytest.mark.swarm
def test_waiting_for_tasks_tells_why_they_do_not_run(lab: Lab) -> None:
    lab.swarm()
    web = lab.docker.services.create(
        "course/base:1",
        ["sh", "-c", "exit 3"],
        name=lab.name("web"),
        mode=ServiceMode("replicated", 1),
        restart_policy=RestartPolicy(condition="none"),
    )
    with pytest.raises(NotReadyError, match=r"0 tasks are running, not 2, .*exit \(3\)"):
        lab.wait_tasks(web, 2, timeout=10)
    assert lab.wait_tasks(web, 0) == 0
    with pytest.raises(LabError, match="'many' is no number of tasks"):
        lab.wait_tasks(web, "many")  # type: ignore[arg-type]
    assert lab.show(web.tasks(), "Slot", "Status.State").rows == ((1, "failed"),)
    image = web.attrs["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    assert image == lab.docker.images.get("course/base:1").id


def test_who_stops_a_loop_is_told_what_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.loop.SILENT_SECONDS", 0.1)
    is_over = threading.Event()
    loop = Loop(is_over.wait, (), every=0.1)
    threading.Timer(0.5, is_over.set).start()
    assert not loop.stop().is_running
    assert capsys.readouterr().out.startswith("wait has not returned yet: waiting for it")
