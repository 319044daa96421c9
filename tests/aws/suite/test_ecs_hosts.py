"""The EC2 launch type: instances with a capacity, placement, draining, daemons.

An instance joins a cluster as the developer guide says: by a line of its user data.
"""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING

from .account import BAD_REQUEST, container, refused, shell
from .documented import documented

if TYPE_CHECKING:
    from .account import Account, Json

SLEEP = shell("sleep 600")
EC2 = {"launchType": "EC2"}


def sized(aws: Account, **settings: object) -> str:
    small = {"cpu": 128, "memory": 128, "stopTimeout": 2}
    return aws.for_hosts(container(command=SLEEP, **(small | settings)))


def described(aws: Account, cluster: str, arns: list[str]) -> list[Json]:
    found = aws.ecs.describe_container_instances(cluster=cluster, containerInstances=arns)
    assert found["failures"] == []
    return found["containerInstances"]


def amount(instance: Json, kind: str, name: str) -> int:
    return next(r["integerValue"] for r in instance[f"{kind}Resources"] if r["name"] == name)


def spread(aws: Account, cluster: str, arns: list[str]) -> list[int]:
    """Count the tasks by instance, the fullest first."""
    at = [aws.task(cluster, arn)["containerInstanceArn"] for arn in arns]
    return sorted(collections.Counter(at).values(), reverse=True)


def on_hosts(aws: Account, cluster: str, definition: str, count: int, **more: object) -> str:
    form = {"launchType": "EC2", "networkConfiguration": None} | more
    return aws.service(cluster, definition, count, **form)


@documented("ecs/API_ListContainerInstances")
def test_cluster_without_instances_lists_none(aws: Account) -> None:
    """A new cluster has no container instance."""
    found = aws.ecs.list_container_instances(cluster=aws.cluster())
    assert found["containerInstanceArns"] == []


