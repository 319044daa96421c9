"""The exercises of chapter 12, Amazon ECS."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import requests

from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.session import Lab

    Json = dict[str, Any]

__all__ = [
    "CHAPTER",
    "EXERCISES",
    "FAULTS",
    "QUICK",
    "clear",
    "container_of",
    "inject",
    "register",
    "set_up",
]

CHAPTER = "12-ecs"

APP: Final = "course/app:1"
SIZE: Final = {"cpu": "1024", "memory": "2048"}
PORT: Final = 8080
DESIRED: Final = 2
ASKED: Final = 10
LEAST_SENT: Final = 20
QUICK: Final = {"Delay": 1, "MaxAttempts": 120}
HEALTHY_SECONDS: Final = 60
SHOWS_SECONDS: Final = 90
STEADY_SECONDS: Final = 120

# What the description of exercise 12.1 asks for.
MENU: Final[Json] = {"cpu": "512", "memory": "1024"}
GREETING: Final = "soup and bread"
STOP_SECONDS: Final = 20
INTERVAL: Final = 5

# How the market's second version differs from a sound one.
# The seed picks one, so the order must not change within a course.
FAULTS: Final[dict[str, Json]] = {
    "image": {"image": "127.0.0.1:1/course/app:2"},
    "command": {"command": ["pyton3", "web.py"]},
    "memory": {"memory": 8},
    "health": {
        "healthCheck": {
            "command": ["CMD-SHELL", "wget -q -O - http://127.0.0.1:8080/helath"],
            "interval": INTERVAL,
            "retries": 1,
        }
    },
    "port": {
        "environment": [{"name": "VERSION", "value": "2"}, {"name": "PORT", "value": "9090"}],
        "healthCheck": {
            "command": ["CMD-SHELL", "wget -q -O - http://127.0.0.1:$PORT/health"],
            "interval": INTERVAL,
        },
    },
}
_SHOWS: Final = {
    "image": "CannotPullContainerError",
    "command": "CannotStartContainerError",
    "memory": "OutOfMemoryError",
    "health": "failed container health checks",
    "port": "failed ELB health checks",
}


# --- scenes ----------------------------------------------------------------------------------


def container_of(name: str, version: str, **changes: Any) -> Json:  # noqa: ANN401  # as boto3 takes it
    """Define the application's container, as the scenes run it; None leaves a member out."""
    usual = {
        "name": name,
        "image": APP,
        "portMappings": [{"containerPort": PORT}],
        "environment": [{"name": "VERSION", "value": version}],
        "healthCheck": {
            "command": ["CMD-SHELL", f"wget -q -O - http://127.0.0.1:{PORT}/health"],
            "interval": INTERVAL,
        },
        "stopTimeout": 5,
    }
    return {key: value for key, value in (usual | changes).items() if value is not None}


def register(lab: Lab, family: str, version: str, **changes: Any) -> str:  # noqa: ANN401
    """Register a revision of a family, whose container has the family's name, and give its ARN."""
    made = lab.aws("ecs").register_task_definition(
        family=family,
        containerDefinitions=[container_of(family, version, **changes)],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        **SIZE,
    )
    return str(made["taskDefinition"]["taskDefinitionArn"])


def set_up(  # noqa: PLR0913  # what scenes differ in
    lab: Lab,
    name: str,
    *,
    balanced: bool,
    version: str = "1",
    changes: Json | None = None,
    wait: bool = True,
    **service: Any,  # noqa: ANN401  # as boto3 takes it
) -> None:
    """Make a cluster with a service of one name, afresh, on a load balancer of that name or none.

    Args:
        lab: The learner's lab.
        name: The name of all that is made.
        balanced: Whether there is a load balancer.
        version: The version of the application.
        changes: Members of its container that are not as usual.
        wait: Whether to wait for the end of the first deployment.
        service: Other parameters of ``create_service``.
    """
    clear(lab, name)
    ecs = lab.aws("ecs")
    ecs.create_cluster(clusterName=name)
    form: Json = {"desiredCount": DESIRED, "launchType": "FARGATE", **service}
    form["networkConfiguration"] = {
        "awsvpcConfiguration": {
            "subnets": [each["SubnetId"] for each in _subnets(lab)],
            "assignPublicIp": "ENABLED",
        }
    }
    form["taskDefinition"] = register(lab, name, version, **(changes or {}))
    if balanced:
        target = {"containerName": name, "containerPort": PORT}
        form["loadBalancers"] = [{"targetGroupArn": _balance(lab, name), **target}]
    ecs.create_service(cluster=name, serviceName=name, **form)
    if wait:
        lab.wait_deployment(ecs, cluster=name, service=name)


