"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from docker.types import ServiceMode, UpdateConfig

from lab.checks.deployments_and_scheduling import BOTH, NEEDS_MB, inject

from .proof import APP, CheckProof, Wrong, run

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.engine

SLOW = {"VERSION": "2", "START_SECONDS": "2"}
GREEN = BOTH.replace("default_backend web", "default_backend green")
PLACES = {"db": "a", "web-1": "b", "web-2": "c", "cache": "b", "mail": "c", "batch": "b"}


def begin(lab: Lab, number: str) -> Any:  # noqa: ANN401
    lab.prepare(number)
    return lab.load(lab.wait_ready(lab.docker.containers.get(lab.name("proxy"))))


def web(lab: Lab, short: str, environment: dict[str, str]) -> None:
    front = lab.name("front")
    role = lab.docker.api.create_endpoint_config(aliases=["web"])
    started = run(
        lab,
        short,
        None,
        image=APP,
        network=front,
        networking_config={front: role},
        environment=environment,
    )
    lab.wait_for(started, "State.Health.Status", "healthy")


def stop(lab: Lab, *shorts: str) -> None:
    for short in shorts:
        lab.docker.containers.get(lab.name(short)).stop()


def roll(lab: Lab, environment: dict[str, str]) -> None:
    for number in (1, 2):
        web(lab, f"new-{number}", environment)
        stop(lab, f"web-{number}")


def the_old_ones_went_first(lab: Lab) -> None:
    load = begin(lab, "09.1")
    stop(lab, "web-1", "web-2")
    for number in (1, 2):
        web(lab, f"new-{number}", SLOW)
    load.stop()


def one_old_copy_is_left(lab: Lab) -> None:
    load = begin(lab, "09.1")
    web(lab, "new-1", SLOW)
    stop(lab, "web-1")
    load.stop()


def one_new_copy_only(lab: Lab) -> None:
    load = begin(lab, "09.1")
    web(lab, "new-1", SLOW)
    stop(lab, "web-1", "web-2")
    time.sleep(1)
    load.stop()


def version_2_starts_at_once(lab: Lab) -> None:
    load = begin(lab, "09.1")
    roll(lab, {"VERSION": "2"})
    load.stop()


def nobody_asked_meanwhile(lab: Lab) -> None:
    lab.prepare("09.1")
    roll(lab, SLOW)


def the_load_began_too_late(lab: Lab) -> None:
    lab.prepare("09.1")
    roll(lab, SLOW)
    load = lab.load(lab.wait_ready(lab.docker.containers.get(lab.name("proxy"))))
    time.sleep(2)
    load.stop()


def lead_over(lab: Lab, rules: str) -> None:
    proxy = lab.docker.containers.get(lab.name("proxy"))
    for chosen in (BOTH, rules):
        assert proxy.exec_run("proxy reload", environment={"RULES": chosen}).exit_code == 0
        time.sleep(1)


def only_described(lab: Lab) -> None:
    load = begin(lab, "09.2")
    lead_over(lab, BOTH)
    load.stop()


def the_proxy_was_started_anew(lab: Lab) -> None:
    load = begin(lab, "09.2")
    url = lab.wait_ready(lab.docker.containers.get(lab.name("proxy")))
    port = {"8080/tcp": ("127.0.0.1", url.rpartition(":")[2])}
    rules = {"RULES": GREEN}
    proxy = run(
        lab,
        "proxy",
        None,
        image="course/proxy:1",
        network=lab.name("front"),
        environment=rules,
        ports=port,
        init=False,
    )
    lab.wait_ready(proxy)
    time.sleep(1)
    load.stop()


def blue_was_forgotten(lab: Lab) -> None:
    load = begin(lab, "09.2")
    alone = re.sub(r"backend web\n(    .*\n)+", "", GREEN)
    assert alone.count("backend ") < GREEN.count("backend ")
    lead_over(lab, alone)
    load.stop()


def blue_was_stopped(lab: Lab) -> None:
    load = begin(lab, "09.2")
    lead_over(lab, GREEN)
    stop(lab, "blue-1", "blue-2")
    load.stop()


def put(lab: Lab, places: dict[str, str], **megabytes: int) -> None:
    for short, host in places.items():
        need = megabytes.get(short, NEEDS_MB[short])
        labels = {"host": host} if host else {}
        run(lab, short, labels=labels, mem_limit=f"{need}m")


def db_is_missing(lab: Lab) -> None:
    put(lab, {short: host for short, host in PLACES.items() if short != "db"})


def db_has_no_host(lab: Lab) -> None:
    put(lab, {**PLACES, "db": ""})


def spread_from_the_top(lab: Lab) -> None:
    put(
        lab,
        {"web-1": "a", "web-2": "b", "cache": "c", "mail": "a", "batch": "b", "db": "c"},
    )


