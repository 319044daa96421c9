"""Carries the course's images in one file, to engines that reach neither registry nor packages.

The file is a zip archive, not compressed, with two members: what the engine's own ``save`` wrote,
and a manifest that says what it is and how to know that it arrived whole. It is never unpacked
to a disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import posixpath
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import docker
import docker.errors
import pydantic
import requests

from lab import images
from lab.errors import ArchiveError, DiskFullError, ImageMissingError, LabError
from lab.naming import COURSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    # What is done, how many bytes of it are done, of how many.
    Progress = Callable[[str, int, int], None]

__all__ = ["Archive", "Manifest", "load", "save"]

_IMAGES, _MANIFEST = "images.tar", "manifest.json"
_CHUNK = 2**20
# What a manifest, an image's settings or an index may have: ours have some thousand bytes.
_SMALL = 100_000
_MOST_MEMBERS = 1000
_SAVE = "make a new one with `lab images save` where the images are"
# What zipfile raises on bytes that are not what it expects.
_BROKEN = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError)


class Manifest(pydantic.BaseModel):
    """What an archive says of itself.

    Attributes:
        course: The course that it belongs to.
        version: How archives are laid out.
        architecture: What the images run on, in the engine's word, such as ``amd64``.
        keys: Each image's edition by its name.
        size: Bytes of the images.
        sha256: Their checksum.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    course: Literal["containers-on-aws"]
    version: Literal[1]
    architecture: str
    keys: dict[str, str]
    size: int
    sha256: str


class Archive:
    """A file that says that it holds the course's images. Nothing in it is believed unseen.

    Args:
        path: Where it is.
        file: The file, open.

    Raises:
        ArchiveError: It is no such file, or is damaged, or of another edition of the course.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        begins = file.read(30 + len(_IMAGES))
        file.seek(0)
        try:
            self._zip = zipfile.ZipFile(file)
            self._look_at_members()
            self.manifest = Manifest.model_validate_json(self._zip.read(_MANIFEST))
        except pydantic.ValidationError as why:
            first = why.errors()[0]
            what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ArchiveError(
                f"{path} is not made for this edition of the course; its manifest says {what!a}.",
                next_step=f"{_SAVE}, from this edition.",
            ) from why
        except _BROKEN as why:
            # A zip's table of contents stands at its end, so it is what a cut file lacks.
            if begins.startswith(b"PK\x03\x04") and begins.endswith(_IMAGES.encode()):
                raise self._damaged("it is not complete") from why
            raise ArchiveError(
                f"{path} is no archive of the course's images.",
                next_step="name the file that `lab images save` has written.",
            ) from why
        wanted = {image.name: image.key() for image in images.IMAGES}
        if self.manifest.keys != wanted:
            raise ArchiveError(
                f"The images in {path} are of another edition of the course.",
                next_step=f"{_SAVE}, from this edition; or take the edition of the course that the "
                "archive came with.",
            )

    def check(self, architecture: str, progress: Progress) -> None:
        """Look whether all that is in it is what it should be.

        Args:
            architecture: What the engine runs, in its own word.
            progress: Told how far it is.

        Raises:
            ArchiveError: It is damaged, is for another architecture, or holds something else.
            OSError: It can't be read.
        """
        if self.manifest.architecture != architecture:
            raise ArchiveError(
                f"The images in {self.path} are for {self.manifest.architecture!a}, "
                f"and this engine runs {architecture}.",
                next_step=f"{_SAVE}, with an engine that runs {architecture}.",
            )
        digest = hashlib.sha256()
        for chunk in self.chunks("checking the archive", progress):
            digest.update(chunk)
        if digest.hexdigest() != self.manifest.sha256:
            raise self._damaged("its content does not fit its checksum")
        with self._reading(), self._zip.open(_IMAGES) as stream:
            self._look_inside(stream)

    def chunks(self, what: str, progress: Progress) -> Iterator[bytes]:
        """Read the images as the engine wrote them.

        Args:
            what: What they are read for.
            progress: Told how far it is.
        """
        done = 0
        with self._reading(), self._zip.open(_IMAGES) as stream:
            while chunk := stream.read(_CHUNK):
                done += len(chunk)
                progress(what, done, self.manifest.size)
                yield chunk

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (*_BROKEN, tarfile.TarError) as why:
            raise self._damaged(str(why) or "it is not complete") from why

    def _look_at_members(self) -> None:
        members = self._zip.infolist()
        if sorted(member.filename for member in members) != [_IMAGES, _MANIFEST]:
            strange = [m.filename for m in members if m.filename not in {_IMAGES, _MANIFEST}]
            if len(strange) == len(members):
                raise zipfile.BadZipFile
            raise self._strange(strange[0] if strange else f"not one {_IMAGES} and {_MANIFEST}")
        for member in members:
            # Packed, a few bytes can unfold to more than a disk holds.
            if member.compress_type != zipfile.ZIP_STORED:
                raise self._strange(f"{member.filename}, packed")
        if self._zip.getinfo(_MANIFEST).file_size > _SMALL:
            raise self._strange(f"a very large {_MANIFEST}")

    def _look_inside(self, stream: IO[bytes]) -> None:
        """See that the engine will get the course's images, and nothing else under any name."""
        small: dict[str, bytes] = {}
        with tarfile.open(fileobj=stream, mode="r|") as inner:
            for number, member in enumerate(inner):
                if number == _MOST_MEMBERS or not _stays_inside(member):
                    raise self._strange(member.name)
                file = inner.extractfile(member) if member.isreg() else None
                if file and member.size <= _SMALL:
                    small[posixpath.normpath(member.name)] = file.read()
        try:
            listed = json.loads(small["manifest.json"])
            configs = {name: json.loads(small[one["Config"]]) for one, name in _names(listed)}
            index = json.loads(small.get("index.json", b"{}"))
            # Newer engines go by this list, in which names are written in full.
            indexed = {
                str(one.get("annotations", {})["io.containerd.image.name"])
                for one in index.get("manifests", ())
                if "io.containerd.image.name" in one.get("annotations", {})
            }
            for image in images.IMAGES:
                config = configs.pop(image.name)
                labels = config["config"]["Labels"]
                indexed.discard(f"docker.io/{image.name}")
                if (labels["course"], labels["course.key"]) != (COURSE, image.key()):
                    raise self._strange(f"an image of another edition as {image.name}")
                if config["architecture"] != self.manifest.architecture:
                    raise self._strange(f"an image for {config['architecture']} as {image.name}")
        except (AttributeError, KeyError, TypeError, ValueError) as why:
            raise self._strange("images that are not listed as an engine lists them") from why
        if others := sorted({*configs, *indexed}):
            raise self._strange(f"the image {others[0]}")

    def _damaged(self, why: str) -> ArchiveError:
        return ArchiveError(
            f"{self.path} is damaged: {why}.", next_step=f"copy it once more, or {_SAVE}."
        )

    def _strange(self, what: str) -> ArchiveError:
        # Escaped: a name in a file of somebody else can hold what steers a terminal.
        return ArchiveError(
            f"{self.path} is not used: it holds {what!a}, which `lab images save` never writes.",
            next_step=f"don't use this file, and ask where it comes from; {_SAVE}.",
        )


