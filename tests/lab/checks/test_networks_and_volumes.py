"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from lab.checks.networks_and_volumes import inject

from .proof import APP, PORT, CheckProof, Wrong, run

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.engine


def app(lab: Lab, short: str, **options: Any) -> Any:  # noqa: ANN401
    return run(lab, short, None, image=APP, **options)


def store(lab: Lab, short: str, **options: Any) -> Any:  # noqa: ANN401
    started = run(lab, short, "python3 store.py", image=APP, ports=PORT, **options)
    lab.wait_log(started, "listens")
    return started


def volume(lab: Lab, short: str, path: str = "/data") -> dict[str, Any]:
    return {lab.name(short): {"bind": path, "mode": "rw"}}


def known_as(lab: Lab, network: Any, *aliases: str) -> dict[str, Any]:  # noqa: ANN401
    role = lab.docker.api.create_endpoint_config(aliases=list(aliases))
    return {"network": network.name, "networking_config": {network.name: role}}


def web_is_published(lab: Lab) -> None:
    club = lab.docker.networks.create(lab.name("club"))
    app(lab, "web", ports=PORT, **known_as(lab, club, "web"))
    run(lab, "visitor", network=club.name)


def both_on_the_default_network(lab: Lab) -> None:
    app(lab, "web")
    run(lab, "visitor")


def web_has_no_alias(lab: Lab) -> None:
    club = lab.docker.networks.create(lab.name("club"))
    app(lab, "web", network=club.name)
    run(lab, "visitor", network=club.name)


def visitor_is_elsewhere(lab: Lab) -> None:
    club = lab.docker.networks.create(lab.name("club"))
    app(lab, "web", **known_as(lab, club, "web"))
    run(lab, "visitor")


def web_listens_elsewhere(lab: Lab) -> None:
    club = lab.docker.networks.create(lab.name("club"))
    web = app(lab, "web", environment={"PORT": "8081"}, **known_as(lab, club, "web"))
    run(lab, "visitor", network=club.name)
    lab.wait_log(web, "listens")


def blue_has_no_greeting(lab: Lab) -> None:
    lab.wait_ready(app(lab, "red", ports=PORT, environment={"GREETING": "red"}))
    lab.wait_ready(app(lab, "blue", ports=PORT))


def red_is_published_wrongly(lab: Lab) -> None:
    ports = {"8081/tcp": ("127.0.0.1", None)}
    lab.wait_log(app(lab, "red", ports=ports, environment={"GREETING": "red"}), "listens")


def blue_moved_inside(lab: Lab) -> None:
    lab.wait_ready(app(lab, "red", ports=PORT, environment={"GREETING": "red"}))
    ports = {"8081/tcp": ("127.0.0.1", None)}
    lab.wait_ready(app(lab, "blue", ports=ports, environment={"GREETING": "blue", "PORT": "8081"}))


def all_on_one_network(lab: Lab) -> None:
    left = lab.docker.networks.create(lab.name("left"))
    for short in ("hall", "desk", "vault"):
        app(lab, short, **known_as(lab, left, short))


def connected_after_the_start(lab: Lab) -> None:
    left, right = (lab.docker.networks.create(lab.name(short)) for short in ("left", "right"))
    for short, networks in (("hall", (left,)), ("desk", (left, right)), ("vault", (right,))):
        started = app(lab, short)
        for network in networks:
            network.connect(started, aliases=[short])


def desk_is_on_one_side(lab: Lab) -> None:
    left, right = (lab.docker.networks.create(lab.name(short)) for short in ("left", "right"))
    for short, network in (("hall", left), ("desk", left), ("vault", right)):
        lab.wait_ready(app(lab, short, **known_as(lab, network, short)))


def ledger_without_volume(lab: Lab) -> None:
    url = lab.wait_ready(store(lab, "ledger"))
    requests.put(f"{url}/keys/first", data="kept", timeout=5)


def ledger_not_replaced(lab: Lab) -> None:
    url = lab.wait_ready(store(lab, "ledger", volumes=volume(lab, "books")))
    requests.put(f"{url}/keys/first", data="kept", timeout=5)


