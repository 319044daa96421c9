"""Tasks: how they are asked for, what they go through, how and why they stop."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from typing import TYPE_CHECKING

from .account import BAD_REQUEST, container, exit_code, refused, shell
from .documented import documented

if TYPE_CHECKING:
    from .account import Account, Json

SLEEP = shell("sleep 600")
# In the order in which a task goes through them.
STATES = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
)


def sleeping(aws: Account, **parameters: object) -> str:
    return aws.task_definition(container(command=SLEEP), **parameters)


@documented("ecs/API_RunTask", runs="tasks")
def test_task_becomes_running(aws: Account) -> None:
    """A task that was asked for gets to RUNNING, and its container too."""
    cluster = aws.cluster()
    task = aws.reached(cluster, aws.run(cluster, sleeping(aws)), "RUNNING")
    assert task["desiredStatus"] == "RUNNING"
    assert [found["lastStatus"] for found in task["containers"]] == ["RUNNING"]


@documented("ecs-guide/task-lifecycle-explanation", runs="tasks")
def test_task_goes_through_the_states_in_order(aws: Account) -> None:
    """A task goes through the states of its life in their order, and never back."""
    cluster = aws.cluster()
    arn = aws.run(cluster, sleeping(aws))
    seen: list[str] = []

    def has_become(status: str) -> bool:
        seen.append(aws.task(cluster, arn)["lastStatus"])
        return seen[-1] == status

    # It is stopped only when it was seen to run: on a slow machine a short life is not seen.
    aws.until(lambda: has_become("RUNNING"), "task RUNNING")
    aws.ecs.stop_task(cluster=cluster, task=arn)
    aws.until(lambda: has_become("STOPPED"), "task STOPPED")
    places = [STATES.index(state) for state in seen]
    assert places == sorted(places)


@documented("ecs-guide/task-lifecycle-explanation")
def test_new_task_is_provisioning_or_pending(aws: Account) -> None:
    """A task that was just asked for has not started: PROVISIONING or PENDING, desired RUNNING."""
    answer = aws.ecs.run_task(
        cluster=(cluster := aws.cluster()),
        taskDefinition=sleeping(aws),
        launchType="FARGATE",
        networkConfiguration=aws.network(),
    )
    [task] = answer["tasks"]
    aws.afterwards("ecs", "stop_task", cluster=cluster, task=task["taskArn"])
    assert task["lastStatus"] in {"PROVISIONING", "PENDING"}
    assert task["desiredStatus"] == "RUNNING"


@documented("ecs-guide/ecs-account-settings#ecs-resource-ids")
def test_arn_names_cluster_and_task(aws: Account) -> None:
    """A task's ARN ends with task/cluster/id, where the id has 32 hexadecimal digits."""
    cluster = aws.cluster()
    arn = aws.run(cluster, sleeping(aws))
    assert re.fullmatch(rf"arn:aws:ecs:us-east-1:\d{{12}}:task/{cluster}/[0-9a-f]{{32}}", arn)


@documented("shape:ecs.DescribeTasksRequest.tasks")
def test_task_is_described_by_its_id(aws: Account) -> None:
    """A task is described by its id as well as by its ARN."""
    cluster = aws.cluster()
    arn = aws.run(cluster, sleeping(aws))
    assert aws.task(cluster, arn.rpartition("/")[2])["taskArn"] == arn


