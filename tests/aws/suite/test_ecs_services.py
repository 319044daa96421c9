"""Services: desired count, healing, deployments, the circuit breaker, events, ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .account import BAD_REQUEST, container, refused, shell
from .documented import documented

if TYPE_CHECKING:
    from .account import Account, Json

SLEEP = shell("sleep 600")
# A task without a health check counts as healthy 40 s after it is RUNNING, says the text of
# minimumHealthyPercent.
STEADY_SECONDS = 60
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def sleeping(aws: Account, **parameters: object) -> str:
    return aws.task_definition(container(command=SLEEP, stopTimeout=2), **parameters)


def healthy(aws: Account, **parameters: object) -> str:
    """Register what passes a health check: else a deployment waits 40 s for each task, by the
    text of minimumHealthyPercent.
    """
    check = {"command": ["CMD-SHELL", "true"], "interval": 5, "timeout": 2}
    form = container(command=SLEEP, stopTimeout=2, healthCheck=check)
    return aws.task_definition(form, **parameters)


def failing(aws: Account, family: str) -> str:
    """Register what never gets to RUNNING: its image is not there."""
    missing = container() | {"image": f"127.0.0.1:1/{aws.name()}:1"}
    return aws.task_definition(missing, family=family)


@documented("ecs/API_CreateService")
def test_new_service_is_active_with_its_settings(aws: Account) -> None:
    """A new service is ACTIVE, a REPLICA, with the count and the definition that were asked for."""
    cluster, definition = aws.cluster(), sleeping(aws)
    service = aws.service(cluster, definition, 0)
    made = aws.described(cluster, service)
    assert (made["status"], made["schedulingStrategy"]) == ("ACTIVE", "REPLICA")
    assert (made["desiredCount"], made["taskDefinition"]) == (0, definition)
    assert made["launchType"] == "FARGATE"
    assert made["clusterArn"].endswith(f"/{cluster}")


@documented("ecs-guide/ecs-account-settings#ecs-resource-ids")
def test_arn_names_cluster_and_service(aws: Account) -> None:
    """A service's ARN ends with service/cluster/name."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 0)
    arn = aws.described(cluster, service)["serviceArn"]
    assert re.fullmatch(rf"arn:aws:ecs:us-east-1:\d{{12}}:service/{cluster}/{service}", arn)


@documented("shape:ecs.DeploymentConfiguration.maximumPercent")
def test_deployments_have_their_defaults(aws: Account) -> None:
    """By default a replica service may have 200 percent of its tasks, and keeps 100."""
    cluster = aws.cluster()
    made = aws.described(cluster, aws.service(cluster, sleeping(aws), 0))
    kept = made["deploymentConfiguration"]
    assert (kept["maximumPercent"], kept["minimumHealthyPercent"]) == (200, 100)


@documented("shape:ecs.Deployment.status")
def test_new_service_has_a_primary_deployment(aws: Account) -> None:
    """A new service has one deployment, PRIMARY, with the definition and the count."""
    cluster, definition = aws.cluster(), sleeping(aws)
    [deployment] = aws.described(cluster, aws.service(cluster, definition, 0))["deployments"]
    assert (deployment["status"], deployment["taskDefinition"]) == ("PRIMARY", definition)
    assert deployment["id"].startswith("ecs-svc/")


@documented("ecs/API_CreateService")
def test_name_is_taken_once(aws: Account) -> None:
    """A second service with the name of an active one is refused."""
    cluster, definition = aws.cluster(), sleeping(aws)
    name = aws.service(cluster, definition, 0)
    other = sleeping(aws)
    with refused(*BAD_REQUEST):
        aws.ecs.create_service(
            cluster=cluster,
            serviceName=name,
            taskDefinition=other,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration=aws.network(),
        )