def ledger_restarted(lab: Lab) -> None:
    ledger_not_replaced(lab)
    ledger = lab.docker.containers.get(lab.name("ledger"))
    ledger.restart()
    lab.wait_ready(ledger)


def ledger_keeps_elsewhere(lab: Lab) -> None:
    store(lab, "ledger", volumes=volume(lab, "books", "/books"))


def ledger_never_got_it(lab: Lab) -> None:
    store(lab, "ledger", volumes=volume(lab, "books"))


def worker_only_restarted(lab: Lab) -> None:
    _, worker = inject(lab, "network")
    worker.restart()


def workshop_on_a_new_volume(lab: Lab) -> None:
    inject(lab, "read-only")
    back = lab.docker.networks.get(lab.name("back"))
    lab.docker.containers.get(lab.name("store")).remove(force=True)
    lab.docker.volumes.get(lab.name("data")).remove()
    store(lab, "store", volumes=volume(lab, "data"), **known_as(lab, back, "store"))


def store_came_back_without_its_name(lab: Lab) -> None:
    inject(lab, "port")
    store(lab, "store", volumes=volume(lab, "data"), network=lab.name("back"))


FAULT_HINTS = {
    "network": "worker is on bridge, store is on back: they share no network",
    "name": "The worker asks for http://warehouse:8080, and on back",
    "port": "which port does the store listen on inside?",
    "path": "The volume data is mounted at /date. Where does store keep its file?",
    "read-only": "it has exited with 1. Its log says why.",
}


class TestNetworksAndVolumes(CheckProof):
    chapter = "06-networks-and-volumes"
    untouched = {
        "06.1": "You have no containers here yet.",
        "06.2": "You have no containers here yet.",
        "06.3": "You have no containers here yet.",
        "06.4": "You have no containers here yet.",
        "06.5": FAULT_HINTS["network"],
    }
    wrong = (
        Wrong("06.1", web_is_published, "The port of web is published on this machine"),
        Wrong("06.1", both_on_the_default_network, "share only bridge, the default network"),
        Wrong("06.1", web_has_no_alias, "nobody on it has the name web"),
        Wrong("06.1", visitor_is_elsewhere, "visitor is on bridge, web is on club"),
        Wrong("06.1", web_listens_elsewhere, "gets no answer at http://web:8080"),
        Wrong("06.2", blue_has_no_greeting, "blue answers 'hello', but should say 'blue'"),
        Wrong("06.2", red_is_published_wrongly, "which port does the application listen on"),
        Wrong("06.2", blue_moved_inside, "red listens on 8080/tcp and blue on 8081/tcp"),
        Wrong("06.3", all_on_one_network, "hall and vault are both on left"),
        Wrong("06.3", connected_after_the_start, "hall and vault are both on bridge"),
        Wrong("06.3", desk_is_on_one_side, "desk is on left, vault is on right"),
        Wrong("06.4", ledger_without_volume, "ledger has not mounted the volume"),
        Wrong("06.4", ledger_not_replaced, "it has not been replaced since"),
        Wrong("06.4", ledger_restarted, "it has not been replaced since"),
        Wrong("06.4", ledger_keeps_elsewhere, "mounted at /books. Where does ledger keep"),
        Wrong("06.4", ledger_never_got_it, "ledger has its volume, and no key first"),
        Wrong("06.5", worker_only_restarted, "they share no network, so the worker waits"),
        Wrong("06.5", workshop_on_a_new_volume, "The store no longer has done-0"),
        Wrong("06.5", store_came_back_without_its_name, "the store does not have that name"),
    )
    repair = "06.5"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault)

    def scene(self, lab: Lab) -> str:
        found = [lab.docker.containers.get(lab.name(short)) for short in ("store", "worker")]
        told = [[c.attrs["Config"]["Env"], c.attrs["HostConfig"]] for c in found]
        return json.dumps(told, sort_keys=True)

    def test_bringing_the_workshop_back_leaves_others_on_the_network(self, exercises: Lab) -> None:
        inject(exercises, "network")
        run(exercises, "visitor", network=exercises.name("back"))
        inject(exercises, "name")
        back = exercises.docker.networks.get(exercises.name("back"))
        names = {str(found.name).removeprefix(exercises.naming.prefix) for found in back.containers}
        assert names == {"store", "visitor", "worker"}