def clear(lab: Lab, name: str) -> None:
    """Remove what ``set_up`` has made, or what is left of it."""
    ecs, elb = lab.aws("ecs"), lab.aws("elbv2")
    if _cluster(lab, name) == "ACTIVE":
        for arn in {*ecs.list_services(cluster=name)["serviceArns"], *_draining(lab, name)}:
            with suppress(ecs.exceptions.ServiceNotActiveException):
                ecs.delete_service(cluster=name, service=arn, force=True)
            inactive = ecs.get_waiter("services_inactive")
            inactive.wait(cluster=name, services=[arn], WaiterConfig=QUICK)
        _end_tasks(lab, name)
        ecs.delete_cluster(cluster=name)
    for balancer in _balancers(lab, name):
        elb.delete_load_balancer(LoadBalancerArn=balancer)
    for group in _groups(lab, name):
        elb.delete_target_group(TargetGroupArn=group)
    for arn in _definitions(lab, name):
        ecs.deregister_task_definition(taskDefinition=arn)


def inject(lab: Lab, fault: str) -> None:
    """Deploy the market's second version with a fault, and wait until the fault shows.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.
    """
    set_up(lab, "market", balanced=True, version="2", changes=FAULTS[fault], wait=False)
    _shows(lab, "market", _SHOWS[fault])


@evidence.within(SHOWS_SECONDS)
def _shows(lab: Lab, name: str, words: str) -> bool:
    return any(words in reason for reason in _reasons(lab, name))


def _subnets(lab: Lab) -> list[Json]:
    return list(lab.aws("ec2").describe_subnets()["Subnets"][:2])


def _balance(lab: Lab, name: str) -> str:
    """Make a load balancer, and give the ARN of its target group."""
    elb, subnets = lab.aws("elbv2"), _subnets(lab)
    group = elb.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=PORT,
        TargetType="ip",
        VpcId=subnets[0]["VpcId"],
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "2"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    balancer = elb.create_load_balancer(Name=name, Subnets=[each["SubnetId"] for each in subnets])[
        "LoadBalancers"
    ][0]["LoadBalancerArn"]
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=lab.free_port(),
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return str(group)


def _draining(lab: Lab, name: str) -> list[str]:
    """Name the service of a scene that was deleted and still stops its tasks."""
    found = lab.aws("ecs").describe_services(cluster=name, services=[name])["services"]
    return [each["serviceArn"] for each in found if each["status"] == "DRAINING"]


def _end_tasks(lab: Lab, cluster: str) -> None:
    """Stop what runs in a cluster, and wait for it and for what is stopping already."""
    ecs = lab.aws("ecs")
    running = ecs.list_tasks(cluster=cluster)["taskArns"]
    for arn in running:
        ecs.stop_task(cluster=cluster, task=arn)
    stopping = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    if arns := [*{*running, *stopping}]:
        ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=arns, WaiterConfig=QUICK)


# --- what is there ---------------------------------------------------------------------------


def _cluster(lab: Lab, name: str) -> str:
    """Tell a cluster's status; nothing where there never was one."""
    found = lab.aws("ecs").describe_clusters(clusters=[name])["clusters"]
    return str(found[0]["status"]) if found else ""


