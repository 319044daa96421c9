"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from docker.types import Healthcheck, RestartPolicy, ServiceMode

from lab.checks import desired_state
from lab.checks.desired_state import FAULTS, REPLICAS, SHOP, inject, set_scene

from .proof import APP, CheckProof, Wrong, run

if TYPE_CHECKING:
    from lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.swarm]


# Who waits for what will never come need not wait long. Its hint says how long, so by name.
SHORTER = {
    "three_by_hand": ("HEAL_SECONDS", 5),
    "only_two_are_kept": ("HEAL_SECONDS", 5),
    "what_runs_is_sound": ("REPLACE_SECONDS", 6),
    "flaky_is_tried_once": ("WATCH_SECONDS", 6),
    "flaky_does_not_fail": ("WATCH_SECONDS", 6),
    "market_does_not_heal": ("SETTLE_SECONDS", 10),
}


@pytest.fixture(autouse=True)
def no_longer_than_needed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    callspec = getattr(request.node, "callspec", None)
    case = callspec.params.get("wrong") if callspec else None
    if case and case.answer.__name__ in SHORTER:
        monkeypatch.setattr(desired_state, *SHORTER[case.answer.__name__])


def app(lab: Lab, short: str, name: str, **environment: str) -> Any:  # noqa: ANN401
    labels = {"app": name}
    return run(lab, short, None, image=APP, init=None, labels=labels, environment=environment)


def remove(lab: Lab, *names: str) -> None:
    for short in names:
        lab.docker.containers.get(lab.name(short)).remove(force=True)


def labelled(lab: Lab, name: str) -> list[Any]:
    mine = {"label": [*lab.filters["label"], f"app={name}"]}
    return lab.docker.containers.list(all=True, filters=mine, ignore_removed=True)


def dead_one_was_started_again(lab: Lab) -> None:
    set_scene(lab)
    lab.docker.containers.get(lab.name("shop-2")).start()


def one_is_hidden(lab: Lab) -> None:
    set_scene(lab)
    remove(lab, "shop-2", "shop-3")
    for short in ("shop-5", "shop-6"):
        app(lab, short, "shop", **SHOP)


def only_two_are_left(lab: Lab) -> None:
    set_scene(lab)
    remove(lab, "shop-2", "shop-3", "shop-4")
    app(lab, "shop-5", "shop", **SHOP)


def the_template_was_forgotten(lab: Lab) -> None:
    only_two_are_left(lab)
    app(lab, "shop-6", "shop", GREETING="open")


def the_till_is_gone(lab: Lab) -> None:
    only_two_are_left(lab)
    app(lab, "shop-6", "shop", **SHOP)
    remove(lab, "till")


def three_by_hand(lab: Lab) -> None:
    for number in range(1, 4):
        app(lab, f"kiosk-{number}", "kiosk")


def only_two_are_kept(lab: Lab) -> None:
    for number in range(1, 3):
        app(lab, f"kiosk-{number}", "kiosk")


def what_runs_is_sound(lab: Lab) -> None:
    def reconcile() -> None:
        found = labelled(lab, "kiosk")
        for each in found:
            if each.status != "running":
                each.remove(force=True)
        there = sum(each.status == "running" for each in found)
        for _ in range(there, REPLICAS):
            lab.docker.containers.run(APP, labels={"app": "kiosk"}, detach=True)

    lab.loop(reconcile)


def the_dead_stay(lab: Lab) -> None:
    def reconcile() -> None:
        sound = []
        for each in labelled(lab, "kiosk"):
            if each.status != "running":
                continue
            if each.attrs["State"]["Health"]["Status"] == "unhealthy":
                each.remove(force=True)
            else:
                sound.append(each)
        for _ in range(len(sound), REPLICAS):
            lab.docker.containers.run(APP, labels={"app": "kiosk"}, detach=True)

    lab.loop(reconcile)


def only_the_healthy_are_sound(lab: Lab) -> None:
    def reconcile() -> None:
        sound = []
        for each in labelled(lab, "kiosk"):
            if each.attrs["State"]["Health"]["Status"] == "healthy":
                sound.append(each)
            else:
                each.remove(force=True)
        for _ in range(len(sound), REPLICAS):
            lab.docker.containers.run(APP, labels={"app": "kiosk"}, detach=True)

    for number in range(1, 4):
        app(lab, f"kiosk-{number}", "kiosk")
    for each in labelled(lab, "kiosk"):
        lab.wait_for(each, "State.Health.Status", "healthy")
    lab.loop(reconcile)


