"""Makes the course's images on an engine, once, and knows when they have to be made again."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import operator
import os
import re
import shutil
import tarfile
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import docker
import docker.errors
import docker.utils
import filelock
import platformdirs
import requests
import tenacity
import urllib3.exceptions

from lab.base import packages as base_packages
from lab.errors import DiskFullError, ImageMissingError, LabError, NameTakenError
from lab.naming import COURSE
from lab.proxy import packages as proxy_packages
from lab.registry import packages as registry_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "IMAGES",
    "NO_ROOM",
    "SILENCE",
    "CourseImage",
    "PreparedImage",
    "alone",
    "disk",
    "ensure",
    "first_line",
    "free",
    "is_full",
    "kept",
    "patience",
    "prepare",
    "remove_old_editions",
    "room_on_engine",
]

_PREPARE = "type `lab images prepare` in a terminal"
# One program three times (links): it reads the list of packages that lies beside it.
_PACKAGES = {
    "base": base_packages,
    "proxy": proxy_packages,
    "registry": registry_packages,
}
_NO_PACKAGES = tuple(packages.NoPackagesError for packages in _PACKAGES.values())
_REGISTRY_SECONDS = 5  # that a registry may take to say whether it has an image
SILENCE = 300  # seconds that an engine may be silent while it builds, saves or loads
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_CANCEL_SECONDS = 5  # that an engine may take to give up a build that nobody waits for


@dataclass(frozen=True)
class CourseImage:
    """One image that the course makes.

    Args:
        name: Its repository and tag.
        folder: The folder in this package that it is built from.
        parent: The course's image that it stands on, if any.
        purpose: What it is for, in a few words.
        public: The public images that it is made from where a registry is reached, by the names
            under which its `registry.Dockerfile` knows them. Where none is reached it is made from
            packages. Empty: it needs nothing but its parent.
    """

    name: str
    folder: str
    parent: CourseImage | None
    purpose: str
    public: Mapping[str, str] = field(default_factory=dict)

    def key(self) -> str:
        """Compute what tells one edition from the next: it changes with any file it is made of."""
        key = hashlib.sha256((self.parent.key() if self.parent else "").encode())
        for file in self.files():
            key.update(f"{file.name} {file.stat().st_size}\n".encode() + file.read_bytes())
        return key.hexdigest()[:16]

    def files(self) -> list[Path]:
        """List the files that it is made of."""
        folder = Path(__file__).parent / self.folder
        return sorted(file for file in folder.iterdir() if file.is_file())


# Public images by tags that are not moved any more: each is a release.
_BASE = CourseImage(
    "course/base:1",
    "base",
    None,
    "a small Linux with busybox and Python",
    {"PYTHON": "python:3.11.9-slim-bookworm", "BUSYBOX": "busybox:1.36.1-musl"},
)
_APP = CourseImage("course/app:1", "app", _BASE, "the course's web service, its store, its worker")
_REGISTRY = CourseImage(
    "course/registry:1",
    "registry",
    _BASE,
    "a registry of your own, for push and pull",
    {"REGISTRY": "registry:2.8.3"},
)
_PROXY = CourseImage(
    "course/proxy:1",
    "proxy",
    _BASE,
    "a load balancer, HAProxy, with the rules that you give it",
    {"HAPROXY": "haproxy:2.6.16"},
)
IMAGES = (_BASE, _APP, _REGISTRY, _PROXY)


@dataclass(frozen=True)
class PreparedImage:
    """What `prepare` found or made.

    Args:
        name: The image's repository and tag.
        made: Whether it was made now; otherwise it was there.
        source: What the base came from, such as ``packages: Debian 12``.
        size: Bytes, with the layers that it shares with its parent.
        seconds: How long it took.
    """

    name: str
    made: bool
    source: str
    size: int
    seconds: float

    def __str__(self) -> str:
        how = f"made in {self.seconds:.1f} s" if self.made else "was there"
        return f"{self.name} {how}: {self.size / 1e6:.0f} MB, from {self.source}"


def prepare(
    client: docker.DockerClient,
    *,
    progress: Callable[[str], None] | None = None,
    force: bool = False,
) -> list[PreparedImage]:
    """Make the course's images where they are missing or of an earlier edition.

    Stopping it is safe at any time: the next call begins again.

    Args:
        client: The engine that should have them.
        progress: Called with a short line for each step.
        force: Make them even if they are there.

    Returns:
        What is there now, in the order of `IMAGES`.

    Raises:
        NameTakenError: An image of somebody else has one of the names; it is left alone.
        ImageMissingError: There is nothing to make an image from, or the engine can't build it.
        DiskFullError: The engine's disk or the folder for downloads has no room left.
        LabError: The folder for downloads can't be used.

    Example:
        >>> from lab import engine
        >>> prepare(engine.find_engine().client, progress=print)  # doctest: +SKIP
    """
    say = progress or _say_nothing
    found = kept(client)
    if found and not force:
        return found
    with alone(say) as folder:
        prepared: list[PreparedImage] = []
        for image in IMAGES:
            parent_is_new = any(
                done.made and image.parent and done.name == image.parent.name for done in prepared
            )
            there = None if force or parent_is_new else _kept(client, image)
            prepared.append(there or _make(client, image, folder, say))
        return prepared


def kept(client: docker.DockerClient) -> list[PreparedImage]:
    """List the course's images if all of them are there in this edition; else nothing.

    Raises:
        NameTakenError: An image of somebody else has one of the names.
    """
    found = [_kept(client, image) for image in IMAGES]
    return [image for image in found if image] if all(found) else []


def ensure(client: docker.DockerClient) -> None:
    """Make sure that the course's images are there, and make none: that takes too long for a cell.

    Raises:
        ImageMissingError: One is missing, or is of an earlier edition of the course.
        NameTakenError: An image of somebody else has one of the names.
    """
    for image in IMAGES:
        found = _inspect(client, image)
        if found is None:
            raise ImageMissingError(
                f"The image {image.name} is not on this engine.", next_step=f"{_PREPARE}."
            )
        if not _is_current(found, image):
            raise ImageMissingError(
                f"The image {image.name} is of an earlier edition of the course.",
                next_step=f"{_PREPARE}.",
            )


def disk(client: docker.DockerClient) -> int:
    """Measure the room that the course's images take on the engine.

    Returns:
        Bytes; a layer that two of them share counts once.
    """
    total = 0
    for image in IMAGES:
        found = _inspect(client, image)
        parent = _inspect(client, image.parent) if found and image.parent else None
        if found:
            total += int(found["Size"])
        if found and parent and _stands_on(found, parent):
            total -= int(parent["Size"])
    return total


def _say_nothing(_line: str) -> None:
    """Stand in for a progress callback."""


def _inspect(client: docker.DockerClient, image: CourseImage) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.images.get(image.name).attrs
    except docker.errors.ImageNotFound:
        return None
    if _labels(found).get("course") != COURSE:
        raise NameTakenError(
            f"An image named {image.name} is already there, and the course did not make it.",
            next_step="the course never touches it. Give it another name with "
            f"`docker tag {image.name} mine:1` and `docker rmi {image.name}`, then {_PREPARE}.",
        )
    return found


def _labels(found: dict[str, Any]) -> dict[str, str]:
    return found["Config"].get("Labels") or {}


def _is_current(found: dict[str, Any], image: CourseImage) -> bool:
    return _labels(found).get("course.key") == image.key()


def _stands_on(found: dict[str, Any], parent: dict[str, Any]) -> bool:
    below: list[str] = parent["RootFS"]["Layers"]
    return bool(found["RootFS"]["Layers"][: len(below)] == below)


def _kept(client: docker.DockerClient, image: CourseImage) -> PreparedImage | None:
    found = _inspect(client, image)
    if found is None or not _is_current(found, image):
        return None
    source = _labels(found).get("course.source", "")
    return PreparedImage(image.name, made=False, source=source, size=found["Size"], seconds=0)


def _make(
    client: docker.DockerClient, image: CourseImage, folder: Path, say: Callable[[str], None]
) -> PreparedImage:
    begin = time.monotonic()
    build = _Build(client, image, say)
    try:
        with room_on_engine(client):
            if image.public:
                _make_from_source(build, folder)
            else:
                build.run("Dockerfile", source=None)
    except (_BuildFailedError, docker.errors.APIError) as why:
        raise ImageMissingError(
            f"{image.name} could not be built: {first_line(why)}",
            next_step="read the engine's own message above; `lab doctor` shows which engine it is.",
        ) from why
    finally:
        build.tidy()
    found = _inspect(client, image)
    if found is None:
        raise ImageMissingError(
            f"{image.name} was built and has gone: somebody removed it meanwhile.",
            next_step=f"{_PREPARE}.",
        )
    source = _labels(found).get("course.source", "")
    seconds = time.monotonic() - begin
    made = PreparedImage(image.name, made=True, source=source, size=found["Size"], seconds=seconds)
    say(str(made))
    return made


def _make_from_source(build: _Build, folder: Path) -> None:
    try:
        _from_registry(build)
    except _NoRegistryError as no_registry:
        build.say(f"no registry: {no_registry}")
        why_not = str(no_registry)
    else:
        return
    rootfs = io.BytesIO()
    try:
        architecture = build.client.version()["Arch"]
        with _our_folder(folder):
            distribution = _PACKAGES[build.image.folder].write_rootfs(
                rootfs,
                architecture=architecture,
                cache=folder / "packages" / build.image.folder,
                progress=build.say,
            )
    except _NO_PACKAGES as no_packages:
        raise ImageMissingError(
            f"There is nothing to make {build.image.name} from. No registry: {why_not}. "
            f"No packages: {no_packages}.",
            next_step="connect to the internet, or set COURSE_REGISTRY to a registry that has "
            f"{' and '.join(build.image.public.values())}, then {_PREPARE}.",
        ) from no_packages
    build.run("packages.Dockerfile", source=f"packages: {distribution}", rootfs=rootfs.getvalue())


def _from_registry(build: _Build) -> None:
    # Such as "127.0.0.1:5000", or "public.ecr.aws/docker/library", which has the same images.
    registry = os.environ.get("COURSE_REGISTRY", "").rstrip("/")
    references = {
        argument: f"{registry}/{public}" if registry else public
        for argument, public in build.image.public.items()
    }
    pulled = []
    try:
        for reference in references.values():
            if not build.client.api.images(name=reference):
                _pull(build, reference)
                pulled.append(reference)
        build.run(
            "registry.Dockerfile",
            source=f"registry: {next(iter(references.values()))}",
            arguments=references,
        )
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as why:
        raise _NoRegistryError(f"no answer within {_REGISTRY_SECONDS} s") from why
    except (docker.errors.DockerException, requests.RequestException, _BuildFailedError) as why:
        if is_full(str(why)):
            raise
        raise _NoRegistryError(first_line(why)) from why
    finally:
        # What was there before stays; what was fetched for this build is not needed any more.
        for reference in pulled:
            _remove_if_unused(build.client, reference)


def _pull(build: _Build, reference: str) -> None:
    build.say(f"asking a registry for {reference}")
    repository, tag = docker.utils.parse_repository_tag(reference)
    # A pull from a registry that never answers takes the engine half a minute, so look first.
    try:
        with patience(build.client, _REGISTRY_SECONDS):
            build.client.images.get_registry_data(reference)
    except docker.errors.APIError as why:
        # Not found: the pull says it better, and an engine may lack the look-up itself.
        if why.is_server_error():
            raise
    for event in build.client.api.pull(repository, tag, stream=True, decode=True):
        if "error" in event:
            raise docker.errors.DockerException(event["error"])
        if event.get("status") == "Pull complete":
            build.say(f"{reference}: layer {event['id']} is here")


class _NoRegistryError(Exception):
    """Says why no registry can be used."""


class _BuildFailedError(Exception):
    """Carries the engine's message about a build that it gave up."""