def _service(lab: Lab, name: str) -> Json:
    """Describe the service of an exercise.

    Raises:
        NotYet: It is not there, or not any more.
    """
    found = []
    if _cluster(lab, name) == "ACTIVE":
        found = lab.aws("ecs").describe_services(cluster=name, services=[name])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        raise NotYet(
            f"There is no active service {name} in a cluster {name}. The cell of lab.prepare, "
            "run once more, brings it back."
        )
    return dict(found[0])


def _deployments(lab: Lab, name: str) -> list[str]:
    """Give the status of each deployment of a service, the newest first."""
    history = lab.aws("ecs").list_service_deployments(cluster=name, service=name)
    return [str(each["status"]) for each in history["serviceDeployments"]]


def _definitions(lab: Lab, family: str) -> list[str]:
    """List the active revisions of a family, the newest first."""
    found = lab.aws("ecs").list_task_definitions(familyPrefix=family, sort="DESC")
    arns = [str(arn) for arn in found["taskDefinitionArns"]]
    return [arn for arn in arns if _short(arn).partition(":")[0] == family]


def _short(arn: str) -> str:
    """Give the last part of an ARN, which is what people call the thing."""
    return arn.rpartition("/")[2]


def _balancers(lab: Lab, name: str) -> list[str]:
    found = lab.aws("elbv2").describe_load_balancers()["LoadBalancers"]
    return [each["LoadBalancerArn"] for each in found if each["LoadBalancerName"] == name]


def _groups(lab: Lab, name: str) -> list[str]:
    found = lab.aws("elbv2").describe_target_groups()["TargetGroups"]
    return [each["TargetGroupArn"] for each in found if each["TargetGroupName"] == name]


def _url(lab: Lab, name: str) -> str:
    """Give the address at which a load balancer answers.

    Raises:
        NotYet: It is gone, or has no listener.
    """
    for balancer in _balancers(lab, name):
        for listener in lab.aws("elbv2").describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
            return f"http://127.0.0.1:{listener['Port']}"
    raise NotYet(f"There is no load balancer {name} with a listener any more.")


def _answers(url: str) -> Counter[tuple[str, str]]:
    """Ask several times: which version on which host answers, and how often."""
    seen: Counter[tuple[str, str]] = Counter()
    for _ in range(ASKED):
        try:
            answer = requests.get(url, timeout=3)
            body = answer.json() if answer.ok else {}
        except requests.RequestException:
            body = {}
        seen[str(body.get("version", "nobody")), str(body.get("host", ""))] += 1
    return seen


def _stopped(lab: Lab, name: str) -> Iterator[Json]:
    """Describe the tasks of the revision that a service runs now, those that have ended."""
    ecs = lab.aws("ecs")
    wanted = _service(lab, name)["taskDefinition"]
    arns = ecs.list_tasks(cluster=name, desiredStatus="STOPPED")["taskArns"]
    if arns:
        for task in ecs.describe_tasks(cluster=name, tasks=arns)["tasks"]:
            if task["taskDefinitionArn"] == wanted:
                yield task


def _reasons(lab: Lab, name: str) -> list[str]:
    """Say why tasks of a service have ended, in ECS's words; not of those that it needs no more."""
    found: set[str] = set()
    for task in _stopped(lab, name):
        said = task.get("stoppedReason", "")
        if said.startswith("Scaling activity"):
            continue
        inner = [
            each.get("reason") or f"exit code {each['exitCode']}"
            for each in task["containers"]
            if each.get("reason") or each.get("exitCode")
        ]
        words = (word.partition("(target-group")[0].strip() for word in (said, *inner))
        found.add("; ".join(dict.fromkeys(words)))
    return sorted(found)


# --- checks ----------------------------------------------------------------------------------


def _check_definition(lab: Lab) -> None:
    found = _definitions(lab, "menu")
    if not found:
        raise NotYet("There is no active task definition of the family menu.")
    ecs = lab.aws("ecs")
    form = ecs.describe_task_definition(taskDefinition=found[0])["taskDefinition"]
    which = _short(found[0])
    for member, wanted in MENU.items():
        if form.get(member) != wanted:
            raise NotYet(
                f"{which} has {member} {form.get(member)}: half a vCPU and 1 GB are asked."
            )
    if "FARGATE" not in form.get("requiresCompatibilities", []):
        raise NotYet(f"{which} does not require that it can run on Fargate.")
    names = [each["name"] for each in form["containerDefinitions"]]
    if names != ["menu"]:
        raise NotYet(f"{which} should have one container, menu, and has: {', '.join(names)}.")
    [container] = form["containerDefinitions"]
    _check_menu(which, container)
    _check_it_becomes_healthy(lab, found[0])


