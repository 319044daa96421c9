"""The exercises of chapter 06, networks and volumes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import docker.errors

from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet

if TYPE_CHECKING:
    from docker.models.containers import Container

    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "inject"]

CHAPTER = "06-networks-and-volumes"

DATA = "/data"  # where the store keeps its file
STORE_URL = "http://store:8080"  # where a worker looks for the store when nobody tells it
EARLIER = ("done-0", "COFFEE")  # a result that the workshop had before it was deployed anew

# What the lab does to the workshop: options of containers.run for the one or the other.
# The seed picks one, so the order must not change within a course.
FAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "network": {"worker": {"network": None}},
    "name": {"worker": {"environment": {"STORE_URL": "http://warehouse:8080"}}},
    "port": {"store": {"ports": {"8000/tcp": ("127.0.0.1", None)}}},
    "path": {"store": {"volume": {"bind": "/date", "mode": "rw"}}},
    "read-only": {"store": {"volume": {"bind": DATA, "mode": "ro"}}},
}


def inject(lab: Lab, fault: str) -> tuple[Container, Container]:
    """Deploy the workshop of exercise 06.5 with a fault.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.

    Returns:
        The store and the worker.
    """
    faults = FAULTS[fault]
    network, volume = _network(lab), _volume(lab)
    role = lab.docker.api.create_endpoint_config(aliases=["store"])
    store: dict[str, Any] = {
        "network": network,
        "networking_config": {network: role},
        "ports": {"8080/tcp": ("127.0.0.1", None)},
        "volume": {"bind": DATA, "mode": "rw"},
        **faults.get("store", {}),
    }
    store["volumes"] = {volume: store.pop("volume")}
    worker: dict[str, Any] = {
        "network": network,
        "environment": {"STORE_URL": STORE_URL},
        "healthcheck": {"test": ["NONE"]},
        **faults.get("worker", {}),
    }
    run = lab.docker.containers.run
    image = "course/app:1"
    return (
        run(image, "python3 store.py", name=lab.name("store"), detach=True, **store),
        run(image, "python3 worker.py", name=lab.name("worker"), detach=True, **worker),
    )


def _network(lab: Lab) -> str:
    """Find the network of the workshop, or make it; who is on it already stays there."""
    name = lab.name("back")
    mine = lab.docker.networks.list(filters=lab.filters)
    if name not in [network.name for network in mine]:
        lab.docker.networks.create(name)
    return name


def _volume(lab: Lab) -> str:
    """Make the workshop's volume as it was before: a result is in it, and nothing else."""
    name = lab.name("data")
    for short in ("store", "worker", "clerk"):
        with suppress(docker.errors.NotFound):
            lab.docker.containers.get(lab.name(short)).remove(force=True)
    key, value = EARLIER
    write = (
        f'rm -f {DATA}/*; echo \'{{"{key}": "{value}"}}\' > {DATA}/store.json; '
        f"chown -R 1000:1000 {DATA}"
    )
    lab.docker.containers.run(
        "course/base:1",
        ["sh", "-c", write],
        name=lab.name("clerk"),
        volumes={name: {"bind": DATA, "mode": "rw"}},
        remove=True,
    )
    return name


def _check_talk(lab: Lab) -> None:
    web, visitor = evidence.running(lab, "web"), evidence.running(lab, "visitor")
    if evidence.is_published(web):
        raise NotYet(
            "The port of web is published on this machine: here only its neighbours may reach it."
        )
    _reaches(lab, visitor, web)


def _reaches(lab: Lab, who: Container, whom: Container) -> None:
    """Prove that one container gets an answer from another, by its short name."""
    one, other = evidence.short(lab, who), evidence.short(lab, whom)
    shared = evidence.shared_networks(who, whom)
    if not shared:
        raise NotYet(f"{evidence.where(lab, who, whom)}: they share no network.")
    if shared == {"bridge"}:
        raise NotYet(
            f"{one} and {other} share only bridge, the default network, "
            "and names are not known there."
        )
    if not any(other in evidence.names_on(whom, network) for network in shared):
        raise NotYet(
            f"{one} and {other} share a network, but {other} is known there only as "
            f"{lab.name(other)}: nobody on it has the name {other}."
        )
    url = f"http://{other}:8080"
    # Whoever has just started it may not have waited until it listens.
    if not evidence.within(3)(evidence.answers_inside)(who, url):
        raise NotYet(f"{one} knows the name {other}, but gets no answer at {url}.")


def _check_doors(lab: Lab) -> None:
    inside = {}
    for short in ("red", "blue"):
        found = evidence.running(lab, short)
        answer = evidence.answer_of(evidence.published_url(found))
        if answer.get("message") != short:
            raise NotYet(
                f"{short} answers {answer.get('message')!r}, but should say {short!r}: "
                "which variable of the application holds its greeting?"
            )
        inside[short] = sorted(port for port, bound in found.ports.items() if bound)
    if inside["red"] != inside["blue"]:
        raise NotYet(
            f"Inside, red listens on {', '.join(inside['red'])} and blue on "
            f"{', '.join(inside['blue'])}: both can have the same port there. Why?"
        )