class _Build:
    """One image in the making."""

    def __init__(
        self, client: docker.DockerClient, image: CourseImage, say: Callable[[str], None]
    ) -> None:
        self.client = client
        self.image = image
        self._say = say
        self.steps: set[str] = set()

    def say(self, line: str) -> None:
        """Pass on what happens, with the image's name before it."""
        self._say(f"{self.image.name}: {line}")

    def run(
        self,
        dockerfile: str,
        *,
        source: str | None,
        arguments: dict[str, str] | None = None,
        rootfs: bytes | None = None,
    ) -> None:
        """Let the engine build, and pass on its steps."""
        labels = {"course": COURSE, "course.key": self.image.key()}
        if source:  # an image without its own inherits its parent's
            labels["course.source"] = source
        events = self.client.api.build(
            fileobj=_context(self.image, rootfs),
            custom_context=True,
            dockerfile=dockerfile,
            tag=self.image.name,
            labels=labels,
            buildargs=arguments,
            nocache=True,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=SILENCE,
        )
        # Closing it is what tells the engine, on Ctrl-C, that nobody waits any more.
        with contextlib.closing(events):
            for event in events:
                if "error" in event:
                    raise _BuildFailedError(event["error"])
                said = event.get("stream", "")
                if step := re.match(r"Step (\d+/\d+) : (\w+)", said):
                    self.say(f"step {step[1]}, {step[2]}")
                if made := re.match(r" ---> ([0-9a-f]{12})$", said):
                    self.steps.add(made[1])

    def tidy(self) -> None:
        """Remove what a cut build left, and editions of our images that lost their name."""
        removing = tenacity.Retrying(
            retry=tenacity.retry_if_result(operator.not_),
            wait=tenacity.wait_fixed(0.1),
            stop=tenacity.stop_after_delay(_CANCEL_SECONDS),
            retry_error_callback=lambda _state: False,
        )
        for image in _dangling(self.client):
            if image["Id"].removeprefix("sha256:")[:12] in self.steps:
                # A step that was interrupted holds on to the one before it for a moment.
                removing(_remove_if_unused, self.client, image["Id"])
        remove_old_editions(self.client)


