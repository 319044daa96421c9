"""The exercises of chapter 05, life cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.abilities import Ability
from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet

if TYPE_CHECKING:
    from docker.models.containers import Container

    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "NEEDS", "inject"]

CHAPTER = "05-life-cycle"
NEEDS = (Ability.MEMORY_LIMIT,)

STATES = {"fresh": "created", "busy": "running", "frozen": "paused", "done": "exited"}
ENDINGS = {"own": 3, "killed": 137, "asked": 143}
SIGNALLED = (137, 143)
GREETING = "open"

# What the lab does to `shop`, as options of containers.run.
# The seed picks one, so the order must not change within a course.
FAULTS: dict[str, dict[str, Any]] = {
    "environment": {"environment": {"GREETING": GREETING, "START_EXIT": "3"}},
    "command": {"command": ["python3", "wep.py"]},
    "health": {
        "healthcheck": {
            "test": ["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/healthy"],
            "interval": 1_000_000_000,
            "retries": 2,
        }
    },
    "port": {"ports": {"8081/tcp": ("127.0.0.1", None)}},
    "memory": {"mem_limit": "7m"},
}


def inject(lab: Lab, fault: str) -> Container:
    """Start ``shop`` with a fault.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.
    """
    options: dict[str, Any] = {
        "environment": {"GREETING": GREETING},
        "ports": {"8080/tcp": ("127.0.0.1", None)},
        **FAULTS[fault],
    }
    return lab.docker.containers.run("course/app:1", name=lab.name("shop"), detach=True, **options)


def _check_states(lab: Lab) -> None:
    for short, wanted in STATES.items():
        found = evidence.container(lab, short)
        if found.status != wanted:
            raise NotYet(f"{short} should be {wanted}, but {evidence.in_words(found)}.")
        code = found.attrs["State"]["ExitCode"]
        if wanted == "exited" and code != 0:
            raise NotYet(
                f"{short} should have ended by itself and well, but {evidence.in_words(found)}."
            )


def _check_endings(lab: Lab) -> None:
    for short, wanted in ENDINGS.items():
        found = evidence.container(lab, short)
        if found.status != "exited":
            raise NotYet(f"{short} should have ended, but {evidence.in_words(found)}.")
        code = found.attrs["State"]["ExitCode"]
        if code == wanted:
            if wanted in SIGNALLED and evidence.was_sent_nothing(lab, found):
                raise NotYet(
                    f"{short} has ended with {wanted}, and nobody has sent it a signal: "
                    "that number is its own, and it tells whoever reads it something untrue."
                )
            continue
        hint = f"{short} should have ended with {wanted}, but {evidence.in_words(found)}."
        if short == "asked" and code == evidence.KILLED:
            hint += " Did process 1 of the container take notice of SIGTERM?"
        raise NotYet(hint)


def _check_goodbye(lab: Lab) -> None:
    tidy = evidence.container(lab, "tidy")
    if tidy.status != "exited":
        raise NotYet(
            f"tidy should have been stopped, but {evidence.in_words(tidy)}. "
            "The check looks at what stop() left."
        )
    if tidy.attrs["State"]["ExitCode"] == evidence.KILLED:
        if "goodbye" in evidence.logs_of(tidy):
            raise NotYet("tidy said goodbye, went on, and was killed. What ends a shell?")
        if "trap" in " ".join(tidy.attrs["Config"]["Cmd"] or ()):
            raise NotYet(
                "tidy has exited with 137: the grace period ran out and it was killed. "
                "Its shell has a trap; what was the shell busy with when the signal came?"
            )
        raise NotYet(
            "tidy has exited with 137: the grace period ran out and it was killed. "
            "Which signal did it not react to?"
        )
    if "goodbye" not in evidence.logs_of(tidy):
        raise NotYet(f"Its log has no 'goodbye': {evidence.in_words(tidy)}, without a last word.")
    if tidy.attrs["State"]["ExitCode"] != 0:
        raise NotYet(f"It said goodbye, and then {evidence.in_words(tidy)} instead of 0.")


def _check_restart(lab: Lab) -> None:
    phoenix = evidence.container(lab, "phoenix")
    policy = phoenix.attrs["HostConfig"]["RestartPolicy"]["Name"] or "no"
    if policy == "no":
        raise NotYet(
            f"phoenix has no restart policy, so nobody starts it again: "
            f"{evidence.in_words(phoenix)}."
        )
    if phoenix.attrs["RestartCount"] == 0:
        raise NotYet(
            f"phoenix has the restart policy {policy!r}, but the engine never had to use it: "
            "RestartCount is 0. Did its program end by itself?"
        )
    if phoenix.status != "running":
        raise NotYet(f"phoenix came back before, but now {evidence.in_words(phoenix)}.")
    evidence.answer_of(evidence.published_url(phoenix))


def _prepare_shop(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_shop(lab: Lab) -> None:
    shop = evidence.container(lab, "shop")
    evidence.settle(shop)
    if shop.status != "running":
        raise NotYet(f"shop should run, but {evidence.in_words(shop)}. {_where_to_look(shop)}")
    health = shop.attrs["State"].get("Health", {}).get("Status", "none")
    if health == "none":
        raise NotYet("shop runs without a health check: keep the one that its image has.")
    if health != "healthy":
        raise NotYet(
            f"shop runs, but its health is {health}. Who asks, and what? "
            "State.Health.Log and Config.Healthcheck tell."
        )
    answer = evidence.answer_of(evidence.published_url(shop))
    if answer.get("message") != GREETING:
        raise NotYet(f"shop answers {answer.get('message')!r}, but should say {GREETING!r}.")


def _where_to_look(shop: Container) -> str:
    if shop.attrs["State"]["OOMKilled"] or shop.attrs["State"]["ExitCode"] == evidence.KILLED:
        return "How much memory may it use?"
    if not evidence.logs_of(shop).strip():
        return "It has logged nothing: was its program ever started?"
    return "Its log says why."


EXERCISES = {
    "05.1": Exercise(
        title="Four containers, four states",
        minutes=5,
        nudge="create() stops one step before run() does. Which of the four needs no process?",
        check=_check_states,
    ),
    "05.2": Exercise(
        title="Three ways to end",
        minutes=6,
        nudge="128 and the number of a signal: which signals are 9 and 15? "
        "And what does process 1 do with a signal that it does not handle?",
        check=_check_endings,
    ),
    "05.3": Exercise(
        title="A last word",
        minutes=6,
        nudge="A shell reacts to a signal with the command that it was given by trap; "
        "it does so only between two commands, or in its own command `wait`, which waits for "
        "what runs in the background.",
        check=_check_goodbye,
    ),
    "05.4": Exercise(
        title="Back from the ashes",
        minutes=5,
        nudge="The engine must bring it back, not you: so how does a program end by itself? "
        "The application has a route for that.",
        check=_check_restart,
    ),
    "05.5": Exercise(
        title="Repair the shop",
        minutes=8,
        nudge="Ask in this order: does it run, how did it end, what did it log, is it healthy, "
        "which port is published? Settings of a container are fixed when it is created.",
        check=_check_shop,
        prepare=_prepare_shop,
    ),
}
