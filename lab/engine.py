"""Finds the container engine of this machine, or explains why there is none to use."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import sys
import threading
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.constants
import docker.errors
import docker.tls
import docker.utils
import requests

from lab.errors import (
    EngineNotRunningError,
    EngineTooOldError,
    LabError,
    NoEngineError,
    PermissionDeniedError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Attempt",
    "Engine",
    "UsualSocket",
    "find_engine",
    "on_binder",
    "quirks_of",
    "usual_sockets",
]

ANSWER_SECONDS = 2.0
# A server that sends one byte now and then, or a dead name server, outlasts the limits of
# single reads: this one ends the whole try.
_HARD_LIMIT_SECONDS = ANSWER_SECONDS + 0.5
# One that has answered is there, and may still be slow to say what it is: Podman asks the system's
# package manager for the origin of its parts, each time.
_VERSION_SECONDS = 20.0
_OLDEST_API = docker.constants.MINIMUM_DOCKER_API_VERSION
_NEWEST_API = docker.constants.DEFAULT_DOCKER_API_VERSION


@dataclass(frozen=True)
class Attempt:
    """One place where an engine was looked for, and what was found there.

    Attributes:
        source: What named the place, such as ``DOCKER_HOST`` or ``Docker Desktop``.
        host: The address; empty where the source names none.
        outcome: What happened, in plain words.
    """

    source: str
    host: str
    outcome: str


@dataclass(frozen=True)
class UsualSocket:
    """A place where a product puts its engine's socket when nobody says otherwise.

    Attributes:
        product: The product's own name.
        path: The socket.
        start: How to start that engine, as an instruction.
    """

    product: str
    path: Path
    start: str


@dataclass(frozen=True)
class Engine:
    """A container engine that answered.

    Attributes:
        client: docker-py's client, connected to it.
        source: What named it: ``DOCKER_HOST``, a Docker context, or a product.
        host: Its address.
        tried: Every place that was looked at, in order; the last one is this engine.
        version: Its version, without what a distribution adds to it.
        product: ``Docker Engine`` or ``Podman``.
        api_version: The newest version of the API that it and docker-py both speak.

    Example:
        >>> find_engine().version  # doctest: +SKIP
        '20.10.24'
    """

    client: docker.DockerClient = field(init=False, repr=False)
    source: str
    host: str
    tried: list[Attempt] = field(repr=False)
    version: str
    product: str
    api_version: str
    tls: docker.tls.TLSConfig | bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "client", self.connect())

    def connect(self, api_class: type[docker.APIClient] = docker.APIClient) -> docker.DockerClient:
        """Make another client of this engine; nothing is sent until it is used.

        Address, TLS and the version of the API are settled as they were found.

        Args:
            api_class: The class of the client's ``api``: docker-py's own, or one derived
                from it that does more.

        Returns:
            A client with connections of its own, for the caller to close.

        Example:
            >>> find_engine().connect().ping()  # doctest: +SKIP
            True
        """
        client = docker.DockerClient(self.host, self.api_version, tls=self.tls)
        if api_class is not docker.APIClient:
            client.api.close()
            client.api = api_class(self.host, self.api_version, tls=self.tls)
        return client

    def describe(self) -> str:
        """Say in one line which engine this is and where.

        Example:
            >>> find_engine().describe()  # doctest: +SKIP
            'Docker Engine 20.10.24 at unix:///var/run/docker.sock (cgroup v1, overlay2)'
        """
        info = self.client.info()
        details = (
            f"cgroup v{info['CgroupVersion']}" if info.get("CgroupVersion") else "",
            info.get("Driver", ""),
        )
        return f"{self.product} {self.version} at {self.host} ({', '.join(filter(None, details))})"

    def quirks(self) -> list[str]:
        """Say what this engine itself reports that it does otherwise than a usual one.

        Example:
            >>> find_engine().quirks()  # doctest: +SKIP
            []
        """
        return quirks_of(self.client.info())


class _UnusableError(Exception):
    """What a try came to: no engine that can be used."""

    def __init__(self, kind: type[LabError], outcome: str, next_step: str = "") -> None:
        super().__init__(outcome)
        self.kind = kind
        self.outcome = outcome
        self.next_step = next_step


@dataclass(frozen=True)
class _Candidate:
    """A place to try. ``named_by`` is empty where the course only guesses it."""

    source: str
    host: str
    start: str
    tls: docker.tls.TLSConfig | bool = False
    named_by: str = ""
    instead: str = ""


def find_engine(
    environ: Mapping[str, str] | None = None, *, sockets: Sequence[UsualSocket] | None = None
) -> Engine:
    """Find the engine: ``DOCKER_HOST``, else the current Docker context, else a usual socket.

    One that was named and can't be used is an error: no other one is taken in its place.
    Each place has two seconds to answer at all; one that does may take longer to say what it is.

    Args:
        environ: The environment to read; the process's own when left out.
        sockets: The sockets to try when nothing is named; ``usual_sockets`` when left out.

    Returns:
        The engine, with a client of it.

    Raises:
        NoEngineError: None is installed, as far as can be seen.
        EngineNotRunningError: One is installed or named, and does not answer.
        PermissionDeniedError: One is there, and this user may not use it.
        EngineTooOldError: It shares no version of the API with docker-py.

    Example:
        >>> find_engine().describe()  # doctest: +SKIP
        'Docker Engine 20.10.24 at unix:///var/run/docker.sock (cgroup v1, overlay2)'
    """
    environ = os.environ if environ is None else environ
    tried: list[Attempt] = []
    named = _from_docker_host(environ, tried) or _from_context(environ, tried)
    if named is not None:
        try:
            return _try(named, tried)
        except _UnusableError as failure:
            raise _error(named, failure) from None
    failures: list[tuple[_Candidate, _UnusableError]] = []
    for usual in usual_sockets(environ) if sockets is None else sockets:
        guess = _Candidate(usual.product, f"unix://{usual.path}", usual.start)
        try:
            return _try(guess, tried)
        except _UnusableError as failure:
            if failure.kind is not NoEngineError:
                failures.append((guess, failure))
    if failures:
        raise _error(*failures[0])
    raise _nothing_found(environ, tried)


def on_binder(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether this runs on Binder, where no engine can be had.

    Args:
        environ: The environment to read; the process's own when left out.

    Example:
        >>> on_binder({"BINDER_LAUNCH_HOST": "https://mybinder.org/"})
        True
    """
    # BinderHub sets it in each server that it launches.
    return "BINDER_LAUNCH_HOST" in (os.environ if environ is None else environ)


