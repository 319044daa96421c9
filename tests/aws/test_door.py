"""The ways to the local AWS: ``lab.aws`` and the command ``lab aws``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab import Lab, LabError, images, open_lab
from lab.aws import door, process
from lab.aws.door import Door
from lab.aws.process import AwsProcess
from lab.cleaning import find, sweep
from lab.engine import find_engine
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import docker

CHAPTER, OTHER = "05-life-cycle", "06-networks-and-volumes"
NO_ENGINE = "unix:///nonexistent"
FEW_SECONDS = 30
REQUESTS = 1000
# Its network and its one container; the agent may have more.
TASK = 2
RUN_A_TASK = """
import sys
from lab import open_lab
lab = open_lab("05-life-cycle")
lab.docker.networks.create(lab.name("own"))
ecs, ec2 = lab.aws("ecs"), lab.aws("ec2")
ecs.create_cluster()
ecs.register_task_definition(
    family="web", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256",
    memory="512", containerDefinitions=[{"name": "web", "image": "course/app:1"}],
)
subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
ecs.run_task(
    taskDefinition="web", launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
)
ecs.get_waiter("tasks_running").wait(tasks=ecs.list_tasks()["taskArns"])
print(lab.aws("ecs").meta.endpoint_url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("COURSE_LEARNER", name)
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / "state"))
    for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    return name


@pytest.fixture
def engine_client(learner: str) -> Iterator[docker.DockerClient]:
    client = find_engine().client
    images.prepare(client)
    yield client
    process.end_all(learner=learner, chapter=None)
    sweep(client, chapter=None, learner=learner)
    client.close()


@pytest.fixture
def lab(engine_client: docker.DockerClient) -> Iterator[Lab]:
    assert engine_client.ping()
    opened = open_lab(CHAPTER)
    yield opened
    opened.close()


def kinds_left(client: docker.DockerClient, learner: str) -> dict[str, int]:
    found = find(client, learner=learner)
    return {
        "containers": len(found.containers),
        "networks": len(found.networks),
        "volumes": len(found.volumes),
    }


NOTHING = {"containers": 0, "networks": 0, "volumes": 0}


def until(question: Callable[[], bool], seconds: float = FEW_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def run_task(ecs: Any, ec2: Any) -> str:  # noqa: ANN401
    ecs.create_cluster()
    ecs.register_task_definition(
        family="web",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        # A machine that is busy may kill it before Python listens to signals: that takes its time.
        containerDefinitions=[{"name": "web", "image": "course/app:1", "stopTimeout": 2}],
    )
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    task = ecs.run_task(
        taskDefinition="web",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )["tasks"][0]["taskArn"]
    ecs.get_waiter("tasks_running").wait(tasks=[task], WaiterConfig={"Delay": 1})
    return str(task)


# --- what is asked wrongly -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "says", "next_step"),
    [
        ("elb2", "boto3 knows no service 'elb2'", "'elbv2'"),
        ("", "boto3 knows no service ''", "Use one of ec2"),
        ("ECS", "boto3 knows no service 'ECS'", "Use one of"),
        ("lambda", "The local AWS has no service lambda", "It has ec2, "),
    ],
)
def test_service_that_is_not_there_is_told_before_anything_starts(
    service: str, says: str, next_step: str, learner: str
) -> None:
    ways = Door(Naming(chapter=CHAPTER, learner=learner))
    with pytest.raises(LabError, match=says) as caught:
        ways.client(service)
    assert next_step in caught.value.next_step
    assert process.running(Naming(chapter=CHAPTER, learner=learner)) is None
    assert not ways.close()


