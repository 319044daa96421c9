from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import pytest
from own_engine import NO_FIREWALL, own_engine

from lab import archive, images
from lab.errors import ArchiveError, DiskFullError, ImageMissingError, LabError, NameTakenError

from .small_disk import small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from own_engine import Engine

NAMES = [image.name for image in images.IMAGES]
KEYS = {image.name: image.key() for image in images.IMAGES}


def silent(_what: str, _done: int, _total: int) -> None:
    pass


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def config_of(name: str) -> dict[str, Any]:
    labels = {"course": "containers-on-aws", "course.key": KEYS[name]}
    return {"architecture": "amd64", "config": {"Labels": labels}}


def saved(
    *more: tarfile.TarInfo,
    configs: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """What an engine saves, in small: the lists and settings, and hardly a layer."""
    configs = configs or {name: config_of(name) for name in NAMES}
    listed = [
        {"Config": f"{number}.json", "RepoTags": [name], "Layers": ["one/layer.tar"]}
        for number, name in enumerate(configs)
    ]
    contents = {
        "one/layer.tar": b"layer" * 50_000,
        **{f"{number}.json": as_json(config) for number, config in enumerate(configs.values())},
        "manifest.json": as_json(listed),
        **(files or {}),
    }
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        for member in (
            entry("one", tarfile.DIRTYPE),
            entry("two/layer.tar", tarfile.SYMTYPE, "../one/layer.tar"),
            *more,
        ):
            tar.addfile(member)
        for name, content in contents.items():
            member = entry(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return into.getvalue()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def zipped(
    inner: bytes,
    *,
    more: Mapping[str, bytes] | None = None,
    packed: bool = False,
    **said: object,
) -> bytes:
    """An archive; `said` is what its manifest says otherwise than it should."""
    manifest = {
        "course": "containers-on-aws",
        "version": 1,
        "architecture": "amd64",
        "keys": KEYS,
        "size": len(inner),
        "sha256": hashlib.sha256(inner).hexdigest(),
        **said,
    }
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        file.writestr("images.tar", inner)
        file.writestr("manifest.json", as_json(manifest))
        for name, content in (more or {}).items():
            file.writestr(name, content)
    return into.getvalue()


def refusal(path: Path, content: bytes, architecture: str = "amd64") -> ArchiveError:
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(ArchiveError) as refused:
        archive.Archive(path, file).check(architecture, silent)
    assert str(path) in refused.value.what
    assert refused.value.next_step
    return refused.value


def test_an_archive_that_is_right_is_given_on_as_it_is(tmp_path: Path) -> None:
    inner = saved()
    path = tmp_path / "images.zip"
    path.write_bytes(zipped(inner))
    told: list[tuple[str, int, int]] = []

    with path.open("rb") as file:
        found = archive.Archive(path, file)
        found.check("amd64", silent)
        given = b"".join(found.chunks("reading", lambda *how_far: told.append(how_far)))

    assert given == inner
    assert told[-1] == ("reading", len(inner), len(inner))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"notes of a lecture",
        b"\x1f\x8b\x08 a tar.gz of somebody",
        bytes(100_000),
        zipped(saved())[:20],
    ],
    ids=["empty", "text", "gzip", "zeros", "a few bytes of one"],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    refused = refusal(tmp_path / "file", content)
    assert "is no archive of the course's images" in refused.what
    assert "lab images save" in refused.next_step


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("holiday.jpg", b"")
    assert "is no archive of" in refusal(tmp_path / "photos.zip", other.getvalue()).what


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_copy_that_was_cut_short_is_said_to_be_one(tmp_path: Path, share: float) -> None:
    whole = zipped(saved())
    refused = refusal(tmp_path / "images.zip", whole[: int(len(whole) * share)])
    assert "is damaged: it is not complete" in refused.what
    assert refused.next_step.startswith("copy it once more, or make a new one")


def test_one_wrong_bit_is_noticed(tmp_path: Path) -> None:
    content = bytearray(zipped(saved()))
    content[200_000] ^= 1
    assert "is damaged" in refusal(tmp_path / "images.zip", bytes(content)).what


def test_a_checksum_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    content = zipped(saved(), sha256="0" * 64)
    refused = refusal(tmp_path / "images.zip", content)
    assert "is damaged: its content does not fit its checksum" in refused.what


@pytest.mark.parametrize(
    "said",
    [
        {"keys": {**KEYS, "course/base:1": "0" * 16}},
        {"keys": {"course/base:1": KEYS["course/base:1"]}},
    ],
)
def test_another_edition_is_refused(tmp_path: Path, said: dict[str, Any]) -> None:
    refused = refusal(tmp_path / "images.zip", zipped(saved(), **said))
    assert "are of another edition of the course" in refused.what
    assert "make a new one with `lab images save`" in refused.next_step


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"version": 2}, "version: Input should be 1"),
        ({"course": "another"}, "course: Input should be 'containers-on-aws'"),
        ({"size": "large"}, "size: Input should be a valid integer"),
        ({"unknown": 1}, "unknown: Extra inputs are not permitted"),
    ],
)
def test_a_manifest_of_another_form_is_refused(
    tmp_path: Path, said: dict[str, Any], why: str
) -> None:
    refused = refusal(tmp_path / "images.zip", zipped(saved(), **said))
    assert "is not made for this edition" in refused.what
    assert why in refused.what


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    refused = refusal(tmp_path / "images.zip", zipped(saved()), architecture="arm64")
    assert "are for 'amd64', and this engine runs arm64" in refused.what
    assert "with an engine that runs arm64" in refused.next_step


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (zipped(saved(), more={"../../etc/cron.d/evil": b""}), "../../etc/cron.d/evil"),
        (zipped(saved(), more={"/etc/passwd": b""}), "/etc/passwd"),
        (zipped(saved(), more={"\x1b[2J": b""}), r"\x1b[2J"),
        (zipped(saved(), packed=True), "images.tar, packed"),
        (zipped(saved(), keys={"a" * 100_000: ""}), "a very large manifest.json"),
        (zipped(saved(entry("../outside"))), "../outside"),
        (zipped(saved(entry("one/../../outside"))), "one/../../outside"),
        (zipped(saved(entry("/etc/passwd"))), "/etc/passwd"),
        (zipped(saved(entry("a", tarfile.SYMTYPE, "../etc"))), "a"),
        (zipped(saved(entry("a", tarfile.SYMTYPE, "/etc"))), "a"),
        (zipped(saved(entry("a", tarfile.LNKTYPE, "../etc/passwd"))), "a"),
        (zipped(saved(entry("disk", tarfile.BLKTYPE))), "disk"),
        (zipped(saved(*(entry(f"{n}") for n in range(1000)))), "998"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_save_never_writes_is_refused_by_name(
    tmp_path: Path, content: bytes, named: str
) -> None:
    refused = refusal(tmp_path / "images.zip", content)
    assert f"is not used: it holds '{named}'" in refused.what.replace("\\\\", "\\")
    assert "ask where it comes from" in refused.next_step


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped(saved(), more={"images.tar": b""})
    assert "is not used" in refusal(tmp_path / "images.zip", content).what


def without(name: str, **changed: object) -> dict[str, Any]:
    config = config_of(name)
    config["config"]["Labels"].update(changed)
    return {**{other: config_of(other) for other in NAMES}, name: config}


@pytest.mark.parametrize(
    ("inner", "what"),
    [
        (
            saved(configs={**{name: config_of(name) for name in NAMES}, "ubuntu:latest": {}}),
            "the image ubuntu:latest",
        ),
        (
            saved(configs=without("course/app:1", **{"course.key": "0"})),
            "an image of another edition as course/app:1",
        ),
        (
            saved(configs=without("course/app:1", course="mine")),
            "an image of another edition as course/app:1",
        ),
        (
            saved(
                configs={
                    **{name: config_of(name) for name in NAMES},
                    "course/base:1": {**config_of("course/base:1"), "architecture": "arm64"},
                }
            ),
            "an image for arm64 as course/base:1",
        ),
        (
            saved(configs={name: config_of(name) for name in NAMES[:2]}),
            "images that are not listed as an engine lists them",
        ),
        (
            saved(files={"manifest.json": b"{"}),
            "images that are not listed as an engine lists them",
        ),
        (
            saved(files={"manifest.json": b"[1]"}),
            "images that are not listed as an engine lists them",
        ),
        (
            saved(
                files={
                    "index.json": as_json(
                        {
                            "manifests": [
                                {"annotations": {"io.containerd.image.name": f"docker.io/{name}"}}
                                for name in (*NAMES, "library/ubuntu:latest")
                            ]
                        }
                    )
                }
            ),
            "the image docker.io/library/ubuntu:latest",
        ),
    ],
)
def test_images_that_are_not_the_course_s_are_refused_though_the_checksum_fits(
    tmp_path: Path, inner: bytes, what: str
) -> None:
    refused = refusal(tmp_path / "images.zip", zipped(inner))
    assert f"it holds '{what}'" in refused.what


@pytest.mark.parametrize("name", ["", "missing.zip"])
def test_a_folder_or_no_file_at_all_is_said(tmp_path: Path, name: str) -> None:
    nobody = docker.DockerClient("unix:///nobody/listens/here", version="1.41")
    with pytest.raises(ArchiveError, match=r"can't be read: .*directory") as refused:
        archive.load(nobody, tmp_path / name, progress=silent)
    assert "name the file" in refused.value.next_step
    nobody.close()


def test_the_engine_is_asked_for_nothing_before_the_file_is_known(tmp_path: Path) -> None:
    nobody = docker.DockerClient("unix:///nobody/listens/here", version="1.41")
    (tmp_path / "cut.zip").write_bytes(zipped(saved())[:100_000])
    with pytest.raises(ArchiveError, match="is damaged"):
        archive.load(nobody, tmp_path / "cut.zip", progress=silent)
    nobody.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, engine_client: docker.DockerClient) -> Path:
    return archive.save(engine_client, tmp_path_factory.mktemp("stick"), progress=silent)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with own_engine(tmp_path_factory.mktemp("engine"), NO_FIREWALL) as engine:
        yield engine