@documented("ecs-guide/api_failures_messages")
def test_unknown_instance_is_missing(aws: Account) -> None:
    """Describing a container instance that is not found is a failure with the reason MISSING."""
    answer = aws.ecs.describe_container_instances(
        cluster=aws.cluster(), containerInstances=["0" * 32]
    )
    assert answer["containerInstances"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


@documented("shape:ecs.PlacementConstraint.expression")
def test_distinct_instance_takes_no_expression(aws: Account) -> None:
    """An expression with the constraint distinctInstance is refused."""
    cluster, definition = aws.cluster(), sized(aws)
    wrong = [{"type": "distinctInstance", "expression": "attribute:zone == a"}]
    with refused(*BAD_REQUEST):
        aws.run_with(cluster, definition, placementConstraints=wrong, **EC2)


@documented("shape:ecs.PlacementStrategy.field")
def test_binpack_is_by_cpu_or_memory(aws: Account) -> None:
    """The placement strategy binpack goes by cpu or memory, and by nothing else."""
    cluster, definition = aws.cluster(), sized(aws)
    wrong = [{"type": "binpack", "field": "disk"}]
    with refused(*BAD_REQUEST):
        aws.run_with(cluster, definition, placementStrategy=wrong, **EC2)


@documented("shape:ecs.RunTaskRequest.placementStrategy")
def test_at_most_five_strategy_rules(aws: Account) -> None:
    """More than five rules of a placement strategy are refused."""
    cluster, definition = aws.cluster(), sized(aws)
    with refused(*BAD_REQUEST):
        aws.run_with(cluster, definition, placementStrategy=[{"type": "random"}] * 6, **EC2)


@documented("ecs-guide/bootstrap_container_instance", runs="hosts")
def test_instance_joins_by_its_user_data(aws: Account) -> None:
    """An instance whose user data names a cluster is an ACTIVE container instance of it."""
    cluster = aws.cluster()
    [arn] = aws.hosts(cluster)
    assert re.search(rf":container-instance/{cluster}/[0-9a-f]{{32}}$", arn)
    [host] = described(aws, cluster, [arn])
    assert (host["status"], host["agentConnected"]) == ("ACTIVE", True)
    assert host["ec2InstanceId"].startswith("i-")
    found = aws.ecs.describe_clusters(clusters=[cluster])["clusters"][0]
    assert found["registeredContainerInstancesCount"] == 1


@documented("shape:ecs.ContainerInstance.registeredResources", runs="hosts")
def test_instance_has_the_capacity_of_its_type(aws: Account) -> None:
    """An instance registers 1,024 CPU units for each vCPU of its type, and most of its memory."""
    cluster = aws.cluster()
    [host] = described(aws, cluster, aws.hosts(cluster))
    assert amount(host, "registered", "CPU") == 2048
    assert 1800 < amount(host, "registered", "MEMORY") <= 2048
    assert amount(host, "remaining", "CPU") == 2048


@documented("shape:ecs.ContainerInstance.attributes", runs="hosts")
def test_instance_has_its_attributes(aws: Account) -> None:
    """An instance has the attributes of its type and of its zone."""
    cluster = aws.cluster()
    [host] = described(aws, cluster, aws.hosts(cluster))
    attributes = {a["name"]: a.get("value") for a in host["attributes"]}
    assert attributes["ecs.instance-type"] == "t3.small"
    assert attributes["ecs.availability-zone"].startswith("us-east-1")


@documented("shape:ecs.ContainerInstance.remainingResources", runs="hosts")
def test_task_takes_from_the_capacity(aws: Account) -> None:
    """A task on an instance takes its cpu and memory from what remains."""
    cluster = aws.cluster()
    hosts = aws.hosts(cluster)
    [before] = described(aws, cluster, hosts)
    [arn] = aws.run_with(cluster, sized(aws, cpu=512, memory=256), **EC2)
    task = aws.reached(cluster, arn, "RUNNING")
    assert task["containerInstanceArn"] == hosts[0]
    assert task["launchType"] == "EC2"
    [after] = described(aws, cluster, hosts)
    for name, taken in (("CPU", 512), ("MEMORY", 256)):
        assert amount(before, "remaining", name) - amount(after, "remaining", name) == taken
    assert after["runningTasksCount"] == 1


@documented("ecs-guide/api_failures_messages", runs="hosts")
def test_no_memory_left_is_a_failure(aws: Account) -> None:
    """A task for which no instance has the memory is a failure: RESOURCE:MEMORY."""
    cluster = aws.cluster()
    aws.hosts(cluster)
    answer = aws.ecs.run_task(cluster=cluster, taskDefinition=sized(aws, memory=9000), **EC2)
    assert answer["tasks"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:MEMORY"]


@documented("ecs-guide/api_failures_messages", runs="hosts")
def test_no_cpu_left_is_a_failure(aws: Account) -> None:
    """A task for which no instance has the CPU is a failure: RESOURCE:CPU."""
    cluster = aws.cluster()
    aws.hosts(cluster)
    answer = aws.ecs.run_task(cluster=cluster, taskDefinition=sized(aws, cpu=4096), **EC2)
    assert answer["tasks"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:CPU"]


@documented("shape:ecs.PlacementStrategy.type", runs="hosts")
def test_spread_goes_over_the_instances(aws: Account) -> None:
    """The strategy spread by instanceId gives each instance the same number of tasks."""
    cluster = aws.cluster()
    aws.hosts(cluster, 2)
    strategy = [{"type": "spread", "field": "instanceId"}]
    arns = aws.run_with(cluster, sized(aws), count=4, placementStrategy=strategy, **EC2)
    assert spread(aws, cluster, arns) == [2, 2]


@documented("shape:ecs.PlacementStrategy.type", runs="hosts")
def test_binpack_fills_one_instance_first(aws: Account) -> None:
    """The strategy binpack by memory puts tasks where the least memory is left."""
    cluster = aws.cluster()
    aws.hosts(cluster, 2)
    strategy = [{"type": "binpack", "field": "memory"}]
    arns = aws.run_with(cluster, sized(aws), count=4, placementStrategy=strategy, **EC2)
    assert spread(aws, cluster, arns) == [4]


@documented("shape:ecs.PlacementConstraint.type", runs="hosts")
def test_distinct_instances_take_one_task_each(aws: Account) -> None:
    """With distinctInstance each task is on an instance of its own, and one too many fails."""
    cluster = aws.cluster()
    aws.hosts(cluster, 2)
    answer = aws.ecs.run_task(
        cluster=cluster,
        taskDefinition=sized(aws),
        count=3,
        placementConstraints=[{"type": "distinctInstance"}],
        **EC2,
    )
    arns = [task["taskArn"] for task in answer["tasks"]]
    for arn in arns:
        aws.afterwards("ecs", "stop_task", cluster=cluster, task=arn)
    assert spread(aws, cluster, arns) == [1, 1]
    assert len(answer["failures"]) == 1


@documented("shape:ecs.PlacementConstraint.type", runs="hosts")
def test_member_of_chooses_by_attribute(aws: Account) -> None:
    """With memberOf, tasks are placed only where the expression holds."""
    cluster = aws.cluster()
    _, chosen = aws.hosts(cluster, 2)
    mark = {"name": "disk", "value": "fast", "targetId": chosen}
    aws.ecs.put_attributes(cluster=cluster, attributes=[mark])
    there = [{"type": "memberOf", "expression": "attribute:disk == fast"}]
    arns = aws.run_with(cluster, sized(aws), count=3, placementConstraints=there, **EC2)
    assert {aws.task(cluster, arn)["containerInstanceArn"] for arn in arns} == {chosen}


@documented("ecs/API_ListAttributes", runs="hosts")
def test_attributes_are_listed_by_name_and_value(aws: Account) -> None:
    """Attributes that were put on an instance are found by name and value."""
    cluster = aws.cluster()
    first, _ = aws.hosts(cluster, 2)
    mark = {"name": "disk", "value": "fast", "targetId": first}
    aws.ecs.put_attributes(cluster=cluster, attributes=[mark])
    found = aws.ecs.list_attributes(
        cluster=cluster,
        targetType="container-instance",
        attributeName="disk",
        attributeValue="fast",
    )["attributes"]
    assert [attribute["targetId"] for attribute in found] == [first]


@documented("ecs/API_StartTask", runs="hosts")
def test_task_can_be_started_on_a_named_instance(aws: Account) -> None:
    """StartTask starts a task on the instance that it names."""
    cluster = aws.cluster()
    _, chosen = aws.hosts(cluster, 2)
    answer = aws.ecs.start_task(
        cluster=cluster, taskDefinition=sized(aws), containerInstances=[chosen]
    )
    [task] = answer["tasks"]
    aws.afterwards("ecs", "stop_task", cluster=cluster, task=task["taskArn"])
    assert task["containerInstanceArn"] == chosen
    aws.reached(cluster, task["taskArn"], "RUNNING")


@documented("shape:ecs.PortMapping.containerPort", runs="hosts")
def test_bridge_gives_a_free_port_of_the_host(aws: Account) -> None:
    """In bridge, a container port without a host port gets one, and each task another."""
    cluster = aws.cluster()
    aws.hosts(cluster)
    web = container(cpu=128, memory=128, portMappings=[{"containerPort": 8080}])
    ports = set()
    for arn in aws.run_with(cluster, aws.for_hosts(web), count=2, **EC2):
        [found] = aws.reached(cluster, arn, "RUNNING")["containers"]
        [binding] = found["networkBindings"]
        assert (binding["containerPort"], binding["protocol"]) == (8080, "tcp")
        ports.add(binding["hostPort"])
    assert len(ports) == 2


@documented("ecs-guide/api_failures_messages", runs="hosts")
def test_fixed_port_is_there_once(aws: Account) -> None:
    """A second task with the same host port has no place on the one instance."""
    cluster = aws.cluster()
    aws.hosts(cluster)
    ports = [{"containerPort": 8080, "hostPort": 38080}]
    definition = sized(aws, portMappings=ports)
    aws.run_with(cluster, definition, **EC2)
    answer = aws.ecs.run_task(cluster=cluster, taskDefinition=definition, **EC2)
    assert answer["tasks"] == []
    [failure] = answer["failures"]
    assert failure["reason"].startswith("RESOURCE:PORTS")


@documented("ecs/API_UpdateContainerInstancesState", runs="hosts")
def test_draining_instance_takes_no_task(aws: Account) -> None:
    """No new task is placed on an instance that is DRAINING."""
    cluster = aws.cluster()
    drained, other = aws.hosts(cluster, 2)
    aws.ecs.update_container_instances_state(
        cluster=cluster, containerInstances=[drained], status="DRAINING"
    )
    [host] = described(aws, cluster, [drained])
    assert host["status"] == "DRAINING"
    arns = aws.run_with(cluster, sized(aws), count=3, **EC2)
    assert {aws.task(cluster, arn)["containerInstanceArn"] for arn in arns} == {other}


@documented("ecs/API_UpdateContainerInstancesState", runs="hosts")
def test_drained_service_tasks_move(aws: Account) -> None:
    """A service's tasks on a DRAINING instance are replaced on another one."""
    cluster = aws.cluster()
    drained, other = aws.hosts(cluster, 2)
    strategy = [{"type": "spread", "field": "instanceId"}]
    service = on_hosts(aws, cluster, sized(aws), 2, placementStrategy=strategy)
    aws.steady(cluster, service)
    aws.ecs.update_container_instances_state(
        cluster=cluster, containerInstances=[drained], status="DRAINING"
    )

    def have_moved() -> bool:
        arns = aws.tasks_of(cluster, service)
        at = {aws.task(cluster, arn)["containerInstanceArn"] for arn in arns}
        return len(arns) == 2 and at == {other}

    aws.until(have_moved, "both tasks on the other instance", 4 * aws.patience)


@documented("ecs/API_UpdateContainerInstancesState", runs="hosts")
def test_draining_leaves_other_tasks_alone(aws: Account) -> None:
    """A task that belongs to no service goes on running on a DRAINING instance."""
    cluster = aws.cluster()
    [host] = aws.hosts(cluster)
    [arn] = aws.run_with(cluster, sized(aws), **EC2)
    aws.reached(cluster, arn, "RUNNING")
    aws.ecs.update_container_instances_state(
        cluster=cluster, containerInstances=[host], status="DRAINING"
    )
    service = on_hosts(aws, cluster, sized(aws), 1)
    assert aws.said(cluster, service, "unable to place a task")
    assert aws.task(cluster, arn)["lastStatus"] == "RUNNING"


@documented("shape:ecs.ListContainerInstancesRequest.status", runs="hosts")
def test_instances_are_listed_by_status(aws: Account) -> None:
    """Container instances are listed by their status."""
    cluster = aws.cluster()
    drained, other = aws.hosts(cluster, 2)
    aws.ecs.update_container_instances_state(
        cluster=cluster, containerInstances=[drained], status="DRAINING"
    )
    listed = aws.ecs.list_container_instances
    assert listed(cluster=cluster, status="DRAINING")["containerInstanceArns"] == [drained]
    assert listed(cluster=cluster, status="ACTIVE")["containerInstanceArns"] == [other]


@documented("ecs/API_DeregisterContainerInstance", runs="hosts")
def test_deregistered_instance_is_gone(aws: Account) -> None:
    """A deregistered instance is not listed any more, and takes no task."""
    cluster = aws.cluster()
    [host] = aws.hosts(cluster)
    aws.ecs.deregister_container_instance(cluster=cluster, containerInstance=host, force=True)
    assert aws.ecs.list_container_instances(cluster=cluster)["containerInstanceArns"] == []


@documented("ecs/API_DeregisterContainerInstance", runs="hosts")
def test_terminated_instance_is_deregistered(aws: Account) -> None:
    """When a running instance is terminated, ECS deregisters it from the cluster."""
    cluster = aws.cluster()
    [host] = described(aws, cluster, aws.hosts(cluster))
    aws.ec2.terminate_instances(InstanceIds=[host["ec2InstanceId"]])

    def is_gone() -> bool:
        return not aws.ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]

    aws.until(is_gone, "no instance in the cluster")


@documented("ecs/API_DeleteCluster", runs="hosts")
def test_cluster_with_an_instance_is_not_deleted(aws: Account) -> None:
    """Deleting a cluster with an instance is a ClusterContainsContainerInstancesException."""
    cluster = aws.cluster()
    aws.hosts(cluster)
    with refused("ClusterContainsContainerInstancesException"):
        aws.ecs.delete_cluster(cluster=cluster)


@documented("shape:ecs.Service.schedulingStrategy", runs="hosts")
def test_daemon_runs_once_on_each_instance(aws: Account) -> None:
    """A service with the strategy DAEMON runs one task on each active instance, new ones too."""
    cluster = aws.cluster()
    aws.hosts(cluster, 2)
    daemon = {"desiredCount": None, "schedulingStrategy": "DAEMON"}
    service = on_hosts(aws, cluster, sized(aws), 0, **daemon)

    def counts(wanted: list[int]) -> bool:
        return spread(aws, cluster, aws.tasks_of(cluster, service)) == wanted

    aws.until(lambda: counts([1, 1]), "a task on both instances")
    aws.hosts(cluster)
    aws.until(lambda: counts([1, 1, 1]), "a task on the new instance")


@documented("ecs-guide/service-event-messages-list", runs="hosts")
def test_events_say_that_a_task_has_no_place(aws: Account) -> None:
    """The events say that no container instance met all of a task's requirements."""
    cluster = aws.cluster()
    aws.hosts(cluster)
    service = on_hosts(aws, cluster, sized(aws, memory=9000), 1)
    words = "unable to place a task because no container instance met all of its requirements"
    assert aws.said(cluster, service, words)


@documented("shape:ecs.Service.runningCount", runs="hosts")
def test_service_waits_for_an_instance(aws: Account) -> None:
    """A service whose task has no place starts it when an instance has joined."""
    cluster = aws.cluster()
    service = on_hosts(aws, cluster, sized(aws), 1)
    assert aws.said(cluster, service, "unable to place a task")
    aws.hosts(cluster)
    assert aws.steady(cluster, service, 2 * aws.patience)["runningCount"] == 1
