from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, NamedTuple

import docker.errors
import pytest

from lab import checks, cli, images, progress
from lab.client import LabelledAPIClient
from lab.engine import find_engine
from lab.naming import Naming
from lab.progress import Attempted, Progress

from .stand_in import TOO_NEW, answering, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import docker

CHAPTER = "05-life-cycle"
NOBODY = 65534


class Ended(NamedTuple):
    status: int
    out: str
    err: str


class Runner:
    """Runs the command in this process, as a terminal wide enough for every line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        self._monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        self._monkeypatch.setenv("COLUMNS", "400")
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as end:
                cli.main()
        finally:
            signal.signal(signal.SIGTERM, before)
        said = self._capsys.readouterr()
        return Ended(int(end.value.code or 0), said.out, said.err)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Runner:
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / "state"))
    return Runner(monkeypatch, capsys)


@pytest.fixture
def own_client(engine_client: docker.DockerClient, learner: str) -> Iterator[docker.DockerClient]:
    """A client whose things are this learner's, as `lab.docker` is."""
    assert engine_client.ping()
    engine = find_engine()
    client = engine.connect(LabelledAPIClient)
    assert isinstance(client.api, LabelledAPIClient)
    client.api.naming = Naming(chapter=CHAPTER, learner=learner)
    yield client
    client.close()
    engine.client.close()


@pytest.fixture
def things(own_client: docker.DockerClient, learner: str) -> None:
    """One of each kind, made as a learner makes them."""
    naming = Naming(chapter=CHAPTER, learner=learner)
    own_client.networks.create(naming.full_name("back"))
    own_client.volumes.create(naming.full_name("data"))
    own_client.containers.create("course/base:1", name=naming.full_name("idle"))
    own_client.containers.run(
        "course/base:1", ["sleep", "600"], name=naming.full_name("web"), init=True, detach=True
    )


@pytest.fixture
def foreign(engine_client: docker.DockerClient) -> Iterator[str]:
    """What somebody else has: running, stopped, a network, a volume, an image."""
    name = f"foreign-{uuid.uuid4().hex[:8]}"
    containers = engine_client.containers
    sleep = ["sleep", "600"]
    running = containers.run("course/base:1", sleep, name=name, init=True, detach=True)
    stopped = containers.create("course/base:1", name=f"{name}-stopped")
    network = engine_client.networks.create(name)
    volume = engine_client.volumes.create(name)
    stopped.commit(name, "1")
    yield name
    for container in (running, stopped):
        container.remove(force=True, v=True)
    network.remove()
    volume.remove()
    engine_client.images.remove(f"{name}:1")


def assert_all_there(client: docker.DockerClient, name: str) -> None:
    assert client.containers.get(name).status == "running"
    assert client.containers.get(f"{name}-stopped").status == "created"
    assert client.networks.get(name)
    assert client.volumes.get(name)
    assert client.images.get(f"{name}:1")


def test_alone_it_prints_its_help(run: Runner) -> None:
    ended = run()
    for command in ("aws", "doctor", "ls", "clean", "images", "progress"):
        assert f" {command} " in ended.out + ended.err


def test_a_wrong_command_is_a_message_and_no_traceback(run: Runner) -> None:
    ended = run("nosuch")
    assert ended.status == 2
    assert "No such command 'nosuch'" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.engine
@pytest.mark.usefixtures("things")
def test_ls_lists_one_s_own_things_in_stable_columns(run: Runner, learner: str) -> None:
    ended = run("ls")
    assert ended.status == 0
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[0] == ["kind", "name", "chapter", "learner", "state"]
    assert lines[2:] == [
        ["container", "idle", CHAPTER, learner, "created"],
        ["container", "web", CHAPTER, learner, "running"],
        ["network", "back", CHAPTER, learner],
        ["volume", "data", CHAPTER, learner],
    ]
    assert run("ls").out == ended.out


@pytest.mark.engine
@pytest.mark.usefixtures("engine_client", "learner")
def test_ls_says_so_when_there_is_nothing(run: Runner) -> None:
    assert run("ls").out == "There is nothing of the course.\n"