@documented("shape:ecs.CreateServiceRequest.desiredCount")
def test_replica_needs_a_count(aws: Account) -> None:
    """DesiredCount is required of a service that is a REPLICA."""
    cluster, definition = aws.cluster(), sleeping(aws)
    with refused(*BAD_REQUEST):
        aws.service(cluster, definition, desiredCount=None)


@documented("shape:ecs.CreateServiceRequest.serviceName")
def test_name_has_letters_numbers_hyphens_underscores(aws: Account) -> None:
    """A service's name with other characters is refused."""
    cluster, definition = aws.cluster(), sleeping(aws)
    with refused(*BAD_REQUEST):
        aws.ecs.create_service(
            cluster=cluster,
            serviceName="no spaces, please!",
            taskDefinition=definition,
            desiredCount=0,
            launchType="FARGATE",
            networkConfiguration=aws.network(),
        )


@documented("ecs/API_CreateService")
def test_awsvpc_needs_a_network_configuration(aws: Account) -> None:
    """In the network mode awsvpc a service without a network configuration is refused."""
    cluster, definition = aws.cluster(), sleeping(aws)
    with refused(*BAD_REQUEST):
        aws.service(cluster, definition, 0, networkConfiguration=None)


@documented("shape:ecs.AwsVpcConfiguration.securityGroups")
def test_security_groups_may_be_left_out(aws: Account) -> None:
    """Without a security group the default one of the VPC is used for the service's tasks."""
    cluster, network = aws.cluster(), aws.network()
    del network["awsvpcConfiguration"]["securityGroups"]
    service = aws.service(cluster, sleeping(aws), 0, networkConfiguration=network)
    assert aws.described(cluster, service)["status"] == "ACTIVE"


@documented("ecs/API_DeregisterTaskDefinition")
def test_inactive_definition_is_refused(aws: Account) -> None:
    """An INACTIVE task definition can't be used to create a service."""
    cluster, definition = aws.cluster(), sleeping(aws)
    aws.ecs.deregister_task_definition(taskDefinition=definition)
    with refused(*BAD_REQUEST):
        aws.service(cluster, definition, 0)


@documented("shape:ecs.Service.schedulingStrategy")
def test_fargate_has_no_daemons(aws: Account) -> None:
    """Fargate does not support the scheduling strategy DAEMON."""
    cluster, definition = aws.cluster(), sleeping(aws)
    with refused(*BAD_REQUEST):
        aws.service(cluster, definition, desiredCount=None, schedulingStrategy="DAEMON")


@documented("shape:ecs.CreateServiceRequest.capacityProviderStrategy")
def test_strategy_and_launch_type_exclude_each_other(aws: Account) -> None:
    """If a capacity provider strategy is given, the launch type must be left out."""
    cluster = aws.cluster(capacityProviders=["FARGATE"])
    definition = sleeping(aws)
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    with refused(*BAD_REQUEST):
        aws.service(cluster, definition, 0, capacityProviderStrategy=strategy)


@documented("shape:ecs.Service.launchType")
def test_strategy_stands_in_place_of_the_launch_type(aws: Account) -> None:
    """A service with a capacity provider strategy has it described, and no launch type."""
    cluster = aws.cluster(capacityProviders=["FARGATE"])
    strategy = [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]
    service = aws.service(
        cluster, sleeping(aws), 0, launchType=None, capacityProviderStrategy=strategy
    )
    made = aws.described(cluster, service)
    assert made["capacityProviderStrategy"] == strategy
    assert "launchType" not in made