@pytest.fixture
def bare(engine: Engine) -> docker.DockerClient:
    """An engine that has no image at all."""
    for image in engine.client.images.list():
        engine.client.images.remove(image.id, force=True)
    return engine.client


@pytest.mark.engine
def test_saved_into_a_folder_it_is_named_after_the_architecture(
    file: Path, engine_client: docker.DockerClient
) -> None:
    assert file.name == f"course-images-{engine_client.version()['Arch']}.zip"
    assert list(file.parent.iterdir()) == [file], "nothing half-made beside it"
    assert file.stat().st_mode & 0o777 == 0o644
    assert file.stat().st_size < 1.1 * images.disk(engine_client), "what is shared is there once"


@pytest.mark.engine
def test_a_file_that_is_there_is_written_over_only_by_force(
    tmp_path: Path, engine_client: docker.DockerClient
) -> None:
    path = tmp_path / "images.zip"
    path.write_text("of somebody")

    with pytest.raises(LabError, match=r"images\.zip is there already\.\n.*--force"):
        archive.save(engine_client, path, progress=silent)
    assert path.read_text() == "of somebody"

    assert archive.save(engine_client, path, progress=silent, force=True) == path
    with path.open("rb") as written:
        assert archive.Archive(path, written).manifest.keys == KEYS


