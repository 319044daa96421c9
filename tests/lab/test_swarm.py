from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import pytest
import requests
from docker.types import EndpointSpec, RestartPolicy, ServiceMode
from own_engine import NO_FIREWALL, own_engine
from typer.testing import CliRunner

from lab import Lab, cleaning, open_lab, swarm
from lab.cli import app
from lab.engine import find_engine
from lab.errors import NameTakenError, NoSwarmError, SwarmTakenError
from lab.naming import Naming
from lab.swarm import BRIDGE, labels_of_swarm, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker.models.services import Service

# A swarm with somebody else's service in it would hinder the other workers' tests.
pytestmark = pytest.mark.alone

# Another learner's notebook: it says when it has the swarm, and closes when it is told to.
OTHER = """
import os, sys
os.environ["COURSE_LEARNER"], os.environ["COURSE_STATE_DIR"] = sys.argv[1:3]
from lab import open_lab
lab = open_lab("05-life-cycle")
lab.swarm()
lab.docker.services.create("course/base:1", ["sleep", "600"], name=lab.name("left"))
print("has it", flush=True)
sys.stdin.readline()
lab.close()
print("closed", flush=True)
"""
INACTIVE: dict[str, Any] = {"Swarm": {"LocalNodeState": "inactive", "Cluster": None}}


