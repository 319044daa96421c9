"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lab.checks import ecs
from lab.checks.ecs import FAULTS, clear, container_of, inject, register, set_up

from .proof import CheckProof, Wrong

if TYPE_CHECKING:
    from lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

MENU: dict[str, Any] = {
    "stopTimeout": 20,
    "environment": [{"name": "GREETING", "value": "soup and bread"}],
}
SIZE = {"cpu": "512", "memory": "1024"}


def menu(lab: Lab, size: dict[str, str] = SIZE, **changes: Any) -> None:  # noqa: ANN401
    lab.aws("ecs").register_task_definition(
        family="menu",
        containerDefinitions=[container_of("menu", "1", **{**MENU, **changes})],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        **size,
    )


def menu_is_too_big(lab: Lab) -> None:
    menu(lab, {"cpu": "1024", "memory": "2048"})


def menu_greets_nobody(lab: Lab) -> None:
    menu(lab, environment=[])


def menu_is_not_tested(lab: Lab) -> None:
    menu(lab, healthCheck=None)


def menu_asks_at_the_wrong_port(lab: Lab) -> None:
    test = ["CMD-SHELL", "wget -q -O - http://127.0.0.1/health"]
    menu(lab, healthCheck={"command": test, "interval": 5, "retries": 1})


def menu_asks_nothing(lab: Lab) -> None:
    menu(lab, healthCheck={"command": ["CMD-SHELL", "exit 0"], "interval": 5})


def deploy(lab: Lab, name: str, version: str, **changes: Any) -> str:  # noqa: ANN401
    definition = register(lab, name, version, **changes)
    client = lab.aws("ecs")
    client.update_service(cluster=name, service=name, taskDefinition=definition)
    return lab.wait_deployment(client, cluster=name, service=name)


def url_of(lab: Lab, name: str) -> str:
    elb = lab.aws("elbv2")
    [balancer] = elb.describe_load_balancers(Names=[name])["LoadBalancers"]
    found = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
    return f"http://127.0.0.1:{found['Listeners'][0]['Port']}"


def deployed_in_a_hurry(lab: Lab) -> None:
    lab.prepare("12.2")
    load = lab.load(url_of(lab, "kiosk"), seconds=100)
    deploy(lab, "kiosk", "2")
    load.stop()


def deployed_without_a_load(lab: Lab) -> None:
    set_up(lab, "kiosk", balanced=True)
    deploy(lab, "kiosk", "2")


def deployed_without_its_health_check(lab: Lab) -> None:
    set_up(lab, "kiosk", balanced=True)
    deploy(lab, "kiosk", "2", healthCheck=None)


def the_load_came_late(lab: Lab) -> None:
    deployed_without_a_load(lab)
    lab.load(url_of(lab, "kiosk"), seconds=3)
    lab.loads[-1].stop()


def breaker(lab: Lab, *, rollback: bool) -> None:
    set_up(lab, "tickets", balanced=False)
    fuse = {"enable": True, "rollback": rollback}
    lab.aws("ecs").update_service(
        cluster="tickets",
        service="tickets",
        deploymentConfiguration={"deploymentCircuitBreaker": fuse},
    )


def the_fuse_does_not_roll_back(lab: Lab) -> None:
    breaker(lab, rollback=False)
    assert deploy(lab, "tickets", "2", command=["no-such-program"]) == "STOPPED"


def the_fuse_was_not_tried(lab: Lab) -> None:
    breaker(lab, rollback=True)


def the_fuse_has_blown_and_another_version_runs(lab: Lab) -> None:
    breaker(lab, rollback=True)
    deploy(lab, "tickets", "2", command=["no-such-program"])
    deploy(lab, "tickets", "2")


def the_fair(lab: Lab) -> Any:  # noqa: ANN401
    lab.prepare("12.4")
    client = lab.aws("ecs")
    client.delete_service(cluster="fair", service="fair", force=True)
    return client


def only_the_service_is_gone(lab: Lab) -> None:
    the_fair(lab)