def stop(_what: str, done: int, _total: int) -> None:
    if done > 2**22:
        raise KeyboardInterrupt


@pytest.mark.engine
def test_stopped_while_it_saves_it_leaves_what_was_there(
    tmp_path: Path, engine_client: docker.DockerClient
) -> None:
    path = tmp_path / "images.zip"
    path.write_text("of somebody")

    with pytest.raises(KeyboardInterrupt):
        archive.save(engine_client, path, progress=stop, force=True)

    assert path.read_text() == "of somebody"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.engine
def test_a_folder_that_is_not_there_is_said(
    tmp_path: Path, engine_client: docker.DockerClient
) -> None:
    with pytest.raises(LabError, match="can't be written: No such file or directory"):
        archive.save(engine_client, tmp_path / "none" / "images.zip", progress=silent)


@pytest.mark.engine
def test_a_full_stick_is_said_and_left_as_it_was(
    tmp_path: Path, engine_client: docker.DockerClient
) -> None:
    with small_disk(tmp_path / "stick", "10m") as stick:
        with pytest.raises(DiskFullError) as full:
            archive.save(engine_client, stick, progress=silent)

        assert re.search(rf"no room left in {stick}: [\d.]+ MB free", full.value.what)
        assert "make room there" in full.value.next_step
        assert list(stick.iterdir()) == []


