from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import docker
import docker.errors
import pytest
import requests

from lab import images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker.models.containers import Container

    from lab import Lab

    Start = Callable[[str], tuple[Container, str]]

pytestmark = pytest.mark.engine

COURSE_IMAGE = next(image for image in images.IMAGES if image.folder == "registry")


@pytest.fixture
def start(lab: Lab) -> Start:
    def start(short: str) -> tuple[Container, str]:
        container = lab.docker.containers.run(
            COURSE_IMAGE.name,
            name=lab.name(short),
            ports={"5000/tcp": ("127.0.0.1", None)},
            detach=True,
        )
        return container, lab.wait_ready(container).removeprefix("http://")

    return start


@pytest.fixture
def mine(lab: Lab) -> Iterator[docker.models.images.Image]:
    """A small image that nobody else on this engine has."""
    made = lab.docker.containers.create("course/base:1", ["echo", uuid.uuid4().hex])
    image = made.commit(lab.name("mine"), "1")
    yield image
    for tag in [*image.tags, image.id]:
        try:
            lab.docker.images.remove(tag, force=True)
        except docker.errors.ImageNotFound:
            continue


def push(client: docker.DockerClient, image: docker.models.images.Image, address: str) -> str:
    repository = f"{address}/mine"
    assert image.tag(repository, "1")
    said = list(client.images.push(repository, "1", stream=True, decode=True))
    assert not [event for event in said if "error" in event]
    client.images.remove(f"{repository}:1")
    return str(next(event["aux"]["Digest"] for event in said if "aux" in event))


def test_what_is_pushed_can_be_pulled_again(
    lab: Lab, start: Start, mine: docker.models.images.Image
) -> None:
    _, address = start("registry")
    assert requests.get(f"http://{address}/v2/", timeout=5).status_code == 200

    digest = push(lab.docker, mine, address)
    # Gone from the engine, so that the pull really brings it.
    command, identity = mine.attrs["Config"]["Cmd"], mine.id
    lab.docker.images.remove(lab.name("mine") + ":1")
    with pytest.raises(docker.errors.ImageNotFound):
        lab.docker.images.get(identity)
    pulled = lab.docker.images.pull(f"{address}/mine", "1")
    try:
        assert pulled.id == identity
        assert pulled.attrs["Config"]["Cmd"] == command
        assert pulled.attrs["RepoDigests"] == [f"{address}/mine@{digest}"]
    finally:
        lab.docker.images.remove(f"{address}/mine:1")


def test_two_side_by_side_have_ports_of_their_own_and_know_nothing_of_each_other(
    lab: Lab, start: Start, mine: docker.models.images.Image
) -> None:
    (_, one), (_, other) = start("one"), start("other")
    assert one != other

    push(lab.docker, mine, one)

    catalogs = [requests.get(f"http://{at}/v2/_catalog", timeout=5).json() for at in (one, other)]
    assert catalogs == [{"repositories": ["mine"]}, {"repositories": []}]


def test_asked_to_end_it_ends_by_itself_and_leaves_no_volume(start: Start) -> None:
    container, address = start("registry")
    assert container.attrs["Mounts"] == []
    # The engine's own patience is ten seconds, after which it kills: exit code 137.
    container.stop(timeout=60)

    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0
    log = container.logs().decode()
    assert "GET /health" in log
    assert "level=" not in log, "one line a request and nothing else"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{address}/v2/", timeout=5)


def test_its_data_can_live_in_a_volume(lab: Lab, mine: docker.models.images.Image) -> None:
    volume = lab.docker.volumes.create(lab.name("layers"))
    for turn in ("first", "second"):
        container = lab.docker.containers.run(
            COURSE_IMAGE.name,
            name=lab.name(turn),
            ports={"5000/tcp": ("127.0.0.1", None)},
            volumes={volume.name: {"bind": "/var/lib/registry", "mode": "rw"}},
            detach=True,
        )
        address = lab.wait_ready(container).removeprefix("http://")
        if turn == "first":
            push(lab.docker, mine, address)
            container.remove(force=True)
    catalog = requests.get(f"http://{address}/v2/_catalog", timeout=5).json()
    assert catalog == {"repositories": ["mine"]}


def test_its_program_needs_no_root(start: Start) -> None:
    container, _ = start("registry")
    status, said = container.exec_run(["id", "-u"])
    assert (status, said) == (0, b"1000\n")


def test_it_stands_on_the_course_s_base(lab: Lab) -> None:
    base, registry = (
        lab.docker.images.get(name).attrs["RootFS"]["Layers"]
        for name in ("course/base:1", COURSE_IMAGE.name)
    )
    assert registry[: len(base)] == base
