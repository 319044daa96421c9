from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from lab.aws.ecs.placement import place_on_hosts, refuse_bad_placement, why_no_room
from lab.aws.errors import AwsError

from .records import definition, ecs_with_cluster, host, task_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.state import Cluster, Ecs, TaskDefinition

Json = dict[str, Any]
SPREAD = {"type": "spread", "field": "instanceId"}
OVER_ZONES = {"type": "spread", "field": "attribute:ecs.availability-zone"}
DISTINCT = {"type": "distinctInstance"}


@pytest.fixture
def place() -> Iterator[tuple[Ecs, Cluster]]:
    with ecs_with_cluster() as made:
        yield made


def placed(
    place: tuple[Ecs, Cluster],
    count: int,
    *strategies: Json,
    of: TaskDefinition | None = None,
    **more: Any,  # noqa: ANN401  # any member of the request
) -> tuple[list[Host], list[str]]:
    request = {"placementStrategy": list(strategies), **more}
    found, failures = place_on_hosts(*place, of or definition(), count, request)
    return found, [failure["reason"] for failure in failures]


@pytest.mark.parametrize(
    ("request_", "launch_type", "message"),
    [
        ({"placementStrategy": [SPREAD]}, "FARGATE", "not supported with FARGATE"),
        ({"placementConstraints": [DISTINCT]}, "FARGATE", "not supported with FARGATE"),
        ({"placementStrategy": [SPREAD] * 6}, "EC2", "maximum of 5"),
        ({"placementConstraints": [DISTINCT] * 11}, "EC2", "maximum of 10"),
        ({"placementStrategy": [{"field": "cpu"}]}, "EC2", "type of a placement strategy"),
        ({"placementStrategy": [{"type": "binpack"}]}, "EC2", "not valid for binpack"),
        (
            {"placementStrategy": [{"type": "binpack", "field": "disk"}]},
            "EC2",
            "not valid for binpack",
        ),
        ({"placementStrategy": [{"type": "spread"}]}, "EC2", "not valid for spread"),
        (
            {"placementStrategy": [{"type": "spread", "field": "attribute:"}]},
            "EC2",
            "not valid for spread",
        ),
        (
            {"placementStrategy": [SPREAD], "schedulingStrategy": "DAEMON"},
            "EC2",
            "DAEMON scheduling strategy",
        ),
        ({"placementConstraints": [{}]}, "EC2", "type of a placement constraint"),
        (
            {"placementConstraints": [DISTINCT | {"expression": "agentConnected == true"}]},
            "EC2",
            "can't be specified for the constraint distinctInstance",
        ),
        ({"placementConstraints": [{"type": "memberOf"}]}, "EC2", "An expression is required"),
        (
            {"placementConstraints": [{"type": "memberOf", "expression": "nonsense"}]},
            "EC2",
            "Invalid expression",
        ),
    ],
)
def test_bad_placement_is_refused(request_: Json, launch_type: str, message: str) -> None:
    with pytest.raises(AwsError) as refusal:
        refuse_bad_placement(definition(), request_, launch_type)
    assert refusal.value.code == "InvalidParameterException"
    assert message in refusal.value.message


def test_without_instances_there_is_no_place(place: tuple[Ecs, Cluster]) -> None:
    hosts, reasons = placed(place, 2)
    assert hosts == []
    assert reasons == ["No Container Instances were found in your cluster."] * 2


def test_reason_is_of_the_instance_that_comes_nearest(place: tuple[Ecs, Cluster]) -> None:
    host(*place, agent_connected=False)
    assert placed(place, 1)[1] == ["AGENT"]
    host(*place, cpu=128)
    assert placed(place, 1)[1] == ["RESOURCE:CPU"]
    host(*place, memory=128)
    assert placed(place, 1)[1] == ["RESOURCE:MEMORY"]
    one = host(*place)
    fixed = definition(portMappings=[{"containerPort": 80, "hostPort": 8080}])
    assert placed(place, 1, of=fixed) == ([one], [])
    task_on(place[0], one, fixed)
    assert placed(place, 1, of=fixed)[1] == ["RESOURCE:PORTS"]


def test_port_of_the_agent_is_taken(place: tuple[Ecs, Cluster]) -> None:
    host(*place)
    fixed = definition(portMappings=[{"containerPort": 22, "hostPort": 22}])
    assert placed(place, 1, of=fixed)[1] == ["RESOURCE:PORTS"]
    udp = definition(portMappings=[{"containerPort": 22, "hostPort": 22, "protocol": "udp"}])
    assert placed(place, 1, of=udp)[1] == []


def test_fixed_port_is_there_once_within_one_request(place: tuple[Ecs, Cluster]) -> None:
    host(*place)
    fixed = definition(portMappings=[{"containerPort": 80, "hostPort": 8080}])
    hosts, reasons = placed(place, 2, of=fixed)
    assert (len(hosts), reasons) == (1, ["RESOURCE:PORTS"])