def _context(image: CourseImage, rootfs: bytes | None) -> IO[bytes]:
    # Owner root, mode 644 and time 0: nothing of this machine gets into the image.
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        contents = {file.name: file.read_bytes() for file in image.files()}
        if rootfs is not None:
            contents["rootfs.tar"] = rootfs
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    context.seek(0)
    return context


def remove_old_editions(client: docker.DockerClient) -> None:
    """Remove the course's images that lost their name to a newer edition, as far as unused."""
    for image in _dangling(client, "course.key"):
        # What a learner builds on our images inherits our labels. Ours are those whose last
        # step is the engine's, setting a label.
        last = client.images.get(image["Id"]).history()[0]["CreatedBy"]
        if re.search(r"LABEL course\.(key|source)=", last):
            _remove_if_unused(client, image["Id"])


def _dangling(client: docker.DockerClient, label: str | None = None) -> list[dict[str, Any]]:
    filters: dict[str, Any] = {"dangling": True} | ({"label": [label]} if label else {})
    found: list[dict[str, Any]] = client.api.images(filters=filters)
    return found


def _remove_if_unused(client: docker.DockerClient, image: str) -> bool:
    try:
        client.api.remove_image(image)
    except docker.errors.ImageNotFound:
        pass
    except docker.errors.APIError as refusal:
        if refusal.status_code != HTTPStatus.CONFLICT:
            raise
        return False  # a container stands on it
    return True


