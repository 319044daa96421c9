"""What the lab's client adds to docker-py: labels, on all that a build makes."""

from __future__ import annotations

import io
import socketserver
import tarfile
import threading
import urllib.parse
from contextlib import closing
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import pytest
import requests
from docker.models.volumes import VolumeCollection

from lab import Lab, open_lab
from lab.cleaning import find, images_of
from lab.client import LabelledAPIClient

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine

TWO_STAGES = b"""
FROM course/base:1 AS made
RUN echo hello > /greeting
FROM scratch
COPY --from=made /greeting /bin/busybox /
"""


def all_labelled(lab: Lab) -> set[str]:
    """List a learner's images, those in between included."""
    return {image["Id"] for image in lab.docker.api.images(all=True, filters=lab.filters)}


def build(lab: Lab, dockerfile: bytes, short: str = "greeter", **options: object) -> str:
    image, _ = lab.docker.images.build(
        fileobj=io.BytesIO(dockerfile), tag=f"{lab.name(short)}:1", **options
    )
    return str(image.id)


def test_nothing_is_left_of_two_stages(lab: Lab, engine_client: docker.DockerClient) -> None:
    build(lab, TWO_STAGES)
    made = all_labelled(lab)
    assert len(made) > len(TWO_STAGES.split(b"FROM"))
    assert repr(lab.close()) == "Removed images greeter:1 and (untagged)."
    assert not made & {image["Id"] for image in engine_client.api.images(all=True)}


def test_a_build_that_fails_leaves_nothing_unlabelled(
    lab: Lab, engine_client: docker.DockerClient
) -> None:
    with pytest.raises(docker.errors.BuildError):
        build(lab, b"FROM course/base:1\nRUN echo hello > /greeting\nRUN false")
    assert not lab.docker.containers.list(all=True, filters=lab.filters)
    made = all_labelled(lab)
    assert repr(lab.close()) == "Removed image (untagged)."
    assert made
    assert not made & {image["Id"] for image in engine_client.api.images(all=True)}


def test_learners_with_equal_dockerfiles_share_no_image_of_theirs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_LEARNER", f"{lab.naming.learner}-b")
    other = open_lab(lab.naming.chapter)
    try:
        assert build(lab, TWO_STAGES) != build(other, TWO_STAGES)
        assert not all_labelled(lab) & all_labelled(other)
    finally:
        other.close()
    assert find(lab.docker, learner=lab.naming.learner).images


