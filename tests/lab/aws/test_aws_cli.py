"""The AWS CLI, a program of its own with libraries of its own, works with the local AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tenacity

from lab.aws.local import LocalAws
from lab.cleaning import sweep
from lab.engine import find_engine
from lab.images import ensure
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
# Its libraries do not go together with the book's, so it has an environment of its own.
AWS_CLI = "awscli==1.46.3"
NAMING = Naming(chapter="12-ecs", learner="test-aws-cli")
CHECK = {"command": ["CMD-SHELL", "true"], "interval": 5, "timeout": 2, "retries": 2}

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def program() -> str:
    folder = ROOT / "_build" / "aws-cli"
    uv = str(Path(sys.executable).with_name("uv"))
    if not (folder / "bin" / "aws").exists():
        subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
        into = ["--quiet", "--python", str(folder / "bin" / "python")]
        subprocess.run([uv, "pip", "install", *into, AWS_CLI], check=True)
    return str(folder / "bin" / "aws")


@pytest.fixture(scope="module")
def aws(program: str) -> Iterator[Callable[..., Any]]:
    engine = find_engine()
    ensure(engine.client)
    with closing(LocalAws(engine, NAMING)) as local:

        def call(*words: str, **options: object) -> Any:  # noqa: ANN401
            given = [
                part
                for name, value in options.items()
                for part in (
                    f"--{name.replace('_', '-')}",
                    value if isinstance(value, str) else json.dumps(value),
                )
            ]
            done = subprocess.run(
                [program, *words, *given],
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": "/nonexistent",
                    "AWS_ENDPOINT_URL": local.endpoint,
                    "AWS_DEFAULT_REGION": "us-east-1",
                    "AWS_ACCESS_KEY_ID": "local",
                    "AWS_SECRET_ACCESS_KEY": "local",
                    "AWS_PAGER": "",
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout) if done.stdout.strip() else None

        yield call
    with closing(engine.client) as client:
        sweep(client, chapter=None, learner=NAMING.learner)


def until(holds: Callable[[], bool]) -> None:
    tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answer: not answer),
        wait=tenacity.wait_fixed(0.5),
        stop=tenacity.stop_after_delay(90),
    )(holds)


def register(aws: Callable[..., Any], version: str, **more: str) -> str:
    variables = [{"name": name, "value": value} for name, value in more.items()]
    container = {
        "name": "app",
        "image": "course/app:1",
        "essential": True,
        "stopTimeout": 2,
        "healthCheck": CHECK,
        "environment": [{"name": "VERSION", "value": version}, *variables],
    }
    made = aws(
        "ecs",
        "register-task-definition",
        "--requires-compatibilities",
        "FARGATE",
        family="web",
        network_mode="awsvpc",
        cpu="256",
        memory="512",
        container_definitions=[container],
    )
    return str(made["taskDefinition"]["taskDefinitionArn"])


def test_a_service_is_created_scaled_updated_broken_rolled_back_and_deleted(
    aws: Callable[..., Any],
) -> None:
    subnet = aws("ec2", "describe-subnets")["Subnets"][0]["SubnetId"]
    aws("ecs", "create-cluster", cluster_name="shop")
    first = register(aws, "1")
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    aws(
        "ecs",
        "create-service",
        cluster="shop",
        service_name="web",
        task_definition=first,
        desired_count="1",
        launch_type="FARGATE",
        network_configuration={"awsvpcConfiguration": {"subnets": [subnet]}},
        deployment_configuration=breaker,
    )

    def service() -> Any:  # noqa: ANN401
        return aws("ecs", "describe-services", cluster="shop", services="web")["services"][0]

    def settled(definition: str, count: int) -> bool:
        found = service()
        [deployment, *others] = found["deployments"]
        return (
            not others
            and deployment["rolloutState"] == "COMPLETED"
            and found["taskDefinition"] == definition
            and found["runningCount"] == count
        )

    until(lambda: settled(first, 1))
    named = {"cluster": "shop", "service": "web"}
    aws("ecs", "update-service", **named, desired_count="2")
    aws("ecs", "wait", "services-stable", cluster="shop", services="web")
    assert settled(first, 2)
    second = register(aws, "2")
    aws("ecs", "update-service", **named, task_definition=second)
    until(lambda: settled(second, 2))
    bad = register(aws, "3", START_EXIT="1")
    aws("ecs", "update-service", **named, task_definition=bad)
    assert service()["taskDefinition"] == bad
    until(lambda: settled(second, 2))
    said = [event["message"] for event in service()["events"]]
    assert any("rolling back to deployment ecs-svc/" in words for words in said)
    aws("ecs", "delete-service", "--force", **named)
    aws("ecs", "wait", "services-inactive", cluster="shop", services="web")
    assert aws("ecs", "list-tasks", cluster="shop")["taskArns"] == []
    aws("ecs", "delete-cluster", cluster="shop")