def _check_menu(which: str, container: Json) -> None:
    if container["image"] != APP:
        raise NotYet(f"{which} has the image {container['image']}, and {APP} is asked for.")
    ports = [each["containerPort"] for each in container.get("portMappings") or []]
    if ports != [PORT]:
        raise NotYet(f"{which} has the ports {ports}: the application listens on {PORT}.")
    given = {each["name"]: each["value"] for each in container.get("environment") or []}
    if given.get("GREETING") != GREETING:
        raise NotYet(f"{which} has GREETING = {given.get('GREETING')!r}, not {GREETING!r}.")
    if container.get("stopTimeout") != STOP_SECONDS:
        raise NotYet(
            f"{which} lets the container {container.get('stopTimeout', 'the default of 30')} "
            f"seconds to end, and {STOP_SECONDS} are asked for."
        )
    check = container.get("healthCheck")
    if not check:
        raise NotYet(f"{which} has no health check: ECS does not look at that of the image.")
    if check.get("interval") != INTERVAL:
        raise NotYet(f"{which} is tested every {check.get('interval')} seconds, not {INTERVAL}.")
    _check_it_asks_for_health(which, check)


def _check_it_asks_for_health(which: str, check: Json) -> None:
    command = " ".join(check["command"])
    if "/health" not in command:
        raise NotYet(f"{which} has a health check that does not ask for /health: {command}.")


def _check_it_becomes_healthy(lab: Lab, definition: str) -> None:
    """Run one task of a definition, and see whether its health check passes."""
    ecs = lab.aws("ecs")
    ecs.create_cluster(clusterName="kitchen")
    subnets = [each["SubnetId"] for each in _subnets(lab)]
    task = ecs.run_task(
        cluster="kitchen",
        taskDefinition=definition,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}
        },
    )["tasks"][0]["taskArn"]
    try:
        if not evidence.within(HEALTHY_SECONDS)(_has_spoken)(lab, "kitchen", task):
            raise NotYet(f"A task of it has not become healthy within {HEALTHY_SECONDS} s.")
        found = ecs.describe_tasks(cluster="kitchen", tasks=[task])["tasks"][0]
        if found["healthStatus"] != "HEALTHY":
            reason = found.get("stoppedReason") or "its health check fails"
            raise NotYet(
                f"This check has run a task of {_short(definition)}, which is "
                f"{found['healthStatus']} ({reason}): what does its health check ask, and where?"
            )
    finally:
        ecs.stop_task(cluster="kitchen", task=task)


def _has_spoken(lab: Lab, cluster: str, task: str) -> bool:
    [found] = lab.aws("ecs").describe_tasks(cluster=cluster, tasks=[task])["tasks"]
    return bool(found["healthStatus"] != "UNKNOWN" or found["lastStatus"] == "STOPPED")


