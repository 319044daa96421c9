from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.aws.ecs.instances import agent_settings
from lab.aws.errors import AwsError

from .records import ask, definition, ecs_with_cluster, host, task_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.aws.ecs.state import Cluster, Ecs

Json = dict[str, Any]
INVALID = "InvalidParameterException"


@pytest.fixture
def place() -> Iterator[tuple[Ecs, Cluster]]:
    with ecs_with_cluster() as made:
        yield made


def mark(target: str, name: str = "disk", value: str | None = "fast", **more: str) -> Json:
    made = {"name": name, "targetId": target, **more}
    return made if value is None else made | {"value": value}


def refused(ecs: Ecs, operation: str, **request: Any) -> AwsError:  # noqa: ANN401  # any request
    with pytest.raises(AwsError) as refusal:
        ask(ecs, operation, **request)
    return refusal.value


def test_wrong_attributes_are_refused(place: tuple[Ecs, Cluster]) -> None:
    ecs, one = place[0], host(*place)
    wrong = {
        "The targetId of an attribute is required": mark(""),
        "The targetType is required": mark(one.id),
        "The attribute name": mark(one.arn, "a disk"),
        "The attribute value": mark(one.arn, value=" fast"),
        "is set by Amazon ECS": mark(one.arn, "ecs.instance-type"),
    }
    for message, attribute in wrong.items():
        error = refused(ecs, "PutAttributes", attributes=[attribute])
        assert (error.code, message in error.message) == (INVALID, True)
    assert refused(ecs, "PutAttributes", attributes=[mark(one.arn)] * 11).code == INVALID
    assert refused(ecs, "PutAttributes", attributes=[]).code == INVALID
    error = refused(ecs, "PutAttributes", attributes=[mark("arn:none/web/1")])
    assert error.code == "TargetNotFoundException"
    error = refused(ecs, "DeleteAttributes", attributes=[mark(one.arn, "ecs.instance-type")])
    assert error.code == INVALID
    assert refused(ecs, "ListAttributes", attributeValue="fast").code == INVALID
    assert "disk" not in one.attributes


def test_an_instance_has_at_most_ten_attributes_of_ones_own(place: tuple[Ecs, Cluster]) -> None:
    ecs, one = place[0], host(*place)
    ask(ecs, "PutAttributes", attributes=[mark(one.arn, f"a{n}") for n in range(10)])
    ask(ecs, "PutAttributes", attributes=[mark(one.arn, "a1", "changed")])
    error = refused(ecs, "PutAttributes", attributes=[mark(one.arn, "one-more")])
    assert error.code == "AttributeLimitExceededException"
    assert one.attributes["a1"] == "changed"


def test_attributes_are_put_listed_and_deleted(place: tuple[Ecs, Cluster]) -> None:
    ecs, one, _ = place[0], host(*place), host(*place)
    short = mark(one.id, "marked", None, targetType="container-instance")
    answer = ask(ecs, "PutAttributes", attributes=[mark(one.arn), short])
    expected = [
        {"name": "disk", "value": "fast", "targetId": one.arn},
        {"name": "marked", "targetId": one.arn},
    ]
    assert answer["attributes"] == expected
    found = ask(ecs, "ListAttributes", targetType="container-instance", attributeName="disk")
    assert found["attributes"] == expected[:1]
    gone = ask(ecs, "DeleteAttributes", attributes=[mark(one.arn, value=None)] * 2)
    assert gone["attributes"] == expected[:1]
    assert "disk" not in one.attributes


def test_wrong_states_are_refused(place: tuple[Ecs, Cluster]) -> None:
    ecs, one = place[0], host(*place)
    change = "UpdateContainerInstancesState"
    error = refused(ecs, change, containerInstances=[one.arn], status="DEREGISTERING")
    assert error.code == INVALID
    error = refused(ecs, change, containerInstances=[one.arn] * 11, status="DRAINING")
    assert error.code == INVALID
    answer = ask(ecs, change, containerInstances=[one.id, "none"], status="DRAINING")
    assert [found["status"] for found in answer["containerInstances"]] == ["DRAINING"]
    assert [found["reason"] for found in answer["failures"]] == ["MISSING"]


def test_instances_are_found_by_an_expression(place: tuple[Ecs, Cluster]) -> None:
    ecs, one, _ = place[0], host(*place, attributes={"disk": "fast"}), host(*place)
    found = ask(ecs, "ListContainerInstances", filter="attribute:disk == fast")
    assert found["containerInstanceArns"] == [one.arn]
    assert refused(ecs, "ListContainerInstances", filter="disk").code == INVALID