@documented("ecs-guide/api_failures_messages")
def test_unknown_service_is_missing(aws: Account) -> None:
    """Describing a service that is not found is a failure with the reason MISSING."""
    answer = aws.ecs.describe_services(cluster=aws.cluster(), services=[aws.name("nobody")])
    assert answer["services"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


@documented("shape:ecs.DescribeServicesRequest.services")
def test_at_most_ten_services_are_described(aws: Account) -> None:
    """More than ten services in one call of DescribeServices are refused."""
    cluster = aws.cluster()
    names = [aws.name("service") for _ in range(11)]
    with refused(*BAD_REQUEST):
        aws.ecs.describe_services(cluster=cluster, services=names)


@documented("ecs/API_UpdateService")
def test_unknown_service_is_not_updated(aws: Account) -> None:
    """Updating a service that is not found is a ServiceNotFoundException."""
    cluster = aws.cluster()
    with refused("ServiceNotFoundException"):
        aws.ecs.update_service(cluster=cluster, service=aws.name("nobody"), desiredCount=1)


@documented("ecs/API_DeleteService")
def test_unknown_service_is_not_deleted(aws: Account) -> None:
    """Deleting a service that is not found is a ServiceNotFoundException."""
    cluster = aws.cluster()
    with refused("ServiceNotFoundException"):
        aws.ecs.delete_service(cluster=cluster, service=aws.name("nobody"))


@documented("ecs/API_UpdateService")
def test_deleted_service_is_not_updated(aws: Account) -> None:
    """Updating a service that was deleted is a ServiceNotActiveException."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 0)
    aws.ecs.delete_service(cluster=cluster, service=service)
    with refused("ServiceNotActiveException"):
        aws.ecs.update_service(cluster=cluster, service=service, desiredCount=1)


@documented("ecs/API_DeleteService")
def test_deleted_service_is_not_listed_and_still_described(aws: Account) -> None:
    """A deleted service is not listed, and described as DRAINING or INACTIVE."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 0)
    aws.ecs.delete_service(cluster=cluster, service=service)
    assert aws.ecs.list_services(cluster=cluster)["serviceArns"] == []
    assert aws.described(cluster, service)["status"] in {"DRAINING", "INACTIVE"}


@documented("ecs/API_DeleteService")
def test_service_that_wants_tasks_is_not_deleted(aws: Account) -> None:
    """A service whose desired count is not zero can't be deleted."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    with refused("InvalidParameterException"):
        aws.ecs.delete_service(cluster=cluster, service=service)


@documented("shape:ecs.DeleteServiceRequest.force")
def test_force_deletes_a_service_that_wants_tasks(aws: Account) -> None:
    """With force a service is deleted that was not scaled to zero."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    made = aws.ecs.delete_service(cluster=cluster, service=service, force=True)["service"]
    assert made["status"] in {"DRAINING", "INACTIVE"}


@documented("shape:ecs.ListServicesRequest.maxResults")
def test_services_come_in_pages(aws: Account) -> None:
    """MaxResults limits a page of services, and nextToken leads to the rest."""
    cluster, definition = aws.cluster(), sleeping(aws)
    names = {aws.service(cluster, definition, 0) for _ in range(3)}
    first = aws.ecs.list_services(cluster=cluster, maxResults=2)
    rest = aws.ecs.list_services(cluster=cluster, maxResults=2, nextToken=first["nextToken"])
    found = [*first["serviceArns"], *rest["serviceArns"]]
    assert {arn.rpartition("/")[2] for arn in found} == names
    assert (len(first["serviceArns"]), len(rest["serviceArns"])) == (2, 1)


@documented("ecs/API_ListServices")
def test_ten_services_are_a_page_by_default(aws: Account) -> None:
    """Without maxResults a page has up to ten services."""
    cluster, definition = aws.cluster(), sleeping(aws)
    for _ in range(11):
        aws.service(cluster, definition, 0)
    page = aws.ecs.list_services(cluster=cluster)
    assert len(page["serviceArns"]) == 10
    assert page["nextToken"]


@documented("shape:ecs.DescribeServicesRequest.include")
def test_tags_come_when_asked_for(aws: Account) -> None:
    """A service's tags are included if TAGS is asked for, and else not."""
    cluster, tags = aws.cluster(), [{"key": "stage", "value": "try"}]
    service = aws.service(cluster, sleeping(aws), 0, tags=tags)
    describe = aws.ecs.describe_services
    [found] = describe(cluster=cluster, services=[service], include=["TAGS"])["services"]
    assert found["tags"] == tags
    assert not aws.described(cluster, service).get("tags")


@documented("ecs/API_UpdateService")
def test_update_without_a_count_keeps_it(aws: Account) -> None:
    """An update that names no desired count leaves it as it is."""
    cluster, family = aws.cluster(), aws.name()
    service = aws.service(cluster, sleeping(aws, family=family), 1)
    second = sleeping(aws, family=family)
    aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=second)
    made = aws.described(cluster, service)
    assert (made["desiredCount"], made["taskDefinition"]) == (1, second)


