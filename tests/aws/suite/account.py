"""What a check gets: clients whose answers are held against the model, and what checks often need.

Nothing here looks into an emulator: all of it are calls of boto3 to the endpoint.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import boto3
import pytest
import requests
import tenacity
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .answers import faults
from .documented import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.client import BaseClient
    from botocore.model import OperationModel

Json = dict[str, Any]

REGION: Final = "us-east-1"
# The course's own images: what an emulator is to run must be on this machine.
APP: Final = "course/app:1"
BASE: Final = "course/base:1"
APP_PORT: Final = 8080
# Where the check's text is "ECS refuses", AWS's reference lists both, and says of neither when.
BAD_REQUEST: Final = ("ClientException", "InvalidParameterException")
POLL_SECONDS: Final = 0.25
STOP_SECONDS: Final = 2  # for a container that does not listen to SIGTERM
LEAVE_SECONDS: Final = 15
_AMI = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"


@dataclass
class Account:
    """An AWS account at an endpoint, for one check.

    Attributes:
        endpoint: Where the emulator answers.
        patience: Seconds to wait for what must happen by itself.
        faults: What the answers so far had that the model does not allow.
        in_vain: Why the check need not be tried, because what must run for it does not run.
    """

    endpoint: str
    patience: float = 20
    faults: list[str] = field(default_factory=list)
    in_vain: str = ""
    _clients: dict[tuple[str, bool], Any] = field(default_factory=dict)
    _undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    # --- clients -----------------------------------------------------------------------------

    def client(self, service: str, *, judged: bool = True) -> Any:  # noqa: ANN401  # no stubs
        """Give the client of a service; what it answers is held against the model."""
        judged = judged and service in SERVICES
        if (service, judged) not in self._clients:
            made = client(service, self.endpoint)
            if judged:
                made.meta.events.register(f"after-call.{service}", self._judge)
            self._clients[service, judged] = made
        return self._clients[service, judged]

    def _judge(self, model: OperationModel, parsed: Json, **_: object) -> None:
        if "Error" not in parsed:
            self.faults += faults(model, parsed)

    @property
    def ecs(self) -> Any:  # noqa: ANN401
        """ECS."""
        return self.client("ecs")

    @property
    def elbv2(self) -> Any:  # noqa: ANN401
        """Elastic Load Balancing."""
        return self.client("elbv2")

    @property
    def logs(self) -> Any:  # noqa: ANN401
        """CloudWatch Logs."""
        return self.client("logs")

    @property
    def ecr(self) -> Any:  # noqa: ANN401
        """The registry."""
        return self.client("ecr")

    @property
    def ec2(self) -> Any:  # noqa: ANN401
        """Networks and instances, which the others need."""
        return self.client("ec2")

    # --- names, clean-up, waiting ------------------------------------------------------------

    def name(self, what: str = "check") -> str:
        """Make a name that nothing else has."""
        return f"{what}-{uuid.uuid4().hex[:10]}"

    def afterwards(self, service: str, operation: str, /, **parameters: Any) -> None:  # noqa: ANN401
        """Undo something when the check has ended; that it is gone already is no fault."""

        def undo() -> None:
            with contextlib.suppress(BotoCoreError, ClientError):
                getattr(self.client(service, judged=False), operation)(**parameters)

        self._undo.callback(undo)

    def close(self) -> None:
        """Remove what the check made, the newest first."""
        self._undo.close()

    def until(self, question: Callable[[], Any], what: str, seconds: float | None = None) -> Any:  # noqa: ANN401
        """Wait until the question has an answer, and give it back."""
        limit = seconds or self.patience
        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_result(lambda answer: not answer),
                wait=tenacity.wait_fixed(POLL_SECONDS),
                stop=tenacity.stop_after_delay(limit),
            )(question)
        except tenacity.RetryError:
            pytest.fail(f"after {limit:.0f} s, still not: {what}", pytrace=False)

    # --- ECS ---------------------------------------------------------------------------------

    def cluster(self, **parameters: Any) -> str:  # noqa: ANN401
        """Create a cluster and give its name."""
        name = self.name("cluster")
        self.ecs.create_cluster(clusterName=name, **parameters)
        self._undo.callback(self._delete_cluster, name)
        return name

    def _delete_cluster(self, name: str) -> None:
        """Delete a cluster as soon as what was in it has stopped."""
        delete = self.client("ecs", judged=False).delete_cluster
        with contextlib.suppress(BotoCoreError, ClientError):
            tenacity.Retrying(
                retry=tenacity.retry_if_exception(_is_not_empty),
                wait=tenacity.wait_fixed(POLL_SECONDS),
                stop=tenacity.stop_after_delay(LEAVE_SECONDS),
                reraise=True,
            )(delete, cluster=name)

    def role(self) -> str:
        """Create a role that tasks may take, and give its ARN."""
        name = self.name("role")
        trust = (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": '
            '"sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]}'
        )
        made = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        self.afterwards("iam", "delete_role", RoleName=name)
        return made["Role"]["Arn"]

    def register(self, *containers: Json, **parameters: Any) -> Json:  # noqa: ANN401
        """Register a task definition for Fargate, and give what was answered of it."""
        form = {
            "family": self.name("family"),
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "1024",
            "containerDefinitions": list(containers or [container()]),
        } | parameters
        form = {key: value for key, value in form.items() if value is not None}
        made = self.ecs.register_task_definition(**form)["taskDefinition"]
        arn = made["taskDefinitionArn"]
        self.afterwards("ecs", "delete_task_definitions", taskDefinitions=[arn])
        self.afterwards("ecs", "deregister_task_definition", taskDefinition=arn)
        return made

    def task_definition(self, *containers: Json, **parameters: Any) -> str:  # noqa: ANN401
        """Register a task definition for Fargate, and give its ARN."""
        return self.register(*containers, **parameters)["taskDefinitionArn"]

    def for_hosts(self, *containers: Json, **parameters: Any) -> str:  # noqa: ANN401
        """Register a task definition for the EC2 launch type, and give its ARN."""
        small = container(command=["sleep", "600"]) | {"cpu": 128, "memory": 128}
        form: Json = {"requiresCompatibilities": ["EC2"], "networkMode": "bridge"}
        form |= {"cpu": None, "memory": None} | parameters
        return self.task_definition(*(containers or [small]), **form)

    def subnets(self, count: int = 2) -> list[str]:
        """Name subnets of the default VPC, in different zones."""
        only = [{"Name": "default-for-az", "Values": ["true"]}]
        found = self.ec2.describe_subnets(Filters=only)["Subnets"]
        zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}
        return [zones[zone] for zone in sorted(zones)][:count]

    def vpc(self) -> str:
        """Name the default VPC."""
        only = [{"Name": "is-default", "Values": ["true"]}]
        return self.ec2.describe_vpcs(Filters=only)["Vpcs"][0]["VpcId"]

    def network(self) -> Json:
        """Give the network configuration of a task that gets an interface of its own."""
        only = [
            {"Name": "vpc-id", "Values": [self.vpc()]},
            {"Name": "group-name", "Values": ["default"]},
        ]
        groups = self.ec2.describe_security_groups(Filters=only)["SecurityGroups"]
        return {
            "awsvpcConfiguration": {
                "subnets": self.subnets(),
                "securityGroups": [group["GroupId"] for group in groups],
                "assignPublicIp": "ENABLED",
            }
        }

    def run(self, cluster: str, definition: str, **parameters: Any) -> str:  # noqa: ANN401
        """Run one task on Fargate and give its ARN; it is stopped when the check has ended."""
        fargate = {"launchType": "FARGATE", "networkConfiguration": self.network()}
        for arn in self.run_with(cluster, definition, **(fargate | parameters)):
            return arn
        pytest.fail("RunTask answered no task", pytrace=False)

    def run_with(self, cluster: str, definition: str, **parameters: Any) -> list[str]:  # noqa: ANN401
        """Run tasks with just these parameters, and give their ARNs."""
        answer = self.ecs.run_task(cluster=cluster, taskDefinition=definition, **parameters)
        assert answer["failures"] == []
        arns = [task["taskArn"] for task in answer["tasks"]]
        for arn in arns:
            self._undo.callback(self._stop, cluster, arn)
        return arns

    def _stop(self, cluster: str, arn: str) -> None:
        ecs = self.client("ecs", judged=False)
        with contextlib.suppress(BotoCoreError, ClientError):
            ecs.stop_task(cluster=cluster, task=arn)

    def task(self, cluster: str, arn: str, **parameters: Any) -> Json:  # noqa: ANN401
        """Describe one task."""
        return self.ecs.describe_tasks(cluster=cluster, tasks=[arn], **parameters)["tasks"][0]

    def reached(self, cluster: str, arn: str, status: str, seconds: float | None = None) -> Json:
        """Wait until a task has a status, and describe it."""

        def found() -> Json | None:
            task = self.task(cluster, arn)
            if status != "STOPPED" and task["lastStatus"] == "STOPPED":
                why = task.get("stoppedReason"), [c.get("reason") for c in task["containers"]]
                pytest.fail(f"the task stopped instead of {status}: {why}", pytrace=False)
            return task if task["lastStatus"] == status else None

        return self.until(found, f"task {status}", seconds)

    def finished(self, *containers: Json, seconds: float | None = None, **parameters: Any) -> Json:  # noqa: ANN401
        """Run these containers as one task to their end, and describe it."""
        cluster = self.cluster()
        definition = self.task_definition(*containers, **parameters)
        return self.reached(cluster, self.run(cluster, definition), "STOPPED", seconds)

    def code(self, command: list[str], **settings: Any) -> int | None:  # noqa: ANN401
        """Run a command in one container, and give its exit code."""
        parameters = settings.pop("parameters", {})
        return exit_code(self.finished(container(command=command, **settings), **parameters))

    def service(self, cluster: str, definition: str, count: int = 1, **parameters: Any) -> str:  # noqa: ANN401
        """Create a service on Fargate and give its name; its tasks end with the check."""
        name = self.name("service")
        form: Json = {
            "launchType": "FARGATE",
            "networkConfiguration": self.network(),
            "desiredCount": count,
        } | parameters
        form = {key: value for key, value in form.items() if value is not None}
        self.ecs.create_service(
            cluster=cluster, serviceName=name, taskDefinition=definition, **form
        )
        self.afterwards("ecs", "delete_service", cluster=cluster, service=name, force=True)
        return name

    def described(self, cluster: str, service: str) -> Json:
        """Describe one service."""
        found = self.ecs.describe_services(cluster=cluster, services=[service])
        assert found["failures"] == []
        return found["services"][0]

    def steady(self, cluster: str, service: str, seconds: float | None = None) -> Json:
        """Wait until a service runs what it shall, in one deployment, and describe it."""

        def found() -> Json | None:
            now = self.described(cluster, service)
            done = len(now["deployments"]) == 1 and now["runningCount"] == now["desiredCount"]
            return now if done and now["pendingCount"] == 0 else None

        return self.until(found, "service steady", seconds)

    def tasks_of(self, cluster: str, service: str) -> list[str]:
        """List the tasks that a service wants to run."""
        return self.ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]

    def said(self, cluster: str, service: str, words: str, seconds: float | None = None) -> str:
        """Wait until a service's events have these words, and give the event."""

        def found() -> str | None:
            events = self.described(cluster, service)["events"]
            return next((e["message"] for e in events if re.search(words, e["message"])), None)

        return self.until(found, f"an event that says {words!r}", seconds)

    def hosts(self, cluster: str, count: int = 1, kind: str = "t3.small") -> list[str]:
        """Launch instances that join a cluster by their user data, and give their ARNs there.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bootstrap_container_instance.html
        """
        before = set(self._hosts_of(cluster))
        image = self.client("ssm").get_parameter(Name=_AMI)["Parameter"]["Value"]
        launched = self.ec2.run_instances(
            ImageId=image,
            InstanceType=kind,
            MinCount=count,
            MaxCount=count,
            UserData=f"#!/bin/bash\necho ECS_CLUSTER={cluster} >> /etc/ecs/ecs.config\n",
        )
        ids = [instance["InstanceId"] for instance in launched["Instances"]]
        self.afterwards("ec2", "terminate_instances", InstanceIds=ids)

        def joined() -> list[str] | None:
            arns = [arn for arn in self._hosts_of(cluster) if arn not in before]
            return arns if len(arns) == count else None

        return self.until(joined, f"{count} instances joined the cluster")

    def _hosts_of(self, cluster: str) -> list[str]:
        found = self.ecs.list_container_instances(cluster=cluster, status="ACTIVE")
        return found["containerInstanceArns"]

    # --- ELBv2 -------------------------------------------------------------------------------

    def balancer(self, **parameters: Any) -> Json:  # noqa: ANN401
        """Create an application load balancer."""
        form = {"Name": self.name("lb"), "Subnets": self.subnets()} | parameters
        made = self.elbv2.create_load_balancer(**form)["LoadBalancers"][0]
        arn = made["LoadBalancerArn"]
        self.afterwards("elbv2", "delete_load_balancer", LoadBalancerArn=arn)
        return made

    def target_group(self, **parameters: Any) -> str:  # noqa: ANN401
        """Create a target group for tasks, and give its ARN."""
        form = {
            "Name": self.name("tg"),
            "Protocol": "HTTP",
            "Port": APP_PORT,
            "TargetType": "ip",
            "VpcId": self.vpc(),
        } | parameters
        made = self.elbv2.create_target_group(**form)["TargetGroups"][0]["TargetGroupArn"]
        self.afterwards("elbv2", "delete_target_group", TargetGroupArn=made)
        return made

    def listener(self, balancer: Json, *actions: Json, **parameters: Any) -> Json:  # noqa: ANN401
        """Create a listener on a port that is free on this machine."""
        made = self.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=free_port(),
            DefaultActions=list(actions),
            **parameters,
        )["Listeners"][0]
        self.afterwards("elbv2", "delete_listener", ListenerArn=made["ListenerArn"])
        return made

    def ask(
        self, balancer: Json, listener: Json, path: str = "/", **headers: str
    ) -> requests.Response:
        """Ask a listener over HTTP, as a client of the load balancer does: its name, its port.

        A name that no name server here knows is asked for on this machine, at the listener's port
        or at the endpoint's, with the name in the header ``Host``.
        """
        dns, port = balancer["DNSName"], listener["Port"]
        name, method = headers.pop("Host", dns), headers.pop("method", "GET")
        here = urlsplit(self.endpoint)
        tried = []
        for host, at in ((dns, port), (here.hostname, port), (here.hostname, here.port)):
            if self.leads_away(host):
                continue
            try:
                return requests.request(
                    method,
                    f"http://{host}:{at}{path}",
                    headers={"Host": name, **headers},
                    timeout=5,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                tried.append(f"{host}:{at}: {type(error).__name__}")
        pytest.fail(f"no listener answers: {', '.join(tried)}", pytrace=False)

    def get(self, address: str) -> requests.Response:
        """Ask an address that the service gave, unless an emulator sends us to the real AWS."""
        if self.leads_away(urlsplit(address).hostname):
            pytest.fail(f"{address} leads off this machine", pytrace=False)
        return requests.get(address, timeout=10)

    def leads_away(self, host: str | None) -> bool:
        """Tell whether a name is elsewhere, although the endpoint is on this machine."""
        return _is_here(urlsplit(self.endpoint).hostname) and not _is_here(host)

    def health(self, group: str) -> list[Json]:
        """Describe the health of a target group's targets."""
        found = self.elbv2.describe_target_health(TargetGroupArn=group)
        return found["TargetHealthDescriptions"]

    # --- Logs and ECR ------------------------------------------------------------------------

    def log_group(self, **parameters: Any) -> str:  # noqa: ANN401
        """Create a log group and give its name."""
        name = f"/course/{self.name()}"
        self.logs.create_log_group(logGroupName=name, **parameters)
        self.afterwards("logs", "delete_log_group", logGroupName=name)
        return name

    def log_stream(self, group: str) -> str:
        """Create a log stream and give its name."""
        name = self.name("stream")
        self.logs.create_log_stream(logGroupName=group, logStreamName=name)
        return name

    def repository(self, **parameters: Any) -> str:  # noqa: ANN401
        """Create a repository and give its name."""
        name = f"course/{self.name('repo')}"
        self.ecr.create_repository(repositoryName=name, **parameters)
        self.afterwards("ecr", "delete_repository", repositoryName=name, force=True)
        return name


def client(service: str, endpoint: str) -> BaseClient:
    """Make a client of an endpoint, with keys that open nothing."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106  # opens nothing
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )


def container(name: str = "app", **settings: Any) -> Json:  # noqa: ANN401
    """Define a container of the course's application; its health check is the image's.

    Its memory is given, although Fargate does not ask for it: whether it may be left out is a
    check of its own, and no condition of all the others. It is stopped soon, so that a check
    leaves nothing to the next one.
    """
    form = {"name": name, "image": APP, "essential": True, "memory": 256}
    form |= {"stopTimeout": STOP_SECONDS} | settings
    return {key: value for key, value in form.items() if value is not None}


def shell(script: str) -> list[str]:
    """Make a command of a line of shell."""
    return ["sh", "-c", script]


def python(script: str) -> list[str]:
    """Make a command of a few lines of Python, which end with code 0 if nothing raises."""
    return ["python3", "-c", script]


def exit_code(task: Json, name: str = "app") -> int | None:
    """Take the exit code of a container out of a described task."""
    return next(found.get("exitCode") for found in task["containers"] if found["name"] == name)


def fixed(body: str, status: str = "200") -> Json:
    """Make the action by which a listener answers itself."""
    answer = {"StatusCode": status, "ContentType": "text/plain", "MessageBody": body}
    return {"Type": "fixed-response", "FixedResponseConfig": answer}


def forward(group: str) -> Json:
    """Make the action by which a listener asks a target."""
    return {"Type": "forward", "TargetGroupArn": group}


@contextlib.contextmanager
def refused(*codes: str, by: str = "") -> Iterator[None]:
    """Expect that the service refuses, by an operation if one is named, with one of these codes."""
    with pytest.raises(ClientError) as refusal:
        yield
    assert refusal.value.response["Error"]["Code"] in codes
    assert by in {"", refusal.value.operation_name}


def free_port() -> int:
    """Find a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_not_empty(error: BaseException) -> bool:
    """Tell whether a cluster could not be deleted because of what was still in it."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return code.startswith("ClusterContains")


def _is_here(host: str | None) -> bool:
    host = (host or "").partition(":")[0]
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