@pytest.mark.engine
@pytest.mark.usefixtures("things")
def test_ls_shows_others_only_when_asked(
    run: Runner, learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_LEARNER", f"{learner}-2")
    assert run("ls").out == "There is nothing of the course.\n"
    assert [line for line in run("ls", "--all-learners").out.splitlines() if learner in line]


@pytest.mark.engine
@pytest.mark.usefixtures("things")
def test_clean_lists_and_removes_one_s_own_and_nothing_else(
    run: Runner, foreign: str, engine_client: docker.DockerClient
) -> None:
    before = run("ls").out
    dry = run("clean", "--dry-run")
    named = "containers idle and web, network back, volume data."
    assert dry.out == f"{before}Would remove {named}\n"
    assert run("ls").out == before
    ended = run("clean")
    assert ended.status == 0
    assert ended.out == f"{before}Removed {named}\n"
    assert run("clean").out == "Nothing to remove.\n"
    assert_all_there(engine_client, foreign)
    assert all(engine_client.images.get(image.name) for image in images.IMAGES)


@pytest.mark.engine
def test_cleaning_for_all_learners_would_not_touch_what_others_made_of_our_images(
    run: Runner, foreign: str, engine_client: docker.DockerClient
) -> None:
    # They inherit the label `course` from the image. Only listed: others use this engine.
    ended = run("clean", "--all-learners", "--dry-run")
    assert ended.status == 0
    assert foreign not in ended.out
    assert_all_there(engine_client, foreign)


@pytest.mark.engine
@pytest.mark.usefixtures("things")
def test_clean_keeps_to_a_chapter(run: Runner) -> None:
    assert run("clean", "--chapter", "06-networks").out == "Nothing to remove.\n"
    assert run("clean", "--chapter", CHAPTER).out.endswith(
        "Removed containers idle and web, network back, volume data.\n"
    )


@pytest.mark.engine
@pytest.mark.usefixtures("things")
def test_images_are_removed_only_when_asked(run: Runner) -> None:
    # Only said: others on this engine need the images.
    assert "image" not in run("clean", "--dry-run").out
    assert run("clean", "--dry-run", "--images").out.endswith(
        "Would remove image course/proxy:1.\n"
        "Would remove image course/registry:1.\n"
        "Would remove image course/app:1.\n"
        "Would remove image course/base:1.\n"
    )


@pytest.mark.engine
@pytest.mark.usefixtures("engine_client", "learner")
def test_images_are_listed_and_prepared_once(run: Runner) -> None:
    prepared = run("images", "prepare")
    assert prepared.status == 0
    assert prepared.out.startswith("course/base:1 was there: ")
    lines = [line.split()[:2] for line in run("images", "list").out.splitlines()]
    assert lines[2:] == [[image.name, "ready"] for image in images.IMAGES]


@pytest.mark.engine
@pytest.mark.usefixtures("engine_client", "learner")
def test_doctor_ends_with_one_line_to_paste(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    ended = run("doctor")
    assert ended.status == 0, ended
    assert "answers" in ended.out
    assert ended.out.splitlines()[-1].startswith("lab doctor: ok · ")


@pytest.fixture
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s") / "e.sock"


@pytest.mark.parametrize("command", [["doctor"], ["ls"], ["clean"], ["images", "list"]])
def test_an_engine_that_is_dead_is_a_panel_and_status_1(
    command: list[str], run: Runner, socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_path}")
    ended = run(*command)
    assert ended.status == 1
    assert "╭─" in ended.err
    assert f"unix://{socket_path} (named by DOCKER_HOST): there is no such file." in ended.err
    assert "Next: Start that engine; or type `unset DOCKER_HOST`" in ended.err
    assert "Traceback" not in ended.err
    if command == ["doctor"]:
        assert ended.out.splitlines()[-1].startswith("lab doctor: fail (engine) · no engine · ")


def test_an_engine_that_is_too_new_is_a_panel(
    run: Runner, socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(socket_path, TOO_NEW) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        ended = run("doctor")
    assert ended.status == 1
    assert "speaks versions 1.90 to 1.99 of the Docker API" in ended.err
    assert "Next: The course's SDK is the older one: update the course" in ended.err


def test_a_socket_that_refuses_permission_is_a_panel(
    run: Runner, socket_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_path}")
    monkeypatch.setenv("HOME", str(tmp_path))
    user = os.geteuid()
    with silent(socket.AF_UNIX, str(socket_path)):
        socket_path.chmod(0)
        if user == 0:
            os.seteuid(NOBODY)
        try:
            ended = run("ls")
        finally:
            os.seteuid(user)
    assert ended.status == 1
    assert f"unix://{socket_path} (named by DOCKER_HOST): permission denied." in ended.err
    assert "Next: Type `sudo usermod -aG docker $USER`, then log out and in again." in ended.err


def command_line(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lab.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.engine
@pytest.mark.parametrize(
    ("sent", "status", "said"), [(signal.SIGINT, 130, "Stopped."), (signal.SIGTERM, 143, "")]
)
def test_stopped_from_outside_it_cleans_up_and_says_one_line(
    sent: signal.Signals,
    status: int,
    said: str,
    learner: str,
    engine_client: docker.DockerClient,
) -> None:
    with command_line("doctor") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Letting two containers talk"):
                break
        process.send_signal(sent)
        _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert err.strip() == said
    label = f"learner={learner}"
    assert engine_client.containers.list(all=True, filters={"label": label}) == []
    assert engine_client.networks.list(filters={"label": label}) == []


@pytest.mark.engine
@pytest.mark.usefixtures("things")
def test_what_a_foreign_container_uses_is_said_and_the_command_fails(
    run: Runner, engine_client: docker.DockerClient, learner: str
) -> None:
    network = f"course-{learner}-05-back"
    guest = engine_client.containers.run(
        "course/base:1", ["sleep", "600"], init=True, detach=True, network=network
    )
    try:
        ended = run("clean")
    finally:
        guest.remove(force=True)
    assert ended.status == 1
    assert "Removed containers idle and web, volume data. Not removed, because" in ended.out
    assert f"network {network}" in ended.out


@pytest.mark.engine
@pytest.mark.usefixtures("things")
def test_an_engine_s_refusal_is_a_panel(
    run: Runner, engine_client: docker.DockerClient, learner: str
) -> None:
    # An image that a foreign container runs can't be removed.
    image = engine_client.containers.get(f"course-{learner}-05-idle").commit(f"test-{learner}")
    guest = engine_client.containers.run(
        image, ["sleep", "600"], init=True, detach=True, labels={"learner": "somebody-else"}
    )
    try:
        ended = run("clean")
    finally:
        guest.remove(force=True)
    assert ended.status == 1
    assert "is using its referenced image" in ended.err or "being used by" in ended.err
    assert "Next: " in ended.err
    assert "Traceback" not in ended.err


def test_progress_is_a_table_of_all_exercises(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LEARNER", "ada")
    progress.record("ada", "05.1", passed=True)
    progress.record("ada", "05.2", passed=False)
    today = dt.datetime.now(dt.UTC).astimezone().date()
    lines = run("progress").out.splitlines()
    assert lines[0].split() == ["exercise", "title", "state", "checks"]
    numbers = [line.split()[0] for line in lines[2:]]
    assert numbers == [number for stem in checks.chapters() for number in checks.exercises_of(stem)]
    rows = dict(zip(numbers, (line.split() for line in lines[2:]), strict=True))
    assert rows["05.1"][-3:] == ["passed", str(today), "1"]
    assert rows["05.2"][-2:] == ["open", "1"]
    assert rows["05.3"][-2:] == ["open", "0"]


def test_what_is_exported_can_be_read_by_an_instructor(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_LEARNER", "ada")
    progress.record("ada", "05.1", passed=True)
    line = run("progress", "--export").out
    assert len(line.splitlines()) == 1
    read = run("progress", "--read", line).out.splitlines()
    assert read[0] == "learner: ada"
    (row,) = (line for line in read if line.startswith("05.1"))
    assert "passed" in row
    changed = progress.export("ada", Progress({"ada": {"05.1": Attempted(9)}})).replace("/9", "/1")
    ended = run("progress", "--read", changed)
    assert ended.status == 1
    assert "The checksum does not fit" in ended.err