@documented("shape:ecs.UpdateServiceRequest.desiredCount")
def test_new_count_is_no_new_deployment(aws: Account) -> None:
    """A change of the desired count does not trigger a new deployment."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 0)
    before = aws.described(cluster, service)["deployments"]
    aws.ecs.update_service(cluster=cluster, service=service, desiredCount=1)
    after = aws.described(cluster, service)["deployments"]
    assert [d["id"] for d in after] == [d["id"] for d in before]
    assert after[0]["desiredCount"] == 1


@documented("shape:ecs.UpdateServiceRequest.forceNewDeployment")
def test_new_deployment_can_be_forced(aws: Account) -> None:
    """With forceNewDeployment there is a new PRIMARY deployment of the same definition."""
    cluster, definition = aws.cluster(), sleeping(aws)
    service = aws.service(cluster, definition, 1)
    [before] = aws.described(cluster, service)["deployments"]
    aws.ecs.update_service(cluster=cluster, service=service, forceNewDeployment=True)
    [primary] = [
        d for d in aws.described(cluster, service)["deployments"] if d["status"] == "PRIMARY"
    ]
    assert primary["id"] != before["id"]
    assert primary["taskDefinition"] == definition


@documented("ecs/API_ListServiceDeployments")
def test_deployment_is_in_the_history(aws: Account) -> None:
    """A new service has a service deployment, which can be listed and described."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    deployments = aws.ecs.list_service_deployments
    [brief] = deployments(cluster=cluster, service=service)["serviceDeployments"]
    arn = brief["serviceDeploymentArn"]
    assert f":service-deployment/{cluster}/{service}/" in arn
    full = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    assert full["failures"] == []
    assert full["serviceDeployments"][0]["status"] in {"PENDING", "IN_PROGRESS", "SUCCESSFUL"}


@documented("ecs/API_DescribeServiceRevisions")
def test_revision_has_what_was_deployed(aws: Account) -> None:
    """A service revision names the task definition that its deployment brought."""
    cluster, definition = aws.cluster(), sleeping(aws)
    service = aws.service(cluster, definition, 1)
    deployments = aws.ecs.list_service_deployments
    [brief] = deployments(cluster=cluster, service=service)["serviceDeployments"]
    arn = brief["targetServiceRevisionArn"]
    [revision] = aws.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
    assert revision["taskDefinition"] == definition


@documented("ecs/API_CreateService", runs="tasks")
def test_service_runs_its_desired_count(aws: Account) -> None:
    """A service starts tasks until its running count is the desired one."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 2)
    made = aws.steady(cluster, service)
    assert (made["runningCount"], made["desiredCount"]) == (2, 2)
    arns = aws.tasks_of(cluster, service)
    assert {aws.task(cluster, arn)["lastStatus"] for arn in arns} == {"RUNNING"}


@documented("shape:ecs.Task.startedBy", runs="tasks")
def test_tasks_say_which_service_started_them(aws: Account) -> None:
    """A service's task has the group service:name, and was started by its deployment."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    [deployment] = aws.steady(cluster, service)["deployments"]
    [arn] = aws.tasks_of(cluster, service)
    task = aws.task(cluster, arn)
    assert (task["group"], task["startedBy"]) == (f"service:{service}", deployment["id"])


