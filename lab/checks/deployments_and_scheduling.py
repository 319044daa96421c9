"""The exercises of chapter 09, deployments and scheduling."""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import docker.errors
import requests

from lab.abilities import Ability
from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from docker.models.containers import Container
    from docker.models.services import Service

    from lab.load import Load
    from lab.session import Lab

__all__ = ["BOTH", "CHAPTER", "EXERCISES", "FAULTS", "NEEDS", "RULES", "inject"]

CHAPTER = "09-deployments-and-scheduling"
NEEDS = (Ability.MEMORY_LIMIT,)

APP, PROXY = "course/app:1", "course/proxy:1"
PORT: dict[str, Any] = {"8080/tcp": ("127.0.0.1", None)}
SLOW_SECONDS = "2"  # that version 2 needs until it listens, in the exercises that say so
ASKED = 12  # requests that a check sends to see who answers
LEAST_SENT = 20  # requests with which a load says something of a deployment
SETTLE_SECONDS = 15
KNOWN_SECONDS = 5
MOMENT_SECONDS = 2  # in which the door asks each copy often enough to judge it, five times over
MOMENTS = 8  # after which a check takes what it has
NEEDED_UNDER_LOAD = 96 << 20  # bytes without which a copy of the shop does not survive its load
LOAD_MEGABYTES = 32

HOSTS = {"a": 256, "b": 256, "c": 256}  # the MB that each host of exercise 09.3 has
NEEDS_MB = {"web-1": 96, "web-2": 96, "cache": 96, "mail": 96, "batch": 64, "db": 224}

IN_FORCE = "/tmp/rules.cfg"  # noqa: S108 - the proxy's own
RULES = """
frontend door
    bind :8080
    default_backend web
backend web
    option httpchk GET /health
    retry-on conn-failure empty-response
    server-template copy 4 web:8080 check resolvers engine
"""
BOTH = f"""{RULES}
backend green
    option httpchk GET /health
    retry-on conn-failure empty-response
    server-template copy 4 green:8080 check resolvers engine
"""

# What the lab does to the shop: options of containers.run that are not as they should be. The seed
# picks one, so the order must not change within a course.
FAULTS: dict[str, dict[str, Any]] = {
    "health": {},
    "port": {"environment": {"VERSION": "2", "PORT": "9090"}},
    "memory": {"mem_limit": "24m", "memswap_limit": "24m"},
    "start": {"environment": {"VERSION": "2", "START_SECONDS": "600"}},
    "name": {},
}


def _remove(lab: Lab, *shorts: str) -> None:
    for short in shorts:
        with suppress(docker.errors.NotFound):
            lab.docker.containers.get(lab.name(short)).remove(force=True)


def _front(lab: Lab) -> str:
    """Make the network, and remove who was on it."""
    name = lab.name("front")
    for found in lab.docker.containers.list(all=True, filters={**lab.filters, "network": name}):
        found.remove(force=True)
    return str(lab.docker.networks.create(name).name)


def start_copy(lab: Lab, short: str, *, alias: str, **options: Any) -> Container:  # noqa: ANN401
    """Start a copy of the application on the network ``front``, where it has a second name."""
    front = lab.name("front")
    role = lab.docker.api.create_endpoint_config(aliases=[alias])
    return lab.docker.containers.run(
        APP,
        name=lab.name(short),
        network=front,
        networking_config={front: role},
        detach=True,
        **options,
    )


def start_proxy(lab: Lab, rules: str, short: str = "proxy", *, network: str = "front") -> Container:
    """Start the proxy with these rules on a network of the lab, published on this machine."""
    return lab.docker.containers.run(
        PROXY,
        name=lab.name(short),
        network=lab.name(network),
        environment={"RULES": rules},
        ports=PORT,
        detach=True,
    )


def _prepare_rolling(lab: Lab) -> None:
    _front(lab)
    for number in (1, 2):
        start_copy(lab, f"web-{number}", alias="web")
    lab.wait_ready(start_proxy(lab, RULES))


def _prepare_switch(lab: Lab) -> None:
    _front(lab)
    for colour, alias, version in (("blue", "web", "1"), ("green", "green", "2")):
        for number in (1, 2):
            start_copy(lab, f"{colour}-{number}", alias=alias, environment={"VERSION": version})
    lab.wait_ready(start_proxy(lab, RULES))