@pytest.mark.engine
def test_after_loading_there_is_nothing_to_prepare(bare: docker.DockerClient, file: Path) -> None:
    with pytest.raises(ImageMissingError):
        archive.save(bare, file, progress=silent, force=True)
    told: list[str] = []

    loaded = archive.load(bare, file, progress=lambda what, *_: told.append(what))

    assert [(image.name, image.made) for image in loaded] == [(name, True) for name in NAMES]
    assert list(dict.fromkeys(told)) == ["checking the archive", "loading the images"]
    assert [image.made for image in images.prepare(bare)] == [False] * len(images.IMAGES)
    ran = bare.containers.run("course/app:1", ["python3", "-c", "print(1)"], remove=True)
    assert ran == b"1\n"
    again = archive.load(bare, file, progress=silent)
    assert [image.made for image in again] == [False] * len(images.IMAGES)


@pytest.mark.engine
def test_an_earlier_edition_gives_way_and_leaves_nothing(
    bare: docker.DockerClient, file: Path
) -> None:
    archive.load(bare, file, progress=silent)
    for name in NAMES:
        bare.images.build(
            fileobj=io.BytesIO(f"FROM {name}".encode()),
            tag=name,
            labels={"course.key": "an earlier edition"},
        )
    bare.images.prune(filters={"dangling": True})
    old = {image.id for image in bare.images.list()}

    archive.load(bare, file, progress=silent)

    assert len(bare.images.list()) == len(images.IMAGES)
    assert not old & {image.id for image in bare.images.list()}


@pytest.mark.engine
def test_a_name_that_somebody_else_has_is_left_alone(bare: docker.DockerClient, file: Path) -> None:
    foreign, _ = bare.images.build(
        fileobj=io.BytesIO(b"FROM scratch\nLABEL mine=yes"), tag="course/app:1"
    )

    with pytest.raises(NameTakenError, match=r"course/app:1 is already there.*\n.*docker tag"):
        archive.load(bare, file, progress=silent)

    assert [image.id for image in bare.images.list()] == [foreign.id]


@pytest.mark.engine
def test_images_that_the_engine_refuses_are_said(bare: docker.DockerClient, tmp_path: Path) -> None:
    # All that the course can see is right, but the layers do not fit the images.
    architecture = bare.version()["Arch"]
    configs = {name: {**config_of(name), "architecture": architecture} for name in NAMES}
    for config in configs.values():
        config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}"]}
    path = tmp_path / "images.zip"
    path.write_bytes(zipped(saved(configs=configs), architecture=architecture))

    with pytest.raises(ImageMissingError, match=r"The engine did not take the images: .+"):
        archive.load(bare, path, progress=silent)

    assert bare.images.list() == []


@pytest.mark.engine
def test_a_full_disk_of_the_engine_is_said(tmp_path: Path, file: Path) -> None:
    with (
        small_disk(tmp_path / "small", "40m") as small,
        own_engine(small, NO_FIREWALL) as engine,
    ):
        with pytest.raises(DiskFullError) as full:
            archive.load(engine.client, file, progress=silent)

        assert re.search(rf"no room left in {small}: [\d.]+ MB free", full.value.what)
        assert engine.client.images.list() == []


@pytest.mark.engine
def test_on_the_command_line(engine: Engine, bare: docker.DockerClient, file: Path) -> None:
    def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lab.cli", "images", *arguments],
            env={**os.environ, "DOCKER_HOST": engine.host, "COLUMNS": "400"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert bare.images.list() == []
    loaded = lab("load", str(file))
    assert loaded.returncode == 0, loaded.stderr
    assert [line.split()[:2] for line in loaded.stdout.splitlines()] == [
        [name, "loaded:"] for name in NAMES
    ]
    assert loaded.stderr.splitlines() == ["checking the archive", "loading the images"]
    saved_ = lab("save", str(file))
    assert saved_.returncode == 1
    assert "is there already" in saved_.stderr
    assert "Traceback" not in saved_.stderr