@documented("ecs-guide/service-event-messages-list", runs="tasks")
def test_events_say_that_a_task_was_started(aws: Account) -> None:
    """The events say that the service has started tasks, and which."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    words = rf"\(service {service}\) has started 1 tasks: \(task [0-9a-f]{{32}}\)"
    assert aws.said(cluster, service, words)


@documented("ecs-guide/service-event-messages-list", runs="tasks")
def test_events_say_steady_state(aws: Account) -> None:
    """The events say when the service has reached a steady state."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    assert aws.said(
        cluster, service, rf"\(?service {service}\)? has reached a steady state\.", STEADY_SECONDS
    )


@documented("shape:ecs.Deployment.rolloutState", runs="tasks")
def test_rollout_is_completed_in_the_steady_state(aws: Account) -> None:
    """A deployment is COMPLETED when the service reaches a steady state."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)

    def state() -> bool:
        [deployment] = aws.described(cluster, service)["deployments"]
        return deployment["rolloutState"] == "COMPLETED"

    aws.until(state, "rollout COMPLETED", STEADY_SECONDS)


@documented("ecs/API_DescribeServices", runs="tasks")
def test_waiter_ends_when_the_service_is_stable(aws: Account) -> None:
    """Boto3's waiter services_stable ends when the service runs its count in one deployment."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 2)
    config = {"Delay": 1, "MaxAttempts": int(aws.patience)}
    waiter = aws.ecs.get_waiter("services_stable")
    waiter.wait(cluster=cluster, services=[service], WaiterConfig=config)
    assert aws.described(cluster, service)["runningCount"] == 2


@documented("ecs/API_DescribeServices", runs="tasks")
def test_waiter_ends_when_the_service_is_inactive(aws: Account) -> None:
    """Boto3's waiter services_inactive ends when the deleted service's tasks have stopped."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    aws.steady(cluster, service)
    aws.ecs.delete_service(cluster=cluster, service=service, force=True)
    config = {"Delay": 1, "MaxAttempts": int(aws.patience)}
    waiter = aws.ecs.get_waiter("services_inactive")
    waiter.wait(cluster=cluster, services=[service], WaiterConfig=config)
    assert aws.ecs.list_tasks(cluster=cluster)["taskArns"] == []


@documented("ecs/API_CreateService", runs="tasks")
def test_stopped_task_is_replaced(aws: Account) -> None:
    """When a service's task is stopped, the service runs another copy."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 2)
    aws.steady(cluster, service)
    before = set(aws.tasks_of(cluster, service))
    victim = min(before)
    aws.ecs.stop_task(cluster=cluster, task=victim)
    aws.reached(cluster, victim, "STOPPED")

    def is_healed() -> bool:
        now = set(aws.tasks_of(cluster, service))
        return len(now) == 2 and victim not in now

    aws.until(is_healed, "another task in its place")
    assert aws.steady(cluster, service)["runningCount"] == 2
    assert len(before & set(aws.tasks_of(cluster, service))) == 1


@documented("ecs/API_CreateService", runs="tasks")
def test_task_that_ends_by_itself_is_replaced(aws: Account) -> None:
    """When a service's task ends by itself, the service runs another copy."""
    cluster = aws.cluster()
    service = aws.service(cluster, aws.task_definition(container(command=shell("sleep 8"))), 1)
    aws.steady(cluster, service)
    [first] = aws.tasks_of(cluster, service)

    def is_replaced() -> bool:
        now = aws.tasks_of(cluster, service)
        return bool(now) and first not in now

    aws.until(is_replaced, "another task in its place")
    assert aws.task(cluster, first)["stopCode"] == "EssentialContainerExited"


