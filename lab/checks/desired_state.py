"""The exercises of chapter 08, desired state."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import docker.errors
from docker.types import Healthcheck, Resources, RestartPolicy, ServiceMode

from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.services import Service

    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "inject", "set_scene"]

CHAPTER = "08-desired-state"

APP = "course/app:1"
REPLICAS = 3
SHOP = {"VERSION": "2", "GREETING": "open"}
PORT: dict[str, Any] = {"8080/tcp": ("127.0.0.1", None)}

# A loop that was just begun has the time to start something.
FIRST_SECONDS = 5
# A loop looks twice a second, and a start takes one on a busy machine.
HEAL_SECONDS = 25
# A loop that takes a starting container for unsound replaces it at each pass.
STABLE_SECONDS = 3
# Three failed checks, a second apart, come before.
REPLACE_SECONDS = 35
# The pauses of a back-off of 1, 2 and 4 seconds, and three starts.
WATCH_SECONDS = 20
LONG_PAUSE = 3.0
# After so many failures even a patient program would have waited long once.
MANY_FAILURES = 6
SETTLE_SECONDS = 30

UNHEALTHY = "its container was stopped, because it was unhealthy"

POST = (
    "from urllib.request import Request, urlopen\n"
    "urlopen(Request('http://127.0.0.1:8080{path}', method='POST'), timeout=5)"
)

# How the market is deployed: options of services.create that are not as they should be.
# The seed picks one, so the order must not change within a course.
FAULTS: dict[str, dict[str, Any]] = {
    "health": {
        "healthcheck": Healthcheck(
            test=["CMD-SHELL", "wget -q -O - http://127.0.0.1:8080/helath"],
            interval=500_000_000,
            retries=2,
        )
    },
    "constraint": {"constraints": ["node.labels.zone==b"]},
    "reservation": {"resources": Resources(mem_reservation=1 << 50)},
    "start": {"env": ["VERSION=2", "START_EXIT=1"]},
    "restart": {"restart_policy": RestartPolicy("none")},
}
_SHOWS = {
    "health": UNHEALTHY,
    "constraint": "no suitable node",
    "reservation": "no suitable node",
    "start": "non-zero exit (1)",
    "restart": "non-zero exit (137)",
}


def set_scene(lab: Lab) -> None:
    """Leave the shop of exercise 08.1 as a bad night has left it."""
    for found in _all(lab):
        found.remove(force=True)
    for short, app in (
        ("shop-1", "shop"),
        ("shop-2", "shop"),
        ("shop-3", "shop"),
        ("shop-4", "shpo"),
        ("till", "till"),
    ):
        lab.docker.containers.run(
            APP,
            name=lab.name(short),
            labels={"app": app},
            environment=SHOP if app != "till" else {"GREETING": "pay here"},
            ports=PORT,
            detach=True,
        )
    dead, sick = (lab.docker.containers.get(lab.name(short)) for short in ("shop-2", "shop-3"))
    for found, path in ((dead, "/crash?code=1"), (sick, "/unhealthy")):
        lab.wait_ready(found)
        _post(found, path)
    lab.wait_for(dead, "status", "exited")
    lab.wait_for(sick, "State.Health.Status", "unhealthy")


def inject(lab: Lab, fault: str) -> Service:
    """Deploy the market of exercise 08.4 with a fault, and wait until the fault shows.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.

    Returns:
        The service.
    """
    lab.swarm()
    market: Service = lab.docker.services.create(  # type: ignore[no-untyped-call]
        APP,
        name=lab.name("market"),
        mode=ServiceMode("replicated", REPLICAS),
        **{"env": ["VERSION=2"], **FAULTS[fault]},
    )
    if fault == "restart":
        lab.wait_tasks(market, REPLICAS)
        _a_container(lab, market).kill()
    _shows(lab, market, _SHOWS[fault])
    return market


@evidence.within(SETTLE_SECONDS)
def _shows(lab: Lab, service: Service, words: str) -> bool:
    return any(words in reason for reason in _reasons(lab, service))


def _all(lab: Lab) -> list[Container]:
    found = lab.docker.containers.list(all=True, filters=lab.filters, ignore_removed=True)
    return sorted(found, key=lambda each: str(each.name))


def _labelled(lab: Lab, app: str) -> list[Container]:
    return [each for each in _all(lab) if each.labels.get("app") == app]


def _is_sound(found: Container) -> bool:
    return bool(found.status == "running") and evidence.health(found) != "unhealthy"


def _sound(lab: Lab, app: str) -> list[Container]:
    return [each for each in _labelled(lab, app) if _is_sound(each)]


def _post(found: Container, path: str) -> None:
    found.exec_run(["python3", "-c", POST.format(path=path)])


def _check_pass(lab: Lab) -> None:
    labelled = _settled(lab, "shop")
    for found in labelled:
        short = evidence.short(lab, found)
        if found.status != "running":
            raise NotYet(
                f"{short} has the label app=shop, and {evidence.in_words(found)}: "
                "a pass clears such a one away."
            )
        if evidence.health(found) == "unhealthy":
            raise NotYet(f"{short} runs and is unhealthy: it is not one of the three.")
    for found in _all(lab):
        if evidence.variable(found, "GREETING") == "open" and found not in labelled:
            raise NotYet(
                f"{evidence.short(lab, found)} says 'open' as the shop does, and its label is "
                f"app={found.labels.get('app')}: who counts app=shop does not see it."
            )
    if len(labelled) != REPLICAS:
        raise NotYet(
            f"{len(labelled)} sound containers have the label app=shop, and {REPLICAS} are wanted."
        )
    for found in labelled:
        _check_template(lab, found)
    evidence.running(lab, "till", then="It is no part of the shop, and was not to be touched.")


def _settled(lab: Lab, app: str) -> list[Container]:
    """List what has a label, once each start has failed or the health check has spoken."""
    for found in _labelled(lab, app):
        with suppress(docker.errors.NotFound):
            evidence.settle(found)
    return _labelled(lab, app)


def _check_template(lab: Lab, found: Container) -> None:
    for name, wanted in SHOP.items():
        if (given := evidence.variable(found, name)) != wanted:
            raise NotYet(
                f"{evidence.short(lab, found)} has {name} = {given!r}, and the template says "
                f"{wanted!r}."
            )


def _check_keeper(lab: Lab) -> None:
    if not evidence.within(FIRST_SECONDS)(_is_begun)(lab, "kiosk"):
        raise NotYet("Nothing has the label app=kiosk, and nothing comes.")
    if not evidence.within(HEAL_SECONDS)(_has_sound)(lab, "kiosk", ()):
        raise NotYet(
            f"{len(_sound(lab, 'kiosk'))} sound containers have the label app=kiosk, "
            f"and {REPLICAS} are wanted."
        )
    victim, sick, *_ = _sound(lab, "kiosk")
    victim.kill()
    short = evidence.short(lab, victim)
    if not evidence.within(HEAL_SECONDS)(_has_sound)(lab, "kiosk", (victim,)):
        raise NotYet(
            f"This check has killed {short}. {HEAL_SECONDS} s later {len(_sound(lab, 'kiosk'))} "
            "sound ones are there: is anybody looking, again and again?"
        )
    sick = next((each for each in _sound(lab, "kiosk") if each == sick), _sound(lab, "kiosk")[0])
    _post(sick, "/unhealthy")
    if not evidence.within(REPLACE_SECONDS)(_is_gone)(lab, "kiosk", sick):
        raise NotYet(
            f"{evidence.short(lab, sick)} fails its health check, and {REPLACE_SECONDS} s later "
            "it is still there: what does your program count as sound?"
        )
    if not evidence.within(HEAL_SECONDS)(_has_sound)(lab, "kiosk", (sick,)):
        raise NotYet(f"{evidence.short(lab, sick)} was unhealthy, and nothing took its place.")
    if any(each == victim for each in _all(lab)):
        raise NotYet(f"{short}, which is dead, is still there: nobody clears it away.")
    before = {str(each.id) for each in _labelled(lab, "kiosk")}
    time.sleep(STABLE_SECONDS)
    if before != {str(each.id) for each in _labelled(lab, "kiosk")}:
        raise NotYet(
            f"Within {STABLE_SECONDS} s containers were replaced with which nothing was wrong: "
            "does your program take one that has just been started for unsound?"
        )


def _is_begun(lab: Lab, app: str) -> bool:
    return bool(_labelled(lab, app))


def _has_sound(lab: Lab, app: str, without: tuple[Container, ...]) -> bool:
    return len([each for each in _sound(lab, app) if each not in without]) == REPLICAS


def _is_gone(lab: Lab, app: str, found: Container) -> bool:
    return found not in _labelled(lab, app)


def _check_back_off(lab: Lab) -> None:
    pauses: list[float] = []
    starts, died = 0, 0
    told = lab.docker.events(
        until=int(time.time()) + WATCH_SECONDS,
        decode=True,
        filters={
            "type": "container",
            "event": ["start", "die"],
            "label": [*lab.filters["label"], "app=flaky"],
        },
    )
    for event in told:
        if event["Action"] == "die":
            died = event["timeNano"]
            continue
        starts += 1
        if died:
            pauses.append((event["timeNano"] - died) / 1e9)
        if pauses and (max(pauses) >= LONG_PAUSE or len(pauses) >= MANY_FAILURES):
            told.close()
            break
    if not died and (running := _sound(lab, "flaky")):
        raise NotYet(
            f"{evidence.short(lab, running[0])} runs, and has not failed for {WATCH_SECONDS} s: "
            "it should be the broken one."
        )
    if not pauses:
        raise NotYet(
            f"For {WATCH_SECONDS} s nobody has started a container with the label app=flaky after "
            "a failure: either nothing runs yet, or it has given up for good."
        )
    if max(pauses) < LONG_PAUSE:
        raise NotYet(
            f"{starts} starts were seen, and the longest pause between a failure and the next "
            f"start was {max(pauses):.1f} s: it does not grow."
        )


def _tasks(service: Service) -> list[dict[str, Any]]:
    return list(service.tasks())  # type: ignore[no-untyped-call]


def _reasons(lab: Lab, service: Service) -> list[str]:
    """Say why tasks of a service do not run."""
    return sorted({_reason(lab, task) for task in _of_this_spec(service)} - {""})


def _reason(lab: Lab, task: dict[str, Any]) -> str:
    status = task["Status"]
    # A program that ends politely when it is stopped leaves no error, whatever it is stopped for.
    if status["State"] == "complete":
        try:
            found = lab.docker.containers.get(status["ContainerStatus"]["ContainerID"])
        except docker.errors.NotFound:
            return ""
        return UNHEALTHY if evidence.health(found) == "unhealthy" else "its program has ended"
    return str(status.get("Err") or "")


def _running(service: Service) -> list[dict[str, Any]]:
    return [task for task in _tasks(service) if task["Status"]["State"] == "running"]


def _a_container(lab: Lab, service: Service) -> Container:
    """Find the container of the running task in the first slot."""
    task = min(_running(service), key=lambda task: int(task["Slot"]))
    return lab.docker.containers.get(task["Status"]["ContainerStatus"]["ContainerID"])


def _check_market(lab: Lab) -> None:
    market = evidence.service(lab, "market")
    spec = market.attrs["Spec"]
    template = spec["TaskTemplate"]
    replicas = spec["Mode"].get("Replicated", {}).get("Replicas")
    if replicas != REPLICAS:
        raise NotYet(f"market asks for {replicas} replicas, and {REPLICAS} are wanted.")
    condition = template.get("RestartPolicy", {}).get("Condition", "any")
    evidence.within(SETTLE_SECONDS)(_is_decided)(lab, market)
    if (running := len(_running(market))) < REPLICAS:
        reasons = _reasons(lab, market) or ["nothing is told yet"]
        if condition == "none":
            raise NotYet(
                f"{running} of {REPLICAS} tasks run. One has ended ({reasons[0]}), and nobody "
                "replaces it: the service's restart policy is 'none'."
            )
        raise NotYet(
            f"{running} of {REPLICAS} tasks run. Of the others this is known: "
            f"{'; '.join(reasons)}. Which part of the service leads to that?"
        )
    if "VERSION=2" not in (template["ContainerSpec"].get("Env") or ()):
        raise NotYet("It runs, and not as version 2: which variable holds the version?")
    test = template["ContainerSpec"].get("Healthcheck", {}).get("Test") or ()
    if list(test) == ["NONE"]:
        raise NotYet("market has no health check any more, so nobody would see that it hangs.")
    victim = _a_container(lab, market)
    victim.kill()
    if not evidence.within(SETTLE_SECONDS)(_is_healed)(market, str(victim.id)):
        raise NotYet(
            f"This check has killed one of its containers, and {SETTLE_SECONDS} s later "
            f"{len(_running(market))} tasks run: the restart policy is {condition!r}."
        )


def _of_this_spec(service: Service) -> list[dict[str, Any]]:
    """Leave out the tasks of what the service asked for before it was changed."""
    template = dict(service.attrs["Spec"]["TaskTemplate"])
    return [
        task
        for task in _tasks(service)
        if all(task["Spec"].get(key) == template.get(key) for key in ("ContainerSpec", "Resources"))
        and task["Spec"].get("Placement") == template.get("Placement")
    ]


def _is_decided(lab: Lab, service: Service) -> bool:
    """Tell whether all replicas run, or it is known why one does not."""
    return len(_running(service)) >= REPLICAS or bool(_reasons(lab, service))


def _is_healed(service: Service, victim: str) -> bool:
    there = [task["Status"]["ContainerStatus"]["ContainerID"] for task in _running(service)]
    return len(there) == REPLICAS and victim not in there


def _prepare_market(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


EXERCISES = {
    "08.1": Exercise(
        title="One pass by hand",
        minutes=8,
        nudge="List all that is there, the dead ones too, with its status, its health and its "
        "label. What would be counted, and what would be overlooked?",
        check=_check_pass,
        prepare=set_scene,
    ),
    "08.2": Exercise(
        title="Keep it so",
        minutes=12,
        nudge="Write down the difference between what is and what should be, in both directions, "
        "and only then act on it. Something has to call your function again and again.",
        check=_check_keeper,
    ),
    "08.3": Exercise(
        title="A crash loop",
        minutes=12,
        nudge="Remember two things between two passes: how long the next pause is, and when it "
        "is over. A failure makes the pause longer; a pass that comes too early does nothing.",
        check=_check_back_off,
    ),
    "08.4": Exercise(
        title="A service that is not as it should be",
        minutes=12,
        nudge="Compare the two columns of its tasks first. Then read what the tasks say of "
        "themselves, and look in the service for the setting that this speaks of.",
        check=_check_market,
        prepare=_prepare_market,
    ),
}
