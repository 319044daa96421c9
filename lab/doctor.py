"""Tries on this very machine what the course needs, and says what to do about what fails."""

from __future__ import annotations

import contextlib
import enum
import importlib.metadata
import platform
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import packaging.specifiers
import psutil
import requests
import requests.utils

from lab import checks, images
from lab.abilities import missing_in
from lab.cleaning import sweep
from lab.client import connect_labelled
from lab.engine import find_engine
from lab.errors import LabError
from lab.naming import Naming, current_learner
from lab.notebook import next_step_for
from lab.swarm import why_not_now

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from lab.engine import Engine

__all__ = ["Finding", "Report", "State", "examine"]

BASE = "course/base:1"
WORD = "well"
WAIT_SECONDS = 10.0
RUN_SECONDS = 40
_GB = 2**30
# A chapter's containers need some hundred megabytes; below the first figure even the images
# do not fit well, below the second one little is left for learners' own.
DISK_FAIL, DISK_WARNING = 1 * _GB, 5 * _GB
MEMORY_FAIL, MEMORY_WARNING = 1 * _GB, 2 * _GB
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_ENGINE_ERRORS = (docker.errors.DockerException, requests.RequestException)


class State(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at, in a word or two.
        state: How it ended.
        detail: What was found.
        next_step: What to do about it; empty where there is nothing to do.
        more: Further lines for who wants to know.
    """

    check: str
    state: State
    detail: str
    next_step: str = ""
    more: tuple[str, ...] = ()


@dataclass
class Report:
    """All findings, and the figures of the one line that a learner can hand on.

    Attributes:
        findings: In the order in which they were made.
        engine: Product and version.
        platform: Operating system and architecture of the containers.
        memory: Bytes that the engine has.
        disk: Bytes that are free for it.
    """

    findings: list[Finding] = field(default_factory=list)
    engine: str = "no engine"
    platform: str = ""
    memory: int = 0
    disk: int = 0

    @property
    def failed(self) -> bool:
        """Whether something must be mended before the course can be used."""
        return any(finding.state is State.FAIL for finding in self.findings)

    def line(self) -> str:
        """Sum everything up in one line that can be pasted into a message.

        Example:
            >>> Report(engine="Docker 20.10.24", platform="linux/amd64").line()
            'lab doctor: ok · Docker 20.10.24 · linux/amd64 · 0 GB · 0 GB free · course 0.1.0'
        """
        parts = (
            f"lab doctor: {self._verdict()}",
            self.engine,
            self.platform,
            _size(self.memory),
            f"{_size(self.disk)} free",
            f"course {importlib.metadata.version('containers-on-aws')}",
        )
        return " · ".join(parts)

    def _verdict(self) -> str:
        by_state = {
            state: [finding.check for finding in self.findings if finding.state is state]
            for state in State
        }
        if by_state[State.FAIL]:
            return f"fail ({', '.join(by_state[State.FAIL])})"
        if by_state[State.WARNING]:
            return f"ok, with a warning ({', '.join(by_state[State.WARNING])})"
        return "ok"


def examine(
    on_finding: Callable[[Finding], None],
    *,
    on_step: Callable[[str], None] = lambda _: None,
    environ: Mapping[str, str] | None = None,
) -> Report:
    """Look at everything that the course needs, by really doing it.

    Containers are run and a network is made; they carry the labels of a chapter named
    ``doctor`` and are removed in any case. Images that are missing are made, and stay.

    Args:
        on_finding: Is given each finding as soon as it is made.
        on_step: Is told what is being done now, where it takes a while.
        environ: Where the engine is looked for; the process's environment when left out.

    Returns:
        The report. Nothing that is wrong with the machine raises.

    Example:
        >>> examine(print).line()  # doctest: +SKIP
        'lab doctor: ok · Docker 20.10.24 · linux/amd64 · 24 GB · 80 GB free · course 0.1.0'
    """
    report = Report(
        platform=f"{platform.system().lower()}/{_architecture(platform.machine())}",
        memory=psutil.virtual_memory().total,
        disk=psutil.disk_usage(str(Path.home())).free,
    )
    # Closed at once whatever happens, because it is what removes the containers.
    with contextlib.closing(_findings(report, on_step, environ)) as findings:
        for finding in findings:
            report.findings.append(finding)
            on_finding(finding)
    return report


def _findings(
    report: Report, on_step: Callable[[str], None], environ: Mapping[str, str] | None
) -> Generator[Finding]:
    yield _python()
    try:
        engine = find_engine(environ)
    except LabError as error:
        yield _failed("engine", error)
        yield from (_memory(report), _disk(report))
        return
    try:
        yield from _engine(engine, report)
        missing = _images(engine, on_step)
        yield missing
        if missing.state is State.FAIL:
            yield Finding("containers", State.WARNING, "not tried, because an image is missing")
        else:
            yield from _containers(engine, report, on_step)
        yield _disk(report)
    except _ENGINE_ERRORS as error:
        yield _failed("engine", error)
    finally:
        engine.client.close()


def _python() -> Finding:
    wanted = importlib.metadata.metadata("containers-on-aws")["Requires-Python"]
    version = platform.python_version()
    if version in packaging.specifiers.SpecifierSet(wanted):
        return Finding("Python", State.OK, version)
    return Finding(
        "Python",
        State.FAIL,
        f"{version}, and the course needs {wanted}",
        "Type `make lab` in the course's folder: it makes an environment that fits.",
    )


def _engine(engine: Engine, report: Report) -> Iterator[Finding]:
    about = engine.client.version()
    info = engine.client.info()
    report.engine = f"{engine.product.split()[0]} {engine.version}"
    report.platform = f"{about['Os']}/{_architecture(about['Arch'])}"
    report.memory = int(info["MemTotal"])
    root = Path(str(info.get("DockerRootDir", "")))
    if root.is_absolute() and root.exists():
        report.disk = psutil.disk_usage(str(root)).free
    tried = tuple(
        f"{attempt.source}{' at ' if attempt.host else ''}{attempt.host}: {attempt.outcome}"
        for attempt in engine.tried
    )
    yield Finding("engine", State.OK, engine.describe(), more=tried)
    for quirk in engine.quirks():
        yield Finding(
            "engine", State.WARNING, quirk, "There is nothing to do: a page that needs it says so."
        )
    yield from _abilities(info)
    yield _swarm(engine)
    yield _platform(about)
    yield _memory(report)


def _abilities(info: Mapping[str, Any]) -> Iterator[Finding]:
    missing = missing_in(info)
    if not missing:
        yield Finding("limits", State.OK, "memory, CPU and processes; system calls are filtered")
    for ability in missing:
        needing = [
            chapter.partition("-")[0]
            for chapter in checks.chapters()
            if ability in checks.needs_of(chapter)
        ]
        yield Finding(
            "limits",
            State.WARNING,
            ability.value,
            f"There is nothing to do: {_in_words(needing)} will say so when opened.",
        )


def _swarm(engine: Engine) -> Finding:
    reason = why_not_now(engine.client)
    if not reason:
        return Finding("swarm", State.OK, "can be made, where a chapter needs one")
    return Finding(
        "swarm",
        State.WARNING,
        reason,
        "There is nothing to do: cells that need a swarm say so, and their outputs are stored.",
    )


def _in_words(chapters: list[str]) -> str:
    if len(chapters) == 1:
        return f"chapter {chapters[0]}"
    return f"chapters {', '.join(chapters[:-1])} and {chapters[-1]}"


def _platform(about: Mapping[str, Any]) -> Finding:
    here, there = _architecture(platform.machine()), _architecture(about["Arch"])
    name = f"{about['Os']}/{there}"
    if about["Os"] != "linux":
        return Finding(
            "architecture",
            State.FAIL,
            f"{name}: the course's containers are Linux containers",
            "Switch Docker Desktop to Linux containers.",
        )
    if there not in ARCHITECTURES.values():
        return Finding(
            "architecture",
            State.WARNING,
            f"{name}, on which the course was not tried",
            "Go on, and expect that some image can't be had.",
        )
    if here != there:
        return Finding(
            "architecture",
            State.WARNING,
            f"the engine is {name} and this computer {here}: containers may be slow",
            f"Use an engine that is made for {here}, if you can.",
        )
    return Finding("architecture", State.OK, name)


def _memory(report: Report) -> Finding:
    detail = f"{_size(report.memory)} for all containers together"
    step = "Give the engine more memory (in its settings, where it runs in a virtual machine)."
    return _against("memory", report.memory, MEMORY_FAIL, MEMORY_WARNING, detail, step)


def _disk(report: Report) -> Finding:
    detail = f"{_size(report.disk)} free"
    step = "Free some room; `docker system df` shows what the engine uses it for."
    return _against("disk", report.disk, DISK_FAIL, DISK_WARNING, detail, step)


def _against(  # noqa: PLR0913, PLR0917  # two limits and three texts
    check: str, value: int, fail: int, warning: int, detail: str, step: str
) -> Finding:
    if value < fail:
        return Finding(check, State.FAIL, f"{detail}, and {_size(fail)} are needed", step)
    if value < warning:
        return Finding(check, State.WARNING, f"{detail}, and {_size(warning)} are better", step)
    return Finding(check, State.OK, detail)


def _images(engine: Engine, on_step: Callable[[str], None]) -> Finding:
    on_step("Preparing images")
    try:
        prepared = images.prepare(engine.client, progress=on_step)
    except (LabError, *_ENGINE_ERRORS) as error:
        return _failed("images", error)
    return Finding("images", State.OK, ", ".join(image.name for image in prepared))


def _containers(
    engine: Engine, report: Report, on_step: Callable[[str], None]
) -> Iterator[Finding]:
    naming = Naming(chapter="doctor", learner=current_learner())
    client = connect_labelled(engine, naming)
    try:
        # What a doctor that was killed has left.
        sweep(client, chapter=naming.chapter, learner=naming.learner)
        on_step("Running a container")
        yield _one_container(client, naming, report)
        on_step("Letting two containers talk")
        yield _names(client, naming)
        on_step("Asking a container from here")
        yield _port(client, naming, engine)
    except (LabError, *_ENGINE_ERRORS) as error:
        yield _failed("containers", error)
    finally:
        with _undisturbed():
            sweep(client, chapter=naming.chapter, learner=naming.learner)
        client.close()


def _one_container(client: docker.DockerClient, naming: Naming, report: Report) -> Finding:
    started = time.monotonic()
    # What is free for containers is seen from inside, wherever the engine keeps them.
    status, said = _run(client, ["df", "-P", "-k", "/"], name=naming.full_name("once"))
    seconds = time.monotonic() - started
    if status != 0:
        return Finding(
            "container",
            State.FAIL,
            f"it ended with exit code {status}: {said}",
            "Make the images again: `lab images prepare --force`.",
        )
    report.disk = int(said.splitlines()[-1].split()[-3]) * 1024
    return Finding("container", State.OK, f"ran and ended in {seconds:.1f} s")


def _names(client: docker.DockerClient, naming: Naming) -> Finding:
    server, network = naming.full_name("server"), naming.full_name("network")
    serve = f"echo {WORD} > /tmp/index.html && exec httpd -f -p 8080 -h /tmp"
    # docker-py's documented way to let the system choose a port, which its types do not know.
    ports: dict[str, Any] = {"8080/tcp": ("127.0.0.1", None)}
    with _undisturbed():
        client.networks.create(network)
        container = client.containers.create(
            BASE, ["sh", "-c", serve], name=server, network=network, ports=ports
        )
    container.start()
    # Not wget's own -T: with it, Debian's busybox 1.35 crashes on a name.
    ask = f"timeout 2 wget -q -O - http://{server}:8080/"
    loop = f"for try in 1 2 3 4 5 6 7 8; do {ask} && exit 0; sleep 0.5; done; exit 1"
    _, said = _run(client, ["sh", "-c", loop], name=naming.full_name("asker"), network=network)
    # The tries before the server listened have left a line each.
    last = said.rpartition("\n")[2]
    if last == WORD:
        return Finding("names", State.OK, "two containers reach each other by name")
    return Finding(
        "names",
        State.FAIL,
        f"two containers on a network of their own do not reach each other by name: {last}",
        "Restart the engine. A firewall (ufw, firewalld) or VPN that replaces its rules is the "
        "usual cause; a proxy for containers in ~/.docker/config.json is another.",
    )


def _run(
    client: docker.DockerClient,
    command: list[str],
    **options: Any,  # noqa: ANN401
) -> tuple[int, str]:
    with _undisturbed():
        container = client.containers.create(BASE, command, **options)
    container.start()
    status = container.wait(timeout=RUN_SECONDS)["StatusCode"]
    return status, container.logs().decode(errors="replace").strip()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off Ctrl-C while something is made, or it would appear after all was removed."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        # Signals reach the main thread only, and only there can they be put off.
        yield
        return
    usual = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _port(client: docker.DockerClient, naming: Naming, engine: Engine) -> Finding:
    server = client.containers.get(naming.full_name("server"))
    port = (server.ports.get("8080/tcp") or [{}])[0].get("HostPort", "0")
    url = f"http://127.0.0.1:{port}/"
    if not _answers(url):
        local = engine.host.startswith("unix://")
        return Finding(
            "port",
            State.FAIL,
            f"a published port does not answer at {url}",
            "Restart the engine, and look for a firewall or VPN that closes ports of this computer."
            if local
            else f"Containers of the engine at {engine.host} publish their ports on its machine: "
            "run the course there, or use an engine of this computer.",
        )
    if requests.utils.get_environ_proxies(url):
        return Finding(
            "port",
            State.WARNING,
            "a published port answers, but HTTP_PROXY leads requests to this computer elsewhere",
            "Type `export NO_PROXY=127.0.0.1,localhost` before you start JupyterLab.",
        )
    return Finding("port", State.OK, "a published port answers on 127.0.0.1")


def _answers(url: str) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    with requests.Session() as session:
        # Whether containers answer is one question, whether a proxy is in the way another.
        session.trust_env = False
        while time.monotonic() < deadline:
            try:
                return session.get(url, timeout=2).text.strip() == WORD
            except requests.RequestException:
                time.sleep(0.1)
    return False


def _failed(check: str, error: Exception) -> Finding:
    if isinstance(error, LabError):
        return Finding(check, State.FAIL, error.what, error.next_step)
    step = next_step_for(error) or "Restart the engine, then type `lab doctor` again."
    return Finding(check, State.FAIL, str(error), step)


def _architecture(machine: str) -> str:
    return ARCHITECTURES.get(machine.lower(), machine)


def _size(size: int) -> str:
    return f"{size / _GB:.0f} GB"