def inject(lab: Lab, fault: str) -> Container:
    """Deploy the shop of exercise 09.5 with a fault, and wait until the fault shows.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.

    Returns:
        Its proxy.
    """
    _front(lab)
    sound: dict[str, Any] = {"environment": {"VERSION": "2"}, "restart_policy": {"Name": "always"}}
    bad = {**sound, **FAULTS[fault]}
    alias = {"name": "shop-2"}.get(fault, "web")
    copies = [
        start_copy(lab, "shop-1", alias="web", **(bad if fault in ("port", "memory") else sound)),
        start_copy(lab, "shop-2", alias=alias, **bad),
    ]
    rules = RULES.replace("/health", "/helath") if fault == "health" else RULES
    door = start_proxy(lab, rules, "door")
    if fault == "memory":
        for copy in copies:
            _put_load_on(copy)
    _shows(copies)
    _says(door, 503 if fault in ("health", "port") else 200)
    return door


@evidence.within(SETTLE_SECONDS)
def _says(door: Container, status: int) -> bool:
    """Wait until the door answers as it will: at first it takes each copy for well."""
    door.reload()
    try:
        answer = requests.get(evidence.published_url(door), timeout=evidence.ANSWER_SECONDS)
    except requests.RequestException:
        return False
    return answer.status_code == status


def _put_load_on(copy: Container) -> None:
    """Let a copy take more memory, from its inside: it is published nowhere."""
    evidence.settle(copy)
    take = f"http://127.0.0.1:8080/leak?mb={LOAD_MEGABYTES}"
    # It is killed before it can answer.
    copy.exec_run(["python3", "-c", f"from urllib.request import *; urlopen({take!r}, b'')"])
    _has_been_started_again(copy)


@evidence.within(SETTLE_SECONDS)
def _has_been_started_again(copy: Container) -> bool:
    copy.reload()
    return bool(copy.attrs["RestartCount"])


@evidence.within(SETTLE_SECONDS)
def _shows(copies: Iterable[Container]) -> bool:
    """Wait until each health check has spoken, or a start that takes too long has been seen."""
    return all(
        evidence.is_settled(copy) or evidence.variable(copy, "START_SECONDS") for copy in copies
    )


def _answers(url: str) -> list[dict[str, Any]]:
    """Ask at the door several times; an error is an empty answer."""
    found = []
    for _ in range(ASKED):
        try:
            answer = requests.get(url, timeout=evidence.ANSWER_SECONDS)
            found.append(dict(answer.json()) if answer.ok else {})
        except (requests.RequestException, ValueError):
            found.append({})
    return found


def _hosts(answers: Iterable[dict[str, Any]]) -> set[str]:
    """Tell which copies have answered; an error counts as one that has no name."""
    return {str(answer.get("host", "")) for answer in answers}


def _last_load(lab: Lab, url: str) -> Load:
    mine = [load for load in lab.loads if load.url.rstrip("/") == url]
    if not mine:
        raise NotYet(
            "Nobody has sent requests to the proxy meanwhile, so nobody knows whether one "
            "was lost: let a load run from before the deployment until after it."
        )
    return mine[-1]


def _nothing_lost(load: Load) -> None:
    if load.lost:
        why = ", ".join(sorted(load.reasons))
        raise NotYet(
            f"{load.lost} of {load.sent} requests were lost ({why}): at some moment nobody "
            "was ready. When did the last copy of version 1 stop, and what was ready then?"
        )
    if load.versions != ["1", "2"]:
        told = " and ".join(load.versions) or "no version"
        raise NotYet(
            f"None was lost, but the last load has seen {told} only: "
            "it has to run from before the deployment until after it."
        )
    if load.sent < LEAST_SENT:
        raise NotYet(
            f"The last load has sent {load.sent} requests, which says little: "
            f"let it send {LEAST_SENT} at least."
        )


@evidence.within(KNOWN_SECONDS)
def _two_answer(url: str) -> bool:
    """Give the proxy time to hear of a copy that has just become healthy."""
    return len(_hosts(_answers(url))) == 2  # noqa: PLR2004 - two copies, as the exercise asks