def save(
    client: docker.DockerClient, path: Path, *, progress: Progress, force: bool = False
) -> Path:
    """Write the course's images into one file.

    Until it is whole, it has another name.

    Args:
        client: The engine that has them.
        path: The file to write; in a folder it is named after the architecture.
        progress: Told how far it is.
        force: Write over a file that is there.

    Returns:
        The file.

    Raises:
        ImageMissingError: An image is not on the engine in this edition.
        DiskFullError: The disk has no room left.
        LabError: There is such a file, or it can't be written.

    Example:
        >>> from lab import engine
        >>> client = engine.find_engine().client
        >>> save(client, Path("/media/stick"), progress=print)  # doctest: +SKIP
        PosixPath('/media/stick/course-images-amd64.zip')
    """
    images.ensure(client)
    architecture = str(client.images.get(images.IMAGES[0].name).attrs["Architecture"])
    with _writing(path):
        if path.is_dir():
            path /= f"course-images-{architecture}.zip"
        if path.exists() and not force:
            raise LabError(
                f"{path} is there already.",
                next_step="name another file, or add --force to write over it.",
            )
        with _beside(path) as file:
            _write(client, file, architecture, progress)
            # What is copied to thirty machines is read once before.
            Archive(path, file).check(architecture, progress)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
    return path