def quirks_of(info: Mapping[str, Any]) -> list[str]:
    """Read what an engine does otherwise than a usual one out of its ``info``.

    Only what the engine says of itself counts; what it does not mention is taken as usual.
    What it can't do at all, ``lab.abilities`` tells.

    Args:
        info: The answer of ``docker_client.info()``.

    Returns:
        One sentence each, in a stable order.

    Example:
        >>> quirks_of({"BuildahVersion": "1.28.2"})
        ["It is Podman: some messages and details differ from Docker's."]
    """
    said = (
        ("BuildahVersion" in info, "It is Podman: some messages and details differ from Docker's."),
        (
            info.get("MemoryLimit") is not False and info.get("SwapLimit") is False,
            "It limits memory but not swap: a container over its limit may swap first.",
        ),
    )
    return [sentence for holds, sentence in said if holds]


def usual_sockets(environ: Mapping[str, str]) -> list[UsualSocket]:
    """List the sockets of well-known products, in the order in which they are tried.

    Args:
        environ: Where ``HOME`` and ``XDG_RUNTIME_DIR`` are read.

    Example:
        >>> [usual.product for usual in usual_sockets({"HOME": "/home/ada"})][:2]
        ['Docker Engine', 'rootless Docker']
    """
    home = _home(environ)
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    machines = home / ".local/share/containers/podman/machine"
    desktop = "start Docker Desktop and wait until it says that the engine runs"
    colima = "type `colima start`"
    machine = "type `podman machine start`"
    user_service = "type `systemctl --user enable --now podman.socket`"
    return [
        UsualSocket("Docker Engine", Path("/var/run/docker.sock"), _how_to_start_docker()),
        UsualSocket(
            "rootless Docker", runtime / "docker.sock", "type `systemctl --user start docker`"
        ),
        UsualSocket("Docker Desktop", home / ".docker/run/docker.sock", desktop),
        UsualSocket("Docker Desktop", home / ".docker/desktop/docker.sock", desktop),
        UsualSocket("Colima", home / ".colima/default/docker.sock", colima),
        UsualSocket("Colima", home / ".config/colima/default/docker.sock", colima),
        UsualSocket("Rancher Desktop", home / ".rd/docker.sock", "start Rancher Desktop"),
        UsualSocket("OrbStack", home / ".orbstack/run/docker.sock", "start OrbStack"),
        UsualSocket("Podman machine", machines / "podman.sock", machine),
        UsualSocket("Podman machine", machines / "podman-machine-default/podman.sock", machine),
        UsualSocket("Podman machine", runtime / "podman/podman-machine-default-api.sock", machine),
        UsualSocket("Podman service", runtime / "podman/podman.sock", user_service),
        UsualSocket("Podman service", Path("/run/podman/podman.sock"), user_service),
    ]


