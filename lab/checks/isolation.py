"""The exercises of chapter 01, isolation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import docker.errors

from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet
from lab.naming import by_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker.models.containers import Container

    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "PAIRS", "inject", "start_pair"]

CHAPTER = "01-isolation"

BASE = "course/base:1"
KINDS = ("pid", "mnt", "net", "uts", "ipc")
PAGE = "hello"
GOLD = "gold"
KEEP = "sleep infinity"
GUARD = ["sh", "-c", f"echo {GOLD} > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]

# What `left` and `right` share. The seed picks one, so the order must not change within a course.
PAIRS: tuple[tuple[str, ...], ...] = (("net", "ipc"), ("pid",), ("pid", "net"), ("ipc",), ("net",))
_OPTIONS = {"pid": "pid_mode", "net": "network_mode", "ipc": "ipc_mode"}

# Which wall of `vault` the lab leaves out. The seed picks one here, too.
FAULTS = ("pid", "net", "uts", "mnt", "ipc")

# On the vault that the lab itself starts: until it is replaced, no hint names the wall.
BROKEN = {"course.vault": "broken"}


def start_pair(lab: Lab, kinds: tuple[str, ...]) -> None:
    """Start ``left`` and ``right``, which share some namespaces.

    Args:
        lab: The learner's lab.
        kinds: What they share: one of ``PAIRS``.
    """
    run = lab.docker.containers.run
    left = run(BASE, KEEP, name=lab.name("left"), ipc_mode="shareable", detach=True)
    options: dict[str, Any] = {_OPTIONS[kind]: f"container:{left.id}" for kind in kinds}
    run(BASE, KEEP, name=lab.name("right"), detach=True, **options)


def inject(lab: Lab, fault: str, labels: Mapping[str, str] = BROKEN) -> Container:
    """Start ``vault`` with a wall left out, and ``neighbour`` beside it.

    Args:
        lab: The learner's lab.
        fault: One of ``FAULTS``.
        labels: What tells this vault from one that a learner has put in its place.
    """
    run = lab.docker.containers.run
    drawer: dict[str, Any] = {}
    if fault == "mnt":
        volume = lab.docker.volumes.create(lab.name("drawer"))
        drawer = {"volumes": {volume.name: {"bind": "/srv", "mode": "rw"}}}
    neighbour = run(
        BASE, KEEP, name=lab.name("neighbour"), hostname="neighbour", detach=True, **drawer
    )
    # Docker refuses a host name where the network or the host's name is joined.
    named = {"hostname": "vault"}
    options: dict[str, dict[str, Any]] = {
        "pid": {"pid_mode": "host", **named},
        "net": {"network_mode": f"container:{neighbour.id}"},
        "uts": {"uts_mode": "host"},
        "mnt": {**drawer, **named},
        "ipc": {"ipc_mode": "host", **named},
    }
    return run(
        BASE, GUARD, name=lab.name("vault"), labels=dict(labels), detach=True, **options[fault]
    )


def _check_numbers(lab: Lab) -> None:
    known = _running(lab, "known")
    said = evidence.inside(known, "cat", "/tmp/numbers")  # noqa: S108  # in the container
    if said is None:
        raise NotYet("known runs, but there is no file /tmp/numbers in it yet.")
    words = said.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):  # noqa: PLR2004
        raise NotYet(
            f"The file holds {said.strip()!r}. Wanted are two whole numbers: "
            "the one inside, a space, the one on the host."
        )
    inner, outer = map(int, words)
    real = known.attrs["State"]["Pid"]
    if inner == real:
        raise NotYet("You have found both places, but the number inside comes first.")
    if inner != 1:
        raise NotYet(
            f"You say that its number inside is {inner}. That may be the process which looked: "
            "which number has the one that was there first?"
        )
    if outer == 0:
        raise NotYet(
            "You say that its number on the host is 0. 0 is the number from before the start: "
            "what Python has of a container is a copy, which reload renews."
        )
    if outer == 1:
        raise NotYet(
            "You say that it is number 1 on the host, too. There, 1 is the first program after "
            "the boot. Who knows the container's process by the host's number?"
        )
    if outer != real:
        raise NotYet(
            f"On the host, {outer} is not the process of known. "
            "Has known been started anew since you looked?"
        )


def _prepare_pair(lab: Lab) -> None:
    start_pair(lab, by_seed(PAIRS))


def _check_pair(lab: Lab) -> None:
    _expect_scene(lab, "01.2", "left", "right")
    left, right = _running(lab, "left"), _running(lab, "right")
    said = evidence.inside(left, "cat", "/tmp/shared")  # noqa: S108  # in the container
    if said is None:
        raise NotYet("There is no file /tmp/shared in left yet: it holds what you predict.")
    told = said.replace(",", " ").split()
    for word in told:
        if word not in KINDS:
            raise NotYet(f"{word!r} is none of the five kinds: {', '.join(KINDS)}.")
    if not told:
        raise NotYet("Your file is empty, but left and right do share something.")
    true = [kind for kind in KINDS if _namespace(left, kind) == _namespace(right, kind)]
    for kind in told:
        if kind not in true:
            raise NotYet(f"You predict {kind}, but the kernel gives left and right each its own.")
    missing = len(set(true) - set(told))
    if missing:
        raise NotYet(
            f"What you predict is right, and {missing} more is shared. "
            "Which settings of right name another container?"
        )


def _check_one_network(lab: Lab) -> None:
    server = _running(lab, "server")
    _expect_target(lab, "client")
    client = _running(lab, "client")
    for found, short in ((server, "server"), (client, "client")):
        if found.attrs["HostConfig"]["NetworkMode"] == "host":
            raise NotYet(
                f"{short} lives in the network of the whole host. The two should share one with "
                "each other, and with nobody else."
            )
    if server.attrs["HostConfig"]["PortBindings"]:
        raise NotYet("server publishes a port on your machine, and client needs none of that.")
    if not _serves(client, PAGE):
        if not _serves(server, PAGE):
            raise NotYet(
                f"Not even server itself gets a page that says {PAGE!r} from 127.0.0.1:8080. "
                "Does its program run, and is the page in the folder that it serves?"
            )
        raise NotYet(
            "server serves the page, but client gets none from 127.0.0.1:8080. "
            "Whose 127.0.0.1 does client ask?"
        )
    if _namespace(server, "net") != _namespace(client, "net"):
        raise NotYet(
            "client gets the page, but from a server of its own: it has another network "
            "namespace than server."
        )
    if _namespace(server, "pid") == _namespace(client, "pid"):
        raise NotYet("client gets the page, and it also sees server's processes: one wall too few.")


def _prepare_vault(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_vault(lab: Lab) -> None:
    _expect_scene(lab, "01.4", "vault", "neighbour")
    vault = _running(lab, "vault")
    if BROKEN.items() <= vault.labels.items():
        raise NotYet(
            "This is still the broken vault, and a wall is missing. Find out which, and put a "
            "vault with all its walls in its place."
        )
    settings = vault.attrs["HostConfig"]
    if settings["Privileged"]:
        raise NotYet("vault is privileged: that takes walls away and gives none back.")
    if _leaves_out(settings, "PidMode"):
        seen = len((evidence.inside(vault, "ps", "-o", "pid") or "").split()) - 1
        raise NotYet(f"vault sees {seen} processes, and only a few of them are its own.")
    if _leaves_out(settings, "NetworkMode"):
        raise NotYet(
            "vault has no network of its own: what listens on its 127.0.0.1:8080 also listens "
            "on somebody else's."
        )
    if _leaves_out(settings, "UTSMode"):
        name = (evidence.inside(vault, "hostname") or "").strip()
        raise NotYet(f"vault calls itself {name!r}. Whose name is that?")
    for mount in vault.attrs["Mounts"]:
        raise NotYet(
            f"In vault, {mount['Destination']} is a folder that lies outside of it, "
            "and somebody else may write there."
        )
    if _leaves_out(settings, "IpcMode"):
        raise NotYet(
            "Processes, network, name and files are vault's own, but it shares memory and "
            "messages with others. Which kind of namespace is that?"
        )
    if not _serves(vault, GOLD):
        raise NotYet(
            f"All walls stand, but vault gets no page that says {GOLD!r} from its own "
            "127.0.0.1:8080. Does it run the same program as before?"
        )


def _expect_scene(lab: Lab, exercise: str, *shorts: str) -> None:
    """Say what comes first where nothing that the lab prepares is there."""
    there = {found.name for found in lab.docker.containers.list(all=True, filters=lab.filters)}
    if there.isdisjoint(map(lab.name, shorts)):
        raise NotYet(
            f'Run the cell that sets the scene first: lab.prepare("{exercise}"). '
            f"It starts {' and '.join(shorts)}."
        )


def _expect_target(lab: Lab, short: str) -> None:
    """Say it where a container was never started, since nobody has the name that it joins."""
    found = evidence.container(lab, short)
    kind, _, target = found.attrs["HostConfig"]["NetworkMode"].partition(":")
    if found.status != "created" or kind != "container":
        return
    try:
        lab.docker.containers.get(target)
    except docker.errors.NotFound as failure:
        raise NotYet(
            f"{short} was created, but never started: it should join the network of {target!r}, "
            "and no container has this name. What is the full name of server?"
        ) from failure


def _running(lab: Lab, short: str) -> Container:
    found = evidence.container(lab, short)
    if found.status != "running":
        raise NotYet(f"{short} should run, but {evidence.in_words(found)}.")
    return found


def _namespace(found: Container, kind: str) -> str | None:
    return evidence.inside(found, "readlink", f"/proc/self/ns/{kind}")


def _leaves_out(settings: dict[str, Any], mode: str) -> bool:
    """Tell whether a container has no namespace of its own: it joins the host's or another's."""
    return str(settings[mode]).startswith(("host", "container:"))


@evidence.within(3)
def _serves(found: Container, words: str) -> bool:
    """Ask as the container itself would; a program that has just started gets a moment."""
    # Not wget's own -T: in Debian's busybox 1.35 it ends in a segmentation fault.
    ask = ("timeout", "2", "wget", "-q", "-O", "-", "http://127.0.0.1:8080")
    page = evidence.inside(found, *ask)
    return page is not None and words in page


EXERCISES = {
    "01.1": Exercise(
        title="Two numbers for one process",
        minutes=5,
        nudge="Inside, which number has the process that was there first? "
        "Outside, the engine notes the number under State, once it has looked again.",
        check=_check_numbers,
    ),
    "01.2": Exercise(
        title="Predict what is shared",
        minutes=5,
        nudge="Each wall that can be left out has a setting whose name ends in Mode. "
        "A value that names a container says whose namespace was taken.",
        check=_check_pair,
        prepare=_prepare_pair,
    ),
    "01.3": Exercise(
        title="One network for two",
        minutes=6,
        nudge="127.0.0.1 means the network namespace of who asks. "
        "Whose does client have to be in, and which of the two must be there first?",
        check=_check_one_network,
    ),
    "01.4": Exercise(
        title="The missing wall",
        minutes=8,
        nudge="Go through the five kinds, and look from inside: how many processes, "
        "which mounts, whose port, and is the name the host's? The same name alone proves nothing: "
        "Docker copies it with the network. What no program shows, the settings tell.",
        check=_check_vault,
        prepare=_prepare_vault,
    ),
}
