"""The exercises of chapter 07, one host."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import docker.errors
import requests

from lab.abilities import Ability
from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet

if TYPE_CHECKING:
    from docker.models.containers import Container

    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "NEEDS", "inject"]

CHAPTER = "07-one-host"
NEEDS = (Ability.MEMORY_LIMIT,)

APP = "course/app:1"
DATA = "/data"  # where the store keeps its file
BACK_AFTER_REBOOT = ("always", "unless-stopped")
COPIES = ("copy-1", "copy-2", "copy-3")
MOST_FOR_COPIES = 192 << 20  # bytes that the three copies may have together
NEEDED_UNDER_LOAD = 96 << 20  # bytes without which the shop does not survive its load
LOAD_MEGABYTES = 32
SETTLE_SECONDS = 15

OPEN = {"VERSION": "2", "GREETING": "open"}

# What the lab does to the shop: options of containers.run that are not as they should be.
# The seed picks one, so the order must not change within a course.
FAULTS: dict[str, dict[str, Any]] = {
    "health": {
        "healthcheck": {
            "test": ["CMD-SHELL", "wget -q -O - http://127.0.0.1:8080/helath"],
            "interval": 500_000_000,
            "retries": 2,
        }
    },
    "loop": {"environment": {**OPEN, "START_EXIT": "1"}},
    "port": {},
    "memory": {"mem_limit": "24m", "memswap_limit": "24m"},
    "configuration": {"environment": {"VERSION": "2"}},
}


def inject(lab: Lab, fault: str) -> Container:
    """Deploy the shop of exercise 07.5 with a fault, and wait until the fault shows.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.

    Returns:
        The shop.
    """
    for short in ("shop", "old-shop"):
        with suppress(docker.errors.NotFound):
            lab.docker.containers.get(lab.name(short)).remove(force=True)
    port: str | None = None
    if fault == "port":
        at_any: dict[str, Any] = {"8080/tcp": ("127.0.0.1", None)}
        old = lab.docker.containers.run(APP, name=lab.name("old-shop"), detach=True, ports=at_any)
        port = lab.wait_ready(old).rpartition(":")[2]
    shop = lab.docker.containers.create(
        APP,
        name=lab.name("shop"),
        **{
            "environment": OPEN,
            "restart_policy": {"Name": "always"},
            "ports": {"8080/tcp": ("127.0.0.1", port)},
            **FAULTS[fault],
        },
    )
    with suppress(docker.errors.APIError):  # its port is taken: that is the fault
        shop.start()
    if fault == "memory":
        _put_load_on(lab, shop)
    if fault in ("loop", "memory"):
        _has_been_started_again(shop)
    return shop


def _put_load_on(lab: Lab, shop: Container) -> None:
    url = lab.wait_ready(shop)
    with suppress(requests.RequestException):  # it is killed before it can answer
        requests.post(f"{url}/leak?mb={LOAD_MEGABYTES}", timeout=5)


@evidence.within(SETTLE_SECONDS)
def _has_been_started_again(shop: Container) -> bool:
    shop.reload()
    return bool(shop.attrs["RestartCount"])


_settle = evidence.within(SETTLE_SECONDS)(evidence.is_settled)


def _policy(found: Container) -> str:
    return str(found.attrs["HostConfig"]["RestartPolicy"]["Name"] or "no")


def _check_crash(lab: Lab) -> None:
    steady = evidence.running(
        lab, "steady", then="After its crash nobody has started it: which rule would?"
    )
    if _policy(steady) == "no":
        raise NotYet(
            "steady has no restart policy: it runs because it has not crashed yet, "
            "or because you have started it yourself."
        )
    if not steady.attrs["RestartCount"]:
        raise NotYet("The engine has never started steady again: has it crashed yet?")
    once = evidence.container(lab, "once")
    if _policy(once) != "no":
        raise NotYet(
            f"once has the restart policy {_policy(once)}, and should stay down after a crash."
        )
    if once.status != "exited":
        raise NotYet(f"once should be down after its crash, but {evidence.in_words(once)}.")
    if (code := once.attrs["State"]["ExitCode"]) != 1:
        raise NotYet(
            f"once has ended with {code}, and not with the 1 of its crash: "
            "a program that you stop or kill does not crash."
        )


def _check_deployment(lab: Lab) -> None:
    shop = evidence.running(lab, "counter")
    url = evidence.published_url(shop)
    answer = evidence.answer_of(url)
    if answer.get("version") != "2":
        raise NotYet(
            f"At {url} version {answer.get('version')} answers, and should be replaced by 2: "
            "which variable holds the version?"
        )
    wanted = [
        binding["HostPort"]
        for bindings in (shop.attrs["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings
    ]
    if not any(number not in ("", "0") for number in wanted):
        raise NotYet(
            "Version 2 answers at a port that the system chose for it, "
            "so nobody who knew version 1 finds it: it has to ask for the port of version 1."
        )


def _check_reboot(lab: Lab) -> None:
    store, worker = evidence.running(lab, "store"), evidence.running(lab, "worker")
    for found in (store, worker):
        policy, short = _policy(found), evidence.short(lab, found)
        if policy not in BACK_AFTER_REBOOT:
            why = (
                "that acts when a program fails, and the start of a machine is no failure"
                if policy == "on-failure"
                else "so nobody starts it with the machine"
            )
            raise NotYet(f"{short} has the restart policy {policy}: {why}.")
    if DATA not in [m["Destination"] for m in store.attrs["Mounts"] if m["Type"] == "volume"]:
        raise NotYet(
            f"store has no volume at {DATA}: it would come back after a reboot, "
            "and its keys would be gone with the first new version."
        )
    shared = evidence.shared_networks(store, worker)
    if not any("store" in evidence.names_on(store, network) for network in shared):
        raise NotYet(
            f"{evidence.where(lab, worker, store)}: "
            "the worker finds no store by the name store there."
        )
    url = evidence.published_url(store)
    evidence.do_a_job(url, worker)


def _check_copies(lab: Lab) -> None:
    copies = [evidence.running(lab, short) for short in COPIES]
    answers = [evidence.answer_of(evidence.published_url(copy)) for copy in copies]
    for what in ("version", "message"):
        said = [str(answer.get(what)) for answer in answers]
        if len(set(said)) > 1:
            told = ", ".join(f"{short} {one!r}" for short, one in zip(COPIES, said, strict=True))
            raise NotYet(f"They are no copies of one program; as their {what} they say: {told}.")
    if (version := answers[0].get("version")) != "2":
        raise NotYet(f"All three answer as version {version}, and version 2 was asked for.")
    if not evidence.engine_can(lab, Ability.MEMORY_LIMIT):
        return
    limits = [copy.attrs["HostConfig"]["Memory"] for copy in copies]
    for short, limit in zip(COPIES, limits, strict=True):
        if not limit:
            raise NotYet(f"{short} has no memory limit, so it may take all that the host has.")
    if sum(limits) > MOST_FOR_COPIES:
        raise NotYet(
            f"Together they may take {sum(limits) >> 20} MB, "
            f"and the host has {MOST_FOR_COPIES >> 20} MB for them: nobody else counts this."
        )


def _prepare_shop(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_shop(lab: Lab) -> None:
    shop = evidence.container(lab, "shop")
    _settle(shop)
    starts = shop.attrs["RestartCount"]
    if shop.status == "created":
        raise NotYet(
            "shop was made and never started, because somebody else has the port that it asks for."
        )
    limit = shop.attrs["HostConfig"]["Memory"]
    if 0 < limit < NEEDED_UNDER_LOAD:
        killed = "The kernel has killed it already, and it came back. " if starts else ""
        raise NotYet(
            f"{killed}shop may take {limit >> 20} MB, and needs {NEEDED_UNDER_LOAD >> 20} MB "
            "under load."
        )
    if shop.status == "restarting" or (starts and evidence.variable(shop, "START_EXIT")):
        raise NotYet(
            f"shop ends right after each start, with {shop.attrs['State']['ExitCode']}, and the "
            "engine starts it again and again: its log says why, and its variables who wanted it."
        )
    if shop.status != "running":
        raise NotYet(f"shop should run, but {evidence.in_words(shop)}.")
    if evidence.health(shop) == "unhealthy":
        raise NotYet(
            "shop runs and is unhealthy. Does it give no answer, "
            "or does its health check ask for the wrong thing?"
        )
    if evidence.health(shop) != "healthy":
        raise NotYet("shop has no health check, so nobody would see that it hangs.")
    answer = evidence.answer_of(evidence.published_url(shop))
    for name, key in (("VERSION", "version"), ("GREETING", "message")):
        if answer.get(key) != OPEN[name]:
            raise NotYet(
                f"shop is healthy, and says {answer.get(key)!r} where it should say "
                f"{OPEN[name]!r}: what was it told when it was made?"
            )
    if _policy(shop) not in BACK_AFTER_REBOOT:
        raise NotYet(
            f"shop has the restart policy {_policy(shop)}: "
            "the machine would start again, and shop would stay down."
        )


EXERCISES = {
    "07.1": Exercise(
        title="What comes back",
        minutes=5,
        nudge="Both crash in the same way; what differs was said when they were made. "
        "The application ends by itself when it is asked to, at one of its routes.",
        check=_check_crash,
    ),
    "07.2": Exercise(
        title="The same address",
        minutes=7,
        nudge="A port that the system chose is not promised to anybody. "
        "You can read it off version 1, and ask for it by its number.",
        check=_check_deployment,
    ),
    "07.3": Exercise(
        title="Ready for a reboot",
        minutes=10,
        nudge="Go through what must come back one by one: each program, the data, the name. "
        "Which of the policies also act when the engine itself starts?",
        check=_check_reboot,
    ),
    "07.4": Exercise(
        title="Scale by hand",
        minutes=7,
        nudge="Three times the same call, with another name: what must be the same in all three, "
        "and what must not? Divide the memory before you hand it out.",
        check=_check_copies,
    ),
    "07.5": Exercise(
        title="Three in the morning",
        minutes=10,
        nudge="Go from the outside to the inside: was it started, does it stay up, how often was "
        "it started, what may it take, what does its health check say, what does it answer?",
        check=_check_shop,
        prepare=_prepare_shop,
    ),
}