def test_local_aws_without_an_engine_says_what_the_lab_says(
    learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    with pytest.raises(LabError, match="there is no such file") as caught:
        AwsProcess(Naming(chapter=CHAPTER, learner=learner))
    assert "unset DOCKER_HOST" in caught.value.next_step


def test_local_aws_that_breaks_at_its_start_tells_its_last_lines(
    learner: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "moto.py").write_text("raise RuntimeError('no moto today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LabError, match="no moto today"):
        AwsProcess(Naming(chapter=CHAPTER, learner=learner))


def test_importing_the_lab_imports_neither_boto3_nor_moto() -> None:
    said = "import lab, sys; print([n for n in ('boto3', 'botocore', 'moto') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.engine
def test_account_and_hours_without_real_are_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match="for the real AWS"):
        lab.aws("ecs", account="123456789012")
    with pytest.raises(LabError, match="for the real AWS"):
        lab.aws("ecs", hours=2)
    with pytest.raises(LabError, match="does not say what it makes"):
        lab.aws("ecs", real=True, account="123456789012", hours=1)


@pytest.mark.engine
def test_closed_lab_gives_no_client(lab: Lab) -> None:
    lab.close()
    with pytest.raises(LabError, match="closed"):
        lab.aws("ecs")


@pytest.mark.engine
def test_local_aws_that_has_ended_is_told_and_not_begun_anew(lab: Lab) -> None:
    ecs = lab.aws("ecs")
    process.end(lab.naming)
    for ask in (partial(lab.aws, "ecs"), ecs.list_clusters):
        with pytest.raises(LabError, match="has ended") as caught:
            ask()
        assert "set-up cell" in caught.value.next_step


# --- lab.aws ---------------------------------------------------------------------------------


@pytest.mark.engine
def test_what_runs_in_the_local_aws_goes_with_the_lab(
    lab: Lab, learner: str, engine_client: docker.DockerClient
) -> None:
    ecs = lab.aws("ecs")
    assert ecs.list_clusters()["clusterArns"] == []
    run_task(ecs, lab.aws("ec2"))
    names = [str(one.name) for one in lab.docker.containers.list(filters=lab.filters)]
    assert names
    assert all(name.startswith(f"course-{learner}-05-") for name in names)
    lab.docker.containers.create("course/base:1", name=lab.name("mine"))
    assert str(lab.close()) == "Removed container mine, what ran in the local AWS."
    assert kinds_left(engine_client, learner) == NOTHING
    assert process.running(lab.naming) is None


@pytest.mark.engine
def test_own_keys_are_told_once_and_not_used(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(door, "_said", set())
    monkeypatch.setenv("AWS_PROFILE", "work")
    capsys.readouterr()
    lab.aws("ecs")
    lab.aws("sts")
    said = capsys.readouterr().out
    assert said == "Your own AWS keys (AWS_PROFILE) are not used: this is the local AWS.\n"


@pytest.mark.engine
def test_task_ends_with_the_container_that_holds_its_network(lab: Lab) -> None:
    ecs = lab.aws("ecs")
    arn = run_task(ecs, lab.aws("ec2"))
    label = f"com.amazonaws.ecs.task-arn={arn}"
    [pause] = [
        one
        for one in lab.docker.containers.list(filters={"label": label})
        if one.labels["com.amazonaws.ecs.container-name"] == "pause"
    ]
    pause.kill()

    def stopped() -> Any:  # noqa: ANN401
        [task] = ecs.describe_tasks(tasks=[arn])["tasks"]
        return task if task["lastStatus"] == "STOPPED" else None

    until(lambda: bool(stopped()))
    assert stopped()["stopCode"] == "EssentialContainerExited"


@pytest.mark.engine
def test_two_chapters_have_their_own_each(lab: Lab) -> None:
    other = open_lab(OTHER)
    try:
        lab.aws("ecs").create_cluster(clusterName="here")
        assert other.aws("ecs").list_clusters()["clusterArns"] == []
        other.close()
        assert len(lab.aws("ecs").list_clusters()["clusterArns"]) == 1
    finally:
        other.close()


@pytest.mark.engine
def test_kernel_that_is_killed_leaves_nothing(
    learner: str, engine_client: docker.DockerClient
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_A_TASK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as kernel:
        assert kernel.stdout is not None
        assert next((line for line in kernel.stdout if line.startswith("http")), "")
        assert kinds_left(engine_client, learner)["containers"] >= TASK
        # As JupyterLab does it: with the whole group.
        os.killpg(kernel.pid, signal.SIGKILL)
    # What the learner made by hand stays until the chapter is opened again, as ever.
    own = {"containers": 0, "networks": 1, "volumes": 0}
    until(lambda: kinds_left(engine_client, learner) == own)
    until(lambda: process.running(Naming(chapter=CHAPTER, learner=learner)) is None)


@pytest.mark.engine
def test_lab_that_is_opened_again_finds_nothing_left(
    lab: Lab, learner: str, engine_client: docker.DockerClient
) -> None:
    ecs = lab.aws("ecs")
    run_task(ecs, lab.aws("ec2"))
    again = open_lab(CHAPTER)
    assert kinds_left(engine_client, learner) == NOTHING
    with pytest.raises(LabError):
        lab.aws("ecs")
    assert again.aws("ecs").list_clusters()["clusterArns"] == []
    again.close()


# --- what clients do -------------------------------------------------------------------------


async def ask(host: str, port: int, body: bytes = b"{}") -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    head = (
        f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
        "Content-Type: application/x-amz-json-1.1\r\n"
        "X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/ecs/aws4_request, "
        f"SignedHeaders=host, Signature=0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.engine
def test_thousand_requests_at_once_are_all_answered(lab: Lab) -> None:
    endpoint = str(lab.aws("ecs").meta.endpoint_url)
    host, port = endpoint.removeprefix("http://").split(":")

    async def all_at_once() -> list[bytes]:
        return await asyncio.gather(*(ask(host, int(port)) for _ in range(REQUESTS)))

    answers = asyncio.run(all_at_once())
    assert len(answers) == REQUESTS
    for answer in answers:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0]
        assert json.loads(body) == {"clusterArns": []}


@pytest.mark.engine
def test_client_that_dies_in_the_middle_disturbs_nobody(lab: Lab) -> None:
    ecs = lab.aws("ecs")
    host, port = str(ecs.meta.endpoint_url).removeprefix("http://").split(":")
    for begun in (b"", b"POST / HT", b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(begun)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert ecs.list_clusters()["clusterArns"] == []
    with pytest.raises(ClientError, match="has no operation"):
        ecs.describe_express_gateway_service(serviceArn="x")
    assert ecs.list_clusters()["clusterArns"] == []


# --- lab aws ---------------------------------------------------------------------------------


def command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lab.cli", "aws", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SHELL": "/bin/sh", "COLUMNS": "400", **environment},
        start_new_session=True,
    )


def settings_of(served: subprocess.Popen[str]) -> dict[str, str]:
    assert served.stdout is not None
    lines = [served.stdout.readline() for _ in range(5)]
    pairs = (line.removeprefix("export ").strip().split("=", 1) for line in lines)
    return {name: value for name, value in pairs}  # noqa: C416  # dict() does not know that they are two


@pytest.mark.engine
@pytest.mark.usefixtures("engine_client")
def test_port_that_is_taken_is_a_panel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with command("--port", str(port)) as served:
            out, err = served.communicate(timeout=60)
    assert served.returncode == 1
    assert f"Port {port} of 127.0.0.1 is taken by another program." in err
    assert "leave --port out" in " ".join(err.split())
    assert "Traceback" not in out + err


@pytest.mark.parametrize("port", ["-1", "65536", "many"])
def test_port_that_is_none_is_refused(port: str) -> None:
    with command("--port", port) as served:
        _, err = served.communicate(timeout=60)
    assert served.returncode == 2
    assert "Invalid value for '--port'" in err


@pytest.mark.usefixtures("learner")
def test_no_engine_is_a_panel() -> None:
    with command(DOCKER_HOST=NO_ENGINE) as served:
        _, err = served.communicate(timeout=60)
    assert served.returncode == 1
    assert "there is no such file" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("account", ["", "12345", "12345678901a"])
def test_account_to_clean_must_be_one(account: str, learner: str) -> None:
    assert learner
    with command("--clean-real", account) as served:
        _, err = served.communicate(timeout=60)
    assert served.returncode == 1
    assert "no id of an account" in err


@pytest.fixture
def not_by_nohup() -> Iterator[None]:
    """Have what is started here hear a hang-up, as a program in a terminal does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.engine
@pytest.mark.usefixtures("not_by_nohup")
@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_command_serves_any_client_until_it_is_ended(
    sent: signal.Signals,
    status: int,
    learner: str,
    engine_client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with command() as served:
        for name, value in settings_of(served).items():
            monkeypatch.setenv(name, value)
        session = boto3.Session()
        run_task(session.client("ecs"), session.client("ec2"))
        found = find(engine_client, learner=learner)
        assert {one.labels["chapter"] for one in found.containers} == {"aws"}
        with command() as second:
            _, err = second.communicate(timeout=60)
        assert second.returncode == 1
        assert "Your local AWS answers already" in err
        served.send_signal(sent)
        _, err = served.communicate(timeout=60)
    assert served.returncode == status
    assert "Removed what ran in the local AWS." in err
    assert "Traceback" not in err
    assert kinds_left(engine_client, learner) == NOTHING


@pytest.mark.engine
def test_cleaning_up_ends_it(learner: str, engine_client: docker.DockerClient) -> None:
    with command() as served:
        environ = {**os.environ, **settings_of(served)}
        ask_it = "import boto3; boto3.client('ec2').describe_subnets()"
        subprocess.run([sys.executable, "-c", ask_it], env=environ, check=True)
        done = subprocess.run(
            [sys.executable, "-m", "lab.cli", "clean"], capture_output=True, text=True, check=True
        )
        assert served.wait(timeout=30) == 143
        served.communicate()
    assert "network  vpc-" in done.stdout
    assert done.stdout.endswith("Removed what ran in the local AWS.\n")
    assert kinds_left(engine_client, learner) == NOTHING


@pytest.mark.engine
def test_what_was_killed_is_removed_by_the_next_one(
    learner: str, engine_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command() as served:
        for name, value in settings_of(served).items():
            monkeypatch.setenv(name, value)
        session = boto3.Session()
        run_task(session.client("ecs"), session.client("ec2"))
        served.kill()
        served.communicate()
    assert kinds_left(engine_client, learner)["containers"] >= TASK
    with command() as served:
        settings_of(served)
        assert kinds_left(engine_client, learner) == NOTHING
        served.terminate()
        served.communicate(timeout=60)
    assert served.returncode == 143
