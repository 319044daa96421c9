from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import docker
import docker.errors
import pytest
import requests

from lab import Lab, LabError, cleaning, open_lab
from lab.cleaning import is_still_used
from lab.client import is_name_taken, taken_address
from lab.errors import (
    LabClosedError,
    NameTakenError,
    NotReadyError,
    PortTakenError,
    UnknownExerciseError,
)
from lab.notebook import next_step_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

CHAPTER = "05-life-cycle"
LOOPBACK = {"8080/tcp": ("127.0.0.1", None)}


def sleeper(lab: Lab, short: str) -> docker.models.containers.Container:
    return lab.docker.containers.run(
        "course/base:1", "sleep 600", name=lab.name(short), init=True, detach=True
    )


@pytest.fixture
def foreign(engine_client: docker.DockerClient) -> Iterator[str]:
    name = f"foreign-{uuid.uuid4().hex[:8]}"
    yield name
    for container in engine_client.containers.list(all=True, filters={"label": name}):
        container.remove(force=True)
    for network in engine_client.networks.list(filters={"label": name}):
        network.remove()
    for volume in engine_client.volumes.list(filters={"label": name}):
        volume.remove(force=True)


def test_all_that_is_made_carries_the_labels_and_closing_removes_it(lab: Lab) -> None:
    container = sleeper(lab, "web")
    network = lab.docker.networks.create(lab.name("back"))
    volume = lab.docker.volumes.create(lab.name("data"))
    for labels in (container.labels, network.attrs["Labels"], volume.attrs["Labels"]):
        assert labels.items() >= lab.naming.labels.items()
    unnamed = lab.docker.containers.create("course/base:1")
    assert repr(lab.close()) == (
        f"Removed containers web and {unnamed.name}, network back, volume data."
        if str(unnamed.name) > lab.name("web")
        else f"Removed containers {unnamed.name} and web, network back, volume data."
    )
    assert repr(lab.close()) == "Nothing to remove."


def test_a_cell_can_run_again(lab: Lab) -> None:
    first, second = sleeper(lab, "web"), sleeper(lab, "web")
    assert first.id != second.id
    with pytest.raises(docker.errors.NotFound):
        first.reload()
    networks = [lab.docker.networks.create(lab.name("back")) for _ in range(2)]
    assert [n.id for n in lab.docker.networks.list(filters=lab.filters)] == [networks[1].id]


def test_a_foreign_container_keeps_its_name(
    lab: Lab, engine_client: docker.DockerClient, foreign: str
) -> None:
    theirs = engine_client.containers.create(
        "course/base:1", name=lab.name("web"), labels=[foreign]
    )
    with pytest.raises(NameTakenError, match=lab.name("web")) as caught:
        sleeper(lab, "web")
    assert "lab.name('web-2')" in caught.value.next_step
    lab.close()
    theirs.reload()
    assert theirs.status == "created"


def test_a_foreign_network_of_the_name_is_not_used_and_not_doubled(
    lab: Lab, engine_client: docker.DockerClient, foreign: str
) -> None:
    name = lab.name("back")
    theirs = engine_client.networks.create(name, labels={foreign: ""})
    with pytest.raises(NameTakenError, match=f"A network named {name} ") as caught:
        lab.docker.networks.create(name)
    assert "lab.name('back-2')" in caught.value.next_step
    lab.close()
    assert [found.id for found in engine_client.networks.list(names=[name])] == [theirs.id]


def test_a_network_whose_name_only_contains_the_name_is_in_nobodys_way(
    lab: Lab, engine_client: docker.DockerClient, foreign: str
) -> None:
    engine_client.networks.create(lab.name("back") + "-up", labels={foreign: ""})
    lab.docker.networks.create(lab.name("back"))
    assert repr(lab.close()) == "Removed network back."


def mounted(name: str) -> list[dict[str, Any]]:
    """Each way in which docker-py mounts a volume by name."""
    return [
        {"volumes": {name: {"bind": "/data", "mode": "rw"}}},
        {"volumes": [f"{name}:/data"]},
        {"mounts": [docker.types.Mount("/data", name)]},
    ]


@pytest.mark.parametrize("way", range(3))
def test_a_foreign_volume_of_the_name_is_not_used(
    lab: Lab, engine_client: docker.DockerClient, foreign: str, way: int
) -> None:
    name = lab.name("data")
    engine_client.volumes.create(name, labels={foreign: ""})
    with pytest.raises(NameTakenError, match=f"A volume named {name} ") as caught:
        lab.docker.volumes.create(name)
    assert "lab.name('data-2')" in caught.value.next_step
    with pytest.raises(NameTakenError):
        lab.docker.containers.create("course/base:1", **mounted(name)[way])
    assert repr(lab.close()) == "Nothing to remove."
    assert engine_client.volumes.get(name).attrs["Labels"] == {foreign: ""}