def test_instance_with_tasks_is_deregistered_by_force_alone(place: tuple[Ecs, Cluster]) -> None:
    ecs, one = place[0], host(*place)
    task = task_on(ecs, one, definition())
    gone = "DeregisterContainerInstance"
    assert refused(ecs, gone, containerInstance="none").code == INVALID
    assert "running tasks" in refused(ecs, gone, containerInstance=one.arn).message
    answer = ask(ecs, gone, containerInstance=one.arn, force=True)
    assert answer["containerInstance"]["status"] == "INACTIVE"
    assert ask(ecs, "DescribeTasks", tasks=[task.arn])["failures"][0]["reason"] == "MISSING"
    assert not task.stop_asked.is_set()
    found = ask(ecs, "DescribeContainerInstances", containerInstances=[one.id])
    assert found["containerInstances"][0]["status"] == "INACTIVE"
    again = ask(ecs, "UpdateContainerInstancesState", containerInstances=[one.id], status="ACTIVE")
    assert again["failures"][0]["reason"] == "INACTIVE"


def test_tasks_start_on_named_instances_only(place: tuple[Ecs, Cluster]) -> None:
    ecs, one, small = place[0], host(*place), host(*place, cpu=128)
    ecs.families["app"] = [definition()]
    gone = host(*place)
    ask(ecs, "DeregisterContainerInstance", containerInstance=gone.arn)
    names = [one.id, small.arn, gone.arn, "none"]
    answer = ask(ecs, "StartTask", taskDefinition="app", containerInstances=names)
    assert [task["containerInstanceArn"] for task in answer["tasks"]] == [one.arn]
    reasons = [failure["reason"] for failure in answer["failures"]]
    assert reasons == ["RESOURCE:CPU", "INACTIVE", "MISSING"]
    few = refused(ecs, "StartTask", taskDefinition="app", containerInstances=[])
    many = refused(ecs, "StartTask", taskDefinition="app", containerInstances=[one.id] * 11)
    assert (few.code, many.code) == (INVALID, INVALID)


def test_tasks_are_not_run_in_a_cluster_without_instances(place: tuple[Ecs, Cluster]) -> None:
    ecs = place[0]
    ecs.families["app"] = [definition()]
    error = refused(ecs, "RunTask", taskDefinition="app", launchType="EC2")
    assert error.message == "No Container Instances were found in your cluster."


def test_free_ports_are_those_that_nobody_has(place: tuple[Ecs, Cluster]) -> None:
    one = host(*place)
    dynamic = [{"containerPort": 80}, {"containerPort": 81, "hostPort": 0, "protocol": "udp"}]
    fixed = definition("fixed", portMappings=[{"containerPort": 80, "hostPort": 32768}])
    task_on(place[0], one, fixed)
    task = task_on(place[0], one, definition(portMappings=dynamic))
    [container] = task.containers
    bound = one.bind(task, container, "172.31.0.20")
    ports = [(b["containerPort"], b["hostPort"], b["protocol"]) for b in bound]
    assert ports == [(80, 32769, "tcp"), (81, 32768, "udp")]
    assert place[0].address_of(one.instance_id, 32769) == ("172.31.0.20", 80)
    assert place[0].address_of("172.31.0.9", 80) == ("172.31.0.9", 80)
    task.move("STOPPED")
    assert (one.bindings, one.ports("udp")) == ({}, set())


def test_range_of_ports_gets_free_ports_in_a_row(place: tuple[Ecs, Cluster]) -> None:
    one = host(*place)
    fixed = definition("fixed", portMappings=[{"containerPort": 80, "hostPort": 32769}])
    task_on(place[0], one, fixed)
    task = task_on(place[0], one, definition(portMappings=[{"containerPortRange": "8000-8002"}]))
    [bound] = one.bind(task, task.containers[0], "172.31.0.20")
    assert (bound["containerPortRange"], bound["hostPortRange"]) == ("8000-8002", "32770-32772")
    assert place[0].address_of(one.instance_id, 32772) == ("172.31.0.20", 8002)


@pytest.mark.parametrize(
    ("user_data", "settings"),
    [
        ("", {}),
        ("#!/bin/bash\nyum update", {}),
        ("# ECS_CLUSTER=old\necho ECS_CLUSTER=web>>f", {"ECS_CLUSTER": "web"}),
        ("echo 'ECS_CLUSTER=web' >> f", {"ECS_CLUSTER": "web"}),
        ('echo "ECS_CLUSTER=web" >> f', {"ECS_CLUSTER": "web"}),
        ('ECS_CLUSTER="web"', {"ECS_CLUSTER": "web"}),
        ("ECS_CLUSTER=old\nECS_CLUSTER=new", {"ECS_CLUSTER": "new"}),
        (
            'cat <<E >> f\nECS_CLUSTER=web\nECS_INSTANCE_ATTRIBUTES={"disk": "fast"}\nE',
            {"ECS_CLUSTER": "web", "ECS_INSTANCE_ATTRIBUTES": '{"disk": "fast"}'},
        ),
        (
            r'echo "ECS_INSTANCE_ATTRIBUTES={\"disk\":\"fast\"}" >> f',
            {"ECS_INSTANCE_ATTRIBUTES": '{"disk":"fast"}'},
        ),
    ],
)
def test_agent_reads_its_settings_from_user_data(user_data: str, settings: dict[str, str]) -> None:
    assert agent_settings(user_data) == settings
