from __future__ import annotations

import socket
import uuid
from typing import TYPE_CHECKING

import pytest

from lab import cleaning, doctor
from lab.abilities import Ability
from lab.doctor import Finding, Report, State

from .stand_in import ROOTLESS, TOO_NEW, USUAL, answering, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import docker

GB = 2**30


def examine(**options: dict[str, str]) -> Report:
    seen: list[Finding] = []
    report = doctor.examine(seen.append, **options)
    assert seen == report.findings
    return report


def names_of_doctor(client: docker.DockerClient, learner: str) -> list[str]:
    found = cleaning.find(client, chapter="doctor", learner=learner)
    return [str(thing.name) for thing in (*found.containers, *found.networks, *found.volumes)]


@pytest.mark.engine
def test_a_healthy_machine_is_ok_and_nothing_is_left(
    engine_client: docker.DockerClient, learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    report = examine()
    assert not report.failed
    checks = [finding.check for finding in report.findings if finding.state is State.OK]
    assert checks == [
        "Python",
        "engine",
        "limits",
        "swarm",
        "architecture",
        "memory",
        "images",
        "container",
        "names",
        "port",
        "disk",
    ]
    assert report.line().startswith(f"lab doctor: ok · {report.engine} · linux/")
    assert report.line().endswith(" free · course 0.1.0")
    assert report.memory > GB
    assert report.disk > GB
    assert names_of_doctor(engine_client, learner) == []


@pytest.mark.engine
def test_what_a_killed_doctor_left_is_removed_by_the_next(
    engine_client: docker.DockerClient, learner: str
) -> None:
    labels = {"course": "containers-on-aws", "chapter": "doctor", "learner": learner}
    engine_client.containers.create("course/base:1", labels=labels)
    engine_client.networks.create(f"course-{learner}-doctor-network", labels=labels)
    examine()
    assert names_of_doctor(engine_client, learner) == []


@pytest.mark.engine
def test_a_stop_in_the_middle_leaves_nothing(
    engine_client: docker.DockerClient, learner: str
) -> None:
    def stop_when_containers_run(finding: Finding) -> None:
        if finding.check == "names":
            assert names_of_doctor(engine_client, learner)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        doctor.examine(stop_when_containers_run)
    assert names_of_doctor(engine_client, learner) == []


@pytest.mark.engine
def test_a_name_that_somebody_else_holds_fails_calmly(
    engine_client: docker.DockerClient, learner: str
) -> None:
    foreign = engine_client.containers.create(
        "course/base:1", name=f"course-{learner}-doctor-once", labels={"owner": "somebody"}
    )
    try:
        report = examine()
        foreign.reload()
    finally:
        foreign.remove()
    assert report.failed
    assert "is already there" in " ".join(finding.detail for finding in report.findings)
    assert names_of_doctor(engine_client, learner) == []


@pytest.mark.engine
@pytest.mark.usefixtures("learner", "engine_client")
def test_a_proxy_in_the_way_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    report = examine()
    (port,) = [finding for finding in report.findings if finding.check == "port"]
    assert port.state is State.WARNING
    assert "export NO_PROXY=127.0.0.1,localhost" in port.next_step


@pytest.fixture
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return tmp_path_factory.mktemp("s") / f"{uuid.uuid4().hex[:8]}.sock"


def fail_with(environ: dict[str, str]) -> Finding:
    report = examine(environ=environ)
    assert report.failed
    assert report.line().startswith("lab doctor: fail (engine) · no engine · ")
    assert [finding.check for finding in report.findings] == ["Python", "engine", "memory", "disk"]
    return report.findings[1]


def test_an_engine_that_does_not_run_is_a_failure_with_a_next_step(socket_path: Path) -> None:
    failure = fail_with({"DOCKER_HOST": f"unix://{socket_path}"})
    assert "there is no such file" in failure.detail
    assert "unset DOCKER_HOST" in failure.next_step


def test_an_engine_that_hangs_is_a_failure_with_a_next_step(socket_path: Path) -> None:
    with silent(socket.AF_UNIX, str(socket_path)):
        failure = fail_with({"DOCKER_HOST": f"unix://{socket_path}"})
    assert "does not answer within 2 seconds" in failure.detail


def test_an_engine_that_is_too_new_is_a_failure_with_a_next_step(socket_path: Path) -> None:
    with answering(socket_path, TOO_NEW) as host:
        failure = fail_with({"DOCKER_HOST": host})
    assert "1.90 to 1.99" in failure.detail
    assert "update the course" in failure.next_step


def test_what_an_engine_says_that_it_cannot_do_is_a_warning_each(socket_path: Path) -> None:
    version = {**USUAL, "Os": "linux", "Arch": "amd64"}
    with answering(socket_path, version, {"/info": ROOTLESS, "/version": version}) as host:
        report = examine(environ={"DOCKER_HOST": host})
    limits = [finding for finding in report.findings if finding.check == "limits"]
    assert [finding.detail for finding in limits] == [ability.value for ability in Ability]
    assert all(finding.state is State.WARNING for finding in limits)
    memory = limits[1]
    assert memory.next_step == (
        "There is nothing to do: chapters 02, 05, 07 and 09 will say so when opened."
    )


def test_the_line_names_what_failed_and_what_is_doubtful() -> None:
    doubtful = Finding("memory", State.WARNING, "1 GB")
    report = Report([doubtful], "Podman 4.3.1", "linux/arm64", 8 * GB, 30 * GB)
    assert report.line() == (
        "lab doctor: ok, with a warning (memory) · Podman 4.3.1 · linux/arm64 · "
        "8 GB · 30 GB free · course 0.1.0"
    )
    report.findings += [Finding("names", State.FAIL, ""), Finding("port", State.FAIL, "")]
    assert report.line().startswith("lab doctor: fail (names, port) · ")


@pytest.mark.parametrize(
    ("free", "state", "said"),
    [
        (GB // 2, State.FAIL, "and 1 GB are needed"),
        (3 * GB, State.WARNING, "3 GB free, and 5 GB are better"),
        (80 * GB, State.OK, "80 GB free"),
    ],
)
def test_little_room_on_the_disk_is_said(free: int, state: State, said: str) -> None:
    finding = doctor._disk(Report(disk=free))
    assert finding.state is state
    assert said in finding.detail
    assert bool(finding.next_step) is (state is not State.OK)


@pytest.mark.parametrize(
    ("about", "state", "said"),
    [
        ({"Os": "windows", "Arch": "amd64"}, State.FAIL, "Linux containers"),
        ({"Os": "linux", "Arch": "riscv64"}, State.WARNING, "not tried"),
    ],
)
def test_containers_of_another_kind_are_said(
    about: dict[str, str], state: State, said: str
) -> None:
    finding = doctor._platform(about)
    assert finding.state is state
    assert said in finding.detail
    assert finding.next_step