@pytest.mark.parametrize("way", range(3))
def test_a_volume_that_a_container_brings_into_being_is_found_again(lab: Lab, way: int) -> None:
    name = lab.name("data")
    lab.docker.containers.create("course/base:1", name=lab.name("web"), **mounted(name)[way])
    assert lab.docker.volumes.get(name).attrs["Labels"].items() >= lab.naming.labels.items()
    assert repr(lab.close()) == "Removed container web, volume data."


def test_a_mount_that_is_no_named_volume_makes_none(lab: Lab, tmp_path: Path) -> None:
    lab.docker.containers.create(
        "course/base:1", name=lab.name("web"), tmpfs={"/scratch": ""},
        volumes=[f"{tmp_path}:/host", "/anonymous"], mounts=[docker.types.Mount("/other", None)],
    )  # fmt: skip
    assert lab.docker.volumes.list(filters=lab.filters) == []


def test_what_a_foreign_container_uses_stays_and_is_said(
    lab: Lab, engine_client: docker.DockerClient, foreign: str
) -> None:
    sleeper(lab, "web")
    back = lab.docker.networks.create(lab.name("back"))
    data = lab.docker.volumes.create(lab.name("data"))
    theirs = engine_client.containers.run(
        "course/base:1", "sleep 600", labels=[foreign], init=True, detach=True,
        network=back.name, volumes=[f"{data.name}:/data"],
    )  # fmt: skip
    said = repr(lab.close())
    assert said.startswith("Removed container web. Not removed, because")
    assert f"network {back.name}, volume {data.name}. Remove that container" in said
    theirs.reload()
    assert (theirs.status, list(theirs.attrs["NetworkSettings"]["Networks"])) == (
        "running",
        [back.name],
    )


def test_an_own_volume_keeps_what_is_in_it_when_its_cell_runs_again(lab: Lab) -> None:
    data = lab.docker.volumes.create(lab.name("data"))
    home = {data.name: {"bind": "/data", "mode": "rw"}}
    lab.docker.containers.run(
        "course/base:1", "touch /data/note", name=lab.name("pen"), volumes=home
    )
    lab.docker.volumes.create(lab.name("data"))
    seen = lab.docker.containers.run(
        "course/base:1", "ls /data", name=lab.name("eye"), volumes=home
    )
    assert seen == b"note\n"


def test_a_port_that_is_taken_is_said_in_words_that_stay(lab: Lab) -> None:
    first = lab.docker.containers.run(
        "course/app:1", name=lab.name("first"), ports=LOOPBACK, detach=True
    )
    address = lab.wait_ready(first).removeprefix("http://")
    same = {"8080/tcp": ("127.0.0.1", address.partition(":")[2])}
    with pytest.raises(PortTakenError) as caught:
        lab.docker.containers.run("course/app:1", name=lab.name("second"), ports=same, detach=True)
    assert caught.value.what == f"{address} is taken already, so second was made, and not started."
    assert "Let the system choose" in caught.value.next_step
    assert isinstance(caught.value, docker.errors.APIError)
    assert "port is already allocated" in str(caught.value.explanation)
    assert lab.show(lab.docker.containers.get(lab.name("second")), "status").rows == (("created",),)


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("Bind for 127.0.0.1:5000 failed: port is already allocated", "127.0.0.1:5000"),
        ("listen tcp4 0.0.0.0:5000: bind: address already in use", "0.0.0.0:5000"),
        (
            "failed to bind host port for 127.0.0.1:5000:172.17.0.2:80/tcp: address already in use",
            "127.0.0.1:5000",
        ),
        ("listen tcp6 [::]:5000: bind: address already in use", "[::]:5000"),
        ("Bind for :::5000 failed: port is already allocated", ":::5000"),
        ("rootlessport: bind: address already in use", "a port"),
        ("No such container: 127.0.0.1:5000", None),
    ],
)
def test_a_taken_port_is_told_from_other_refusals(words: str, address: str | None) -> None:
    assert taken_address(words) == address


@pytest.mark.parametrize(
    "words",
    [
        'Conflict. The container name "/web" is already in use by container "4f5b6c".',
        'container create: the container name "web" is already in use by 4f5b6c. You have to ...',
    ],
)
def test_a_taken_name_is_told_on_both_engines(words: str) -> None:
    assert is_name_taken(words)
    assert not is_still_used(words)


@pytest.mark.parametrize(
    "words",
    [
        "error while removing network: network back id 4f5b has active endpoints",
        "remove data: volume is in use - [4f5b6c]",
        "volume data is being used by the following container(s): 4f5b: volume is being used",
    ],
)
def test_what_is_still_used_is_told_on_both_engines(words: str) -> None:
    assert is_still_used(words)
    assert not is_name_taken(words)