@contextlib.contextmanager
def alone(say: Callable[[str], None]) -> Iterator[Path]:
    """Let one program at a time change the course's images on this machine.

    Yields:
        The folder for downloads.

    Raises:
        DiskFullError: It has no room left.
        LabError: It can't be used.
    """
    folder = platformdirs.user_cache_path("containers-on-aws")
    with _our_folder(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / "images.lock")
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            say("waiting: another program prepares the images")
            lock.acquire()
    try:
        yield folder
    finally:
        lock.release()


@contextlib.contextmanager
def patience(client: docker.DockerClient, seconds: int) -> Iterator[None]:
    """Let the engine be silent for so long, and no longer."""
    usual = client.api.timeout
    client.api.timeout = seconds
    try:
        yield
    finally:
        client.api.timeout = usual


@contextlib.contextmanager
def _our_folder(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as why:
        if why.errno in NO_ROOM:
            raise DiskFullError(
                f"There is no room left in {folder}: {free(folder)} free, about 20 MB needed.",
                next_step="make room there, or set XDG_CACHE_HOME to a folder with more, "
                f"then {_PREPARE}.",
            ) from why
        raise LabError(
            f"The folder for downloads, {folder}, can't be used: {why.strerror or why}.",
            next_step=f"set XDG_CACHE_HOME to a folder of yours, then {_PREPARE}.",
        ) from why


@contextlib.contextmanager
def room_on_engine(client: docker.DockerClient) -> Iterator[None]:
    """Say it in the course's words when the engine's disk is full.

    Raises:
        DiskFullError: The engine has no room left.
    """
    try:
        yield
    except (docker.errors.DockerException, _BuildFailedError) as why:
        if not is_full(str(why)):
            raise
        root = Path(client.info()["DockerRootDir"])
        # An engine in a virtual machine or on another host has its disk there.
        is_free = f": {free(root)} free" if root.exists() else ""
        raise DiskFullError(
            f"The engine has no room left in {root}{is_free}, about 150 MB needed.",
            next_step="look at `docker system df`, remove what you no longer need, "
            f"then {_PREPARE}.",
        ) from why


def is_full(message: str) -> bool:
    """Tell whether an engine speaks of a full disk."""
    return "no space left on device" in message or "disk quota exceeded" in message


def free(folder: Path) -> str:
    """Say how much room the disk has on which a folder is, or would be."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return f"{shutil.disk_usage(existing).free / 1e6:.1f} MB"


def first_line(error: Exception) -> str:
    """Take what an engine's error says, without what comes after it."""
    explanation = getattr(error, "explanation", None)
    return str(explanation or error).strip().splitlines()[0].rstrip(".")