@documented("ecs-guide/task_definition_parameters#container_definition_healthcheck", runs="tasks")
def test_unhealthy_task_is_replaced(aws: Account) -> None:
    """A service replaces a task whose container fails its health check."""
    cluster = aws.cluster()
    # Healthy at first, so that the deployment is good; unhealthy ten seconds later.
    check = {"command": ["CMD-SHELL", "test ! -e /tmp/ill"], "interval": 5, "retries": 1}
    script = shell("sleep 10; touch /tmp/ill; sleep 600")
    definition = aws.task_definition(container(command=script, healthCheck=check, stopTimeout=2))
    service = aws.service(cluster, definition, 1)
    aws.until(lambda: aws.tasks_of(cluster, service), "a task")
    [first] = aws.tasks_of(cluster, service)
    task = aws.reached(cluster, first, "RUNNING")
    task = aws.reached(cluster, first, "STOPPED", 20 + aws.patience)
    assert task["stopCode"] == "ServiceSchedulerInitiated"
    assert "health checks" in task["stoppedReason"]


@documented("ecs/API_UpdateService", runs="tasks")
def test_service_scales_out(aws: Account) -> None:
    """A higher desired count starts more tasks, and the first ones stay."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    aws.steady(cluster, service)
    before = set(aws.tasks_of(cluster, service))
    aws.ecs.update_service(cluster=cluster, service=service, desiredCount=3)
    assert aws.steady(cluster, service)["runningCount"] == 3
    assert before < set(aws.tasks_of(cluster, service))


@documented("shape:ecs.Task.stopCode", runs="tasks")
def test_service_scales_in(aws: Account) -> None:
    """A lower desired count stops tasks: ServiceSchedulerInitiated, a scaling activity."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 2)
    aws.steady(cluster, service)
    before = set(aws.tasks_of(cluster, service))
    aws.ecs.update_service(cluster=cluster, service=service, desiredCount=1)
    aws.until(lambda: len(aws.tasks_of(cluster, service)) == 1, "one task")
    [gone] = before - set(aws.tasks_of(cluster, service))
    task = aws.reached(cluster, gone, "STOPPED")
    assert task["stopCode"] == "ServiceSchedulerInitiated"
    assert "Scaling activity initiated by" in task["stoppedReason"]


@documented("shape:ecs.Deployment.status", runs="tasks")
def test_deployment_replaces_the_tasks(aws: Account) -> None:
    """With a new definition there are two deployments, until the new one alone is left."""
    cluster, family = aws.cluster(), aws.name()
    old, new = healthy(aws, family=family), healthy(aws, family=family)
    service = aws.service(cluster, old, 2)
    aws.steady(cluster, service)
    answer = aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=new)
    states = {d["status"]: d["taskDefinition"] for d in answer["service"]["deployments"]}
    assert states == {"PRIMARY": new, "ACTIVE": old}
    [left] = aws.steady(cluster, service, 3 * aws.patience)["deployments"]
    assert (left["status"], left["taskDefinition"]) == ("PRIMARY", new)
    arns = aws.tasks_of(cluster, service)
    assert {aws.task(cluster, arn)["taskDefinitionArn"] for arn in arns} == {new}


@documented("shape:ecs.DeploymentConfiguration.minimumHealthyPercent", runs="tasks")
def test_deployment_keeps_the_minimum_running(aws: Account) -> None:
    """At 100 percent, no less than the desired tasks are RUNNING at any time of a deployment."""
    cluster, family = aws.cluster(), aws.name()
    service = aws.service(cluster, healthy(aws, family=family), 2)
    aws.steady(cluster, service)
    lowest, _ = _deploy(aws, cluster, service, healthy(aws, family=family))
    assert lowest >= 2


@documented("shape:ecs.DeploymentConfiguration.maximumPercent", runs="tasks")
def test_deployment_stays_within_the_maximum(aws: Account) -> None:
    """At 100 percent at most and 50 at least, a deployment replaces two tasks one by one."""
    cluster, family = aws.cluster(), aws.name()
    form = {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 50}}
    service = aws.service(cluster, healthy(aws, family=family), 2, **form)
    aws.steady(cluster, service)
    lowest, highest = _deploy(aws, cluster, service, healthy(aws, family=family))
    assert (lowest, highest) == (1, 2)


