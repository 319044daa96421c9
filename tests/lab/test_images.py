from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import tenacity
from own_engine import NO_FIREWALL, own_engine

from lab import images
from lab.base.packages import write_rootfs
from lab.errors import DiskFullError, ImageMissingError, NameTakenError

from .small_disk import small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import docker
    from own_engine import Engine

eventually = tenacity.retry(
    stop=tenacity.stop_after_delay(20), wait=tenacity.wait_fixed(0.05), reraise=True
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with own_engine(tmp_path_factory.mktemp("engine"), NO_FIREWALL) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(engine: Engine) -> docker.DockerClient:
    return engine.client


def image_ids(client: docker.DockerClient, *, dangling: bool) -> set[str]:
    filters = {"dangling": dangling}
    return {found["Id"] for found in client.api.images(filters=filters)}


def build(client: docker.DockerClient, dockerfile: str, tag: str) -> str:
    image, _log = client.images.build(
        fileobj=io.BytesIO(dockerfile.encode()), tag=tag, rm=True, nocache=True
    )
    return str(image.id)


def course_image(folder: Path, parent: images.CourseImage | None = None) -> images.CourseImage:
    return images.CourseImage("test:1", str(folder), parent, "")


def test_the_table_names_what_is_there_and_parents_come_first() -> None:
    seen: list[images.CourseImage | None] = [None]
    for image in images.IMAGES:
        assert image.parent in seen
        files = {file.name for file in image.files()}
        needed = {"registry.Dockerfile", "packages.Dockerfile"} if image.public else {"Dockerfile"}
        assert needed <= files
        assert image.purpose
        seen.append(image)

    assert [image.name for image in images.IMAGES] == [
        "course/base:1",
        "course/app:1",
        "course/registry:1",
        "course/proxy:1",
    ]


def test_the_key_changes_with_the_files_and_with_the_parent_only(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "above").mkdir()
    parent = course_image(tmp_path / "below")
    child = course_image(tmp_path / "above", parent)
    keys = [child.key()]

    (tmp_path / "above" / "Dockerfile").write_text("FROM scratch")
    keys.append(child.key())
    (tmp_path / "above" / "__pycache__").mkdir()
    os.utime(tmp_path / "above" / "Dockerfile", (0, 0))
    assert child.key() == keys[-1]
    (tmp_path / "below" / "finish.sh").write_text("true")
    keys.append(child.key())
    (tmp_path / "above" / "Dockerfile").rename(tmp_path / "above" / "Other")
    keys.append(child.key())

    assert len(set(keys)) == 4


@pytest.mark.engine
def test_stopped_in_the_middle_it_leaves_nothing_and_can_be_repeated(
    engine: Engine,
) -> None:
    client = engine.client
    script = (
        "import docker; from lab import images; "
        "images.prepare(docker.from_env(), progress=lambda line: print(line, flush=True))"
    )
    before = image_ids(client, dangling=True)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "DOCKER_HOST": engine.host},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout
        assert program.stderr
        for line in program.stdout:
            if "RUN" in line:
                program.send_signal(signal.SIGINT)
        errors = program.stderr.read()

    assert program.returncode == -signal.SIGINT, errors
    assert "KeyboardInterrupt" in errors
    _wait_until_no_container(client)
    assert image_ids(client, dangling=True) == before
    with pytest.raises(ImageMissingError, match=r"course/base:1 is not .*\n.*lab images prepare"):
        images.ensure(client)
    assert [image.made for image in images.prepare(client)] == [True] * len(images.IMAGES)
    assert image_ids(client, dangling=True) == before


