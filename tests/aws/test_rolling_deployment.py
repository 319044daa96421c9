"""A service behind a load balancer is deployed anew, and no request is lost."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tenacity

from lab.aws.local import LocalAws
from lab.aws.sources import client_of
from lab.cleaning import sweep
from lab.engine import find_engine
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Json = dict[str, Any]

PACED = Path(__file__).with_name("paced.py")
DEPLOYMENTS = 5
LEAST_REQUESTS = 2000
DRAIN_SECONDS = "3"
SECONDS = 90


class Site:
    """The application as a service of two tasks behind a load balancer."""

    def __init__(self, endpoint: str) -> None:
        self.ecs, self.elbv2, ec2 = (client_of(one, endpoint) for one in ("ecs", "elbv2", "ec2"))
        subnets = ec2.describe_subnets()["Subnets"]
        zones = {one["AvailabilityZone"]: one["SubnetId"] for one in subnets}
        self.subnets = [zones[zone] for zone in sorted(zones)][:2]
        self.port = self._balancer(subnets[0]["VpcId"])
        self.ecs.create_cluster(clusterName="site")
        self.ecs.create_service(
            cluster="site",
            serviceName="web",
            taskDefinition=self._definition("1"),
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
            loadBalancers=[
                {"targetGroupArn": self.group, "containerName": "web", "containerPort": 8080}
            ],
        )

    def _balancer(self, vpc: str) -> int:
        create = self.elbv2.create_load_balancer
        arn = create(Name="web", Subnets=self.subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        self.group = self.elbv2.create_target_group(
            Name="web",
            Protocol="HTTP",
            Port=8080,
            VpcId=vpc,
            TargetType="ip",
            HealthCheckPath="/health",
            # That the machine is busy with something else does not make a task unhealthy.
            HealthCheckIntervalSeconds=30,
            HealthCheckTimeoutSeconds=20,
            UnhealthyThresholdCount=10,
        )["TargetGroups"][0]["TargetGroupArn"]
        self.elbv2.modify_target_group_attributes(
            TargetGroupArn=self.group,
            Attributes=[
                {"Key": "deregistration_delay.timeout_seconds", "Value": DRAIN_SECONDS},
            ],
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.elbv2.create_listener(
            LoadBalancerArn=arn,
            Protocol="HTTP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )
        return port

    def _definition(self, version: str) -> str:
        web = {
            "name": "web",
            "image": "course/app:1",
            "portMappings": [{"containerPort": 8080}],
            "environment": [{"name": "VERSION", "value": version}],
            "memory": 128,
            "stopTimeout": 5,
        }
        made = self.ecs.register_task_definition(
            family="web",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="1024",
            memory="2048",
            containerDefinitions=[web],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def deploy(self, version: str) -> None:
        definition = self._definition(version)
        self.ecs.update_service(cluster="site", service="web", taskDefinition=definition)

    def told(self) -> str:
        """Tell what happened to the service, the newest first."""
        [found] = self.ecs.describe_services(cluster="site", services=["web"])["services"]
        arns = self.ecs.list_tasks(cluster="site", desiredStatus="STOPPED")["taskArns"]
        stopped = self.ecs.describe_tasks(cluster="site", tasks=arns)["tasks"] if arns else []
        events = [f"{event['createdAt']:%X} {event['message']}" for event in found["events"]]
        return "\n".join([*events[:20], *(task["stoppedReason"] for task in stopped)])

    def is_steady(self) -> bool:
        [found] = self.ecs.describe_services(cluster="site", services=["web"])["services"]
        [newest, *others] = found["deployments"]
        return newest["rolloutState"] == "COMPLETED" and not others


@pytest.fixture
def site() -> Iterator[Site]:
    engine = find_engine()
    naming = Naming(chapter="12-ecs", learner=f"test-{uuid.uuid4().hex[:8]}")
    aws = LocalAws(engine, naming)
    made = Site(aws.endpoint)
    until(made.is_steady, "the service is steady")
    yield made
    aws.close()
    client = engine.connect()
    sweep(client, chapter=None, learner=naming.learner)
    client.close()


def until(question: Callable[[], bool], what: str) -> None:
    try:
        tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda said: not said),
            wait=tenacity.wait_fixed(0.25),
            stop=tenacity.stop_after_delay(SECONDS),
        )(question)
    except tenacity.RetryError:
        pytest.fail(f"after {SECONDS} s, still not: {what}")


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("per_second", "seconds"), [(50, 44), (200, 15)])
def test_no_request_is_lost(site: Site, per_second: int, seconds: int) -> None:
    for number in range(2, 2 + DEPLOYMENTS):
        version = str(number)
        url = f"http://127.0.0.1:{site.port}/"
        command = [sys.executable, "-P", str(PACED), url, str(per_second), str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stream:
            assert stream.stdout is not None
            requests = [json.loads(next(stream.stdout)) for _ in range(per_second)]
            site.deploy(version)
            requests += [json.loads(line) for line in stream.stdout]
        until(site.is_steady, f"version {version} is all there is")
        lost = Counter(request["lost"] for request in requests if request["lost"])
        versions = Counter(request["version"] for request in requests if not request["lost"])
        print(f"{per_second}/s, version {version}: {dict(versions)}, lost {dict(lost)}")  # noqa: T201
        assert not lost, site.told()
        assert len(requests) >= LEAST_REQUESTS
        assert set(versions) == {str(number - 1), version}
        assert requests[-1]["version"] == version