def _deploy(aws: Account, cluster: str, service: str, definition: str) -> tuple[int, int]:
    """Deploy, and count the tasks meanwhile: the fewest RUNNING, the most RUNNING or PENDING."""
    aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=definition)
    running: list[int] = []
    wanted: list[int] = []

    def is_done() -> bool:
        now = aws.described(cluster, service)
        running.append(now["runningCount"])
        wanted.append(now["runningCount"] + now["pendingCount"])
        return len(now["deployments"]) == 1 and now["runningCount"] == now["desiredCount"]

    aws.until(is_done, "the deployment's end", 3 * aws.patience)
    [left] = aws.described(cluster, service)["deployments"]
    assert left["taskDefinition"] == definition
    return min(running), max(wanted)


@documented("ecs-guide/deployment-circuit-breaker", runs="tasks")
def test_circuit_breaker_stops_a_bad_deployment(aws: Account) -> None:
    """After three tasks that fail to start, the deployment is FAILED and starts no more."""
    cluster, family = aws.cluster(), aws.name()
    form = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    service = aws.service(cluster, healthy(aws, family=family), 1, deploymentConfiguration=form)
    aws.steady(cluster, service)
    bad = failing(aws, family)
    aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=bad)

    def failed() -> Json | None:
        found = aws.described(cluster, service)["deployments"]
        return next((d for d in found if d.get("rolloutState") == "FAILED"), None)

    deployment = aws.until(failed, "rollout FAILED", 4 * aws.patience)
    assert deployment["taskDefinition"] == bad
    assert deployment["failedTasks"] >= 3


@documented("shape:ecs.ThresholdConfiguration.type", runs="tasks")
def test_circuit_breaker_has_a_threshold_of_its_own(aws: Account) -> None:
    """With a threshold of the type COUNT, so many failed tasks make the deployment FAILED."""
    cluster, family = aws.cluster(), aws.name()
    threshold = {"type": "COUNT", "value": 1}
    breaker = {"enable": True, "rollback": False, "thresholdConfiguration": threshold}
    service = aws.service(
        cluster,
        failing(aws, family),
        1,
        deploymentConfiguration={"deploymentCircuitBreaker": breaker},
    )

    def failed() -> Json | None:
        found = aws.described(cluster, service)["deployments"]
        return next((d for d in found if d.get("rolloutState") == "FAILED"), None)

    assert aws.until(failed, "rollout FAILED", 2 * aws.patience)["failedTasks"] == 1


@documented("ecs-guide/deployment-circuit-breaker", runs="tasks")
def test_circuit_breaker_rolls_back(aws: Account) -> None:
    """With rollback, the service goes back to the last deployment that completed."""
    cluster, family = aws.cluster(), aws.name()
    good = healthy(aws, family=family)
    service = aws.service(cluster, good, 1, deploymentConfiguration=BREAKER)
    aws.until(
        lambda: (
            aws.described(cluster, service)["deployments"][0].get("rolloutState") == "COMPLETED"
        ),
        "the first deployment COMPLETED",
        STEADY_SECONDS,
    )
    bad = failing(aws, family)
    aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=bad)

    def is_back() -> bool:
        now = aws.described(cluster, service)
        return now["taskDefinition"] == good and now["runningCount"] == 1

    aws.until(is_back, "back to the good definition", 4 * aws.patience)
    [left] = aws.steady(cluster, service)["deployments"]
    assert left["taskDefinition"] == good


@documented("ecs-guide/deployment-circuit-breaker", runs="tasks")
def test_good_tasks_stay_through_a_bad_deployment(aws: Account) -> None:
    """At 100 percent, the old tasks stay RUNNING while those of a bad deployment fail."""
    cluster, family = aws.cluster(), aws.name()
    service = aws.service(cluster, healthy(aws, family=family), 1, deploymentConfiguration=BREAKER)
    aws.steady(cluster, service)
    [good] = aws.tasks_of(cluster, service)
    bad = failing(aws, family)
    aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=bad)

    def has_failed() -> bool:
        found = aws.described(cluster, service)["deployments"]
        return any(d["taskDefinition"] == bad and d.get("failedTasks", 0) >= 1 for d in found)

    aws.until(has_failed, "a failed task", 2 * aws.patience)
    assert aws.task(cluster, good)["lastStatus"] == "RUNNING"