@pytest.mark.engine
def test_prepared_once_they_are_there_and_a_second_time_costs_nothing(
    client: docker.DockerClient,
) -> None:
    images.prepare(client)
    before = image_ids(client, dangling=False)

    def seconds() -> float:
        begin = time.monotonic()
        images.prepare(client)
        images.ensure(client)
        return time.monotonic() - begin

    # The best of three: the machine may be busy with something else.
    assert min(seconds() for _ in range(3)) < 0.2
    again = images.prepare(client)
    assert image_ids(client, dangling=False) == before
    assert image_ids(client, dangling=True) == set()
    assert [image.made for image in again] == [False] * len(images.IMAGES)
    assert re.fullmatch(r"course/app:1 was there: \d+ MB, from \w+: .+", str(again[1]))


@pytest.mark.engine
def test_they_carry_the_course_s_labels_and_no_learner(client: docker.DockerClient) -> None:
    images.prepare(client)

    for course in images.IMAGES:
        labels = client.images.get(course.name).labels
        assert set(labels) == {"course", "course.key", "course.source"}
        assert labels["course"] == "containers-on-aws"
        assert labels["course.key"] == course.key()


@pytest.mark.engine
def test_the_base_is_one_layer_with_nothing_set_but_its_path(client: docker.DockerClient) -> None:
    images.prepare(client)

    base = client.images.get("course/base:1").attrs

    assert len(base["RootFS"]["Layers"]) == 1
    assert base["Config"]["Env"] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    ]
    assert base["Config"]["Cmd"] == ["sh"]


@pytest.mark.engine
def test_the_room_that_they_take_counts_shared_layers_once(client: docker.DockerClient) -> None:
    images.prepare(client)
    base, app, registry, proxy = (
        client.images.get(image.name).attrs["Size"] for image in images.IMAGES
    )

    assert images.disk(client) == app + registry + proxy - 2 * base
    assert base < app < proxy < registry < 80e6


@pytest.mark.engine
def test_an_image_of_an_earlier_edition_is_said_and_made_again(
    client: docker.DockerClient,
) -> None:
    images.prepare(client)
    new = build(
        client,
        'FROM course/app:1\nLABEL course.key="an earlier edition"',
        "course/app:1",
    )

    with pytest.raises(ImageMissingError, match="course/app:1 is of an earlier edition"):
        images.ensure(client)
    prepared = images.prepare(client)

    assert [image.made for image in prepared] == [False, True, False, False]
    assert new not in image_ids(client, dangling=True) | image_ids(client, dangling=False)
    images.ensure(client)


@pytest.mark.engine
def test_a_name_that_somebody_else_has_is_left_alone(client: docker.DockerClient) -> None:
    images.prepare(client)
    ours = client.images.get("course/app:1").id
    foreign = build(client, "FROM scratch\nLABEL mine=yes", "course/app:1")
    try:
        for use in (images.prepare, images.ensure):
            with pytest.raises(NameTakenError, match=r"course/app:1 is already there.*\n.*tag"):
                use(client)
        with pytest.raises(NameTakenError):
            images.prepare(client, force=True)

        assert client.images.get("course/app:1").id == foreign
    finally:
        client.images.remove(foreign, force=True)
        client.api.tag(ours, "course/app", "1")


@contextmanager
def registry(folder: Path, inside: Sequence[str], port: int = 0) -> Iterator[str]:
    program = shutil.which("docker-registry")
    if program is None:
        subprocess.run(["apt-get", "download", "docker-registry"], cwd=folder, check=True)
        package = next(folder.glob("docker-registry_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "package")], check=True)
        program = str(folder / "package/usr/bin/docker-registry")
    settings = folder / "registry.yml"
    settings.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    log = folder / "registry.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*inside, program, "serve", str(settings)], stdout=stream, stderr=stream
        )
    try:
        yield _listening(log)
    finally:
        process.terminate()
        process.wait(timeout=10)


@eventually
def _listening(log: Path) -> str:
    found = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text())
    assert found, log.read_text()
    return found[1]


