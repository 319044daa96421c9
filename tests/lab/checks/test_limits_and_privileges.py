"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import docker.errors
import pytest

from lab.checks import evidence
from lab.checks.limits_and_privileges import KIOSK, inject

from .proof import APP, PORT, CheckProof, Wrong, run

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.engine

SEALED: dict[str, Any] = {
    "read_only": True,
    "tmpfs": {"/tmp": ""},  # noqa: S108  # a folder in the container
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
}

HUNGRY = ["python3", "-c", "bytearray(300_000_000)"]


def refusals(lab: Lab, **changed: dict[str, Any]) -> None:
    """Make the four of 02.1 as they should be, but for some options."""
    right: dict[str, dict[str, Any]] = {
        "hungry": {"command": HUNGRY, "mem_limit": "128m"},
        "crowded": {
            "command": "sh -c 'for n in $(seq 50); do sleep 600 & done'",
            "pids_limit": 20,
        },
        "powerless": {"command": "chown app /tmp", "cap_drop": ["CHOWN"]},
        "sealed": {"command": "touch /etc/note", "read_only": True},
    }
    for short, options in right.items():
        run(lab, short, **{"init": False, **options, **changed.get(short, {})}).wait()


def hungry_has_no_limit(lab: Lab) -> None:
    refusals(lab, hungry={"mem_limit": None})


def hungry_still_runs(lab: Lab) -> None:
    run(lab, "hungry")


def crowded_only_says_so(lab: Lab) -> None:
    refusals(lab, crowded={"command": "echo Resource temporarily unavailable", "pids_limit": None})


def powerless_is_no_root(lab: Lab) -> None:
    refusals(lab, powerless={"user": "app"})


def powerless_lost_another(lab: Lab) -> None:
    refusals(lab, powerless={"cap_drop": ["KILL"]})


def sealed_is_open(lab: Lab) -> None:
    refusals(lab, sealed={"read_only": False})


def both(lab: Lab, guarded: str | None, leaked: str | None) -> Any:  # noqa: ANN401
    run(lab, "guarded", None, image=APP, ports=PORT, mem_limit=guarded)
    return run(lab, "leaked", None, image=APP, ports=PORT, mem_limit=leaked)


def room_without_a_limit(lab: Lab) -> None:
    both(lab, None, None)


def room_too_small(lab: Lab) -> None:
    both(lab, "7m", "7m")
    lab.wait_for(lab.docker.containers.get(lab.name("guarded")), "status", "exited")


def room_too_large(lab: Lab) -> None:
    both(lab, "1g", "1g")


def leaked_was_only_killed(lab: Lab) -> None:
    leaked = both(lab, "64m", "64m")
    lab.wait_ready(lab.docker.containers.get(lab.name("guarded")))
    leaked.kill()
    leaked.wait()


def leaked_has_another_limit(lab: Lab) -> None:
    both(lab, "64m", "32m")
    lab.wait_ready(lab.docker.containers.get(lab.name("guarded")))


def handover(lab: Lab, **options: Any) -> None:  # noqa: ANN401
    run(lab, "handover", "chown app /var/tmp", init=False, **options).wait()


def handover_keeps_all_fourteen(lab: Lab) -> None:
    handover(lab)


def handover_has_one_too_many(lab: Lab) -> None:
    handover(lab, cap_drop=["ALL"], cap_add=["CHOWN", "FOWNER"])


def handover_has_none(lab: Lab) -> None:
    handover(lab, cap_drop=["ALL"])


def handover_did_something_else(lab: Lab) -> None:
    run(lab, "handover", "true", init=False, cap_drop=["ALL"], cap_add=["CHOWN"]).wait()


def refused_by_the_engine(lab: Lab, short: str, **options: Any) -> None:  # noqa: ANN401
    """Start a container with more than an engine in a virtual machine may have to give."""
    made = lab.docker.containers.create("course/app:1", name=lab.name(short), **options)
    try:
        made.start()
    except docker.errors.APIError:
        made.reload()


def handover_is_privileged(lab: Lab) -> None:
    refused_by_the_engine(lab, "handover", command="chown app /var/tmp", privileged=True)


def handover_was_given_all(lab: Lab) -> None:
    refused_by_the_engine(lab, "handover", command="chown app /var/tmp", cap_add=["ALL"])


def vault(lab: Lab, **changed: Any) -> None:  # noqa: ANN401
    lab.wait_ready(run(lab, "vault", None, image=APP, ports=PORT, **{**SEALED, **changed}))


def vault_is_open(lab: Lab) -> None:
    vault(lab, read_only=False)


def vault_without_tmpfs(lab: Lab) -> None:
    vault(lab, tmpfs={})


def vault_keeps_capabilities(lab: Lab) -> None:
    vault(lab, cap_drop=[])


def vault_can_climb(lab: Lab) -> None:
    vault(lab, security_opt=[])


def vault_runs_as_root(lab: Lab) -> None:
    vault(lab, user="root")


def kiosk(lab: Lab, **changed: Any) -> None:  # noqa: ANN401
    """Start a kiosk as it should be, but for some options."""
    lab.docker.containers.get(lab.name("kiosk")).remove(force=True)
    options = {
        "user": "root",
        "environment": {"GREETING": "open"},
        "mem_limit": "64m",
        "ports": PORT,
        "read_only": True,
        "tmpfs": {"/data": ""},
        "cap_drop": ["ALL"],
        "cap_add": ["CHOWN", "SETGID", "SETUID"],
        "security_opt": ["no-new-privileges"],
    }
    command = changed.pop("command", ["python3", "-c", KIOSK])
    lab.wait_ready(run(lab, "kiosk", command, image=APP, **{**options, "init": False, **changed}))


def kiosk_was_given_all(lab: Lab) -> None:
    refused_by_the_engine(lab, "kiosk", command=["python3", "-c", KIOSK], cap_add=["ALL"])


def kiosk_is_privileged(lab: Lab) -> None:
    refused_by_the_engine(lab, "kiosk", command=["python3", "-c", KIOSK], privileged=True)


def kiosk_keeps_all_fourteen(lab: Lab) -> None:
    inject(lab, "capability")
    kiosk(lab, cap_drop=[], cap_add=[])


def kiosk_is_writable(lab: Lab) -> None:
    inject(lab, "read-only")
    kiosk(lab, read_only=False)


def kiosk_has_no_limit(lab: Lab) -> None:
    inject(lab, "memory")
    kiosk(lab, mem_limit=None)


def kiosk_serves_as_root(lab: Lab) -> None:
    inject(lab, "user")
    kiosk(lab, command=["python3", "web.py"])


def kiosk_unfiltered(lab: Lab) -> None:
    inject(lab, "capability")
    kiosk(lab, security_opt=["seccomp=unconfined"])


def kiosk_greets_as_usual(lab: Lab) -> None:
    inject(lab, "capability")
    kiosk(lab, environment={})


FAULT_HINTS = {
    "capability": "It runs as root with CHOWN, SETGID: what does the line in its log need?",
    "read-only": "Which folder should stay writable?",
    "memory": "How much memory may it use?",
    "user": "It runs as 1000:1000 with CHOWN, SETGID, SETUID",
}


class TestLimitsAndPrivileges(CheckProof):
    chapter = "02-limits-and-privileges"
    untouched = {
        "02.1": "You have no containers here yet.",
        "02.2": "You have no containers here yet.",
        "02.3": "You have no containers here yet.",
        "02.4": "You have no containers here yet.",
        "02.5": FAULT_HINTS["capability"],
    }
    wrong = (
        Wrong("02.1", hungry_has_no_limit, "hungry should have been killed for its memory, but"),
        Wrong("02.1", hungry_still_runs, "hungry should have ended, but it is running."),
        Wrong("02.1", crowded_only_says_so, "crowded may start as many processes as it likes"),
        Wrong("02.1", powerless_is_no_root, "powerless should be refused as root"),
        Wrong("02.1", powerless_lost_another, "the last in its log is: nothing"),
        Wrong("02.1", sealed_is_open, "The root file system of sealed can be written to."),
        Wrong("02.2", room_without_a_limit, "guarded has no memory limit"),
        Wrong("02.2", room_too_small, "Is 7 MB enough for its program?"),
        Wrong("02.2", room_too_large, "more than 128 MB is generous"),
        Wrong("02.2", leaked_was_only_killed, "but it has exited with 137: it was killed."),
        Wrong("02.2", leaked_has_another_limit, "so leaked proves nothing"),
        Wrong("02.3", handover_keeps_all_fourteen, "13 capabilities that its program never uses"),
        Wrong("02.3", handover_has_one_too_many, "has the capability FOWNER that its program"),
        Wrong("02.3", handover_has_none, "Operation not permitted"),
        Wrong("02.3", handover_did_something_else, "tmp does not belong to app"),
        Wrong("02.3", handover_is_privileged, "handover is privileged: it has every capability"),
        Wrong("02.3", handover_was_given_all, "Which single one did it lack?"),
        Wrong("02.4", vault_is_open, "The root file system of vault can be written to."),
        Wrong("02.4", vault_without_tmpfs, "vault can't write to /tmp"),
        Wrong("02.4", vault_keeps_capabilities, "but could get one: CapBnd"),
        Wrong("02.4", vault_can_climb, "NoNewPrivs is 0"),
        Wrong("02.4", vault_runs_as_root, "The program of vault runs as root"),
        Wrong("02.5", kiosk_is_privileged, "kiosk is privileged"),
        Wrong("02.5", kiosk_was_given_all, "Which single one did it lack?"),
        Wrong("02.5", kiosk_keeps_all_fourteen, "11 capabilities that its program never uses"),
        Wrong("02.5", kiosk_is_writable, "its root file system can be written to"),
        Wrong("02.5", kiosk_has_no_limit, "nothing limits its memory"),
        Wrong("02.5", kiosk_serves_as_root, "keep the one that it had"),
        Wrong("02.5", kiosk_unfiltered, "without a filter for system calls"),
        Wrong("02.5", kiosk_greets_as_usual, "kiosk answers 'hello', but should say 'open'."),
    )
    repair = "02.5"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        lab.wait_for(inject(lab, fault), "status", "exited")

    def scene(self, lab: Lab) -> str:
        config = lab.docker.containers.get(lab.name("kiosk")).attrs
        return json.dumps([config["Config"], config["HostConfig"]], sort_keys=True)

    def test_a_kill_without_a_request_is_found_where_its_mark_was_lost(
        self, exercises: Lab
    ) -> None:
        asked = run(exercises, "asked", mem_limit="64m")
        asked.kill()
        asked.wait()
        asked.reload()
        hungry = run(exercises, "hungry", HUNGRY, mem_limit="128m", init=False)
        hungry.wait()
        hungry.reload()
        hungry.attrs["State"]["OOMKilled"] = False  # as the engine sometimes leaves it
        assert evidence.ran_out_of_memory(exercises, hungry)
        assert not evidence.ran_out_of_memory(exercises, asked)