@documented("shape:ecs.CreateServiceRequest.propagateTags", runs="tasks")
def test_tags_come_from_the_service(aws: Account) -> None:
    """PropagateTags SERVICE gives the service's tags to its tasks."""
    cluster, tags = aws.cluster(), [{"key": "stage", "value": "try"}]
    service = aws.service(cluster, sleeping(aws), 1, tags=tags, propagateTags="SERVICE")
    aws.steady(cluster, service)
    [arn] = aws.tasks_of(cluster, service)
    assert aws.task(cluster, arn, include=["TAGS"])["tags"] == tags


@documented("shape:ecs.ListTasksRequest.serviceName", runs="tasks")
def test_tasks_are_listed_by_service(aws: Account) -> None:
    """ListTasks with a service's name lists its tasks, and no others."""
    cluster, definition = aws.cluster(), sleeping(aws)
    service = aws.service(cluster, definition, 1)
    other = aws.run(cluster, definition)
    aws.steady(cluster, service)
    found = aws.tasks_of(cluster, service)
    assert len(found) == 1
    assert other not in found


@documented("ecs/API_DeleteService", runs="tasks")
def test_tasks_of_a_deleted_service_are_stopped(aws: Account) -> None:
    """When a service is deleted by force, its tasks stop, and it becomes INACTIVE."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 1)
    aws.steady(cluster, service)
    [arn] = aws.tasks_of(cluster, service)
    aws.ecs.delete_service(cluster=cluster, service=service, force=True)
    assert aws.reached(cluster, arn, "STOPPED")["stopCode"] == "ServiceSchedulerInitiated"
    aws.until(lambda: aws.described(cluster, service)["status"] == "INACTIVE", "INACTIVE")


@documented("ecs/API_UpdateTaskProtection", runs="tasks")
def test_protected_task_survives_scaling_in(aws: Account) -> None:
    """A protected task is not the one that is stopped when the service scales in."""
    cluster = aws.cluster()
    service = aws.service(cluster, sleeping(aws), 2)
    aws.steady(cluster, service)
    chosen = aws.tasks_of(cluster, service)[-1]
    answer = aws.ecs.update_task_protection(
        cluster=cluster, tasks=[chosen], protectionEnabled=True, expiresInMinutes=5
    )
    assert [p["protectionEnabled"] for p in answer["protectedTasks"]] == [True]
    aws.ecs.update_service(cluster=cluster, service=service, desiredCount=1)
    aws.until(lambda: aws.tasks_of(cluster, service) == [chosen], "the protected task alone")


@documented("ecs/API_StopServiceDeployment", runs="tasks")
def test_deployment_can_be_rolled_back_by_hand(aws: Account) -> None:
    """A deployment under way can be stopped, which rolls it back to the revision before."""
    cluster, family = aws.cluster(), aws.name()
    good = healthy(aws, family=family)
    service = aws.service(cluster, good, 1)
    aws.steady(cluster, service)
    aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=failing(aws, family))
    listed = aws.ecs.list_service_deployments(cluster=cluster, service=service)
    under_way = [
        d["serviceDeploymentArn"]
        for d in listed["serviceDeployments"]
        if d["status"] in {"PENDING", "IN_PROGRESS"}
    ]
    assert len(under_way) == 1
    aws.ecs.stop_service_deployment(serviceDeploymentArn=under_way[0], stopType="ROLLBACK")
    aws.until(
        lambda: aws.described(cluster, service)["taskDefinition"] == good,
        "back to the good definition",
    )