def _check_rolling(lab: Lab) -> None:
    url = evidence.published_url(evidence.running(lab, "proxy"))
    _two_answer(url)
    answers = _answers(url)
    seen = Counter(str(answer.get("version", "none")) for answer in answers)
    if set(seen) != {"2"}:
        told = ", ".join(f"{version}: {count}" for version, count in sorted(seen.items()))
        whom = " Who has the name web, and is healthy?" if "none" in seen else ""
        raise NotYet(
            f"Of {ASKED} answers at {url} all should come from version 2; by version: {told}.{whom}"
        )
    hosts = _hosts(answers)
    if len(hosts) != 2:  # noqa: PLR2004 - two copies, as the exercise asks
        raise NotYet(f"Two copies should answer, and {len(hosts)} did: who has the name web?")
    for host in sorted(hosts):
        found = lab.docker.containers.get(host)
        if evidence.variable(found, "START_SECONDS") != SLOW_SECONDS:
            raise NotYet(
                f"{evidence.short(lab, found)} starts at once: this version 2 should need "
                f"{SLOW_SECONDS} seconds, by the variable START_SECONDS."
            )
    _nothing_lost(_last_load(lab, url))


def _check_switch(lab: Lab) -> None:
    url = evidence.published_url(evidence.running(lab, "proxy"))
    seen = {str(answer.get("version", "none")) for answer in _answers(url)}
    if seen != {"2"}:
        raise NotYet(
            f"At {url} this answers: {', '.join(sorted(seen))}. It should be version 2 alone: "
            "which backend do the rules that are in force name as the default?"
        )
    for number in (1, 2):
        for colour in ("green", "blue"):
            evidence.running(
                lab,
                f"{colour}-{number}",
                then="Without it there is no way back." if colour == "blue" else "",
            )
    rules = evidence.inside(evidence.running(lab, "proxy"), "cat", IN_FORCE) or ""
    if len(re.findall(r"^\s*backend\s", rules, re.MULTILINE)) < 2:  # noqa: PLR2004 - blue, green
        raise NotYet(
            "Version 2 answers, and the rules that are in force know one backend only: without "
            "the other one there is no way back."
        )
    load = _last_load(lab, url)
    if load.lost:
        raise NotYet(
            f"{load.lost} of {load.sent} requests were lost: a proxy that is started anew, or "
            "whose backend nobody has checked yet, turns requests away."
        )
    _nothing_lost(load)


def _check_placement(lab: Lab) -> None:
    placed: dict[str, str] = {}
    used: Counter[str] = Counter()
    for short, need in NEEDS_MB.items():
        found = evidence.running(lab, short)
        host = found.labels.get("host", "")
        if host not in HOSTS:
            told = f"the label host with {host!r}" if host else "no label host"
            raise NotYet(f"{short} has {told}: one of {', '.join(HOSTS)} should be there.")
        limit = found.attrs["HostConfig"]["Memory"] >> 20
        if evidence.engine_can(lab, Ability.MEMORY_LIMIT) and limit != need:
            raise NotYet(f"{short} may take {limit} MB, and was to get {need} MB.")
        placed[short] = host
        used[host] += need
    for host, most in HOSTS.items():
        if used[host] > most:
            there = ", ".join(short for short, where in placed.items() if where == host)
            raise NotYet(
                f"Host {host} has {most} MB, and {used[host]} MB were promised on it: {there}."
            )
    if placed["web-1"] == placed["web-2"]:
        raise NotYet(
            f"Everything fits, but both copies of web are on host {placed['web-1']}: "
            "they would go down together."
        )


def _check_rollback(lab: Lab) -> None:
    service = evidence.service(lab, "web")
    action = (service.attrs["Spec"].get("UpdateConfig") or {}).get("FailureAction", "pause")
    if action != "rollback":
        raise NotYet(
            f"After a failed update this service would {action}: "
            "what it should do instead is a part of its update_config."
        )
    state = service.attrs.get("UpdateStatus", {}).get("State", "")
    if not state:
        raise NotYet("The service was never updated: deploy the bad version 3, too.")
    if state in ("updating", "rollback_started"):
        raise NotYet("Swarm is still at it: look again when the update has come to an end.")
    if state != "rollback_completed":
        raise NotYet(
            f"The last update ended as {state!r}, so nothing was rolled back: was the version "
            "that you deployed really a bad one?"
        )
    if not _serves_version_1(service):
        raise NotYet("Two tasks of version 1 should be running now, and they are not.")