def start_flaky(lab: Lab) -> None:
    options: dict[str, Any] = {"labels": {"app": "flaky"}, "environment": {"START_EXIT": "1"}}
    lab.docker.containers.run(APP, detach=True, **options)


def no_back_off(lab: Lab) -> None:
    def hurry() -> None:
        for each in labelled(lab, "flaky"):
            each.remove(force=True)
        start_flaky(lab)

    lab.loop(hurry)


def flaky_is_tried_once(lab: Lab) -> None:
    start_flaky(lab)


def flaky_does_not_fail(lab: Lab) -> None:
    app(lab, "flaky", "flaky")


def market(lab: Lab, replicas: int = REPLICAS, **options: Any) -> None:  # noqa: ANN401
    lab.swarm()
    service: Any = lab.docker.services.create(
        APP,
        name=lab.name("market"),
        mode=ServiceMode("replicated", replicas),
        **{"env": ["VERSION=2"], **options},
    )
    lab.wait_tasks(service, replicas)


def market_is_gone(lab: Lab) -> None:
    lab.swarm()


def market_has_two(lab: Lab) -> None:
    market(lab, 2)


def market_is_version_1(lab: Lab) -> None:
    market(lab, env=[])


def market_has_no_health_check(lab: Lab) -> None:
    market(lab, healthcheck=Healthcheck(test=["NONE"]))


def market_does_not_heal(lab: Lab) -> None:
    market(lab, restart_policy=RestartPolicy("none"))


FAULT_HINTS = {
    "health": "its container was stopped, because it was unhealthy",
    "constraint": "scheduling constraints not satisfied",
    "reservation": "insufficient resources",
    "start": "non-zero exit (1)",
    "restart": "nobody replaces it: the service's restart policy is 'none'",
}


class TestDesiredState(CheckProof):
    chapter = "08-desired-state"
    untouched = {
        "08.1": "shop-2 has the label app=shop, and it has exited with 1",
        "08.2": "Nothing has the label app=kiosk",
        "08.3": "nobody has started a container with the label app=flaky",
        "08.4": FAULT_HINTS["health"],
    }
    wrong = (
        Wrong("08.1", dead_one_was_started_again, "shop-3 runs and is unhealthy"),
        Wrong("08.1", one_is_hidden, "shop-4 says 'open' as the shop does, and its label is"),
        Wrong("08.1", only_two_are_left, "2 sound containers have the label app=shop"),
        Wrong("08.1", the_template_was_forgotten, "shop-6 has VERSION = None"),
        Wrong("08.1", the_till_is_gone, "No container has the name"),
        Wrong("08.2", three_by_hand, "is anybody looking, again and again?"),
        Wrong("08.2", only_two_are_kept, "2 sound containers have the label app=kiosk"),
        Wrong("08.2", what_runs_is_sound, "what does your program count as sound?"),
        Wrong("08.2", the_dead_stay, "which is dead, is still there"),
        Wrong("08.2", only_the_healthy_are_sound, "one that has just been started for unsound?"),
        Wrong("08.3", no_back_off, "it does not grow"),
        Wrong("08.3", flaky_is_tried_once, "or it has given up for good"),
        Wrong("08.3", flaky_does_not_fail, "flaky runs, and has not failed for 6 s"),
        Wrong("08.4", market_is_gone, "No service has the name"),
        Wrong("08.4", market_has_two, "market asks for 2 replicas"),
        Wrong("08.4", market_is_version_1, "not as version 2"),
        Wrong("08.4", market_has_no_health_check, "market has no health check any more"),
        Wrong("08.4", market_does_not_heal, "10 s later 2 tasks run"),
    )
    repair = "08.4"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault)

    def scene(self, lab: Lab) -> str:
        template = lab.docker.services.get(lab.name("market")).attrs["Spec"]["TaskTemplate"]
        return json.dumps(template, sort_keys=True)


def test_each_fault_is_known() -> None:
    assert sorted(FAULTS) == sorted(FAULT_HINTS)
