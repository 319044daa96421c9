"""The engine dies under running tasks and comes back: what ECS says then, and does."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING, Any

import pytest
import tenacity
from own_engine import own_engine

from lab.aws.local import LocalAws
from lab.aws.sources import client_of
from lab.engine import find_engine
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import docker

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(600),
    # docker-py leaves a socket open for each time that it finds no engine at its address.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

NAMING = Naming(chapter="12-ecs", learner="test-engine-death")


class Account:
    """A cluster with a task definition in it."""

    def __init__(self, aws: LocalAws) -> None:
        self.ecs: Any = client_of("ecs", aws.endpoint)
        subnets = client_of("ec2", aws.endpoint).describe_subnets()["Subnets"]
        self.network = {"awsvpcConfiguration": {"subnets": [subnets[0]["SubnetId"]]}}
        self.ecs.create_cluster(clusterName="shop")
        sleep = {"name": "app", "image": "course/base:1", "command": ["sleep", "600"]}
        self.ecs.register_task_definition(
            family="sleep",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[sleep | {"essential": True, "stopTimeout": 2}],
        )

    def run(self) -> str:
        [task] = self.ecs.run_task(
            cluster="shop",
            taskDefinition="sleep",
            launchType="FARGATE",
            networkConfiguration=self.network,
        )["tasks"]
        return str(task["taskArn"])

    def task(self, arn: str) -> Any:  # noqa: ANN401
        return self.ecs.describe_tasks(cluster="shop", tasks=[arn])["tasks"][0]

    def service(self) -> Any:  # noqa: ANN401
        return self.ecs.describe_services(cluster="shop", services=["web"])["services"][0]

    def tasks_of_service(self) -> set[str]:
        return set(self.ecs.list_tasks(cluster="shop", serviceName="web")["taskArns"])


@pytest.fixture
def account(
    engine_client: docker.DockerClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[tuple[Account, Callable[[], None]]]:
    image: Any = engine_client.images.get("course/base:1").save(named=True)
    with own_engine(tmp_path) as engine:
        engine.client.images.load(b"".join(image))
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        with contextlib.closing(LocalAws(find_engine(), NAMING)) as aws:
            yield Account(aws), engine.restart
    # Those sockets are this test's, and shall not be found in a later one. Errors lead to them, and
    # pytest keeps what was logged of those.
    caplog.get_records("call").clear()
    gc.collect()


def eventually(holds: Callable[[], bool]) -> bool:
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answer: not answer),
        wait=tenacity.wait_fixed(0.2),
        stop=tenacity.stop_after_delay(90),
        retry_error_callback=lambda _state: False,
    )
    return bool(waiting(holds))


def test_tasks_are_stopped_with_a_reason_and_services_converge(
    account: tuple[Account, Callable[[], None]],
) -> None:
    aws, restart_engine = account
    alone = aws.run()
    assert eventually(lambda: aws.task(alone)["lastStatus"] == "RUNNING")
    aws.ecs.create_service(
        cluster="shop",
        serviceName="web",
        taskDefinition="sleep",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=aws.network,
    )
    assert eventually(lambda: aws.service()["runningCount"] == 2)
    before = aws.tasks_of_service()
    restart_engine()
    assert eventually(lambda: aws.task(alone)["lastStatus"] == "STOPPED")
    task = aws.task(alone)
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert [found["exitCode"] for found in task["containers"]] == [137]
    assert eventually(
        lambda: aws.service()["runningCount"] == 2 and not aws.tasks_of_service() & before
    )
    again = aws.run()
    assert eventually(lambda: aws.task(again)["lastStatus"] == "RUNNING")
    aws.ecs.stop_task(cluster="shop", task=again)
    assert eventually(lambda: aws.task(again)["lastStatus"] == "STOPPED")