@pytest.mark.engine
@pytest.mark.slow
def test_where_a_registry_is_reached_the_base_comes_from_its_images(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = engine.client
    images.prepare(client)
    # What must survive a rebuild: a stopped container on the old image, an image of somebody else
    # that lost its name, and a learner's image built on ours that lost its name.
    old = client.images.get("course/base:1").id
    client.containers.create("course/base:1")
    foreign = {build(client, "FROM scratch\nLABEL a=1", "foreign:1")}
    build(client, "FROM scratch\nLABEL a=2", "foreign:1")
    foreign.add(build(client, "FROM course/app:1\nENV A=1", "learner:1"))
    build(client, "FROM course/app:1\nENV A=2", "learner:1")
    assert image_ids(client, dangling=True) == foreign

    with registry(tmp_path, engine.inside) as address:
        public = {
            f"{address}/python:3.11.9-slim-bookworm": "course/base:1",
            f"{address}/busybox:1.36.1-musl": "course/base:1",
            f"{address}/registry:2.8.3": "course/registry:1",
            f"{address}/haproxy:2.6.16": "course/proxy:1",
        }
        for reference, like in public.items():
            dockerfile = f"FROM {like}\nUSER root\nENV MADE_FOR={reference}\n"
            if like == "course/registry:1":
                dockerfile += "RUN ln /usr/local/bin/registry /bin/registry"
            build(client, dockerfile, reference)
            repository, _, tag = reference.rpartition(":")
            assert "errorDetail" not in client.api.push(repository, tag)
            client.api.remove_image(reference)
        monkeypatch.setenv("COURSE_REGISTRY", address)
        # On a busy machine even this registry may take its time.
        monkeypatch.setattr(images, "_REGISTRY_SECONDS", 60)
        said: list[str] = []

        prepared = images.prepare(client, progress=said.append, force=True)

    python, _, program, haproxy = public
    assert [(image.made, image.source) for image in prepared] == [
        (True, f"registry: {python}"),
        (True, f"registry: {python}"),
        (True, f"registry: {program}"),
        (True, f"registry: {haproxy}"),
    ], said
    asked = [line for line in said if "asking" in line]
    assert asked[0] == f"course/base:1: asking a registry for {python}"
    assert not any("unpacking" in line for line in said)
    # What was pulled has gone again, and the three survivors are there.
    assert not [tag for image in client.images.list() for tag in image.tags if address in tag]
    assert image_ids(client, dangling=True) == foreign
    assert client.images.get(old)
    shape = client.images.get("course/base:1").attrs
    assert len(shape["RootFS"]["Layers"]) == 1
    ran = client.containers.run("course/app:1", ["python3", "-c", "print(1)"], remove=True)
    assert ran == b"1\n"
    ran = client.containers.run("course/registry:1", ["registry", "--version"], remove=True)
    assert b" 2.8" in ran
    ran = client.containers.run("course/proxy:1", ["haproxy", "-v"], remove=True)
    assert b"HAProxy version 2.6" in ran


@pytest.mark.engine
@pytest.mark.slow
def test_a_registry_that_somebody_else_runs_is_not_asked(engine: Engine, tmp_path: Path) -> None:
    client = engine.client
    # In the engine's own network, where the usual port is nobody's.
    with registry(tmp_path, engine.inside, port=5000):
        images.prepare(client, force=True)
        ours = client.containers.run(
            "course/registry:1", detach=True, ports={"5000/tcp": ("127.0.0.1", None)}
        )
        try:
            ours.reload()
            port = ours.ports["5000/tcp"][0]["HostPort"]
            assert port != "5000"
            repository = f"127.0.0.1:{port}/app"
            client.api.tag("course/app:1", repository, "1")
            _push(client, repository)
            client.images.remove(f"{repository}:1")
            client.images.pull(repository, "1")
            client.images.remove(f"{repository}:1")
        finally:
            ours.remove(force=True)
    asked = re.findall(r"(?:GET|HEAD|POST) /\S*", (tmp_path / "registry.log").read_text())
    assert asked == []


@eventually
def _push(client: docker.DockerClient, repository: str) -> None:
    assert "errorDetail" not in client.api.push(repository, "1")


@contextmanager
def silent_server(inside: Sequence[str]) -> Iterator[str]:
    script = (
        "import socket, sys; server = socket.create_server(('127.0.0.1', 0)); "
        "print(server.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [*inside, sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        yield f"127.0.0.1:{process.stdout.readline().strip()}"


@pytest.mark.engine
def test_with_a_silent_registry_and_no_packages_it_gives_up_soon_and_says_what_to_do(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = engine.client
    images.prepare(client)
    before = image_ids(client, dangling=False)
    with silent_server(engine.inside) as address:
        monkeypatch.setenv("COURSE_REGISTRY", address)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(images, "_REGISTRY_SECONDS", 1)
        begin = time.monotonic()

        with pytest.raises(ImageMissingError) as refused:
            images.prepare(client, force=True)

    assert time.monotonic() - begin < 5
    assert "No registry: no answer within 1 s. No packages: this machine has no apt-get." in str(
        refused.value
    )
    assert "COURSE_REGISTRY" in refused.value.next_step
    assert "lab images prepare" in refused.value.next_step
    assert image_ids(client, dangling=False) == before


@pytest.mark.engine
def test_packages_for_another_processor_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"packages here are for \w+, the engine runs s390x"):
        write_rootfs(io.BytesIO(), architecture="s390x", cache=tmp_path, progress=print)


@pytest.mark.engine
def test_the_same_packages_give_the_same_bytes_and_are_downloaded_once(tmp_path: Path) -> None:
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    said: list[str] = []

    def rootfs() -> bytes:
        said.clear()
        into = io.BytesIO()
        write_rootfs(into, architecture=architecture, cache=tmp_path, progress=said.append)
        return into.getvalue()

    first = rootfs()
    assert said[0] == "downloading 10 packages"

    # A download that was cut short is seen by its content, and only that one is fetched again.
    cut = next(tmp_path.glob("busybox_*.deb"))
    cut.write_bytes(cut.read_bytes()[:1000])
    (tmp_path / "superseded_1_all.deb").write_bytes(b"")
    assert rootfs() == first
    assert said[0] == "downloading 1 packages"
    assert len(list(tmp_path.iterdir())) == 10


@pytest.mark.engine
def test_without_package_lists_fresh_ones_are_fetched_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    (tmp_path / "lists" / "partial").mkdir(parents=True)
    (tmp_path / "apt.conf").write_text(f'Dir::State::lists "{tmp_path}/lists";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    said: list[str] = []

    write_rootfs(
        io.BytesIO(), architecture=architecture, cache=tmp_path / "cache", progress=said.append
    )

    assert said[0] == "fetching the package lists"
    assert {file.suffix for file in (tmp_path / "cache").iterdir()} == {".deb"}


@pytest.mark.engine
def test_a_full_disk_for_downloads_is_said_with_its_place_and_what_is_free(
    client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images.prepare(client)
    with small_disk(tmp_path / "small", "2m") as small:
        monkeypatch.setenv("XDG_CACHE_HOME", str(small))

        with pytest.raises(DiskFullError) as full:
            images.prepare(client, force=True)

        assert re.search(rf"{small}/containers-on-aws: [\d.]+ MB free", full.value.what)
        assert "XDG_CACHE_HOME" in full.value.next_step
    images.ensure(client)


@pytest.mark.engine
def test_a_full_disk_of_the_engine_is_said_and_left_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "30m") as small, own_engine(small, NO_FIREWALL) as engine:
        with pytest.raises(DiskFullError) as full:
            images.prepare(engine.client)

        assert re.search(rf"no room left in {small}: [\d.]+ MB free", full.value.what)
        assert "docker system df" in full.value.next_step
        _wait_until_no_container(engine.client)
        assert image_ids(engine.client, dangling=True) == set()


@eventually
def _wait_until_no_container(client: docker.DockerClient) -> None:
    assert client.containers.list(all=True) == []