def _check_deployment(lab: Lab) -> None:
    _service(lab, "kiosk")
    url = _url(lab, "kiosk")
    seen = _answers(url)
    versions = sorted({version for version, _ in seen})
    if versions != ["2"]:
        raise NotYet(
            f"Of {ASKED} answers at the load balancer all should come from version 2, and they "
            f"come from: {', '.join(versions)}."
        )
    running = _service(lab, "kiosk")["runningCount"]
    if running != DESIRED:
        raise NotYet(f"{running} tasks run, and {DESIRED} are wanted.")
    _check_the_rest_is_kept(lab)
    mine = [load for load in lab.loads if load.url.rstrip("/") == url]
    if not mine:
        raise NotYet(
            "Version 2 answers, and no load has run at the load balancer, so nobody knows whether "
            "a request was lost: let one run from before the deployment until after it. "
            "lab.prepare brings version 1 back."
        )
    load = mine[-1].stop()
    if load.lost:
        why = ", ".join(sorted(load.reasons))
        raise NotYet(
            f"{load.lost} of {load.sent} requests were lost ({why}): at some moment nobody was "
            "ready. How many tasks may be missing during a deployment? Look at the service's "
            "deploymentConfiguration; lab.prepare brings version 1 back."
        )
    if load.versions != ["1", "2"] or load.sent < LEAST_SENT:
        told = " and ".join(load.versions) or "none"
        raise NotYet(
            f"None was lost, and the last load has sent {load.sent} requests and seen the version "
            f"{told} only: let it run from before the deployment until after it. lab.prepare "
            "brings version 1 back."
        )