@documented("ecs-guide/api_failures_messages")
def test_unknown_task_is_missing(aws: Account) -> None:
    """Describing a task that is not found is a failure with the reason MISSING."""
    answer = aws.ecs.describe_tasks(cluster=aws.cluster(), tasks=[uuid.uuid4().hex])
    assert answer["tasks"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


@documented("shape:ecs.RunTaskRequest.count")
def test_several_tasks_are_asked_for_at_once(aws: Account) -> None:
    """Count says how many tasks are started of the definition."""
    fargate = {"launchType": "FARGATE", "networkConfiguration": aws.network()}
    assert len(set(aws.run_with(aws.cluster(), sleeping(aws), count=3, **fargate))) == 3


@documented("shape:ecs.RunTaskRequest.count")
def test_at_most_ten_tasks_at_once(aws: Account) -> None:
    """More than ten tasks in one call are refused."""
    cluster, definition = aws.cluster(), sleeping(aws)
    with refused(*BAD_REQUEST):
        aws.run(cluster, definition, count=11)


@documented("shape:ecs.RunTaskRequest.networkConfiguration")
def test_awsvpc_needs_a_network_configuration(aws: Account) -> None:
    """In the network mode awsvpc a task without a network configuration is refused."""
    cluster, definition = aws.cluster(), sleeping(aws)
    with refused(*BAD_REQUEST):
        aws.run_with(cluster, definition, launchType="FARGATE")


@documented("shape:ecs.AwsVpcConfiguration.securityGroups")
def test_security_groups_may_be_left_out(aws: Account) -> None:
    """Without a security group the default one of the VPC is used."""
    cluster, definition = aws.cluster(), sleeping(aws)
    network = aws.network()
    del network["awsvpcConfiguration"]["securityGroups"]
    arn = aws.run(cluster, definition, networkConfiguration=network)
    assert aws.task(cluster, arn)["taskDefinitionArn"] == definition


@documented("shape:ecs.ContainerDefinition.memory")
def test_memory_of_a_container_may_be_left_out(aws: Account) -> None:
    """On Fargate a container needs no memory of its own."""
    cluster = aws.cluster()
    definition = aws.task_definition(container(command=SLEEP, memory=None))
    arn = aws.run(cluster, definition)
    assert aws.task(cluster, arn)["taskDefinitionArn"] == definition


@documented("shape:ecs.RunTaskRequest.capacityProviderStrategy")
def test_strategy_and_launch_type_exclude_each_other(aws: Account) -> None:
    """If a capacity provider strategy is given, the launch type must be left out."""
    cluster = aws.cluster(capacityProviders=["FARGATE"])
    definition = sleeping(aws)
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    with refused(*BAD_REQUEST):
        aws.run(cluster, definition, capacityProviderStrategy=strategy)


@documented("ecs/API_RunTask")
def test_unknown_definition_is_refused(aws: Account) -> None:
    """A task definition that is not there is refused."""
    cluster = aws.cluster()
    with refused(*BAD_REQUEST):
        aws.run(cluster, aws.name("nobody"))


@documented("ecs/API_DeregisterTaskDefinition")
def test_inactive_definition_is_refused(aws: Account) -> None:
    """An INACTIVE task definition can't be used to run a new task."""
    cluster, definition = aws.cluster(), sleeping(aws)
    aws.ecs.deregister_task_definition(taskDefinition=definition)
    with refused(*BAD_REQUEST):
        aws.run(cluster, definition)


@documented("shape:ecs.RunTaskRequest.taskDefinition")
def test_family_alone_means_the_latest_active_revision(aws: Account) -> None:
    """A family without a revision runs its latest ACTIVE revision."""
    cluster, family = aws.cluster(), aws.name()
    sleeping(aws, family=family)
    latest = sleeping(aws, family=family)
    assert aws.task(cluster, aws.run(cluster, family))["taskDefinitionArn"] == latest


@documented("shape:ecs.RunTaskRequest.clientToken")
def test_client_token_makes_one_task_of_two_calls(aws: Account) -> None:
    """Two calls with the same client token and the same request start one task."""
    cluster, definition, token = aws.cluster(), sleeping(aws), aws.name()
    first = aws.run(cluster, definition, clientToken=token)
    assert aws.run(cluster, definition, clientToken=token) == first
    assert aws.ecs.list_tasks(cluster=cluster)["taskArns"] == [first]


@documented("ecs/API_RunTask")
def test_client_token_of_another_request_is_a_conflict(aws: Account) -> None:
    """A client token that is in use with a different request is a ConflictException."""
    cluster, token = aws.cluster(), aws.name()
    aws.run(cluster, sleeping(aws), clientToken=token)
    other = sleeping(aws)
    with refused("ConflictException"):
        aws.run(cluster, other, clientToken=token)


@documented("shape:ecs.RunTaskRequest.group")
def test_group_is_the_family_by_default(aws: Account) -> None:
    """A task's group is family:name, if not said otherwise."""
    cluster, family = aws.cluster(), aws.name()
    arn = aws.run(cluster, sleeping(aws, family=family))
    assert aws.task(cluster, arn)["group"] == f"family:{family}"


@documented("shape:ecs.RunTaskRequest.startedBy")
def test_tasks_are_found_by_who_started_them(aws: Account) -> None:
    """Tasks are found by the text that was given as startedBy."""
    cluster, definition = aws.cluster(), sleeping(aws)
    mine = aws.run(cluster, definition, startedBy="night-batch")
    aws.run(cluster, definition)
    found = aws.ecs.list_tasks(cluster=cluster, startedBy="night-batch")["taskArns"]
    assert found == [mine]


@documented("shape:ecs.ListTasksRequest.family")
def test_tasks_are_listed_by_family(aws: Account) -> None:
    """Tasks are listed that belong to a family."""
    cluster, family = aws.cluster(), aws.name()
    mine = aws.run(cluster, sleeping(aws, family=family))
    aws.run(cluster, sleeping(aws))
    assert aws.ecs.list_tasks(cluster=cluster, family=family)["taskArns"] == [mine]


@documented("shape:ecs.ListTasksRequest.maxResults")
def test_tasks_come_in_pages(aws: Account) -> None:
    """MaxResults limits a page of tasks, and nextToken leads to the rest."""
    cluster, definition = aws.cluster(), sleeping(aws)
    made = {aws.run(cluster, definition) for _ in range(3)}
    first = aws.ecs.list_tasks(cluster=cluster, maxResults=2)
    assert len(first["taskArns"]) == 2
    rest = aws.ecs.list_tasks(cluster=cluster, maxResults=2, nextToken=first["nextToken"])
    assert {*first["taskArns"], *rest["taskArns"]} == made
    assert not rest.get("nextToken")


@documented("shape:ecs.DescribeTasksRequest.include")
def test_tags_come_when_asked_for(aws: Account) -> None:
    """A task's tags are included if TAGS is asked for, and else not."""
    cluster, tags = aws.cluster(), [{"key": "stage", "value": "try"}]
    arn = aws.run(cluster, sleeping(aws), tags=tags)
    assert aws.task(cluster, arn, include=["TAGS"])["tags"] == tags
    assert not aws.task(cluster, arn).get("tags")


@documented("shape:ecs.RunTaskRequest.propagateTags")
def test_tags_come_from_the_definition(aws: Account) -> None:
    """PropagateTags TASK_DEFINITION gives the definition's tags to the task."""
    cluster, tags = aws.cluster(), [{"key": "stage", "value": "try"}]
    arn = aws.run(cluster, sleeping(aws, tags=tags), propagateTags="TASK_DEFINITION")
    assert aws.task(cluster, arn, include=["TAGS"])["tags"] == tags


@documented("shape:ecs.Task.launchType")
def test_task_says_where_it_runs(aws: Account) -> None:
    """A task on Fargate says so, with its size and its platform's version."""
    cluster = aws.cluster()
    task = aws.task(cluster, aws.run(cluster, sleeping(aws)))
    assert task["launchType"] == "FARGATE"
    assert (task["cpu"], task["memory"]) == ("256", "1024")
    assert task["platformVersion"]


@documented("shape:ecs.RunTaskRequest.capacityProviderStrategy")
def test_default_strategy_chooses_the_capacity_provider(aws: Account) -> None:
    """With neither launch type nor strategy, the cluster's default strategy is used."""
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    cluster = aws.cluster(capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=spot)
    [arn] = aws.run_with(cluster, sleeping(aws), networkConfiguration=aws.network())
    assert aws.task(cluster, arn)["capacityProviderName"] == "FARGATE_SPOT"


def providers_of(aws: Account, *strategy: Json) -> Counter[str]:
    """Run four tasks by a strategy over the capacity providers of Fargate, and count them."""
    cluster = aws.cluster(capacityProviders=["FARGATE", "FARGATE_SPOT"])
    form = {"capacityProviderStrategy": list(strategy), "networkConfiguration": aws.network()}
    arns = aws.run_with(cluster, sleeping(aws), count=4, **form)
    return Counter(aws.task(cluster, arn)["capacityProviderName"] for arn in arns)


@documented("shape:ecs.CapacityProviderStrategyItem.weight")
def test_weights_share_the_tasks(aws: Account) -> None:
    """The weights of a strategy are the capacity providers' shares of the tasks."""
    one = {"capacityProvider": "FARGATE", "weight": 1}
    three = {"capacityProvider": "FARGATE_SPOT", "weight": 3}
    assert providers_of(aws, one, three) == {"FARGATE": 1, "FARGATE_SPOT": 3}


@documented("shape:ecs.CapacityProviderStrategyItem.base")
def test_base_comes_before_the_weights(aws: Account) -> None:
    """The base of a capacity provider is met first, and the weights share the rest."""
    base = {"capacityProvider": "FARGATE", "base": 2, "weight": 1}
    rest = {"capacityProvider": "FARGATE_SPOT", "weight": 1}
    assert providers_of(aws, base, rest) == {"FARGATE": 3, "FARGATE_SPOT": 1}


@documented("shape:ecs.CapacityProviderStrategyItem.base")
def test_only_one_capacity_provider_has_a_base(aws: Account) -> None:
    """A strategy in which two capacity providers have a base is refused."""
    strategy = [
        {"capacityProvider": name, "base": 1, "weight": 1} for name in ("FARGATE", "FARGATE_SPOT")
    ]
    with refused(*BAD_REQUEST, by="RunTask"):
        providers_of(aws, *strategy)


@documented("shape:ecs.CapacityProviderStrategyItem.weight")
def test_one_weight_is_not_zero(aws: Account) -> None:
    """A strategy in which every weight is 0 is refused."""
    strategy = [{"capacityProvider": name, "weight": 0} for name in ("FARGATE", "FARGATE_SPOT")]
    with refused(*BAD_REQUEST, by="RunTask"):
        providers_of(aws, *strategy)


@documented("shape:ecs.Task.attachments", runs="tasks")
def test_task_has_an_interface_with_an_address(aws: Account) -> None:
    """A task in awsvpc has a network interface of its own, with a private address."""
    cluster = aws.cluster()
    task = aws.reached(cluster, aws.run(cluster, sleeping(aws)), "RUNNING")
    [interface] = [a for a in task["attachments"] if a["type"] == "ElasticNetworkInterface"]
    assert interface["status"] == "ATTACHED"
    details = {detail["name"]: detail["value"] for detail in interface["details"]}
    address = details["privateIPv4Address"]
    assert {"networkInterfaceId", "subnetId"} <= set(details)
    [seen] = task["containers"][0]["networkInterfaces"]
    assert seen["privateIpv4Address"] == address


@documented("shape:ecs.Task.attachments", runs="tasks")
def test_two_tasks_have_two_addresses(aws: Account) -> None:
    """Each task in awsvpc has an address of its own, and both may use the same port."""
    cluster, definition = aws.cluster(), aws.task_definition()
    addresses = set()
    for arn in (aws.run(cluster, definition), aws.run(cluster, definition)):
        task = aws.reached(cluster, arn, "RUNNING")
        [seen] = task["containers"][0]["networkInterfaces"]
        addresses.add(seen["privateIpv4Address"])
    assert len(addresses) == 2


@documented("shape:ecs.Task.startedAt", runs="tasks")
def test_times_are_in_order(aws: Account) -> None:
    """A task was created, its image pulled, it started, it stopped, in that order."""
    task = aws.finished(container(command=shell("sleep 1")))
    names = ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppedAt")
    times = [task[name] for name in names]
    assert times == sorted(times)
    assert (task["stoppedAt"] - task["startedAt"]).total_seconds() >= 0.5


@documented("shape:ecs.Container.runtimeId", runs="tasks")
def test_container_says_what_runs(aws: Account) -> None:
    """A running container has its image and the id that the runtime gave it."""
    cluster = aws.cluster()
    task = aws.reached(cluster, aws.run(cluster, sleeping(aws)), "RUNNING")
    [found] = task["containers"]
    assert (found["name"], found["image"]) == ("app", container()["image"])
    assert found["runtimeId"]
    assert found["taskArn"] == task["taskArn"]


@documented("ecs-guide/stopped-task-error-codes", runs="tasks")
def test_end_of_an_essential_container_stops_the_task(aws: Account) -> None:
    """When an essential container ends, the task stops and says EssentialContainerExited."""
    task = aws.finished(container(command=shell("exit 3")))
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert exit_code(task) == 3
    assert task["desiredStatus"] == "STOPPED"


@documented("shape:ecs.ContainerDefinition.essential", runs="tasks")
def test_all_containers_stop_with_an_essential_one(aws: Account) -> None:
    """When an essential container ends, the task's other containers are stopped."""
    other = container("other", command=SLEEP, stopTimeout=2)
    task = aws.finished(container(command=shell("sleep 1")), other)
    assert {found["lastStatus"] for found in task["containers"]} == {"STOPPED"}
    assert exit_code(task, "other") == 137


@documented("shape:ecs.ContainerDefinition.essential", runs="tasks")
def test_end_of_another_container_leaves_the_task_running(aws: Account) -> None:
    """When a container that is not essential fails, the others go on."""
    cluster = aws.cluster()
    helper = container("helper", command=shell("exit 1")) | {"essential": False}
    arn = aws.run(cluster, aws.task_definition(container(command=SLEEP), helper))

    def has_helper_stopped() -> bool:
        states = {c["name"]: c["lastStatus"] for c in aws.task(cluster, arn)["containers"]}
        return states == {"app": "RUNNING", "helper": "STOPPED"}

    aws.until(has_helper_stopped, "helper STOPPED and app RUNNING")
    task = aws.task(cluster, arn)
    assert task["lastStatus"] == "RUNNING"
    assert exit_code(task, "helper") == 1


@documented("shape:ecs.StopTaskRequest.reason", runs="tasks")
def test_stopped_task_has_the_reason_given(aws: Account) -> None:
    """A task that was stopped on request says UserInitiated, and the reason that was given."""
    cluster = aws.cluster()
    arn = aws.run(cluster, aws.task_definition(container()))
    aws.reached(cluster, arn, "RUNNING")
    aws.ecs.stop_task(cluster=cluster, task=arn, reason="enough for today")
    task = aws.reached(cluster, arn, "STOPPED")
    assert task["stopCode"] == "UserInitiated"
    assert task["stoppedReason"] == "enough for today"


@documented("ecs/API_StopTask", runs="tasks")
def test_stop_sends_sigterm_first(aws: Account) -> None:
    """A container that ends by itself on SIGTERM has its own exit code."""
    cluster = aws.cluster()
    script = "trap 'exit 9' TERM; while :; do sleep 0.1; done"
    arn = aws.run(cluster, aws.task_definition(container(command=shell(script))))
    aws.reached(cluster, arn, "RUNNING")
    aws.ecs.stop_task(cluster=cluster, task=arn)
    assert exit_code(aws.reached(cluster, arn, "STOPPED")) == 9


@documented("shape:ecs.ContainerDefinition.stopTimeout", runs="tasks")
def test_stop_kills_after_the_timeout(aws: Account) -> None:
    """A container that does not end within its stopTimeout is killed: exit code 137."""
    cluster = aws.cluster()
    deaf = shell("trap '' TERM; while :; do sleep 0.1; done")
    arn = aws.run(cluster, aws.task_definition(container(command=deaf, stopTimeout=2)))
    aws.reached(cluster, arn, "RUNNING")
    aws.ecs.stop_task(cluster=cluster, task=arn)
    assert exit_code(aws.reached(cluster, arn, "STOPPED")) == 137


@documented("shape:ecs.StopTaskResponse.task", runs="tasks")
def test_stop_answers_with_the_desired_status(aws: Account) -> None:
    """The answer to StopTask is the task, whose desired status is STOPPED."""
    cluster = aws.cluster()
    arn = aws.run(cluster, aws.task_definition(container()))
    aws.reached(cluster, arn, "RUNNING")
    task = aws.ecs.stop_task(cluster=cluster, task=arn)["task"]
    assert (task["taskArn"], task["desiredStatus"]) == (arn, "STOPPED")


@documented("ecs/API_StopTask")
def test_unknown_task_is_not_stopped(aws: Account) -> None:
    """Stopping a task that is not found is an InvalidParameterException."""
    cluster = aws.cluster()
    with refused("InvalidParameterException"):
        aws.ecs.stop_task(cluster=cluster, task=uuid.uuid4().hex)


@documented("shape:ecs.ListTasksRequest.desiredStatus", runs="tasks")
def test_stopped_tasks_are_listed_when_asked_for(aws: Account) -> None:
    """By default tasks are listed that shall run; STOPPED lists those that shall not."""
    cluster = aws.cluster()
    arn = aws.run(cluster, aws.task_definition(container(command=shell("exit 0"))))
    aws.reached(cluster, arn, "STOPPED")
    assert aws.ecs.list_tasks(cluster=cluster)["taskArns"] == []
    assert aws.ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"] == [arn]


@documented("ecs-guide/stopped-task-error-codes", runs="tasks")
def test_image_that_is_not_there_stops_the_task(aws: Account) -> None:
    """A task whose image can't be pulled stops: TaskFailedToStart, CannotPullContainerError."""
    missing = container() | {"image": f"127.0.0.1:1/{aws.name()}:1"}
    task = aws.finished(missing)
    assert task["stopCode"] == "TaskFailedToStart"
    said = [task["stoppedReason"], *(found.get("reason", "") for found in task["containers"])]
    assert any("CannotPullContainerError" in text for text in said)
    assert exit_code(task) is None


@documented("ecs-guide/stopped-task-error-codes", runs="tasks")
def test_command_that_is_not_there_stops_the_task(aws: Account) -> None:
    """A task whose command can't be started stops, and its container says CannotStartContainer."""
    task = aws.finished(container(entryPoint=["/no/such/program"], command=[]))
    said = [task["stoppedReason"], *(found.get("reason", "") for found in task["containers"])]
    assert any(re.search("Cannot(Start|Create)ContainerError", text) for text in said)
    assert task["stopCode"] == "TaskFailedToStart"


@documented("ecs-guide/stopped-task-error-codes", runs="tasks")
def test_container_over_its_memory_is_killed(aws: Account) -> None:
    """A container that takes more memory than it may is killed: OutOfMemoryError, exit code 137."""
    greedy = ["python3", "-c", "x = bytearray(400 << 20); import time; time.sleep(60)"]
    task = aws.finished(container(command=greedy, memory=64))
    [found] = task["containers"]
    assert found["exitCode"] == 137
    assert "OutOfMemoryError" in found["reason"]


@documented("ecs-guide/fargate-tasks-services#fargate-tasks-size", runs="tasks")
def test_task_over_its_memory_is_killed(aws: Account) -> None:
    """A task's memory is a limit for its containers: one that takes more is killed."""
    greedy = ["python3", "-c", "x = bytearray(800 << 20); import time; time.sleep(60)"]
    free = container(command=greedy, memory=None)
    assert exit_code(aws.finished(free, memory="512")) == 137


@documented("shape:ecs.Cluster.runningTasksCount", runs="tasks")
def test_cluster_counts_its_tasks(aws: Account) -> None:
    """A cluster says how many of its tasks are RUNNING."""
    cluster, definition = aws.cluster(), sleeping(aws)
    for arn in [aws.run(cluster, definition) for _ in range(2)]:
        aws.reached(cluster, arn, "RUNNING")
    found = aws.ecs.describe_clusters(clusters=[cluster])["clusters"][0]
    assert (found["runningTasksCount"], found["pendingTasksCount"]) == (2, 0)


@documented("shape:ecs.Task.version", runs="tasks")
def test_version_goes_up_with_each_change(aws: Account) -> None:
    """A task's version counter goes up when the task changes."""
    cluster = aws.cluster()
    arn = aws.run(cluster, sleeping(aws))
    running = aws.reached(cluster, arn, "RUNNING")
    aws.ecs.stop_task(cluster=cluster, task=arn)
    assert aws.reached(cluster, arn, "STOPPED")["version"] > running["version"]


@documented("ecs/API_DescribeTasks", runs="tasks")
def test_stopped_task_stays_for_a_while(aws: Account) -> None:
    """A stopped task is still described: for at least an hour."""
    cluster = aws.cluster()
    arn = aws.run(cluster, aws.task_definition(container(command=shell("exit 0"))))
    aws.reached(cluster, arn, "STOPPED")
    for _ in range(5):
        assert aws.task(cluster, arn)["lastStatus"] == "STOPPED"


@documented("ecs/API_DescribeTasks", runs="tasks")
def test_waiter_ends_when_tasks_run(aws: Account) -> None:
    """Boto3's waiter tasks_running ends when the task is RUNNING."""
    cluster = aws.cluster()
    arn = aws.run(cluster, sleeping(aws))
    config = {"Delay": 1, "MaxAttempts": int(aws.patience)}
    aws.ecs.get_waiter("tasks_running").wait(cluster=cluster, tasks=[arn], WaiterConfig=config)
    assert aws.task(cluster, arn)["lastStatus"] == "RUNNING"


@documented("ecs/API_DescribeTasks", runs="tasks")
def test_waiter_ends_when_tasks_are_stopped(aws: Account) -> None:
    """Boto3's waiter tasks_stopped ends when the task is STOPPED."""
    cluster = aws.cluster()
    arn = aws.run(cluster, aws.task_definition(container(command=shell("sleep 1"))))
    config = {"Delay": 1, "MaxAttempts": int(aws.patience)}
    aws.ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=[arn], WaiterConfig=config)
    assert exit_code(aws.task(cluster, arn)) == 0