def test_a_container_that_others_stand_on_is_removed_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone: list[str] = []
    needed_by = {"a": "c", "b": "", "c": "", "d": "somebody's"}

    def remove(name: str, **_: object) -> None:
        if needed_by[name] not in {"", *gone}:
            words = "container 4f5b has dependent containers which must be removed before it"
            raise docker.errors.APIError("500", explanation=words)
        gone.append(name)

    def found(*names: str) -> None:
        stubs = tuple(SimpleNamespace(id=name, name=name, attrs={"Labels": {}}) for name in names)
        monkeypatch.setattr(cleaning, "find", lambda *_, **__: cleaning.Found(stubs))  # type: ignore[arg-type]

    found("a", "b", "c")
    engine = SimpleNamespace(
        info=dict,
        api=SimpleNamespace(remove_container=remove),
        containers=SimpleNamespace(list=lambda **_: []),
    )
    cleaning.sweep(engine, chapter=None, learner=None)  # type: ignore[arg-type]
    assert gone == ["b", "c", "a"]
    found("d")
    with pytest.raises(docker.errors.APIError, match="has dependent containers"):
        cleaning.sweep(engine, chapter=None, learner=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("refusal", "is_gone"),
    [
        (docker.errors.NotFound("404", explanation="get data: no such volume"), True),
        (docker.errors.APIError("500", explanation="network 4f5b not found"), True),
        (docker.errors.APIError("500", explanation="the disk is full"), False),
    ],
)
def test_what_is_gone_already_is_no_error(
    refusal: docker.errors.APIError, *, is_gone: bool
) -> None:
    def remove(**_: object) -> None:
        raise refusal

    stub = SimpleNamespace(name="data", attrs={"Labels": {}}, remove=remove)
    with (
        contextlib.nullcontext() if is_gone else pytest.raises(docker.errors.APIError),
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(cleaning, "find", lambda *_, **__: cleaning.Found(volumes=(stub,)))  # type: ignore[arg-type]
        engine = SimpleNamespace(info=dict, containers=SimpleNamespace(list=lambda **_: []))
        cleaning.sweep(engine, chapter=None, learner=None)  # type: ignore[arg-type]


def test_two_learners_never_meet(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper(lab, "web")
    monkeypatch.setenv("COURSE_LEARNER", f"other-{uuid.uuid4().hex[:6]}")
    other = open_lab(CHAPTER)
    sleeper(other, "web")
    assert repr(other.close()) == "Removed container web."
    assert [c.name for c in lab.docker.containers.list(filters=lab.filters)] == [lab.name("web")]


def test_opening_again_removes_what_an_earlier_run_left(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    sleeper(lab, "web").pause()
    open_lab(CHAPTER).close()
    assert "Left from an earlier run: removed container web." in capsys.readouterr().out


def test_a_kernel_killed_in_the_middle_does_not_stop_the_next(
    learner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (
        "import os, signal; from lab import open_lab; lab = open_lab('05-life-cycle');"
        "lab.docker.containers.run('course/base:1', 'sleep 600', name=lab.name('web'),"
        "detach=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False, env=dict(os.environ))
    assert killed.returncode == -9
    lab = open_lab(CHAPTER)
    assert lab.naming.learner == learner
    assert "removed container web" in capsys.readouterr().out
    lab.close()


def test_a_closed_lab_says_how_to_open_it_again(lab: Lab) -> None:
    lab.close()
    with pytest.raises(LabClosedError, match="closed") as caught:
        _ = lab.docker
    assert "set-up cell" in caught.value.next_step


def test_a_lab_that_was_taken_over_says_so(lab: Lab) -> None:
    newer = open_lab(CHAPTER, take_over=True)
    with pytest.raises(LabClosedError, match="taken this lab over"):
        _ = lab.docker
    sleeper(newer, "web")
    assert repr(lab.close()) == "Nothing to remove."
    assert repr(newer.close()) == "Removed container web."


def test_wait_ready_gives_the_address(lab: Lab) -> None:
    web = lab.docker.containers.run(
        "course/app:1", name=lab.name("web"), ports=LOOPBACK, detach=True
    )
    url = lab.wait_ready(web)
    assert url.startswith("http://127.0.0.1:")
    assert requests.get(url, timeout=5).json()["message"] == "hello"


def test_wait_ready_tells_the_end_and_the_log_of_what_never_came_up(lab: Lab) -> None:
    bad = lab.docker.containers.run(
        "course/app:1", name=lab.name("bad"), environment={"START_EXIT": "3"}, detach=True
    )
    with pytest.raises(NotReadyError, match=r"bad is exited \(exit code 3\)") as caught:
        lab.wait_ready(bad)
    assert "this start fails with exit code 3" in caught.value.what


def test_wait_for_tells_what_it_saw_instead(lab: Lab) -> None:
    web = sleeper(lab, "web")
    with pytest.raises(NotReadyError, match="has status = 'running', not 'paused'"):
        lab.wait_for(web, "status", "paused", timeout=0.3)


def test_wait_log_gives_the_line(lab: Lab) -> None:
    polite = lab.docker.containers.run(
        "course/base:1", "sh -c 'echo all is ready; sleep 600'",
        name=lab.name("polite"), init=True, detach=True,
    )  # fmt: skip
    assert lab.wait_log(polite, "ready") == "all is ready"


def test_wait_log_tells_what_was_logged_instead(lab: Lab) -> None:
    hasty = lab.docker.containers.run(
        "course/base:1", "echo bye", name=lab.name("hasty"), detach=True
    )
    with pytest.raises(NotReadyError, match="has not logged 'ready'") as caught:
        lab.wait_log(hasty, "ready")
    assert "bye" in caught.value.what


def test_what_was_removed_meanwhile_is_shown_as_gone(lab: Lab) -> None:
    web = sleeper(lab, "web")
    web.remove(force=True)
    assert lab.show(web, "name", "status").rows == (("web", "(gone)"),)


def test_unknown_chapters_and_exercises_are_answered_with_the_known(lab: Lab) -> None:
    with pytest.raises(LabError, match="no chapter '99-x'") as caught:
        open_lab("99-x")
    assert CHAPTER in caught.value.next_step
    with pytest.raises(UnknownExerciseError) as missing:
        lab.check("05.9")
    assert "05.1" in missing.value.next_step


def test_on_binder_without_an_engine_one_line_says_what_works(learner: str, tmp_path: Path) -> None:
    script = (
        "import lab.engine\n"
        "from lab import LabError, open_lab\n"
        "lab.engine.usual_sockets = lambda environ: []\n"
        "opened = open_lab('05-life-cycle')\n"
        "try:\n    opened.docker\nexcept LabError as error:\n    print(error)\n"
        "print(opened.close())"
    )
    environ = {k: v for k, v in os.environ.items() if k not in ("DOCKER_HOST", "DOCKER_CONTEXT")}
    environ |= {
        "BINDER_LAUNCH_HOST": "https://binder.example/",
        "HOME": str(tmp_path),
        "COURSE_LEARNER": learner,
    }
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ
    ).stdout.splitlines()
    assert said[0].startswith("No container engine on Binder")
    assert "the diagrams and the questions work" in said[0]
    assert said[1].startswith("There is no container engine on this machine")
    assert said[-1] == "Nothing to remove."


def test_a_dry_run_removes_nothing(lab: Lab) -> None:
    web = sleeper(lab, "web")
    found = cleaning.sweep(lab.docker, chapter=CHAPTER, learner=lab.naming.learner, dry_run=True)
    assert repr(found) == "Would remove container web."
    web.reload()
    assert web.status == "running"


def test_a_container_deleted_in_the_middle_is_said_and_made_again(
    lab: Lab, engine_client: docker.DockerClient
) -> None:
    web = sleeper(lab, "web")
    engine_client.containers.get(lab.name("web")).remove(force=True)
    with pytest.raises(docker.errors.NotFound) as caught:
        web.exec_run("true")
    assert "run the cell that starts it again" in str(next_step_for(caught.value))
    sleeper(lab, "web").exec_run("true")


def test_a_folder_is_the_learners_until_the_lab_closes(lab: Lab) -> None:
    file = lab.folder("greeter") / "Dockerfile"
    file.write_text("FROM scratch")
    assert (lab.folder("greeter") / "Dockerfile").read_text() == "FROM scratch"
    exercises = open_lab(CHAPTER, exercises=True)
    assert not list(exercises.folder("greeter").iterdir())
    exercises.close()
    assert file.exists()
    open_lab(CHAPTER, take_over=True).close()
    assert not file.exists()


@pytest.mark.parametrize("short", ["..", "a/b", ""])
def test_a_folder_is_never_elsewhere(lab: Lab, short: str) -> None:
    with pytest.raises(LabError, match="can't be part"):
        lab.folder(short)


def test_a_chapter_that_starts_nothing_looks_for_no_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def none_here() -> NoReturn:
        raise AssertionError("an engine was looked for")

    monkeypatch.setattr("lab.session.find_engine", none_here)
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))
    opened = open_lab("16-choosing", exercises=True)
    assert capsys.readouterr().out == (
        "The exercises of chapter 16 are open. No engine is needed.\n"
    )
    file = opened.folder("notes") / "note"
    file.write_text("kept until it is closed")
    assert not opened.check("16.1")
    with pytest.raises(LabError, match="starts no containers, so its lab has looked for no engine"):
        opened.docker.ping()
    assert repr(opened.close()) == "Nothing to remove."
    assert not file.exists()
    with pytest.raises(LabError, match="This lab is closed"):
        opened.check("16.1")