def the_balancer_is_forgotten(lab: Lab) -> None:
    client = the_fair(lab)
    client.get_waiter("services_inactive").wait(
        cluster="fair", services=["fair"], WaiterConfig=ecs.QUICK
    )
    client.delete_cluster(cluster="fair")


def the_definition_is_forgotten(lab: Lab) -> None:
    the_fair(lab)
    register(lab, "fair", "1")
    clear(lab, "fair")
    register(lab, "fair", "1")


def everything_is_gone(lab: Lab) -> None:
    the_fair(lab)
    clear(lab, "fair")
    clear(lab, "stand")


def market(lab: Lab, **options: Any) -> None:  # noqa: ANN401
    set_up(lab, "market", balanced=True, **{"version": "2", **options})


def the_market_has_one_task(lab: Lab) -> None:
    market(lab, desiredCount=1)


def the_market_is_not_tested(lab: Lab) -> None:
    market(lab, changes={"healthCheck": None})


def the_market_asks_nothing(lab: Lab) -> None:
    market(lab, changes={"healthCheck": {"command": ["CMD-SHELL", "exit 0"], "interval": 5}})


def the_market_is_version_1(lab: Lab) -> None:
    market(lab, version="1")


FAULT_HINTS = {
    "image": "CannotPullContainerError",
    "command": "CannotStartContainerError",
    "memory": "OutOfMemoryError",
    "health": "Task failed container health checks",
    "port": "Task failed ELB health checks",
}


class TestEcs(CheckProof):
    chapter = "12-ecs"
    untouched = {
        "12.1": "no active task definition of the family menu",
        "12.2": "they come from: 1",
        "12.3": "The circuit breaker of the service tickets is off",
        "12.4": "The cluster fair is still ACTIVE, with its service",
        "12.5": FAULT_HINTS["image"],
    }
    wrong = (
        Wrong("12.1", menu_is_too_big, "has cpu 1024: half a vCPU"),
        Wrong("12.1", menu_greets_nobody, "has GREETING = None"),
        Wrong("12.1", menu_is_not_tested, "does not look at that of the image"),
        Wrong("12.1", menu_asks_at_the_wrong_port, "what does its health check ask"),
        Wrong("12.1", menu_asks_nothing, "does not ask for /health: CMD-SHELL exit 0"),
        Wrong("12.2", deployed_without_its_health_check, "also differs in: healthCheck"),
        Wrong("12.2", deployed_in_a_hurry, "How many tasks may be missing during a deployment?"),
        Wrong("12.2", deployed_without_a_load, "no load has run at the load balancer"),
        Wrong("12.2", the_load_came_late, "seen the version 2 only"),
        Wrong("12.3", the_fuse_does_not_roll_back, "does not roll back: the newest deployment is"),
        Wrong("12.3", the_fuse_was_not_tried, "It is set, and not proved"),
        Wrong("12.3", the_fuse_has_blown_and_another_version_runs, "with VERSION = '2'"),
        Wrong("12.4", only_the_service_is_gone, "The cluster fair is still ACTIVE"),
        Wrong("12.4", the_balancer_is_forgotten, "AWS would bill it by the hour"),
        Wrong("12.4", the_definition_is_forgotten, "a task definition goes by being deregistered"),
        Wrong("12.4", everything_is_gone, "was to stay as it is"),
        Wrong("12.5", the_market_has_one_task, "market asks for 1 tasks"),
        Wrong("12.5", the_market_is_not_tested, "steady without a health check"),
        Wrong("12.5", the_market_asks_nothing, "It is steady, and has a health check that"),
        Wrong("12.5", the_market_is_version_1, "Version 2 should answer"),
    )
    repair = "12.5"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault)

    def scene(self, lab: Lab) -> str:
        client = lab.aws("ecs")
        definition = client.describe_task_definition(taskDefinition="market")["taskDefinition"]
        return json.dumps(definition["containerDefinitions"], sort_keys=True)


def test_each_fault_is_known() -> None:
    assert sorted(FAULTS) == sorted(FAULT_HINTS)