def _from_docker_host(environ: Mapping[str, str], tried: list[Attempt]) -> _Candidate | None:
    host = environ.get("DOCKER_HOST")
    if not host:
        tried.append(Attempt("DOCKER_HOST", "", "not set"))
        return None
    try:
        tls = docker.utils.kwargs_from_env(environment=dict(environ)).get("tls", False)
    except docker.errors.TLSParameterError as error:
        raise EngineNotRunningError(
            f"DOCKER_HOST names {host}, and its TLS files can't be used: {error}",
            next_step="Put ca.pem, cert.pem and key.pem into the folder that DOCKER_CERT_PATH "
            "names, or unset DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.",
        ) from None
    return _Candidate(
        source="DOCKER_HOST",
        host=host,
        start=_start_of(host, environ),
        tls=tls,
        named_by="DOCKER_HOST",
        instead="type `unset DOCKER_HOST` to let the course look for another one",
    )


def _from_context(environ: Mapping[str, str], tried: list[Attempt]) -> _Candidate | None:
    # docker-py's ContextAPI reads the process's environment only, and without a config.json
    # it looks for contexts in the present folder. The files are the Docker CLI's own format.
    folder = Path(environ.get("DOCKER_CONFIG") or _home(environ) / ".docker")
    name = environ.get("DOCKER_CONTEXT")
    instead = "type `unset DOCKER_CONTEXT` to let the course look for another one"
    if not name:
        instead = "type `docker context use default` to let the course look for another one"
        try:
            name = _read_json(folder / "config.json").get("currentContext")
        except FileNotFoundError:
            name = None
        except (OSError, ValueError) as error:
            # The Docker CLI goes on without the file, too.
            tried.append(Attempt("Docker context", "", f"its settings can't be read: {error}"))
            return None
    if not name or name == "default":
        tried.append(Attempt("Docker context", "", "the default one, which names no address"))
        return None
    key = hashlib.sha256(name.encode()).hexdigest()
    try:
        endpoint = _read_json(folder / "contexts/meta" / key / "meta.json")["Endpoints"]["docker"]
        host = str(endpoint["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        missing = isinstance(error, FileNotFoundError)
        raise EngineNotRunningError(
            f"The current Docker context is {name!r}, and "
            + ("there is no such context." if missing else "its description can't be read."),
            next_step=f"Type `docker context ls` to see which there are, or {instead}.",
        ) from None
    return _Candidate(
        source=f"Docker context {name}",
        host=host,
        start=_start_of(host, environ),
        tls=_tls_of_context(folder / "contexts/tls" / key / "docker", endpoint, host),
        named_by=f"the Docker context {name!r}",
        instead=instead,
    )


def _tls_of_context(
    folder: Path, endpoint: Mapping[str, Any], host: str
) -> docker.tls.TLSConfig | bool:
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    skip = endpoint.get("SkipTLSVerify") is True
    if not host.startswith("tcp://") or not (skip or ca.exists() or cert.exists()):
        return False
    return docker.tls.TLSConfig(
        client_cert=(str(cert), str(key)) if cert.exists() and key.exists() else None,
        ca_cert=str(ca) if ca.exists() else None,
        verify=not skip,
    )


def _try(candidate: _Candidate, tried: list[Attempt]) -> Engine:
    try:
        about = _within_limit(candidate)
        api_version = _common_api_version(about)
    except _UnusableError as failure:
        tried.append(Attempt(candidate.source, candidate.host, failure.outcome))
        raise
    tried.append(Attempt(candidate.source, candidate.host, "answers"))
    parts = [str(part.get("Name", "")) for part in about.get("Components") or ()]
    return Engine(
        source=candidate.source,
        host=candidate.host,
        tried=tried,
        version=str(about.get("Version", "")).partition("+")[0],
        product="Podman" if any("podman" in part.lower() for part in parts) else "Docker Engine",
        api_version=api_version,
        tls=candidate.tls,
    )


def _within_limit(candidate: _Candidate) -> dict[str, Any]:
    answers: list[dict[str, Any] | _UnusableError] = []
    is_there, is_done = threading.Event(), threading.Event()

    def ask() -> None:
        try:
            answers.append(_ask(candidate, is_there))
        except _UnusableError as failure:
            answers.append(failure)
        finally:
            is_there.set()
            is_done.set()

    threading.Thread(target=ask, name="look for an engine", daemon=True).start()
    if is_there.wait(_HARD_LIMIT_SECONDS):
        is_done.wait(_VERSION_SECONDS)
    # What comes in later is not waited for: this looks once.
    answer = answers[0] if answers else _silent(is_there=is_there.is_set())
    if isinstance(answer, _UnusableError):
        raise answer
    return answer


def _ask(candidate: _Candidate, is_there: threading.Event) -> dict[str, Any]:
    """Ask for the engine's version, without a trace if it fails; tell as soon as it answers."""
    try:
        url = str(docker.utils.parse_host(candidate.host, tls=bool(candidate.tls)))
    except (docker.errors.DockerException, ValueError):
        raise _UnusableError(
            EngineNotRunningError,
            "this is no address of an engine",
            "Write it as unix:///path/to/docker.sock or tcp://host:port",
        ) from None
    if url.startswith("ssh://"):
        raise _UnusableError(
            EngineNotRunningError,
            "the course does not use engines over ssh, because the ports of containers "
            "would open on that machine and not on this one",
            "Run the course on that machine",
        )
    _knock(url)
    api = docker.APIClient(
        candidate.host, _OLDEST_API, timeout=int(ANSWER_SECONDS), tls=candidate.tls
    )
    try:
        # A refusal is an answer, too: an engine may be too new for the version that is asked in.
        with contextlib.suppress(docker.errors.APIError):
            api.ping()
        is_there.set()
        api.timeout = int(_VERSION_SECONDS)
        about = api.version(api_version=False)
    except requests.exceptions.Timeout:
        raise _silent(is_there=is_there.is_set()) from None
    except requests.exceptions.SSLError as error:
        # requests wraps OpenSSL's sentence three times.
        said = re.search(r"\] ([^\[\]]+) \(_ssl", str(error))
        raise _UnusableError(
            EngineNotRunningError,
            f"TLS fails: {said[1] if said else error}",
            "Check that the certificates are this engine's (DOCKER_CERT_PATH, or the context), "
            "and that REQUESTS_CA_BUNDLE, which comes before them, is not set",
        ) from None
    except docker.errors.APIError as error:
        raise _strange(f"it answers {error.status_code}: {error.explanation}") from None
    except requests.exceptions.JSONDecodeError:
        raise _strange("what answers there is no container engine") from None
    except requests.exceptions.RequestException:
        raise _strange("it closes the connection without an answer") from None
    finally:
        api.close()
    if not isinstance(about, dict) or "ApiVersion" not in about:
        raise _strange("what answers there is no container engine")
    return about


def _knock(url: str) -> None:
    """Connect and hang up, because docker-py leaks a socket that does not connect."""
    parts = urllib.parse.urlsplit(url)
    try:
        if parts.scheme == "http+unix":
            with socket.socket(socket.AF_UNIX) as unix:
                unix.settimeout(ANSWER_SECONDS)
                unix.connect(parts.path)
        else:
            address = (parts.hostname or "", parts.port or 0)
            socket.create_connection(address, ANSWER_SECONDS).close()
    except (FileNotFoundError, NotADirectoryError):
        raise _UnusableError(NoEngineError, "there is no such file") from None
    except PermissionError:
        raise _UnusableError(PermissionDeniedError, "permission denied") from None
    except TimeoutError:
        raise _silent(is_there=False) from None
    except socket.gaierror:
        raise _UnusableError(
            EngineNotRunningError, f"the name {parts.hostname} leads to no machine"
        ) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _UnusableError(EngineNotRunningError, f"nobody listens there ({reason})") from None


def _silent(*, is_there: bool) -> _UnusableError:
    return _UnusableError(
        EngineNotRunningError,
        f"it answers, but does not say its version within {_VERSION_SECONDS:g} seconds"
        if is_there
        else f"it does not answer within {ANSWER_SECONDS:g} seconds",
    )


def _strange(outcome: str) -> _UnusableError:
    return _UnusableError(EngineNotRunningError, outcome)


def _common_api_version(about: Mapping[str, Any]) -> str:
    newest = str(about["ApiVersion"])
    oldest = str(about.get("MinAPIVersion") or _OLDEST_API)
    try:
        best = min(newest, _NEWEST_API, key=_as_numbers)
        shared = _as_numbers(best) >= max(_as_numbers(oldest), _as_numbers(_OLDEST_API))
        client_is_older = _as_numbers(oldest) > _as_numbers(_NEWEST_API)
    except ValueError:
        raise _strange("what answers there is no container engine") from None
    if shared:
        return best
    raise _UnusableError(
        EngineTooOldError,
        f"it speaks versions {oldest} to {newest} of the Docker API, and this course's Docker "
        f"SDK {docker.__version__} speaks {_OLDEST_API} to {_NEWEST_API}",
        "The course's SDK is the older one: update the course (`git pull`, then `make lab`)"
        if client_is_older
        else "The engine is the older one: update it",
    )


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _error(candidate: _Candidate, failure: _UnusableError) -> LabError:
    # A named socket that does not exist is an engine that does not run.
    kind = EngineNotRunningError if failure.kind is NoEngineError else failure.kind
    named = f" (named by {candidate.named_by})" if candidate.named_by else ""
    where = f"{'' if candidate.named_by else candidate.source + ' at '}{candidate.host}{named}"
    if kind is PermissionDeniedError:
        return PermissionDeniedError(
            f"The engine is there, but you may not use it: {where}: {failure.outcome}.",
            next_step=_how_to_get_permission(candidate),
        )
    step = failure.next_step or _capitalised(candidate.start)
    if candidate.instead:
        step += f"; or {candidate.instead}"
    return kind(f"No engine to use at {where}: {failure.outcome}.", next_step=f"{step}.")


def _nothing_found(environ: Mapping[str, str], tried: list[Attempt]) -> LabError:
    path = environ.get("PATH")
    for command, start in (
        ("docker", _how_to_start_docker()),
        ("podman", "type `systemctl --user enable --now podman.socket`"),
    ):
        if shutil.which(command, path=path):
            return EngineNotRunningError(
                f"The command `{command}` is installed, but no container engine runs.",
                next_step=f"{_capitalised(start)}, then try again.",
            )
    places = "".join(
        f"\n  {attempt.source}{' at ' if attempt.host else ''}{attempt.host}: {attempt.outcome}"
        for attempt in tried
    )
    return NoEngineError(
        f"There is no container engine on this machine. What was tried:{places}",
        next_step=_how_to_install(),
    )


def _how_to_install() -> str:
    if sys.platform == "darwin":
        return "Install Docker Desktop, Colima, OrbStack, Rancher Desktop or Podman, and start it."
    if _in_wsl():
        return (
            "Install Docker Desktop on Windows and turn on WSL integration for this "
            "distribution, or type `sudo apt-get install docker.io` here."
        )
    return (
        "Type `sudo apt-get install docker.io` (Debian, Ubuntu), or follow "
        "https://docs.docker.com/engine/install/ for another system."
    )


def _how_to_start_docker() -> str:
    if sys.platform == "darwin":
        return "start Docker Desktop, or what you use in its place (`colima start`, OrbStack)"
    if _in_wsl():
        return (
            "start Docker Desktop on Windows, with WSL integration on for this distribution, "
            "or type `sudo service docker start`"
        )
    if Path("/run/systemd/system").is_dir():
        return "type `sudo systemctl start docker`"
    return "type `sudo service docker start`"


def _how_to_get_permission(candidate: _Candidate) -> str:
    path = Path(candidate.host.removeprefix("unix://"))
    if "podman" in path.name:
        return "Use a Podman of your own: type `systemctl --user enable --now podman.socket`."
    if sys.platform == "darwin":
        return "Restart Docker Desktop: it makes the socket anew for the user who starts it."
    group, members = _group_of(path)
    if getpass.getuser() in members:
        return (
            f"You are in the group {group}, but this session began before that: log out and in "
            "again (a whole session, not only a new terminal), then try again."
        )
    return (
        f"Type `sudo usermod -aG {group} $USER`, then log out and in again. "
        "Note that members of this group can do on this machine what root can."
    )


def _group_of(path: Path) -> tuple[str, list[str]]:
    """Tell which group may use a socket, and who is in it by the system's files."""
    import grp  # noqa: PLC0415  # not on Windows, where the module must still be imported

    try:
        group = path.group()
    except (OSError, KeyError):
        group = "docker"
    # Nobody is made a member of root's own group; such a socket is handed to this one.
    group = "docker" if group == "root" else group
    try:
        return group, grp.getgrnam(group).gr_mem
    except KeyError:
        return group, []


def _start_of(host: str, environ: Mapping[str, str]) -> str:
    """Tell how to start the engine at an address that a known product uses."""
    for usual in usual_sockets(environ):
        if host == f"unix://{usual.path}":
            return usual.start
    return "start that engine"


def _in_wsl() -> bool:
    return "microsoft" in platform.release().lower()


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path.home())


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object")  # noqa: TRY004  # a bad value, as JSON's
    return content


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
