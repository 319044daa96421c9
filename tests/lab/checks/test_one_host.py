"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from lab.checks.one_host import inject

from .proof import APP, PORT, CheckProof, Wrong, run

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.engine

DEPLOYMENTS = 5


def app(lab: Lab, short: str, policy: str = "no", **options: Any) -> Any:  # noqa: ANN401
    options = {"ports": PORT, "restart_policy": {"Name": policy}, **options}
    return run(lab, short, None, image=APP, **options)


def crash(lab: Lab, found: Any) -> None:  # noqa: ANN401
    requests.post(f"{lab.wait_ready(found)}/crash?code=1", timeout=5)


def version_2(lab: Lab, short: str, **options: Any) -> Any:  # noqa: ANN401
    environment = {"VERSION": "2"} | options.pop("environment", {})
    started = app(lab, short, environment=environment, **options)
    lab.wait_ready(started)
    return started


def store(lab: Lab, policy: str = "always", **options: Any) -> None:  # noqa: ANN401
    back = lab.docker.networks.create(lab.name("back"))
    role = lab.docker.api.create_endpoint_config(aliases=["store"])
    started = run(
        lab,
        "store",
        "python3 store.py",
        image=APP,
        ports=PORT,
        restart_policy={"Name": policy},
        network=back.name,
        **{"networking_config": {back.name: role}, **options},
    )
    lab.wait_log(started, "listens")


def worker(lab: Lab, policy: str = "always", **options: Any) -> None:  # noqa: ANN401
    options = {"network": lab.name("back"), "healthcheck": {"test": ["NONE"]}, **options}
    policies = {"Name": policy}
    run(lab, "worker", "python3 worker.py", image=APP, restart_policy=policies, **options)


def volume(lab: Lab) -> dict[str, Any]:
    return {lab.name("data"): {"bind": "/data", "mode": "rw"}}


def steady_has_no_policy(lab: Lab) -> None:
    steady = app(lab, "steady")
    crash(lab, steady)
    lab.wait_for(steady, "status", "exited")


def steady_was_started_by_hand(lab: Lab) -> None:
    steady_has_no_policy(lab)
    steady = lab.docker.containers.get(lab.name("steady"))
    steady.start()
    lab.wait_ready(steady)


def nothing_has_crashed(lab: Lab) -> None:
    for short, policy in (("steady", "always"), ("once", "no")):
        lab.wait_ready(app(lab, short, policy))


def steady_crashed(lab: Lab) -> None:
    steady = app(lab, "steady", "always")
    crash(lab, steady)
    lab.wait_for(steady, "RestartCount", 1)
    lab.wait_ready(steady)


def once_has_a_policy(lab: Lab) -> None:
    steady_crashed(lab)
    crash(lab, app(lab, "once", "on-failure"))


def once_was_killed(lab: Lab) -> None:
    steady_crashed(lab)
    app(lab, "once").kill()
    lab.wait_for(lab.docker.containers.get(lab.name("once")), "status", "exited")


def counter_is_version_1(lab: Lab) -> None:
    lab.wait_ready(app(lab, "counter"))


def counter_has_a_new_address(lab: Lab) -> None:
    version_2(lab, "counter")


def reboot_on_failure(lab: Lab) -> None:
    store(lab, "on-failure", volumes=volume(lab))
    worker(lab)


def reboot_without_a_policy(lab: Lab) -> None:
    store(lab, volumes=volume(lab))
    worker(lab, "no")


def reboot_without_a_volume(lab: Lab) -> None:
    store(lab)
    worker(lab)


def reboot_without_the_name(lab: Lab) -> None:
    store(lab, volumes=volume(lab), networking_config=None)
    worker(lab)


def reboot_with_a_lost_worker(lab: Lab) -> None:
    store(lab, volumes=volume(lab))
    worker(lab, environment={"STORE_URL": "http://stork:8080"})


def copies(lab: Lab, *limits: str | None, **last: Any) -> None:  # noqa: ANN401
    for number, limit in enumerate(limits, start=1):
        options = last if number == len(limits) else {}
        version_2(lab, f"copy-{number}", mem_limit=limit, **options)


def the_third_copy_drifted(lab: Lab) -> None:
    copies(lab, "64m", "64m", "64m", environment={"VERSION": "1"})


