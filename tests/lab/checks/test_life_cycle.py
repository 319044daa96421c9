"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
import requests

from lab.checks.life_cycle import EXERCISES, FAULTS, inject

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab import Lab

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[3]
BASE, APP = "course/base:1", "course/app:1"
PORT: dict[str, Any] = {"8080/tcp": ("127.0.0.1", None)}


def run(lab: Lab, short: str, command: object = "sleep 600", **options: Any) -> Any:  # noqa: ANN401
    options = {"image": BASE, "init": True, **options}
    return lab.docker.containers.run(command=command, name=lab.name(short), detach=True, **options)


def done_was_killed(lab: Lab) -> None:
    lab.docker.containers.create(BASE, name=lab.name("fresh"))
    run(lab, "busy")
    run(lab, "frozen").pause()
    run(lab, "done").kill()


def fresh_was_started(lab: Lab) -> None:
    run(lab, "fresh")


def own_is_one(lab: Lab) -> None:
    run(lab, "own", "false").wait()


def asked_is_deaf(lab: Lab) -> None:
    run(lab, "own", "sh -c 'exit 3'").wait()
    run(lab, "killed").kill()
    run(lab, "asked", init=False).stop(timeout=1)


def tidy_is_deaf(lab: Lab) -> None:
    run(lab, "tidy", ["sh", "-c", "sleep 600"], init=False).stop(timeout=1)


def tidy_is_silent(lab: Lab) -> None:
    tidy = run(lab, "tidy", "sh -c 'echo ready; sleep 600'")
    # A signal that comes before the program does is lost.
    while not tidy.logs():
        pass
    tidy.stop()


def phoenix_without_policy(lab: Lab) -> None:
    phoenix = run(lab, "phoenix", None, image=APP, ports=PORT)
    requests.post(lab.wait_ready(phoenix) + "/crash?code=1", timeout=5)
    phoenix.wait()


def phoenix_restarted_by_hand(lab: Lab) -> None:
    phoenix = run(lab, "phoenix", None, image=APP, ports=PORT, restart_policy={"Name": "always"})
    lab.wait_ready(phoenix)
    phoenix.restart()


def shop_only_started_again(lab: Lab) -> None:
    shop = inject(lab, "environment")
    shop.wait()
    shop.start()
    shop.wait()


def shop_without_greeting(lab: Lab) -> None:
    run(lab, "shop", None, image=APP, ports=PORT)


UNTOUCHED = {
    "05.1": "You have no containers here yet.",
    "05.2": "You have no containers here yet.",
    "05.3": "You have no containers here yet.",
    "05.4": "You have no containers here yet.",
    "05.5": "No container has the name lab.name('shop').",
}
WRONG: list[tuple[str, Callable[[Lab], None], str]] = [
    ("05.1", done_was_killed, "done should have ended by itself and well, but it has exited with"),
    ("05.1", fresh_was_started, "fresh should be created, but it is running."),
    ("05.2", own_is_one, "own should have ended with 3, but it has exited with 1."),
    ("05.2", asked_is_deaf, "Did process 1 of the container take notice of SIGTERM?"),
    ("05.3", tidy_is_deaf, "the grace period ran out and it was killed"),
    ("05.3", tidy_is_silent, "Its log has no 'goodbye': it has exited with 143"),
    ("05.4", phoenix_without_policy, "no restart policy, so nobody starts it again: it has exited"),
    ("05.4", phoenix_restarted_by_hand, "the engine never had to use it: RestartCount is 0"),
    ("05.5", shop_only_started_again, "it has exited with 3. Its log says why."),
    ("05.5", shop_without_greeting, "shop answers 'hello', but should say 'open'."),
]
FAULT_HINTS = {
    "environment": "it has exited with 3. Its log says why.",
    "command": "it has exited with 2. Its log says why.",
    "health": "its health is unhealthy. Who asks, and what?",
    "port": "which port does the application listen on inside?",
    "memory": "How much memory may it use?",
}


def solution_of(number: str) -> str:
    notebook = nbformat.read(ROOT / "exercises/05-life-cycle.ipynb", as_version=4)
    first = "containers = lab.docker.containers\nimport requests\nport = PORT\n"
    digit = number.rpartition(".")[2]
    cells = [c.source for c in notebook.cells if c.id == f"solution-{digit}"]
    assert len(cells) == 1
    return first + str(cells[0])


def solve(lab: Lab, number: str) -> None:
    names: dict[str, object] = {"lab": lab, "PORT": PORT}
    if number == "05.5":
        lab.prepare(number)
        names["shop"] = lab.docker.containers.get(lab.name("shop"))
    exec(solution_of(number), names)  # noqa: S102  # the course's own cells


def keep(number: str, what: str, hint: str | None) -> None:
    folder = ROOT / "_build/checks"
    folder.mkdir(parents=True, exist_ok=True)
    row = {"exercise": number, "state": what, "answer": hint or "passed"}
    (folder / f"{number}-{what}.json").write_text(json.dumps(row))


@pytest.mark.parametrize("number", EXERCISES)
def test_untouched_it_fails(exercises: Lab, number: str) -> None:
    result = exercises.check(number)
    assert not result
    assert UNTOUCHED[number] in str(result.hint)
    keep(number, "untouched", result.hint)


@pytest.mark.parametrize(("number", "answer", "hint"), WRONG)
def test_a_wrong_answer_gets_its_hint(
    exercises: Lab, number: str, answer: Callable[[Lab], None], hint: str
) -> None:
    answer(exercises)
    result = exercises.check(number)
    assert not result
    assert hint in str(result.hint)
    keep(number, answer.__name__, result.hint)


@pytest.mark.parametrize("number", EXERCISES)
def test_the_solution_passes_twice(exercises: Lab, number: str) -> None:
    for _ in range(2):
        solve(exercises, number)
        for _ in range(2):
            result = exercises.check(number)
            assert result, result.hint
    keep(number, "solution, twice", None)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_there_and_its_hint_leads_to_it(exercises: Lab, fault: str) -> None:
    shop = inject(exercises, fault)
    if fault not in ("health", "port"):
        exercises.wait_for(shop, "status", "exited")
    if fault == "port":
        exercises.wait_for(shop, "State.Health.Status", "healthy")
    result = exercises.check("05.5")
    assert not result
    assert FAULT_HINTS[fault] in str(result.hint)
    keep("05.5", f"fault: {fault}", result.hint)


def test_neighbours_get_different_faults(exercises: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    for seed in range(len(FAULTS)):
        monkeypatch.setenv("COURSE_SEED", str(seed))
        exercises.prepare("05.5")
        config = exercises.docker.containers.get(exercises.name("shop")).attrs
        seen.add(json.dumps([config["Config"], config["HostConfig"]], sort_keys=True))
    assert len(seen) == len(FAULTS)


@pytest.mark.parametrize("number", EXERCISES)
def test_no_hint_holds_the_command(number: str) -> None:
    assert not any(word in EXERCISES[number].nudge for word in ("containers.", "docker run"))
