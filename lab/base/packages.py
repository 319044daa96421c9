"""Puts a small root file system together from the distribution's packages.

It needs ``apt-get`` and ``dpkg-deb``, and neither root nor a container.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["NoPackagesError", "write_rootfs"]

# A package says where a file goes as if /bin and /usr/bin were two folders; here they are one,
# as on the machine that it was made for.
_MERGED = ("bin", "lib", "lib64", "sbin")
# What the course does not use, or what works only with a library that is not in the list.
_LEFT_OUT = (
    "etc/*",
    "usr/lib/*-linux-gnu/audit/*",
    "usr/lib/*-linux-gnu/gconv/*",
    "usr/lib/python3*/distutils/*",
    "usr/lib/python3*/lib-dynload/_codecs_*",
    "usr/lib/python3*/lib-dynload/_test*",
    "usr/lib/python3*/pydoc_data/*",
    "usr/lib/python3*/test/*",
    "usr/lib/valgrind/*",
    "usr/share/*",
    "var/*",
)
# Seconds that apt may wait for a server that does not answer.
_APT = (
    "-o",
    "Acquire::http::Timeout=10",
    "-o",
    "Acquire::Retries=0",
    "-o",
    "APT::Sandbox::User=root",
)


class NoPackagesError(Exception):
    """Says why the distribution's packages can't be had here."""


@dataclass(frozen=True)
class _Package:
    file: str
    algorithm: str
    digest: str


def write_rootfs(
    into: IO[bytes], *, architecture: str, cache: Path, progress: Callable[[str], None]
) -> str:
    """Write the root file system as a tar archive: the same packages, the same bytes.

    Args:
        into: Where to write.
        architecture: What the engine runs, in its own word, such as ``amd64``.
        cache: Folder for downloaded packages; they are used again if their content is right.
        progress: Called with a short line before each step.

    Returns:
        The distribution that the packages come from, such as ``Debian 12``.

    Raises:
        NoPackagesError: This machine has no such packages, or they can't be downloaded.
        OSError: A file can't be written, for example because the disk is full.
    """
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise NoPackagesError(f"this machine has no {missing[0]}")
    here = _run(["dpkg", "--print-architecture"]).strip()
    if here != architecture:
        raise NoPackagesError(f"packages here are for {here}, the engine runs {architecture}")
    cache.mkdir(parents=True, exist_ok=True)
    files = _download(cache, progress)
    progress(f"unpacking {len(files)} packages")
    _write(into, files)
    release = platform.freedesktop_os_release()
    return f"{release['ID'].capitalize()} {release.get('VERSION_ID', '')}".strip()


def _download(cache: Path, progress: Callable[[str], None]) -> list[Path]:
    try:
        return _download_with(cache, [], progress)
    except NoPackagesError:
        # No package lists, or lists so old that the files have gone: fetch fresh ones, into our
        # own folder, for the system's need root.
        progress("fetching the package lists")
    state = cache / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::lists={state}/lists", "-o", f"Dir::Cache={state}"]
    # The lists are large and soon old: they don't stay.
    try:
        _run(["apt-get", *_APT, *options, "update", "--error-on=any"], cache)
        return _download_with(cache, options, progress)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _download_with(
    cache: Path, options: Sequence[str], progress: Callable[[str], None]
) -> list[Path]:
    packages = _resolve(options)
    wanted = [package for package in packages if not _is_right(cache / package.file, package)]
    if wanted:
        progress(f"downloading {len(wanted)} packages")
        names = [package.file.partition("_")[0] for package in wanted]
        _run(["apt-get", *_APT, *options, "download", *names], cache)
    for package in packages:
        if not _is_right(cache / package.file, package):
            raise NoPackagesError(f"{package.file} was not downloaded as the list has it")
    files = [cache / package.file for package in packages]
    for old in set(cache.glob("*.deb")) - set(files):
        old.unlink(missing_ok=True)
    return files


def _resolve(options: Sequence[str]) -> list[_Package]:
    depends = _run(["apt-cache", *options, "depends", "python3-minimal"])
    version = re.search(r"python(3\.\d+)-minimal", depends)
    if version is None:
        raise NoPackagesError("there is no package python3-minimal")
    listed = Path(__file__).with_name("packages.txt").read_text().splitlines()
    names = [line.format(python=version[1]) for line in listed if not line.startswith("#")]
    # Each line: 'address' file size algorithm:digest. Nothing is said of a file that lies in the
    # folder already, so the folder is one that has none.
    lines = _run(["apt-get", *_APT, *options, "download", "--print-uris", *names], Path("/"))
    found = re.findall(r"^'\S+' (\S+\.deb) \d+ (\w+):(\w+)$", lines, re.MULTILINE)
    if len(found) != len(names):
        raise NoPackagesError(f"apt-get knows {len(found)} of {len(names)} packages")
    return sorted((_Package(*fields) for fields in found), key=lambda package: package.file)


def _is_right(file: Path, package: _Package) -> bool:
    if not file.exists():
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, package.algorithm).hexdigest() == package.digest


def _run(command: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(  # noqa: PLW1510 - the code is looked at below
        command, cwd=folder, capture_output=True, text=True, env=_environment()
    )
    if done.returncode == 0:
        return done.stdout
    if "No space left on device" in done.stderr or "enough free space" in done.stderr:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))
    said = [line for line in done.stderr.splitlines() if line.startswith("E:")]
    raise NoPackagesError(f"{command[0]}: {said[0][2:].strip() if said else done.returncode}")


def _environment() -> dict[str, str]:
    # Messages are read here, so they must come in one language.
    return {**os.environ, "LC_ALL": "C"}


def _write(into: IO[bytes], packages: list[Path]) -> None:
    entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    for folder in ("etc", "tmp", "usr", *(f"usr/{name}" for name in _MERGED)):
        entries[folder] = (_entry(folder, tarfile.DIRTYPE, 0o755), b"")
    for name in _MERGED:
        link = _entry(name, tarfile.SYMTYPE, 0o777)
        link.linkname = f"usr/{name}"
        entries[name] = (link, b"")
    for package in packages:
        for entry, content in _members(package):
            entries.setdefault(entry.name, (entry, content))
    with tarfile.open(fileobj=into, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for _name, (entry, content) in sorted(entries.items()):
            archive.addfile(entry, io.BytesIO(content))


def _members(package: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, env=_environment()) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            name = _merged(member.name)
            if name and not any(fnmatch(f"{name}/", pattern) for pattern in _LEFT_OUT):
                entry = _entry(name, member.type, member.mode)
                entry.size = member.size
                entry.linkname = _merged(member.linkname) if member.islnk() else member.linkname
                stream = archive.extractfile(member) if member.isreg() else None
                yield entry, stream.read() if stream else b""
    if process.returncode:
        raise NoPackagesError(f"{package.name} can't be unpacked")


def _merged(name: str) -> str:
    name = name.removeprefix(".").strip("/")
    return f"usr/{name}" if name.partition("/")[0] in _MERGED else name


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    # Owner root and time 0, as TarInfo has them: nothing of this machine gets in.
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry
