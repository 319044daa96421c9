"""The exercises of chapter 02, limits and privileges."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

import docker.errors

from lab.abilities import Ability
from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet

if TYPE_CHECKING:
    from docker.models.containers import Container

    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "NEEDS", "inject"]

CHAPTER = "02-limits-and-privileges"
NEEDS = (
    Ability.ROOT,
    Ability.MEMORY_LIMIT,
    Ability.CPU_LIMIT,
    Ability.PIDS_LIMIT,
    Ability.SECCOMP,
)

MB = 2**20
ROOMY = 128 * MB
APP_USER = 1000
GREETING = "open"
# What the kiosk does before it serves: it hands a folder over to the user app, and becomes app.
KIOSK = """\
import os
os.chown("/data", 1000, 1000)
os.setgid(1000)
os.setuid(1000)
os.execvp("python3", ["python3", "web.py"])
"""
KIOSK_NEEDS = frozenset({"CHOWN", "SETGID", "SETUID"})

# What the lab does to `kiosk`, as options of containers.run.
# The seed picks one, so the order must not change within a course.
FAULTS: dict[str, dict[str, Any]] = {
    "capability": {"cap_add": ["CHOWN", "SETGID"]},
    "read-only": {"tmpfs": {}},
    "memory": {"mem_limit": "7m"},
    "user": {"user": "1000:1000"},
}


def inject(lab: Lab, fault: str) -> Container:
    """Start ``kiosk`` with a fault.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.
    """
    options: dict[str, Any] = {
        "user": "root",
        "environment": {"GREETING": GREETING},
        "ports": {"8080/tcp": ("127.0.0.1", None)},
        "mem_limit": "64m",
        "read_only": True,
        "tmpfs": {"/data": ""},
        "cap_drop": ["ALL"],
        "cap_add": sorted(KIOSK_NEEDS),
        "security_opt": ["no-new-privileges"],
        **FAULTS[fault],
    }
    return lab.docker.containers.run(
        "course/app:1", ["python3", "-c", KIOSK], name=lab.name("kiosk"), detach=True, **options
    )


def _check_refusals(lab: Lab) -> None:
    hungry = _ended(lab, "hungry")
    limits_memory = evidence.engine_can(lab, Ability.MEMORY_LIMIT)
    if limits_memory and not evidence.ran_out_of_memory(lab, hungry):
        raise NotYet(
            f"hungry should have been killed for its memory, but {evidence.in_words(hungry)}. "
            "Has it a limit, and does its program write to more than that?"
        )
    crowded = _ended(lab, "crowded")
    if evidence.engine_can(lab, Ability.PIDS_LIMIT):
        if (crowded.attrs["HostConfig"]["PidsLimit"] or 0) <= 0:
            raise NotYet("crowded may start as many processes as it likes: it has no such limit.")
        _expect(crowded, "crowded", "Resource temporarily unavailable")
    powerless = _ended(lab, "powerless")
    if (powerless.attrs["Config"]["User"] or "root").partition(":")[0] not in ("root", "0"):
        raise NotYet("powerless should be refused as root, but it runs as another user.")
    if not powerless.attrs["HostConfig"]["CapDrop"]:
        raise NotYet("powerless has all that root usually has in a container: take something away.")
    _expect(powerless, "powerless", "Operation not permitted")
    sealed = _ended(lab, "sealed")
    if not sealed.attrs["HostConfig"]["ReadonlyRootfs"]:
        raise NotYet("The root file system of sealed can be written to.")
    _expect(sealed, "sealed", "Read-only file system")


def _ended(lab: Lab, short: str) -> Container:
    found = evidence.container(lab, short)
    if found.status != "exited":
        raise NotYet(f"{short} should have ended, but {evidence.in_words(found)}.")
    return found


def _expect(found: Container, short: str, message: str) -> None:
    if message not in evidence.logs_of(found):
        said = evidence.last_line(found) or "nothing"
        raise NotYet(f"{short} should have been told {message!r}; the last in its log is: {said}")


def _check_room(lab: Lab) -> None:
    if not evidence.engine_can(lab, Ability.MEMORY_LIMIT):
        raise NotYet("Your engine ignores memory limits, so this exercise can't be solved on it.")
    guarded, leaked = evidence.container(lab, "guarded"), evidence.container(lab, "leaked")
    limit = guarded.attrs["HostConfig"]["Memory"]
    if not limit:
        raise NotYet("guarded has no memory limit: a leak could take all that the host has.")
    if guarded.status != "running":
        raise NotYet(
            f"guarded should run, but {evidence.in_words(guarded)}. "
            f"Is {limit / MB:.0f} MB enough for its program?"
        )
    if limit > ROOMY:
        raise NotYet(
            f"guarded may use {limit / MB:.0f} MB, and more than {ROOMY / MB:.0f} MB is generous."
        )
    evidence.answer_of(evidence.published_url(guarded))
    if leaked.attrs["HostConfig"]["Memory"] != limit:
        raise NotYet("guarded and leaked have different limits, so leaked proves nothing.")
    if not evidence.ran_out_of_memory(lab, leaked):
        raise NotYet(
            f"leaked should have been stopped by its limit, but {evidence.in_words(leaked)}. "
            "Has it really asked for more?"
        )


def _check_one_capability(lab: Lab) -> None:
    found = evidence.container(lab, "handover")
    _refuse_everything(found, "handover")
    if found.status != "exited" or found.attrs["State"]["ExitCode"] != 0:
        said = evidence.logs_of(found).strip()
        raise NotYet(
            f"handover should have ended with 0, but {evidence.in_words(found)}. Its log: {said}"
        )
    if _owner(found, "/var/tmp") != APP_USER:  # noqa: S108  # a folder in the container
        raise NotYet("handover has ended well, but /var/tmp does not belong to app.")
    _at_most(found, "handover", frozenset({"CHOWN"}))


def _owner(found: Container, path: str) -> int:
    stream: Any = found.get_archive(path)[0]  # its types say str
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        return archive.getmembers()[0].uid


def _refuse_everything(found: Container, short: str) -> None:
    host = found.attrs["HostConfig"]
    if host["Privileged"]:
        raise NotYet(
            f"{short} is privileged: it has every capability, every device of the host and no "
            "filter. Which single one did it lack?"
        )
    if "ALL" in evidence.capability_names(host["CapAdd"]):
        raise NotYet(f"{short} was given all capabilities. Which single one did it lack?")
    if any("seccomp" in option and "unconfined" in option for option in host["SecurityOpt"] or ()):
        raise NotYet(f"{short} runs without a filter for system calls: did that stand in its way?")


def _at_most(found: Container, short: str, needed: frozenset[str]) -> None:
    extra = sorted(evidence.capabilities(found) - needed)
    if extra:
        several = f"{len(extra)} capabilities" if len(extra) > 1 else f"the capability {extra[0]}"
        raise NotYet(f"{short} works, and has {several} that its program never uses.")


def _check_sealed(lab: Lab) -> None:
    found = evidence.container(lab, "vault")
    _refuse_everything(found, "vault")
    if found.status != "running":
        raise NotYet(
            f"vault should run, but {evidence.in_words(found)}. "
            f"Its log: {evidence.logs_of(found).strip()}"
        )
    if not found.attrs["HostConfig"]["ReadonlyRootfs"]:
        raise NotYet("The root file system of vault can be written to.")
    # Not `test -w`: busybox only looks at the permissions, and the kernel at the mount as well.
    writable = "import os, sys; sys.exit(not os.access('/tmp', os.W_OK))"
    if found.exec_run(["python3", "-c", writable]).exit_code != 0:
        raise NotYet("vault can't write to /tmp, where it keeps its orders for the next start.")
    status = _status(found)
    if _uid(status) == 0:
        raise NotYet("The program of vault runs as root, although its image has another user.")
    if int(status["CapBnd"], 16):
        raise NotYet(
            "Its program has no capability now, but could get one: CapBnd in /proc/1/status is "
            f"{status['CapBnd']}. Who set the limit for that?"
        )
    if status.get("NoNewPrivs") == "0":
        raise NotYet("A set-uid program would still make it root: NoNewPrivs is 0.")
    evidence.answer_of(evidence.published_url(found))


def _status(found: Container) -> dict[str, str]:
    """Read what the kernel says of process 1."""
    try:
        output: Any = found.exec_run(["cat", "/proc/1/status"]).output  # its types say more
    except docker.errors.APIError:
        found.reload()
        raise NotYet(f"It can't be looked into: {evidence.in_words(found)}.") from None
    lines = (line.partition(":") for line in output.decode().splitlines())
    return {key: value.strip() for key, _, value in lines}


def _uid(status: dict[str, str]) -> int:
    return int(status["Uid"].split()[1])  # the effective one


def _prepare_kiosk(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_kiosk(lab: Lab) -> None:
    kiosk = evidence.container(lab, "kiosk")
    _refuse_everything(kiosk, "kiosk")
    config, host = kiosk.attrs["Config"], kiosk.attrs["HostConfig"]
    if config["Cmd"] != ["python3", "-c", KIOSK]:
        raise NotYet("kiosk runs another program: keep the one that it had.")
    evidence.settle(kiosk)
    if kiosk.status != "running":
        raise NotYet(f"kiosk should run, but {evidence.in_words(kiosk)}. {_where_to_look(kiosk)}")
    answer = evidence.answer_of(evidence.published_url(kiosk))
    if answer.get("message") != GREETING:
        raise NotYet(f"kiosk answers {answer.get('message')!r}, but should say {GREETING!r}.")
    if _uid(_status(kiosk)) != APP_USER:
        raise NotYet("kiosk serves as root: its program should have become the user app.")
    if not host["ReadonlyRootfs"]:
        raise NotYet("kiosk runs, but its root file system can be written to; only /data should.")
    if not host["Memory"] or host["Memory"] > ROOMY:
        raise NotYet(
            f"kiosk runs, but may use {host['Memory'] / MB:.0f} MB of memory: "
            f"{ROOMY / MB:.0f} MB are more than enough."
            if host["Memory"]
            else "kiosk runs, but nothing limits its memory."
        )
    _at_most(kiosk, "kiosk", KIOSK_NEEDS)


def _where_to_look(kiosk: Container) -> str:
    if kiosk.attrs["State"]["OOMKilled"] or kiosk.attrs["State"]["ExitCode"] == evidence.KILLED:
        return "How much memory may it use?"
    said = evidence.last_line(kiosk)
    if "Read-only file system" in said:
        return f"Its log ends with: {said}. Which folder should stay writable?"
    if "Operation not permitted" in said:
        user = kiosk.attrs["Config"]["User"] or "root"
        return (
            f"Its log ends with: {said}. It runs as {user} with "
            f"{', '.join(sorted(evidence.capabilities(kiosk))) or 'no capability'}: "
            "what does the line in its log need?"
        )
    return f"Its log ends with: {said}" if said else "It has logged nothing."


EXERCISES = {
    "02.1": Exercise(
        title="Four refusals",
        minutes=7,
        nudge="Each of the four has its own option when the container is made. "
        "The message in the log says which wall the program ran into.",
        check=_check_refusals,
    ),
    "02.2": Exercise(
        title="Room for the application",
        minutes=6,
        nudge="How much does the application use when nobody asks for anything? "
        "Its statistics or its control group know. Leave some room above that.",
        check=_check_room,
    ),
    "02.3": Exercise(
        title="Exactly one",
        minutes=5,
        nudge="Begin with nothing at all, read the message, and give back the one that it names.",
        check=_check_one_capability,
    ),
    "02.4": Exercise(
        title="The vault",
        minutes=6,
        nudge="Four options, one for each line of the list. What the process may ever become is "
        "in CapBnd and NoNewPrivs of /proc/1/status.",
        check=_check_sealed,
    ),
    "02.5": Exercise(
        title="Repair the kiosk",
        minutes=9,
        nudge="How did it end, and what is the last line of its log? Then look for the option "
        "that belongs to it, and change only this one.",
        check=_check_kiosk,
        prepare=_prepare_kiosk,
    ),
}