def test_what_an_engine_finds_by_one_of_the_labels_only_stays(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.docker.volumes.create(lab.name("data"))
    monkeypatch.setenv("COURSE_LEARNER", f"{lab.naming.learner}-b")
    other = open_lab(lab.naming.chapter)
    try:
        other.docker.volumes.create(other.name("data"))
        list_all = VolumeCollection.list
        monkeypatch.setattr(VolumeCollection, "list", lambda self, **_: list_all(self))
        assert repr(lab.close()) == "Removed volume data."
        assert repr(other.close()) == "Removed volume data."
    finally:
        other.close()


@pytest.mark.parametrize(("asked", "given"), [(None, 10), (0, 0), (3, 3)])
def test_a_container_has_ten_seconds_to_stop_unless_it_is_told_otherwise(
    lab: Lab, asked: int | None, given: int
) -> None:
    made = lab.docker.api.create_container("course/base:1", "true", stop_timeout=asked)
    assert lab.docker.api.inspect_container(made)["Config"]["StopTimeout"] == given


def test_images_are_found_by_all_of_their_labels_and_not_by_one(lab: Lab) -> None:
    build(lab, b"FROM course/base:1\nENV A=1")
    assert [image.tags for image in images_of(lab.docker, lab.filters)] == [
        [f"{lab.name('greeter')}:1"]
    ]
    for wrong in ("chapter=99-none", "course=another", "nothing"):
        labels = [wrong, *lab.filters["label"]]
        assert images_of(lab.docker, {"label": labels}) == []


def test_a_second_build_uses_the_first(lab: Lab) -> None:
    assert build(lab, TWO_STAGES) == build(lab, TWO_STAGES, short="again")


def test_an_image_that_others_stand_on_is_removed_too(lab: Lab) -> None:
    below = build(lab, b"FROM course/base:1\nENV A=1", short="a")
    build(lab, b"FROM course/base:1\nENV A=1\nENV B=1", short="b")
    assert lab.docker.images.get(below).tags == [f"{lab.name('a')}:1"]
    assert repr(lab.close()) == "Removed images a:1 and b:1."


def test_a_tag_for_a_registry_goes_with_its_image(lab: Lab) -> None:
    image = lab.docker.images.get(build(lab, b"FROM course/base:1\nENV A=1"))
    image.tag(f"127.0.0.1:5/{lab.name('greeter')}", "1")
    assert lab.show(image, "name").rows == (("greeter:1",),)
    assert repr(lab.close()) == "Removed image greeter:1."


def test_a_folder_is_built_with_its_dockerignore(lab: Lab) -> None:
    folder = lab.folder("greeter")
    for name, text in {
        "Dockerfile": "FROM course/base:1\nCOPY . /made\nCMD ls -A /made",
        ".dockerignore": "secret",
        "secret": "",
        "greeting": "hello",
    }.items():
        (folder / name).write_text(text)
    image, _ = lab.docker.images.build(path=str(folder))
    assert image.labels.items() >= lab.naming.labels.items()
    said = lab.docker.containers.run(image, name=lab.name("ls"))
    assert said.split() == [b".dockerignore", b"Dockerfile", b"greeting"]
    lab.close()
    assert not folder.exists()


def test_a_dockerfile_is_named_once_and_its_text_is_no_name(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked, send = lab.folder("greeter"), [], requests.Session.send

    def note(
        self: requests.Session,
        request: requests.PreparedRequest,
        **options: Any,  # noqa: ANN401
    ) -> requests.Response:
        asked.append(urllib.parse.urlsplit(str(request.url)))
        return send(self, request, **options)

    (folder / "Dockerfile").write_text("FROM course/base:1\nENV A=1")
    monkeypatch.setattr(requests.Session, "send", note)
    lab.docker.images.build(path=str(folder))
    [query] = [urllib.parse.parse_qs(url.query) for url in asked if url.path.endswith("/build")]
    [name] = query["dockerfile"]
    assert "FROM" not in name


def test_a_context_of_ones_own_is_left_as_it_is(lab: Lab) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        dockerfile = b"FROM course/base:1\nENV A=1"
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        archive.addfile(entry, io.BytesIO(dockerfile))
    context.seek(0)
    image, _ = lab.docker.images.build(fileobj=context, custom_context=True)
    assert image.labels.items() >= lab.naming.labels.items()


def test_a_slip_is_said_with_its_line(lab: Lab) -> None:
    with pytest.raises(docker.errors.APIError, match="parse error line 2: unknown instruction"):
        build(lab, b"FROM course/base:1\nBUILD a /")


def test_a_folder_without_a_dockerfile_is_refused_by_the_engine(lab: Lab) -> None:
    with pytest.raises(docker.errors.APIError, match="Dockerfile"):
        lab.docker.images.build(path=str(lab.folder("empty")))


# --- what a command writes ---------------------------------------------------------------------

HEAD = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)


class AtOnce(socketserver.StreamRequestHandler):
    """Answers as a busy engine does: the head, and what a short command wrote, in one piece."""

    def handle(self) -> None:
        for _ in iter(self.rfile.readline, b"\r\n"):
            pass
        self.wfile.write(HEAD + b"\x01\0\0\0\0\0\0\x04out\n" + b"\x02\0\0\0\0\0\0\x04err\n")


@pytest.fixture
def at_once() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), AtOnce) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_what_comes_together_with_the_answer_is_read(at_once: str) -> None:
    with closing(LabelledAPIClient(at_once, "1.41")) as api:
        assert api.exec_start("any") == b"out\nerr\n"
        assert api.exec_start("any", demux=True) == (b"out\n", b"err\n")
        assert list(api.exec_start("any", stream=True)) == [b"out\n", b"err\n"]


def test_docker_py_alone_still_loses_it(at_once: str) -> None:
    """Once it does not, the lab's own way of reading can go."""
    with closing(docker.APIClient(at_once, "1.41")) as api:
        assert api.exec_start("any") == b""


def test_command_that_writes_much_and_late_is_read_to_its_end(lab: Lab) -> None:
    idle = lab.docker.containers.run("course/base:1", "sleep 60", name=lab.name("a"), detach=True)
    script = "seq 20000; sleep 1; echo late >&2"
    code, (out, err) = idle.exec_run(["sh", "-c", script], demux=True)
    assert (code, out.splitlines()[-1], err) == (0, b"20000", b"late\n")
    assert idle.exec_run("tty", tty=True).output == b"/dev/pts/0\r\n"
    pieces = idle.exec_run(["sh", "-c", "echo one; sleep 0.5; echo two"], stream=True).output
    assert list(pieces) == [b"one\n", b"two\n"]