def test_instance_has_few_network_interfaces(place: tuple[Ecs, Cluster]) -> None:
    host(*place)
    hosts, reasons = placed(place, 3, of=definition(mode="awsvpc"))
    assert (len(hosts), reasons) == (2, ["RESOURCE:ENI"])


def test_capacity_is_given_once_within_one_request(place: tuple[Ecs, Cluster]) -> None:
    host(*place)
    hosts, reasons = placed(place, 5)
    assert (len(hosts), reasons) == (4, ["RESOURCE:CPU"])


def test_draining_instance_is_left_out(place: tuple[Ecs, Cluster]) -> None:
    host(*place, status="DRAINING")
    one = host(*place)
    assert set(placed(place, 4)[0]) == {one}


def test_task_that_stops_gives_its_share_back(place: tuple[Ecs, Cluster]) -> None:
    one = host(*place)
    task = task_on(place[0], one, definition(cpu=2048))
    assert placed(place, 1)[1] == ["RESOURCE:CPU"]
    task.move("STOPPED")
    assert placed(place, 1)[0] == [one]


def test_strategies_follow_one_another(place: tuple[Ecs, Cluster]) -> None:
    a1, a2 = host(*place), host(*place)
    b = host(*place, zone="us-east-1b")
    small = definition(cpu=128, memory=128)
    counts = Counter(placed(place, 8, OVER_ZONES, SPREAD, of=small)[0])
    assert counts == {a1: 2, a2: 2, b: 4}
    counts = Counter(placed(place, 8, OVER_ZONES, {"type": "binpack", "field": "cpu"}, of=small)[0])
    assert sorted(counts.values()) == [4, 4]
    assert b in counts


def test_spread_counts_the_tasks_of_the_group_alone(place: tuple[Ecs, Cluster]) -> None:
    one, other = host(*place), host(*place)
    for _ in range(3):
        task_on(place[0], one, definition("db", cpu=10), group="family:db")
    counts = Counter(placed(place, 2, SPREAD)[0])
    assert counts == {one: 1, other: 1}


def test_service_spreads_over_zones_by_itself(place: tuple[Ecs, Cluster]) -> None:
    hosts = {host(*place), host(*place, zone="us-east-1b")}
    assert set(placed(place, 2, serviceName="web")[0]) == hosts


def test_constraints_of_the_definition_hold_too(place: tuple[Ecs, Cluster]) -> None:
    host(*place)
    fast = host(*place, attributes={"disk": "fast"})
    bound = definition()
    there = {"type": "memberOf", "expression": "attribute:disk == fast"}
    bound.form["placementConstraints"] = [there]
    assert placed(place, 2, of=bound)[0] == [fast, fast]
    nowhere = {"type": "memberOf", "expression": "attribute:disk == none"}
    reasons = placed(place, 1, of=bound, placementConstraints=[nowhere])[1]
    assert reasons == ["MemberOf placement constraint unsatisfied."]


def test_attributes_that_the_definition_needs_must_be_there(place: tuple[Ecs, Cluster]) -> None:
    host(*place)
    needy = definition()
    needy.form["requiresAttributes"] = [{"name": "ecs.capability.efs"}]
    assert placed(place, 1, of=needy)[1] == ["ATTRIBUTE"]
    able = host(*place, attributes={"ecs.capability.efs": None})
    assert placed(place, 1, of=needy)[0] == [able]


def test_bad_constraint_of_the_definition_is_refused() -> None:
    wrong = definition()
    wrong.form["placementConstraints"] = [{"type": "memberOf", "expression": "nonsense"}]
    with pytest.raises(AwsError, match="Invalid expression"):
        refuse_bad_placement(wrong, {}, "EC2")


def test_distinct_instances_look_at_the_tasks_that_are_there(place: tuple[Ecs, Cluster]) -> None:
    one = host(*place)
    task_on(place[0], one, definition())
    reasons = placed(place, 1, placementConstraints=[DISTINCT])[1]
    assert reasons == ["DistinctInstance placement constraint unsatisfied."]
    other_group = placed(place, 1, placementConstraints=[DISTINCT], group="another")
    assert other_group == ([one], [])


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ({"reason": "No Container Instances were found in your cluster."}, "Reason: No Container"),
        ({"arn": "a/b/c1", "reason": "RESOURCE:CPU"}, "c1) has insufficient CPU units available."),
        ({"arn": "a/b/c1", "reason": "RESOURCE:MEMORY"}, "c1) has insufficient memory available."),
        ({"arn": "a/b/c1", "reason": "RESOURCE:PORTS"}, "already using a port required by your"),
        ({"arn": "a/b/c1", "reason": "AGENT"}, 'c1) encountered error "AGENT".'),
    ],
)
def test_events_say_why(failure: Json, words: str) -> None:
    assert words in why_no_room(failure)