def _check_wall(lab: Lab) -> None:
    hall, desk, vault = (evidence.running(lab, short) for short in ("hall", "desk", "vault"))
    both = evidence.shared_networks(hall, vault)
    if both:
        raise NotYet(
            f"hall and vault are both on {evidence.listed(lab, both)}: "
            "nothing keeps the one from the other."
        )
    _reaches(lab, desk, hall)
    _reaches(lab, hall, desk)
    _reaches(lab, desk, vault)


def _check_ledger(lab: Lab) -> None:
    ledger = evidence.running(lab, "ledger")
    _on_volume(lab, ledger, "books")
    url = evidence.published_url(ledger)
    value = evidence.text_at(f"{url}/keys/first")
    if value is None:
        raise NotYet(
            "ledger has its volume, and no key first: was the value put in "
            "while the volume was mounted?"
        )
    if value != "kept":
        raise NotYet(f"The key first has the value {value!r}, but should have 'kept'.")
    if "PUT first" in evidence.logs_of(ledger):
        raise NotYet(
            "The log of this ledger says PUT first: it took the value itself, "
            "so it has not been replaced since."
        )


def _on_volume(lab: Lab, store: Container, volume: str) -> None:
    """Prove that a store keeps its file on a volume."""
    short = evidence.short(lab, store)
    places = {
        mount["Destination"]: mount
        for mount in store.attrs["Mounts"]
        if mount["Type"] == "volume" and mount.get("Name") == lab.name(volume)
    }
    if not places:
        raise NotYet(
            f"{short} has not mounted the volume {lab.name(volume)}, which is "
            f"lab.name({volume!r}): its file goes when the container goes."
        )
    if DATA not in places:
        raise NotYet(
            f"The volume {volume} is mounted at {', '.join(places)}. "
            f"Where does {short} keep its file?"
        )


def _prepare_workshop(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_workshop(lab: Lab) -> None:
    store = evidence.container(lab, "store")
    _settle(store)
    if store.status != "running":
        raise NotYet(f"store should run, but {evidence.in_words(store)}. Its log says why.")
    url = evidence.published_url(store)
    evidence.text_at(f"{url}/keys")
    _on_volume(lab, store, "data")
    key, value = EARLIER
    if evidence.text_at(f"{url}/keys/{key}") != value:
        raise NotYet(
            f"The store no longer has {key}, which lay on the volume data: "
            "bring the broken workshop back, and repair it without a new volume."
        )
    worker = evidence.running(lab, "worker")
    shared = evidence.shared_networks(store, worker)
    if not shared:
        raise NotYet(
            f"{evidence.where(lab, worker, store)}: they share no network, so the worker waits."
        )
    asked = evidence.variable(worker, "STORE_URL") or STORE_URL
    names = {name for network in shared for name in evidence.names_on(store, network)}
    if urlsplit(asked).hostname not in names:
        raise NotYet(
            f"The worker asks for {asked}, and on {evidence.listed(lab, shared)} "
            "the store does not have that name."
        )
    evidence.do_a_job(url, worker)


@evidence.within(10)
def _settle(store: Container) -> bool:
    """Give a start the time to fail, or to say that it listens."""
    store.reload()
    return store.status != "running" or "listens" in evidence.logs_of(store)


EXERCISES = {
    "06.1": Exercise(
        title="Talk by name",
        minutes=5,
        nudge="Two things are needed: a network on which names are known, and the name web on it. "
        "Who reads lab.name('web') is not asking for web.",
        check=_check_talk,
    ),
    "06.2": Exercise(
        title="Two doors",
        minutes=5,
        nudge="Each container has ports of its own; only those of your machine are shared. "
        "What the application says is a variable.",
        check=_check_doors,
    ),
    "06.3": Exercise(
        title="A wall",
        minutes=7,
        nudge="Draw it first: one box for each network, and each container in the boxes that it "
        "is on. Which of the three stands in two boxes? "
        "And on which network is a container when you name none?",
        check=_check_wall,
    ),
    "06.4": Exercise(
        title="What survives",
        minutes=7,
        nudge="The value must be in the volume before the first ledger goes. "
        "The check reads the log of the second: it must not have taken the value itself.",
        check=_check_ledger,
    ),
    "06.5": Exercise(
        title="Repair the workshop",
        minutes=10,
        nudge="Follow the job. Does the store run, does its port answer, does its file lie on the "
        "volume; does the worker run, on which network, and whom does it ask?",
        check=_check_workshop,
        prepare=_prepare_workshop,
    ),
}
