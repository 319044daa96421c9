"""EC2 instances as hosts of real containers: what the suite of AWS's behaviour does not reach."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import tenacity

from lab import images
from lab.aws.local import LocalAws
from lab.aws.sources import client_of
from lab.cleaning import sweep
from lab.engine import find_engine
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker

Json = dict[str, Any]

pytestmark = pytest.mark.engine

AMI = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
DEAF = "trap '' TERM; while :; do sleep 1; done"
ASK = (
    "import sys, time, urllib.request as u\n"
    "for n in range(50):\n"
    "    try: sys.exit(u.urlopen(sys.argv[1]).status != 200)\n"
    "    except OSError: time.sleep(0.2)\n"
    "sys.exit(3)"
)
# Longer than the engine needs, and shorter than a container has to end by itself.
SOON = 20


class Account:
    def __init__(self, endpoint: str, engine: docker.DockerClient, learner: str) -> None:
        self.ecs, self.ec2 = client_of("ecs", endpoint), client_of("ec2", endpoint)
        self.image = client_of("ssm", endpoint).get_parameter(Name=AMI)["Parameter"]["Value"]
        self.engine, self.learner = engine, learner
        self.cluster = f"cluster-{uuid.uuid4().hex[:8]}"
        self.ecs.create_cluster(clusterName=self.cluster)

    def launch(self, count: int = 1, **settings: Any) -> list[str]:  # noqa: ANN401
        form: Json = {
            "ImageId": self.image,
            "InstanceType": "t3.small",
            "UserData": f"#!/bin/bash\necho ECS_CLUSTER={self.cluster} >> /etc/ecs/ecs.config",
        } | settings
        made = self.ec2.run_instances(MinCount=count, MaxCount=count, **form)["Instances"]
        assert {one["State"]["Name"] for one in made} == {"pending"}
        return [one["InstanceId"] for one in made]

    def hosts(self) -> dict[str, Json]:
        arns = self.ecs.list_container_instances(cluster=self.cluster)["containerInstanceArns"]
        if not arns:
            return {}
        found = self.ecs.describe_container_instances(cluster=self.cluster, containerInstances=arns)
        return {one["ec2InstanceId"]: one for one in found["containerInstances"]}

    def joined(self, count: int = 1, **settings: Any) -> list[str]:  # noqa: ANN401
        ids = self.launch(count, **settings)
        until(lambda: set(ids) <= self.hosts().keys(), "the instances have joined")
        return ids

    def definition(self, *containers: Json, mode: str = "bridge", **more: Any) -> str:  # noqa: ANN401
        small = {"image": "course/app:1", "cpu": 64, "memory": 64, "essential": True}
        made = self.ecs.register_task_definition(
            family=f"family-{uuid.uuid4().hex[:8]}",
            networkMode=mode,
            requiresCompatibilities=["EC2"],
            containerDefinitions=[small | one for one in containers],
            **more,
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def run(self, definition: str, **parameters: Any) -> Json:  # noqa: ANN401
        form = {"cluster": self.cluster, "launchType": "EC2"} | parameters
        answer: Json = self.ecs.run_task(taskDefinition=definition, **form)
        assert answer["failures"] == []
        return dict(answer["tasks"][0])

    def service(self, name: str, definition: str, **parameters: Any) -> None:  # noqa: ANN401
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=name,
            taskDefinition=definition,
            launchType="EC2",
            **parameters,
        )

    def tasks_of(self, service: str) -> list[Json]:
        found = self.ecs.list_tasks(cluster=self.cluster, serviceName=service)["taskArns"]
        return [self.task(arn) for arn in found]

    def task(self, arn: str) -> Json:
        return dict(self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"][0])

    def reached(self, arn: str, status: str) -> Json:
        until(lambda: self.task(arn)["lastStatus"] == status, f"the task is {status}")
        return self.task(arn)

    def containers(self) -> list[str]:
        filters = {"label": f"com.amazonaws.ecs.cluster={self.cluster}"}
        return [one.name for one in self.engine.containers.list(filters=filters)]

    def close(self) -> None:
        found = self.ecs.list_services(cluster=self.cluster)["serviceArns"]
        for service in found:
            self.ecs.delete_service(cluster=self.cluster, service=service, force=True)
        if ids := list(self.hosts()):
            self.ec2.terminate_instances(InstanceIds=ids)


def until(question: Callable[[], object], what: str, seconds: float = SOON) -> None:
    with contextlib.suppress(tenacity.RetryError):
        tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda answer: not answer),
            wait=tenacity.wait_fixed(0.1),
            stop=tenacity.stop_after_delay(seconds),
        )(question)
        return
    pytest.fail(f"after {seconds} s, still not: {what}")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[tuple[str, docker.DockerClient, str]]:
    engine = find_engine()
    client = engine.connect()
    images.prepare(client)
    learner = f"test-{uuid.uuid4().hex[:8]}"
    aws = LocalAws(engine, Naming(chapter="12-ecs", learner=learner), instance_seconds=0.5)
    yield aws.endpoint, client, learner
    aws.close()
    sweep(client, chapter=None, learner=learner)
    client.close()


@pytest.fixture
def aws(endpoint: tuple[str, docker.DockerClient, str]) -> Iterator[Account]:
    account = Account(*endpoint)
    yield account
    account.close()


def test_instance_type_that_is_not_there_is_refused(aws: Account) -> None:
    with pytest.raises(aws.ec2.exceptions.ClientError):
        aws.launch(InstanceType="t99.huge")


def test_instance_without_the_agent_or_the_cluster_joins_none(aws: Account) -> None:
    amis = aws.ec2.describe_images(Owners=["amazon"])["Images"]
    plain = next(one["ImageId"] for one in amis if "ecs" not in one["Name"])
    lost = "#!/bin/bash\necho ECS_CLUSTER=nowhere >> /etc/ecs/ecs.config"
    ids = [*aws.launch(ImageId=plain), *aws.launch(UserData=lost), *aws.launch(UserData="")]
    ours = aws.joined()
    states = aws.ec2.describe_instances(InstanceIds=ids)["Reservations"]
    assert {r["Instances"][0]["State"]["Name"] for r in states} == {"running"}
    assert list(aws.hosts()) == ours
    # Without a word of a cluster, the agent takes the default one, and makes it.
    found = aws.ecs.describe_clusters(clusters=["default"])["clusters"][0]
    assert found["registeredContainerInstancesCount"] == 1
    aws.ec2.terminate_instances(InstanceIds=ids)


def test_user_data_sets_attributes_and_keeps_memory(aws: Account) -> None:
    [plain] = aws.joined()
    data = (
        f"#!/bin/bash\ncat <<'EOF' >> /etc/ecs/ecs.config\nECS_CLUSTER={aws.cluster}\n"
        'ECS_INSTANCE_ATTRIBUTES={"disk": "fast"}\nECS_RESERVED_MEMORY=256\nEOF\n'
    )
    [kept] = aws.joined(UserData=data)
    hosts = aws.hosts()
    memory = {
        name: next(r["integerValue"] for r in one["registeredResources"] if r["name"] == "MEMORY")
        for name, one in hosts.items()
    }
    assert memory[plain] - memory[kept] == 256
    assert {"name": "disk", "value": "fast"} in hosts[kept]["attributes"]


def test_instance_that_is_gone_before_it_has_booted_joins_none(aws: Account) -> None:
    gone, other = aws.launch(2)
    aws.ec2.terminate_instances(InstanceIds=[gone])
    until(aws.hosts, "the other one has joined")
    assert list(aws.hosts()) == [other]


def test_tasks_end_at_once_with_their_instance(aws: Account) -> None:
    ids = aws.joined(2)
    deaf = {"name": "deaf", "command": ["sh", "-c", DEAF], "stopTimeout": 60}
    aws.service("deaf", aws.definition(deaf), desiredCount=1)
    until(lambda: [t for t in aws.tasks_of("deaf") if t["lastStatus"] == "RUNNING"], "it runs")
    [task] = aws.tasks_of("deaf")
    by_arn = {one["containerInstanceArn"]: name for name, one in aws.hosts().items()}
    lost = by_arn[task["containerInstanceArn"]]
    aws.ec2.terminate_instances(InstanceIds=[lost])
    stopped = aws.reached(task["taskArn"], "STOPPED")
    assert stopped["stopCode"] == "TerminationNotice"
    assert stopped["stoppedReason"] == f"Host EC2 (instance {lost}) terminated."
    assert stopped["containers"][0]["exitCode"] == 137
    [other] = [name for name in ids if name != lost]
    assert list(aws.hosts()) == [other]
    until(
        lambda: [t["lastStatus"] for t in aws.tasks_of("deaf")] == ["RUNNING"],
        "another one runs elsewhere",
    )


def test_stopped_instance_stays_and_comes_back(aws: Account) -> None:
    [one] = aws.joined()
    sleep = aws.definition({"name": "app", "command": ["sleep", "600"], "stopTimeout": 2})
    task = aws.run(sleep)
    aws.reached(task["taskArn"], "RUNNING")
    arn = aws.hosts()[one]["containerInstanceArn"]
    aws.ec2.stop_instances(InstanceIds=[one])
    reason = aws.reached(task["taskArn"], "STOPPED")["stoppedReason"]
    assert reason == f"Host EC2 (instance {one}) stopped."
    assert aws.hosts()[one]["agentConnected"] is False
    answer = aws.ecs.run_task(cluster=aws.cluster, taskDefinition=sleep, launchType="EC2")
    assert [failure["reason"] for failure in answer["failures"]] == ["AGENT"]
    aws.ec2.start_instances(InstanceIds=[one])
    until(lambda: aws.hosts()[one]["agentConnected"], "its agent answers again")
    assert aws.hosts()[one]["containerInstanceArn"] == arn
    aws.reached(aws.run(sleep)["taskArn"], "RUNNING")


def test_tasks_in_host_mode_share_the_ports_of_their_instance(aws: Account) -> None:
    aws.joined()
    web = {"name": "web", "portMappings": [{"containerPort": 8080}], "stopTimeout": 2}
    task = aws.run(aws.definition(web, mode="host"))
    running = aws.reached(task["taskArn"], "RUNNING")
    [binding] = running["containers"][0]["networkBindings"]
    assert (binding["containerPort"], binding["hostPort"]) == (8080, 8080)
    ask = {"name": "ask", "command": ["python3", "-c", ASK, "http://localhost:8080/"]}
    asked = aws.reached(aws.run(aws.definition(ask, mode="host"))["taskArn"], "STOPPED")
    assert asked["containers"][0]["exitCode"] == 0
    second = aws.definition(web, mode="host")
    answer = aws.ecs.run_task(cluster=aws.cluster, taskDefinition=second, launchType="EC2")
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:PORTS"]


def test_links_name_containers_in_bridge_mode(aws: Account) -> None:
    aws.joined()
    web = {"name": "web", "stopTimeout": 2}
    ask = {
        "name": "ask",
        "links": ["web:backend"],
        "command": ["python3", "-c", ASK, "http://backend:8080/"],
    }
    task = aws.run(aws.definition(web, ask))
    stopped = aws.reached(task["taskArn"], "STOPPED")
    codes = {one["name"]: one.get("exitCode") for one in stopped["containers"]}
    assert codes["ask"] == 0


def test_folder_of_an_instance_is_its_own_and_stays(aws: Account) -> None:
    one, other = aws.joined(2)
    volumes = [{"name": "data", "host": {"sourcePath": "/srv/data"}}]
    mount = [{"sourceVolume": "data", "containerPath": "/data"}]

    def code(command: str, at: str) -> int:
        run = {"name": "app", "command": ["sh", "-c", command], "mountPoints": mount}
        there = [{"type": "memberOf", "expression": f"ec2InstanceId == {at}"}]
        task = aws.run(aws.definition(run, volumes=volumes), placementConstraints=there)
        return int(aws.reached(task["taskArn"], "STOPPED")["containers"][0]["exitCode"])

    assert code("test ! -e /data/left && touch /data/left", one) == 0
    assert code("test -e /data/left", one) == 0
    assert code("test ! -e /data/left", other) == 0
    aws.ec2.terminate_instances(InstanceIds=[one, other])
    names = {"name": one}
    until(lambda: not aws.engine.volumes.list(filters=names), "its folders are gone")


def test_orphans_end_with_their_instance(aws: Account) -> None:
    one, _ = aws.joined(2)
    arn = aws.hosts()[one]["containerInstanceArn"]
    there = [{"type": "memberOf", "expression": f"ec2InstanceId == {one}"}]
    sleep = aws.definition({"name": "app", "command": ["sleep", "600"], "stopTimeout": 2})
    task = aws.run(sleep, placementConstraints=there)
    aws.reached(task["taskArn"], "RUNNING")
    aws.ecs.deregister_container_instance(cluster=aws.cluster, containerInstance=arn, force=True)
    found = aws.ecs.describe_tasks(cluster=aws.cluster, tasks=[task["taskArn"]])
    assert [failure["reason"] for failure in found["failures"]] == ["MISSING"]
    assert len(aws.containers()) == 1
    aws.ec2.terminate_instances(InstanceIds=[one])
    until(lambda: aws.containers() == [], "the orphan has ended")


def test_service_starts_others_for_its_orphans(aws: Account) -> None:
    aws.joined(2)
    sleep = aws.definition({"name": "app", "command": ["sleep", "600"], "stopTimeout": 2})
    aws.service("app", sleep, desiredCount=1)
    until(lambda: [t["lastStatus"] for t in aws.tasks_of("app")] == ["RUNNING"], "it runs")
    [task] = aws.tasks_of("app")
    lost = task["containerInstanceArn"]
    aws.ecs.deregister_container_instance(cluster=aws.cluster, containerInstance=lost, force=True)
    until(
        lambda: [t["lastStatus"] for t in aws.tasks_of("app")] == ["RUNNING"],
        "another one runs",
    )
    assert aws.tasks_of("app")[0]["containerInstanceArn"] != lost


def test_interface_is_in_the_zone_of_the_instance(aws: Account) -> None:
    only = [{"Name": "default-for-az", "Values": ["true"]}]
    subnets = aws.ec2.describe_subnets(Filters=only)["Subnets"]
    here, there = (
        next(one for one in subnets if one["AvailabilityZone"].endswith(letter)) for letter in "ab"
    )
    aws.joined(SubnetId=there["SubnetId"])
    sleep = aws.definition(
        {"name": "app", "command": ["sleep", "600"], "stopTimeout": 2}, mode="awsvpc"
    )
    both = {"awsvpcConfiguration": {"subnets": [here["SubnetId"], there["SubnetId"]]}}
    task = aws.reached(aws.run(sleep, networkConfiguration=both)["taskArn"], "RUNNING")
    details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
    assert details["subnetId"] == there["SubnetId"]
    away = {"awsvpcConfiguration": {"subnets": [here["SubnetId"]]}}
    answer = aws.ecs.run_task(
        cluster=aws.cluster, taskDefinition=sleep, launchType="EC2", networkConfiguration=away
    )
    assert [failure["reason"] for failure in answer["failures"]] == ["LOCATION"]


def test_daemon_is_the_last_to_leave_a_draining_instance(aws: Account) -> None:
    aws.joined()
    sleep = aws.definition({"name": "app", "command": ["sleep", "600"], "stopTimeout": 2})
    aws.service("daemon", sleep, schedulingStrategy="DAEMON")
    none = {"minimumHealthyPercent": 0, "maximumPercent": 100}
    aws.service("app", sleep, desiredCount=1, deploymentConfiguration=none)
    names = ("daemon", "app")
    until(
        lambda: all([t["lastStatus"] for t in aws.tasks_of(n)] == ["RUNNING"] for n in names),
        "both run",
    )
    [daemon], [app] = (aws.tasks_of(name) for name in names)
    [host] = aws.hosts().values()
    aws.ecs.update_container_instances_state(
        cluster=aws.cluster, containerInstances=[host["containerInstanceArn"]], status="DRAINING"
    )
    last = aws.reached(daemon["taskArn"], "STOPPED")
    assert aws.task(app["taskArn"])["stoppingAt"] < last["stoppingAt"]
    aws.ecs.update_container_instances_state(
        cluster=aws.cluster, containerInstances=[host["containerInstanceArn"]], status="ACTIVE"
    )
    started = time.monotonic()
    until(
        lambda: all([t["lastStatus"] for t in aws.tasks_of(n)] == ["RUNNING"] for n in names),
        "both run again",
    )
    assert time.monotonic() - started < SOON