def _check_the_rest_is_kept(lab: Lab) -> None:
    """See that the revision which the kiosk runs differs in its version only."""
    arn = _service(lab, "kiosk")["taskDefinition"]
    found = lab.aws("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    container, wanted = found["containerDefinitions"][0], container_of("kiosk", "2")
    asked = container.get("healthCheck") or {}
    changed = [member for member in SIZE if found.get(member) != SIZE[member]]
    changed += [each for each in ("image", "stopTimeout") if container.get(each) != wanted[each]]
    if any(asked.get(member) != value for member, value in wanted["healthCheck"].items()):
        changed.append("healthCheck")
    if changed:
        raise NotYet(
            f"Version 2 answers, and {_short(arn)} also differs in: {', '.join(changed)}. All but "
            "VERSION was to stay as it is; lab.prepare brings version 1 back."
        )


def _check_breaker(lab: Lab) -> None:
    service = _service(lab, "tickets")
    breaker = service["deploymentConfiguration"]["deploymentCircuitBreaker"]
    history = _deployments(lab, "tickets")
    if not breaker["enable"]:
        raise NotYet("The circuit breaker of the service tickets is off.")
    if not breaker["rollback"]:
        raise NotYet(
            f"The circuit breaker is on, and does not roll back: the newest deployment is "
            f"{history[0]}, and nobody puts the old version back."
        )
    if "ROLLBACK_SUCCESSFUL" not in history:
        raise NotYet(
            "It is set, and not proved: none of the deployments was rolled back. They are, the "
            f"newest first: {', '.join(history)}."
        )
    if not evidence.within(STEADY_SECONDS)(_is_steady)(lab, "tickets"):
        raise NotYet(
            f"A deployment was rolled back. Now the service is not steady: {_last_event(service)}"
        )
    container = _container(lab, "tickets")
    given = {each["name"]: each["value"] for each in container.get("environment") or []}
    if given.get("VERSION") != "1":
        raise NotYet(f"It is steady, with VERSION = {given.get('VERSION')!r} instead of '1'.")


def _is_steady(lab: Lab, name: str) -> bool:
    service = _service(lab, name)
    [newest, *others] = service["deployments"]
    counts = service["runningCount"], service["pendingCount"]
    return (
        not others
        and newest["rolloutState"] == "COMPLETED"
        and counts == (service["desiredCount"], 0)
    )


def _last_event(service: Json) -> str:
    return str(service["events"][0]["message"]) if service["events"] else "it has said nothing yet."


def _container(lab: Lab, name: str) -> Json:
    """Give the container definition that a service runs now."""
    definition = _service(lab, name)["taskDefinition"]
    found = lab.aws("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
    return dict(found["containerDefinitions"][0])


def _check_deletion(lab: Lab) -> None:
    label: Json = {"label": [*lab.filters["label"], "com.amazonaws.ecs.cluster=fair"]}
    if _cluster(lab, "fair") == "ACTIVE":
        there = lab.aws("ecs").list_services(cluster="fair")["serviceArns"]
        inside = "with its service" if there else "without a service"
        raise NotYet(f"The cluster fair is still ACTIVE, {inside}.")
    if not _cluster(lab, "fair"):
        raise NotYet("There was no cluster fair: the cell of lab.prepare makes it.")
    if _balancers(lab, "fair"):
        raise NotYet("The load balancer fair is still there, and AWS would bill it by the hour.")
    if _groups(lab, "fair"):
        raise NotYet("The target group fair is still there, and nobody uses it.")
    if left := _definitions(lab, "fair"):
        names = ", ".join(map(_short, left))
        raise NotYet(f"{names} can still be run: a task definition goes by being deregistered.")
    if lab.docker.containers.list(filters=label):
        raise NotYet("A container of the cluster fair still runs.")
    if _cluster(lab, "stand") != "ACTIVE" or not _service(lab, "stand")["runningCount"]:
        raise NotYet("The cluster stand with its service was to stay as it is.")


def _check_market(lab: Lab) -> None:
    service = _service(lab, "market")
    if service["desiredCount"] != DESIRED:
        raise NotYet(f"market asks for {service['desiredCount']} tasks, and {DESIRED} are wanted.")
    if not evidence.within(STEADY_SECONDS)(_is_decided)(lab, "market") or not _is_steady(
        lab, "market"
    ):
        reasons = _reasons(lab, "market")
        told = "; ".join(reasons) or _last_event(_service(lab, "market"))
        raise NotYet(
            f"The service is not steady. Of the tasks of the revision that it runs now, this is "
            f"known: {told}. Which part of the task definition leads to that?"
        )
    if not _container(lab, "market").get("healthCheck"):
        raise NotYet("It is steady without a health check, so nobody would see that it hangs.")
    _check_it_asks_for_health("It is steady, and", _container(lab, "market")["healthCheck"])
    seen = _answers(_url(lab, "market"))
    versions = sorted({version for version, _ in seen})
    if versions != ["2"]:
        raise NotYet(f"Version 2 should answer at the load balancer, and {versions} did.")


def _is_decided(lab: Lab, name: str) -> bool:
    """Tell whether a service is steady, or it is known why not."""
    return _is_steady(lab, name) or bool(_reasons(lab, name))


# --- preparations ----------------------------------------------------------------------------


def _prepare_kiosk(lab: Lab) -> None:
    hasty = {"minimumHealthyPercent": 0, "maximumPercent": 100}
    set_up(lab, "kiosk", balanced=True, deploymentConfiguration=hasty)


def _prepare_tickets(lab: Lab) -> None:
    set_up(lab, "tickets", balanced=False)


def _prepare_fair(lab: Lab) -> None:
    set_up(lab, "fair", balanced=True, desiredCount=1, wait=False)
    set_up(lab, "stand", balanced=False, desiredCount=1)


def _prepare_market(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


EXERCISES = {
    "12.1": Exercise(
        title="From a description",
        minutes=8,
        nudge="Take the sentences one by one: each is one member of the task definition or of its "
        "container. Times are in seconds, and the sizes of the task are texts.",
        check=_check_definition,
    ),
    "12.2": Exercise(
        title="A new version, and nobody notices",
        minutes=10,
        nudge="Before you deploy, look at how the service deploys: how many tasks must stay "
        "healthy, and how many may there be at most?",
        check=_check_deployment,
        prepare=_prepare_kiosk,
    ),
    "12.3": Exercise(
        title="A fuse that blows",
        minutes=10,
        nudge="A fuse is proved by blowing it: set it first, and then deploy a version that can't "
        "start.",
        check=_check_breaker,
        prepare=_prepare_tickets,
    ),
    "12.4": Exercise(
        title="The end of the fair",
        minutes=7,
        nudge="Draw who uses whom, and begin with the one that nobody uses. A refusal names what "
        "is still in the way.",
        check=_check_deletion,
        prepare=_prepare_fair,
    ),
    "12.5": Exercise(
        title="A service that does not become steady",
        minutes=12,
        nudge="Read the events first. Then ask for the tasks that have stopped: the stop code, the "
        "reason, and the reason and the exit code of the container.",
        check=_check_market,
        prepare=_prepare_market,
    ),
}