@contextmanager
def other_notebook(learner: str, state: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, learner, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert "is open" in process.stdout.readline()
        assert process.stdout.readline() == "has it\n"
        try:
            yield process
        finally:
            process.kill()


def web_of(lab: Lab, replicas: int = 2, **options: list[str]) -> Service:
    return lab.docker.services.create(
        "course/base:1",
        ["httpd", "-f", "-p", "8080"],
        name=lab.name("web"),
        mode=ServiceMode("replicated", replicas),
        endpoint_spec=EndpointSpec(mode="dnsrr"),
        restart_policy=RestartPolicy(condition="any"),
        stop_signal="SIGKILL",
        **options,
    )


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def running(service: Service) -> set[str]:
    return {task["ID"] for task in service.tasks() if task["Status"]["State"] == "running"}


def state_of(client: docker.DockerClient) -> str:
    return str(client.info()["Swarm"]["LocalNodeState"])


def bridges(client: docker.DockerClient) -> list[str]:
    return [str(network.id) for network in client.networks.list(names=[BRIDGE])]


def test_an_engine_says_why_it_can_have_no_swarm() -> None:
    assert why_not(INACTIVE) == ""
    assert "Podman" in why_not({**INACTIVE, "BuildahVersion": "1.28.2"})
    assert why_not({}) == "This engine has no Swarm."
    worker = {"Swarm": {"LocalNodeState": "active", "ControlAvailable": False}}
    assert "did not make" in why_not(worker)
    ours = {"Spec": {"Labels": {"course": "containers-on-aws", "learner": "ada"}}}
    assert why_not({"Swarm": {"LocalNodeState": "active", "Cluster": ours}}) == ""
    theirs = {"Spec": {"Labels": {}}}
    assert "did not make" in why_not({"Swarm": {"LocalNodeState": "active", "Cluster": theirs}})
    assert "did not make" in why_not({"Swarm": {"LocalNodeState": "locked"}})


@pytest.mark.engine
@pytest.mark.swarm
def test_all_that_is_made_carries_the_labels_and_closing_removes_it(
    lab: Lab, engine_client: docker.DockerClient
) -> None:
    mine = lab.naming.labels.items()
    made = lab.swarm()
    before = bridges(engine_client)
    assert lab.swarm().id == made.id
    found = labels_of_swarm(engine_client.info())
    assert found.items() >= mine
    assert engine_client.info()["Swarm"]["RemoteManagers"][0]["Addr"].startswith("127.0.0.1:")
    lab.docker.secrets.create(name=lab.name("password"), data=b"secret")
    lab.docker.configs.create(name=lab.name("settings"), data=b"settings")
    lab.docker.networks.create(lab.name("front"), driver="overlay", attachable=True)
    web = web_of(lab, networks=[lab.name("front")], mounts=[f"{lab.name('data')}:/data:rw"])
    wait_until(lambda: len(running(web)) == 2)
    containers = lab.docker.containers.list(filters=lab.filters)
    assert len(containers) == 2
    assert cleaning.find(engine_client, learner=lab.naming.learner).containers == ()
    said = CliRunner().invoke(app, ["ls"]).stdout
    for kind, name in (("network", "front"), ("secret", "password"), ("config", "settings")):
        assert f"{kind.ljust(7)}  {name}" in said
    assert "\nswarm" in said
    assert "2 replicas" in said
    assert (
        CliRunner()
        .invoke(app, ["clean", "--dry-run"])
        .stdout.endswith(
            "Would remove service web, network front, volume data, secret password, "
            "config settings, the swarm.\n"
        )
    )
    assert str(lab.close()) == (
        "Removed service web, network front, volume data, secret password, "
        "config settings, the swarm."
    )
    assert cleaning.find(engine_client, learner=lab.naming.learner) == cleaning.Found()
    if found[BRIDGE] == "made":
        assert bridges(engine_client) == []
    else:
        assert bridges(engine_client) == before


@pytest.mark.engine
@pytest.mark.swarm
@pytest.mark.parametrize("leaves", [True, False], ids=["leave", "close"])
def test_the_containers_of_a_service_just_removed_are_no_news(
    lab: Lab, engine_client: docker.DockerClient, *, leaves: bool
) -> None:
    """They do not heed SIGTERM, so that the engine itself would take ten seconds for them."""
    lab.swarm()
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    web = lab.docker.services.create("course/base:1", stubborn, name=lab.name("web"))
    wait_until(lambda: len(running(web)) == 1)
    web.remove()
    left = {"label": [swarm.SERVICE, f"learner={lab.naming.learner}"]}
    assert lab.docker.containers.list(filters=left)
    if leaves:
        lab.docker.swarm.leave(force=True)
        assert not lab.docker.containers.list(all=True, filters=left)
    assert str(lab.close()) == ("Nothing to remove." if leaves else "Removed the swarm.")
    assert not engine_client.containers.list(all=True, filters=left)


@pytest.mark.engine
@pytest.mark.swarm
def test_docker_pys_own_calls_change_only_what_they_are_told_to(lab: Lab) -> None:
    lab.swarm()
    web = web_of(lab)
    wait_until(lambda: len(running(web)) == 2)
    first = running(web)
    web.reload()
    web.scale(3)
    wait_until(lambda: len(running(web)) == 3)
    assert first < running(web)
    web.reload()
    web.update(env=["WHAT=new"])
    wait_until(lambda: len(running(web)) == 3 and not first & running(web))
    web.reload()
    spec = web.attrs["Spec"]
    assert spec["Labels"].items() >= lab.naming.labels.items()
    assert spec["EndpointSpec"] == {"Mode": "dnsrr"}
    assert spec["TaskTemplate"]["ContainerSpec"]["Command"] == ["httpd", "-f", "-p", "8080"]
    assert spec["TaskTemplate"]["ContainerSpec"]["Labels"].items() >= lab.naming.labels.items()


@pytest.mark.engine
@pytest.mark.swarm
def test_a_cell_can_run_again_and_uses_nothing_of_somebody_elses(
    lab: Lab, engine_client: docker.DockerClient
) -> None:
    lab.swarm()
    for _ in range(2):
        lab.docker.secrets.create(name=lab.name("password"), data=b"secret")
        lab.docker.configs.create(name=lab.name("settings"), data=b"settings")
        front = lab.docker.networks.create(lab.name("front"), driver="overlay", attachable=True)
        lab.docker.containers.run(
            "course/base:1", "sleep 60", name=lab.name("proxy"), network=front.name, detach=True
        )
        web = web_of(lab, networks=[front.name])
        wait_until(lambda web=web: len(running(web)) == 2)
    engine_client.services.create("course/base:1", ["sleep", "60"], name=lab.name("other"))
    try:
        with pytest.raises(NameTakenError, match="service named"):
            lab.docker.services.create("course/base:1", name=lab.name("other"))
        removed = lab.close()
        assert removed.still_used == ("the swarm",)
        assert "service web, network front" in str(removed)
        assert [str(one.name) for one in engine_client.services.list()] == [lab.name("other")]
    finally:
        engine_client.services.get(lab.name("other")).remove()
        cleaning.sweep(engine_client, chapter=None, learner=lab.naming.learner)
    assert labels_of_swarm(engine_client.info()).get("learner") != lab.naming.learner


@pytest.mark.engine
@pytest.mark.swarm
def test_labs_take_turns_and_who_waits_is_told_for_whom(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    engine_client: docker.DockerClient,
) -> None:
    other = f"{lab.naming.learner}-b"
    with other_notebook(other, tmp_path / "other") as process:
        monkeypatch.setattr(swarm, "PATIENCE_SECONDS", 0.1)
        monkeypatch.setattr(swarm, "WAIT_SECONDS", 0.1)
        with pytest.raises(SwarmTakenError, match=f"05-life-cycle of the learner {other} has"):
            lab.swarm()
        assert f"of the learner {other} has the swarm: waiting" in capsys.readouterr().err
        assert labels_of_swarm(engine_client.info())["learner"] == other
        # Cleaning up after oneself does not touch what another one has.
        cleaning.sweep(engine_client, chapter=None, learner=lab.naming.learner)
        assert labels_of_swarm(engine_client.info())["learner"] == other
        monkeypatch.setattr(swarm, "WAIT_SECONDS", 60)
        assert process.stdin
        process.stdin.write("close\n")
        process.stdin.flush()
        lab.swarm()
        assert labels_of_swarm(engine_client.info())["learner"] == lab.naming.learner
    assert lab.close().swarm


@pytest.mark.engine
@pytest.mark.swarm
def test_a_notebook_that_was_killed_keeps_neither_the_turn_nor_the_swarm(
    lab: Lab, tmp_path: Path, engine_client: docker.DockerClient
) -> None:
    other = f"{lab.naming.learner}-b"
    with other_notebook(other, tmp_path / "other") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert labels_of_swarm(engine_client.info())["learner"] == other
    foreign = engine_client.services.create("course/base:1", ["sleep", "60"], name=f"{other}-x")
    with pytest.raises(SwarmTakenError, match=f"services run in it .*: {other}-x"):
        lab.swarm()
    foreign.remove()
    lab.swarm()
    assert labels_of_swarm(engine_client.info())["learner"] == lab.naming.learner
    assert cleaning.find(engine_client, learner=other) == cleaning.Found()


@pytest.mark.engine
@pytest.mark.swarm
def test_ones_own_other_notebook_is_told_at_once(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm, "PATIENCE_SECONDS", 0.1)
    with (
        other_notebook(lab.naming.learner, tmp_path / "other"),
        pytest.raises(SwarmTakenError, match="Another notebook of yours has the swarm: that of"),
    ):
        lab.swarm()


@pytest.mark.engine
@pytest.mark.swarm
def test_the_same_notebook_may_begin_again(lab: Lab, engine_client: docker.DockerClient) -> None:
    lab.swarm()
    again = open_lab(lab.naming.chapter)
    assert "learner" not in labels_of_swarm(engine_client.info())
    second = again.swarm().id
    lab.close()
    assert again.swarm().id == second
    third = open_lab("07-one-host")
    with pytest.raises(SwarmTakenError, match="already, for chapter 05-life-cycle"):
        third.swarm()
    third.close()
    assert again.docker.swarm.leave(force=True)
    assert not swarm._turns
    assert again.swarm().id
    assert str(again.close()) == "Removed the swarm."


@pytest.mark.engine
def test_a_foreign_swarm_is_never_left_changed_or_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naming = Naming(chapter="05-life-cycle", learner="test-foreign")
    monkeypatch.setenv("COURSE_LEARNER", naming.learner)
    with own_engine(tmp_path, NO_FIREWALL) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        client = engine.client
        client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1")
        service = client.services.create("nothing:1", name="theirs", labels={"course": "another"})
        client.networks.create("theirs", driver="overlay")
        wait_until(lambda: bool(bridges(client)))  # comes a moment after the swarm

        def look() -> object:
            cluster = client.info()["Swarm"]["Cluster"]
            networks = sorted(str(network.name) for network in client.networks.list())
            return cluster["ID"], cluster["Spec"], networks, client.services.get(service.id).attrs

        wait_until(lambda: bool(bridges(client)))
        before = look()
        lab = Lab(find_engine(), naming, lock=None)
        with pytest.raises(SwarmTakenError, match="that the course did not make") as caught:
            lab.swarm()
        assert "the cells that use no swarm work all the same" in caught.value.next_step
        with pytest.raises(SwarmTakenError, match="did not make the swarm"):
            lab.docker.swarm.leave(force=True)
        assert not lab.close()
        assert not cleaning.sweep(client, chapter=None, learner=None)
        assert CliRunner().invoke(app, ["clean", "--all-learners"]).exit_code == 0
        assert look() == before
        client.swarm.leave(force=True)
        monkeypatch.setattr(swarm, "LOOPBACK", "192.0.2.1")
        lab = Lab(find_engine(), naming, lock=None)
        with pytest.raises(NoSwarmError, match="This engine makes no swarm: "):
            lab.swarm()
        assert state_of(client) == "inactive"
        monkeypatch.undo()
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        # The bridge of the foreign swarm was there before.
        bridge = bridges(client)
        lab.swarm()
        assert lab.close().swarm
        assert bridges(client) == bridge != []
        assert not swarm._turns


@pytest.mark.engine
def test_the_names_of_other_containers_outlive_the_swarm_of_a_lab(
    engine_client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image: Any = engine_client.images.get("course/base:1").save(named=True)
    with own_engine(tmp_path) as engine:
        client = engine.client
        client.images.load(b"".join(image))
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        client.networks.create("theirs")
        theirs = [
            client.containers.run(
                "course/base:1", "sleep 600", name=name, network="theirs", init=True, detach=True
            )
            for name in ("one", "two")
        ]

        def knows() -> bool:
            return theirs[0].exec_run("nslookup two 127.0.0.11").exit_code == 0

        assert knows()
        ids = []
        for learner in ("test-ada", "test-ben"):
            naming = Naming(chapter="05-life-cycle", learner=learner)
            lab = Lab(find_engine(), naming, lock=None)
            ids.append(lab.swarm().id)
            web_of(lab)
            assert labels_of_swarm(client.info())["learner"] == learner
            assert lab.close().swarm
            # It stays, and is nobody's.
            assert labels_of_swarm(client.info()) == {
                "course": "containers-on-aws",
                "machine": platform.node(),
                BRIDGE: "made",
            }
            assert client.services.list() == []
            assert knows()
        assert len(set(ids)) == 1
        for container in theirs:
            container.remove(force=True)
        # Now it does no harm, so the next who tidies up ends it.
        assert not cleaning.sweep(client, chapter=None, learner="test-cleo")
        assert state_of(client) == "inactive"
        assert bridges(client) == []


class Answers:
    """The services of an engine that answers with these, one after another."""

    def __init__(self, *answers: int | list[str]) -> None:
        self.answers = list(answers)

    def list(self, **_options: object) -> list[str]:
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            response = requests.Response()
            response.status_code = answer
            raise docker.errors.APIError("refused", response, "the client connection is closing")
        return answer


def test_services_are_asked_for_again_while_a_swarm_ends() -> None:
    assert swarm.listed(Answers(500, 500, ["web"])) == ["web"]
    assert swarm.listed(Answers(500, 503)) == []
    assert swarm.listed(Answers(406)) == []
    with pytest.raises(docker.errors.APIError, match="400"):
        swarm.listed(Answers(400, ["web"]))
    with pytest.raises(docker.errors.APIError, match="connection is closing"):
        swarm.listed(Answers(*[500] * 100))