def load(
    client: docker.DockerClient, path: Path, *, progress: Progress
) -> list[images.PreparedImage]:
    """Give an engine the images out of a file that `save` wrote, once the file is seen to be right.

    Args:
        client: The engine that should have them.
        path: The file.
        progress: Told how far it is.

    Returns:
        The images; as not made, if all of them were there before.

    Raises:
        ArchiveError: The file can't be used.
        NameTakenError: An image of somebody else has one of the names; it is left alone.
        DiskFullError: The engine's disk has no room left.
        ImageMissingError: The engine refuses the images.

    Example:
        >>> from lab import engine
        >>> file = Path("/media/stick/course-images-amd64.zip")
        >>> load(engine.find_engine().client, file, progress=print)  # doctest: +SKIP
    """
    with _reading(path), path.open("rb") as file:
        archive = Archive(path, file)
        archive.check(client.version()["Arch"], progress)
        with images.alone(lambda line: progress(line, 0, 1)):
            there = images.kept(client)  # says, too, whether a name is taken
            if there:
                return there
            begin = time.monotonic()
            _give(client, archive, progress)
            images.remove_old_editions(client)
            images.ensure(client)
            seconds = time.monotonic() - begin
            return [
                dataclasses.replace(image, made=True, seconds=seconds)
                for image in images.kept(client)
            ]


def _write(
    client: docker.DockerClient, file: IO[bytes], architecture: str, progress: Progress
) -> None:
    digest, done = hashlib.sha256(), 0
    about = images.disk(client)
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open(zipfile.ZipInfo(_IMAGES), "w", force_zip64=True) as into:
            for chunk in _saved(client):
                into.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                progress("saving the images", done, max(done, about))
        manifest = Manifest(
            course=COURSE,
            version=1,
            architecture=architecture,
            keys={image.name: image.key() for image in images.IMAGES},
            size=done,
            sha256=digest.hexdigest(),
        )
        archive.writestr(zipfile.ZipInfo(_MANIFEST), manifest.model_dump_json(indent=1) + "\n")
    file.seek(0)


def _saved(client: docker.DockerClient) -> Iterator[bytes]:
    # docker-py saves one image at a time, and three times over what they share.
    api = client.api
    names = [image.name for image in images.IMAGES]
    url = f"{api.base_url}/v{api.api_version}/images/get"
    with api.get(url, params={"names": names}, stream=True, timeout=images.SILENCE) as answer:
        try:
            answer.raise_for_status()
            yield from answer.iter_content(_CHUNK)
        except requests.RequestException as why:
            raise ImageMissingError(
                f"The engine did not give the images: {images.first_line(why)}.",
                next_step="type `lab images prepare`, then try again.",
            ) from why


def _give(client: docker.DockerClient, archive: Archive, progress: Progress) -> None:
    api: Any = client.api  # the types of `load_image` are not complete
    try:
        with images.room_on_engine(client), images.patience(client, images.SILENCE):
            _raise_refusal(api.load_image(archive.chunks("loading the images", progress)))
    except docker.errors.DockerException as why:
        raise ImageMissingError(
            f"The engine did not take the images: {images.first_line(why)}.",
            next_step="read the engine's own message above; `lab doctor` shows which engine it is.",
        ) from why


def _raise_refusal(events: Iterable[dict[str, Any]]) -> None:
    # To the end, or the connection stays open.
    refusals = [event["error"] for event in events if "error" in event]
    if refusals:
        raise docker.errors.DockerException(refusals[0])


def _names(listed: list[dict[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for one in listed:
        for name in one["RepoTags"] or ["without a name"]:
            yield one, name


def _stays_inside(member: tarfile.TarInfo) -> bool:
    where = member.name
    if member.issym():
        where = posixpath.join(posixpath.dirname(member.name), member.linkname)
    elif member.islnk():
        where = member.linkname
    elif not (member.isreg() or member.isdir()):
        return False
    return not any(
        path.startswith("/") or posixpath.normpath(path).split("/")[0] == ".."
        for path in (member.name, where)
    )


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file in the same folder, which is gone at the end unless it got another name."""
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            # For whoever the stick is handed to.
            with contextlib.suppress(PermissionError):  # a stick's file system may have no modes
                Path(file.name).chmod(0o644)
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as why:
        if isinstance(why, requests.RequestException):
            raise
        folder = path if path.is_dir() else path.parent
        if why.errno in images.NO_ROOM:
            raise DiskFullError(
                f"There is no room left in {folder}: {images.free(folder)} free, "
                "about 60 MB needed.",
                next_step="make room there, or name a file in another folder.",
            ) from why
        raise LabError(
            f"{path} can't be written: {why.strerror or why}.",
            next_step="name a file in a folder that is there and that you may write to.",
        ) from why


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as why:
        if isinstance(why, requests.RequestException):
            raise
        raise ArchiveError(
            f"{path} can't be read: {why.strerror or why}.",
            next_step="name the file that `lab images save` has written.",
        ) from why