def packed_from_the_top(lab: Lab) -> None:
    put(lab, {"web-1": "a", "web-2": "a", "cache": "b", "mail": "b", "batch": "a", "db": "c"})


def db_got_less(lab: Lab) -> None:
    put(lab, PLACES, db=128)


def serve(lab: Lab, action: str | None) -> Any:  # noqa: ANN401
    lab.swarm()
    careful = UpdateConfig(parallelism=1, failure_action=action or "pause", monitor=1_000_000_000)
    service = lab.docker.services.create(
        APP,
        name=lab.name("web"),
        env=["VERSION=1"],
        mode=ServiceMode("replicated", replicas=2),
        update_config=careful if action else None,
    )
    lab.wait_tasks(service, 2)
    return service


def no_net_at_all(lab: Lab) -> None:
    service = serve(lab, None)
    service.update(env=["VERSION=3", "START_EXIT=1"])
    assert lab.wait_update(service) == "paused"


def never_updated(lab: Lab) -> None:
    serve(lab, "rollback")


def a_good_version(lab: Lab) -> None:
    service = serve(lab, "rollback")
    service.update(env=["VERSION=3"])
    assert lab.wait_update(service) == "completed"


def a_swarm_and_no_service(lab: Lab) -> None:
    lab.swarm()


def door_only_restarted(lab: Lab) -> None:
    inject(lab, "health").restart()


def shop_1_was_stopped(lab: Lab) -> None:
    inject(lab, "health")
    stop(lab, "shop-1")


def nobody_checks_shop_2(lab: Lab) -> None:
    inject(lab, "start")
    front = lab.name("front")
    role = lab.docker.api.create_endpoint_config(aliases=["web"])
    options = {"network": front, "networking_config": {front: role}, "environment": SLOW}
    run(lab, "shop-2", None, image=APP, healthcheck={"test": ["NONE"]}, **options)


FAULT_HINTS = {
    "health": "at which path and at which port, and what would they say?",
    "port": "at which path and at which port, and what would they say?",
    "memory": "it may take 24 MB, and needs 96 MB under load",
    "start": "The last line in its log: 'this start takes 600 s'",
    "name": "does the door find it under the name web?",
}


class TestDeploymentsAndScheduling(CheckProof):
    chapter = "09-deployments-and-scheduling"
    untouched = {
        "09.1": "all should come from version 2; by version: 1: 12",
        "09.2": "It should be version 2 alone",
        "09.3": "You have no containers here yet.",
        "09.4": "You have no swarm here yet",
        "09.5": FAULT_HINTS["health"],
    }
    wrong = (
        Wrong("09.1", the_old_ones_went_first, "requests were lost"),
        Wrong("09.1", one_old_copy_is_left, "all should come from version 2; by version: 1: "),
        Wrong("09.1", one_new_copy_only, "Two copies should answer, and 1 did"),
        Wrong("09.1", version_2_starts_at_once, "this version 2 should need 2 seconds"),
        Wrong("09.1", nobody_asked_meanwhile, "Nobody has sent requests to the proxy meanwhile"),
        Wrong("09.1", the_load_began_too_late, "the last load has seen 2 only"),
        Wrong("09.2", only_described, "which backend do the rules that are in force name"),
        Wrong("09.2", the_proxy_was_started_anew, "a proxy that is started anew"),
        Wrong("09.2", blue_was_forgotten, "know one backend only"),
        Wrong("09.2", blue_was_stopped, "Without it there is no way back"),
        Wrong("09.3", db_is_missing, "No container has the name"),
        Wrong("09.3", db_has_no_host, "db has no label host"),
        Wrong("09.3", spread_from_the_top, "Host c has 256 MB, and 320 MB were promised on it"),
        Wrong("09.3", packed_from_the_top, "both copies of web are on host a"),
        Wrong("09.3", db_got_less, "db may take 128 MB, and was to get 224 MB"),
        Wrong("09.4", no_net_at_all, "After a failed update this service would pause"),
        Wrong("09.4", never_updated, "The service was never updated"),
        Wrong("09.4", a_good_version, "The last update ended as 'completed'"),
        Wrong("09.4", a_swarm_and_no_service, "No service has the name"),
        Wrong("09.5", door_only_restarted, "what would they say?"),
        Wrong("09.5", shop_1_was_stopped, "shop-1 should run, but it has exited"),
        Wrong("09.5", nobody_checks_shop_2, "shop-2 runs and is not checked by anybody"),
    )
    repair = "09.5"
    faults = FAULT_HINTS
    swarm = ("09.4",)

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault)

    def scene(self, lab: Lab) -> str:
        names = [lab.name(short) for short in ("door", "shop-1", "shop-2")]
        found = [lab.docker.containers.get(name).attrs for name in names]
        told = [[one["Config"]["Env"], one["HostConfig"]["Memory"]] for one in found]
        return json.dumps(told, sort_keys=True)