@evidence.within(SETTLE_SECONDS)
def _serves_version_1(service: Service) -> bool:
    tasks = [
        task
        for task in service.tasks(filters={"desired-state": "running"})  # type: ignore[no-untyped-call]
        if task["Status"]["State"] == "running"
    ]
    env = [task["Spec"]["ContainerSpec"].get("Env") or [] for task in tasks]
    return len(env) == 2 and not any("VERSION=3" in one for one in env)  # noqa: PLR2004


def _prepare_shop(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_shop(lab: Lab) -> None:
    door = evidence.running(lab, "door")
    url = evidence.published_url(door)
    copies = [evidence.running(lab, f"shop-{number}") for number in (1, 2)]
    _shows(copies)
    for copy in copies:
        _look_at_copy(lab, copy)
    answers = _settled_answers(url)
    if not all(answers):
        if any(answers):
            raise NotYet(f"At {url} some requests get no answer: do both copies get one?")
        raise NotYet(
            f"Both copies say that they are healthy, and at {url} nobody gets an answer. What does "
            "the door ask them, at which path and at which port, and what would they say?"
        )
    if any(answer["version"] != "2" for answer in answers):
        raise NotYet("Some answers do not come from version 2: who else has the name web?")
    if len(_hosts(answers)) == 1:
        raise NotYet(
            "Every answer comes from the same copy, so the other one has nothing to do: "
            f"does the door find it under the name web? {evidence.where(lab, *copies)}."
        )


def _look_at_copy(lab: Lab, copy: Container) -> None:
    short = evidence.short(lab, copy)
    limit = copy.attrs["HostConfig"]["Memory"]
    if 0 < limit < NEEDED_UNDER_LOAD:
        raise NotYet(
            f"{short} was started {copy.attrs['RestartCount'] + 1} times; it may take "
            f"{limit >> 20} MB, and needs {NEEDED_UNDER_LOAD >> 20} MB under load."
        )
    if evidence.health(copy) != "healthy":
        raise NotYet(
            f"{short} runs and is {evidence.health(copy) or 'not checked by anybody'}. "
            f"The last line in its log: {evidence.last_line(copy)!r}."
        )


def _settled_answers(url: str) -> list[dict[str, Any]]:
    """Ask until it is the same ones who answer as a moment before, and give the last answers.

    A door that was just started takes each copy for well until it has asked them itself, and it
    hears of a copy a moment after that has come.
    """
    answers = _answers(url)
    for _ in range(MOMENTS):
        before = _hosts(answers)
        time.sleep(MOMENT_SECONDS)
        answers = _answers(url)
        if _hosts(answers) == before:
            break
    return answers


EXERCISES = {
    "09.1": Exercise(
        title="No request lost",
        minutes=12,
        nudge="Go one copy at a time. Before you take an old one away, ask yourself what has to "
        "be true of the new one; the engine knows it, and `lab.wait_for` waits for it.",
        check=_check_rolling,
        prepare=_prepare_rolling,
    ),
    "09.2": Exercise(
        title="There and back",
        minutes=10,
        nudge="The proxy can only lead to a backend that its rules describe. Describe the second "
        "one first, and let the proxy find and check its servers, before you lead anybody there.",
        check=_check_switch,
        prepare=_prepare_switch,
    ),
    "09.3": Exercise(
        title="Six programs, three hosts",
        minutes=8,
        nudge="Which of the six has the fewest hosts to choose from? Begin with that one.",
        check=_check_placement,
    ),
    "09.4": Exercise(
        title="A net under the deployment",
        minutes=10,
        nudge="What a service does when an update fails stands in its update_config, and so does "
        "how long it watches each new task. The application has a variable for a bad start.",
        check=_check_rollback,
    ),
    "09.5": Exercise(
        title="The door is open, and nobody gets in",
        minutes=12,
        nudge="Go from the inside to the outside: does each copy run, is it healthy, has it the "
        "memory that it needs, where does it listen, which name has it, what does the door ask?",
        check=_check_shop,
        prepare=_prepare_shop,
    ),
}