def the_third_copy_greets_differently(lab: Lab) -> None:
    copies(lab, "64m", "64m", "64m", environment={"GREETING": "hi"})


def all_copies_are_version_1(lab: Lab) -> None:
    for number in (1, 2, 3):
        lab.wait_ready(app(lab, f"copy-{number}", mem_limit="64m"))


def a_copy_has_no_limit(lab: Lab) -> None:
    copies(lab, "64m", "64m", None)


def too_much_is_promised(lab: Lab) -> None:
    copies(lab, "128m", "128m", "128m")


def shop_only_restarted(lab: Lab) -> None:
    inject(lab, "health").restart()


def shop_without_health_check(lab: Lab) -> None:
    version_2(
        lab,
        "shop",
        policy="always",
        environment={"GREETING": "open"},
        healthcheck={"test": ["NONE"]},
    )


def shop_without_policy(lab: Lab) -> None:
    version_2(lab, "shop", environment={"GREETING": "open"})


FAULT_HINTS = {
    "health": "shop runs and is unhealthy",
    "loop": "shop ends right after each start, with 1",
    "port": "somebody else has the port that it asks for",
    "memory": "The kernel has killed it already, and it came back. shop may take 24 MB",
    "configuration": "says 'hello' where it should say 'open'",
}


class TestOneHost(CheckProof):
    chapter = "07-one-host"
    untouched = {
        "07.1": "You have no containers here yet.",
        "07.2": "You have no containers here yet.",
        "07.3": "You have no containers here yet.",
        "07.4": "You have no containers here yet.",
        "07.5": FAULT_HINTS["health"],
    }
    wrong = (
        Wrong("07.1", steady_has_no_policy, "After its crash nobody has started it"),
        Wrong("07.1", steady_was_started_by_hand, "or because you have started it yourself"),
        Wrong("07.1", nothing_has_crashed, "The engine has never started steady again"),
        Wrong("07.1", once_has_a_policy, "once has the restart policy on-failure"),
        Wrong("07.1", once_was_killed, "once has ended with 137"),
        Wrong("07.2", counter_is_version_1, "version 1 answers, and should be replaced by 2"),
        Wrong("07.2", counter_has_a_new_address, "at a port that the system chose for it"),
        Wrong("07.3", reboot_on_failure, "the start of a machine is no failure"),
        Wrong("07.3", reboot_without_a_policy, "worker has the restart policy no"),
        Wrong("07.3", reboot_without_a_volume, "store has no volume at /data"),
        Wrong("07.3", reboot_without_the_name, "the worker finds no store by the name store"),
        Wrong("07.3", reboot_with_a_lost_worker, "'waits for http://stork:8080'"),
        Wrong("07.4", the_third_copy_drifted, "as their version they say: copy-1 '2', copy-2 '2'"),
        Wrong("07.4", the_third_copy_greets_differently, "as their message they say"),
        Wrong("07.4", all_copies_are_version_1, "All three answer as version 1"),
        Wrong("07.4", a_copy_has_no_limit, "copy-3 has no memory limit"),
        Wrong("07.4", too_much_is_promised, "Together they may take 384 MB"),
        Wrong("07.5", shop_only_restarted, "does its health check ask for the wrong thing?"),
        Wrong("07.5", shop_without_health_check, "shop has no health check"),
        Wrong("07.5", shop_without_policy, "shop has the restart policy no"),
    )
    repair = "07.5"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault)

    def scene(self, lab: Lab) -> str:
        shop = lab.docker.containers.get(lab.name("shop"))
        config = shop.attrs["Config"]
        told = [config["Env"], config["Healthcheck"], shop.attrs["HostConfig"]["Memory"]]
        return json.dumps(told, sort_keys=True)


def test_a_deployment_by_hand_loses_requests_each_time(lab: Lab) -> None:
    web = app(lab, "web")
    url = lab.wait_ready(web)
    ports = {"8080/tcp": ("127.0.0.1", url.rpartition(":")[2])}
    web = app(lab, "web", ports=ports)
    lab.wait_ready(web)
    lost = []
    for _ in range(DEPLOYMENTS):
        load = lab.load(url)
        web.stop()
        web = app(lab, "web", ports=ports, environment={"VERSION": "2"})
        lab.wait_ready(web)
        time.sleep(0.5)
        lost.append(load.stop().lost)
    assert len(lost) == DEPLOYMENTS
    assert all(lost), lost
