"""Makes what the doors need, and does nothing again that is still good.

    python3 tools/setup.py apt venv engine browser images

It runs before there is anything, so it uses the standard library only, and its syntax is
understood by a Python that is too old for the course. Steps:

apt      what the other named steps need from the distribution (Debian and Ubuntu)
venv     `.venv`, with exactly what `requirements.lock` lists
engine   a container engine that answers; starts Docker's where root may
browser  Chromium or Chrome, for the tests of the site
images   the course's own images on the engine
lock     for maintainers: brings `requirements.lock` in line with `pyproject.toml`: what is locked
         stays, what is new comes in
upgrade  for maintainers: the same, with the newest versions that fit of everything
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import http.client
import importlib.util
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

OLDEST, TOO_NEW = (3, 11), (3, 14)
ROOT = Path(__file__).resolve().parent.parent
DOCKER_SOCKET = "/var/run/docker.sock"
DOCKER_PID = Path("/var/run/docker.pid")
DOCKER_LOG = Path("/var/log/dockerd.log")
DOCKER_SECONDS = 60
TAIL_LINES = 15
# What clients say when there is no way out: apt, pip, uv.
NO_NETWORK = (
    "Could not resolve",
    "Temporary failure resolving",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Network is unreachable",
    "dns error",
    "error sending request",
    "Failed to establish a new connection",
)
# What pip has been told about the network, and the names under which uv wants to hear it.
PIP_TO_UV = {
    "cert": "SSL_CERT_FILE",
    "index-url": "UV_DEFAULT_INDEX",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
}
# What the browser and the program that drives it need and do not ask for, by a file of each.
BROWSER_NEEDS = {
    "libatomic1": "usr/lib/*/libatomic.so.1",
    "fonts-dejavu-core": "usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
}
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
BROWSER_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
WITHOUT_ENGINE = (
    "What works without an engine: `make site` builds the book to read, "
    "`make lab ENGINE=none` opens the notebooks with their stored outputs, "
    "and `make test ENGINE=none` leaves out, and counts, what needs one."
)
# Runs in `.venv`: one rule finds the engine everywhere, and it lives in the course's package.
FIND_ENGINE = """
import json
from lab.engine import find_engine
from lab.errors import LabError
try:
    engine = find_engine()
except LabError as error:
    found = {"error": type(error).__name__, "what": error.what, "next": error.next_step}
else:
    found = {"host": engine.host, "says": engine.describe()}
print(json.dumps(found))
"""


class SetupError(Exception):
    """Says what could not be set up, what the program at fault said, and what to do next."""

    def __init__(self, what: str, *, next_step: str, tail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step
        self.tail = tail

    def __str__(self) -> str:
        lines = [self.what, *(f"    {line}" for line in self.tail.splitlines())]
        return "\n".join([*lines, f"Next: {self.next_step}"])


@dataclass
class Step:
    """One line on the terminal: what a step does, told while it does it, and its seconds."""

    name: str
    said: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def say(self, what: str) -> None:
        """Tell what is done now."""
        print(", " if self.said else f"{self.name:<8}", what, sep="", end="", flush=True)
        self.said.append(what)

    def close(self, *, failed: bool = False) -> float:
        """End the line."""
        seconds = time.monotonic() - self.started
        if not self.said:
            self.say("nothing to do")
        print(f": {'failed after ' if failed else ''}{seconds:.1f} s", flush=True)
        return seconds


@dataclass(frozen=True)
class Machine:
    """What has to be known of this computer to name the right command."""

    system: str
    distribution: str
    is_root: bool
    python: tuple[int, int]

    @classmethod
    def here(cls) -> Machine:
        """Look at this one."""
        text = ""
        with contextlib.suppress(OSError):
            text = Path("/etc/os-release").read_text(encoding="utf-8")
        return cls(
            system=sys.platform,
            distribution=distribution_of(text),
            is_root=os.geteuid() == 0,
            python=sys.version_info[:2],
        )

    @property
    def has_apt(self) -> bool:
        """Whether packages come from apt here."""
        return self.distribution in {"debian", "ubuntu"} and shutil.which("apt-get") is not None

    @property
    def venv_package(self) -> str:
        """The package without which this Python can't make an environment."""
        return f"python{self.python[0]}.{self.python[1]}-venv"

    def install_command(self, packages: Sequence[str]) -> str:
        """Name the one command to type for packages of Debian or Ubuntu."""
        sudo = "" if self.is_root else "sudo "
        return f"{sudo}apt-get install --no-install-recommends {' '.join(packages)}"

    def browser_command(self) -> str:
        """Name the one command that brings a browser."""
        if self.distribution == "debian":
            return self.install_command(["chromium"])
        if self.system == "darwin":
            return "brew install --cask google-chrome"
        # Ubuntu's own package is only a door to its app store, which a container does not have.
        return ".venv/bin/playwright install --with-deps chromium"


def main(arguments: Sequence[str]) -> int:
    """Run the named steps in their order; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("steps", nargs="+", choices=sorted(STEPS), metavar="step")
    steps = parser.parse_args(arguments).steps
    # `make` passes on a polite request to end; it is answered like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_python(sys.version_info[:2])
        setup = Setup(ROOT, steps)
        with setup.alone():
            setup.run()
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; run the same command again", file=sys.stderr)
        return 130
    return 0


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python on which the course's packages can't be installed."""
    if OLDEST <= version[:2] < TOO_NEW:
        return
    is_now = ".".join(str(part) for part in version[:2])
    newest = f"{TOO_NEW[0]}.{TOO_NEW[1] - 1}"
    kind = "older" if version[:2] < OLDEST else "newer"
    raise SetupError(
        f"`python3` is Python {is_now}, {kind} than what the course runs on: "
        f"{OLDEST[0]}.{OLDEST[1]} to {newest}.",
        next_step=f"name one that you have, as in `make lab PYTHON=python{newest}`, "
        "or install one first.",
    )


def distribution_of(os_release: str) -> str:
    """Read from the text of os-release which family of packages is used; empty if unknown."""
    facts = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    names = [facts.get("ID", ""), *facts.get("ID_LIKE", "").split()]
    names = [name.strip("\"'") for name in names]
    # Ubuntu's children name both, the nearer one first.
    return next((name for name in names if name in {"ubuntu", "debian"}), "")


def digest(*parts: object) -> str:
    """Hash what a result depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def tail_of(text: str) -> str:
    """Cut a program's output down to what says why it ended."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-TAIL_LINES:])


def blame(what: str, output: str, *, next_step: str) -> SetupError:
    """Make the error for a program that failed, and recognise what is no fault of its own."""
    if any(words in output for words in NO_NETWORK):
        what += " There seems to be no network here, or no name server."
        next_step = "connect, and run the same command again; what is done stays done."
    elif "No space left on device" in output:
        what += " The disk is full."
        next_step = "make room, and run the same command again."
    return SetupError(what, next_step=next_step, tail=tail_of(output))


def lock_entry(lock: str, package: str) -> str:
    """Take one package with its hashes out of the text of `requirements.lock`."""
    lines = iter(lock.splitlines())
    for line in lines:
        if line.startswith(f"{package}=="):
            entry = [line]
            while entry[-1].endswith("\\"):
                entry.append(next(lines))
            return "\n".join(entry) + "\n"
    raise SetupError(
        f"requirements.lock does not list {package}.",
        next_step="fetch the file anew with `git checkout requirements.lock`.",
    )


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system, which is how engines listen."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=2)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(path: str, what: str) -> Any:  # noqa: ANN401  # JSON
    """Ask the engine at a socket; `None` if there is no answer."""
    connection = _SocketConnection(path)
    try:
        connection.request("GET", what)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != http.client.OK:
            return None
        return json.loads(text) if what != "/_ping" else True
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def find_browser(environ: Mapping[str, str]) -> str:
    """Find the browser that the tests drive; empty if there is none."""
    named = environ.get("CHROMIUM")
    if named:
        return shutil.which(named) or ""
    found = (shutil.which(name) for name in (*BROWSERS, *BROWSER_PATHS))
    return next((path for path in found if path), "")


class Setup:
    """The steps, for one folder."""

    def __init__(self, root: Path, steps: Sequence[str]) -> None:
        self.root = root
        self.steps = steps
        self.machine = Machine.here()
        self.venv = root / ".venv"
        self.python = self.venv / "bin" / "python"
        self.build = root / "_build"
        self.build.mkdir(exist_ok=True)
        self.step = Step("")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let one door at a time set this folder up."""
        with (self.build / "setup.guard").open("w") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("waiting for another door that sets this folder up", flush=True)
                fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def run(self) -> None:
        """Run the steps, and write down what each took."""
        record: dict[str, Any] = {"steps": []}
        for name in self.steps:
            self.step = Step(name)
            try:
                STEPS[name](self)
            except SetupError:
                self.step.close(failed=True)
                raise
            seconds = self.step.close()
            what = ", ".join(self.step.said)
            record["steps"].append({"name": name, "what": what, "seconds": round(seconds, 2)})
            self._write("setup.json", record)

    # --- apt ---------------------------------------------------------------------------------

    def apt(self) -> None:
        """Install what the named steps need from the distribution, in one go."""
        if not self.machine.has_apt:
            self.step.say("no apt here, each step looks for what it needs")
            return
        missing = self._missing_packages()
        if not missing:
            return
        if not self.machine.is_root:
            raise SetupError(
                f"Missing on this machine: {', '.join(missing)}.",
                next_step=f"type `{self.machine.install_command(missing)}`, "
                "then run the same command again.",
            )
        self.step.say(f"installing {' '.join(missing)}")
        self._apt_install(missing)

    def _missing_packages(self) -> list[str]:
        missing = []
        if "venv" in self.steps and not self._has_python():
            # Debian takes ensurepip out of Python and into a package of its own.
            missing += [] if importlib.util.find_spec("ensurepip") else [self.machine.venv_package]
        if "engine" in self.steps and not self._has_engine():
            missing += ["docker.io"]
        if "browser" in self.steps and self.machine.distribution == "debian":
            missing += [] if find_browser(os.environ) else ["chromium"]
            missing += [
                package for package, file in BROWSER_NEEDS.items() if not any(Path("/").glob(file))
            ]
        return missing

    def _has_engine(self) -> bool:
        # Only whether one is there in whatever state: the step `engine` looks closer.
        return bool(
            os.environ.get("DOCKER_HOST")
            or os.environ.get("DOCKER_CONTEXT")
            or shutil.which("dockerd")
            or shutil.which("podman")
            or ask(DOCKER_SOCKET, "/_ping")
            # A client without a daemon has been told where its engine is.
            or (shutil.which("docker") and not self.machine.is_root)
        )

    def _apt_install(self, packages: Sequence[str]) -> None:
        # An installation that was cut off earlier blocks every later one until this is run.
        self._run(["dpkg", "--configure", "-a"], "dpkg could not finish what was begun earlier.")
        install = ["install", "--no-install-recommends", *packages]
        if not self._works(["apt-get", "--simulate", *install]):
            # A machine without package lists, or with lists that do not know these packages.
            self._apt_update()
        try:
            self._apt_get(*install)
        except SetupError as error:
            if "404" not in error.tail and "Unable to fetch" not in error.tail:
                raise
            # The lists are older than what the server still has.
            self._apt_update()
            self._apt_get(*install)

    def _apt_update(self) -> None:
        self.step.say("fetching the package lists first")
        self._apt_get("update", "--error-on=any")

    def _apt_get(self, verb: str, *arguments: str) -> None:
        options = ["-y", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2"]
        options += ["-o", "Dpkg::Options::=--force-confold"]
        self._run(
            ["apt-get", *options, verb, *arguments],
            f"`apt-get {verb}` failed.",
            next_step="run the same command again; if it fails again, type "
            f"`apt-get {verb} {' '.join(arguments)}` and see what apt asks for.",
            is_apt=True,
        )

    # --- venv --------------------------------------------------------------------------------

    def venv_stamp(self) -> dict[str, str]:
        """Tell what `.venv` has to be made from, and for."""
        # Here, because a Python that is too old has no such module.
        import tomllib  # noqa: PLC0415

        with (self.root / "pyproject.toml").open("rb") as file:
            project = tomllib.load(file)
        installed = {"project": project["project"], "setuptools": project["tool"]["setuptools"]}
        lock = (self.root / "requirements.lock").read_text(encoding="utf-8")
        return {
            # The programs in `.venv/bin` name the folder.
            "folder": str(self.root),
            "python": ".".join(str(part) for part in self.machine.python),
            "packages": digest(lock, installed),
        }

    def make_venv(self) -> None:
        """Make `.venv`, or bring it up to date, or finish what was interrupted."""
        wanted = self.venv_stamp()
        stamp = self.venv / "stamp.json"
        # Written last: where it is missing, somebody stopped half-way.
        has = read_json(stamp)
        if has == wanted and self._has_python():
            return
        stamp.unlink(missing_ok=True)
        same_place = not has or all(has.get(key) == wanted[key] for key in ("folder", "python"))
        # What was installed while somebody pressed Ctrl-C may be half there.
        again = [] if has else ["--reinstall"]
        if not same_place or not self._has_uv(wanted):
            self.step.say("making .venv")
            self._new_venv()
            again = []
        lock = (self.root / "requirements.lock").read_text(encoding="utf-8")
        count = sum("==" in line and not line.startswith(" ") for line in lock.splitlines())
        self.step.say(f"installing {count} packages")
        self._uv("pip", "sync", "--require-hashes", *again, "requirements.lock")
        self._uv("pip", "install", "--no-deps", "--no-build-isolation", "--editable", ".")
        stamp.write_text(json.dumps(wanted), encoding="utf-8")

    def make_lock(self) -> None:
        """Resolve the dependencies, and keep each version that is locked and still fits."""
        self._resolve("resolving")

    def upgrade(self) -> None:
        """Resolve the dependencies anew, each to its newest version that fits."""
        self._resolve("resolving anew", "--upgrade")

    def _resolve(self, what: str, *options: str) -> None:
        # Without `.venv` there is no uv to do it. The one that is there will do: to install first
        # what is about to change would refuse a new dependency that the lock does not have yet.
        if not self._works([str(self.venv / "bin" / "uv"), "--version"]):
            self.make_venv()
        self.step.say(what)
        extras = ["--extra", "book", "--extra", "dev"]
        form = ["--universal", "--generate-hashes", "--no-header", *options]
        self._uv("pip", "compile", "pyproject.toml", *extras, *form, "-o", "requirements.lock")

    def _has_python(self) -> bool:
        return self._works([str(self.python), "-c", "pass"])

    def _has_uv(self, wanted: Mapping[str, str]) -> bool:
        version = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{wanted['python']}')"
        return self._works([str(self.venv / "bin" / "uv"), "--version"]) and self._works(
            [str(self.python), "-c", version]
        )

    def _works(self, command: Sequence[str]) -> bool:
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0

    def _new_venv(self) -> None:
        if importlib.util.find_spec("ensurepip") is None:
            raise SetupError(
                f"This Python ({sys.executable}) can't make an environment: a part is missing.",
                next_step=f"type `{self.machine.install_command([self.machine.venv_package])}`, "
                "then run the same command again.",
            )
        self._run([sys.executable, "-m", "venv", "--clear", str(self.venv)], "No .venv was made.")
        lock = (self.root / "requirements.lock").read_text(encoding="utf-8")
        only_uv = self.build / "uv.lock"
        only_uv.write_text(lock_entry(lock, "uv"), encoding="utf-8")
        options = ["--require-hashes", "--no-deps", "--retries", "2", "-r", str(only_uv)]
        self._run(
            [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", *options],
            "pip could not install uv.",
        )

    def _uv(self, *arguments: str) -> None:
        environment = {"VIRTUAL_ENV": str(self.venv), "UV_NO_PROGRESS": "1", **self._pip_settings()}
        self._run(
            [str(self.venv / "bin" / "uv"), *arguments],
            f"`uv {' '.join(arguments[:2])}` failed.",
            environment=environment,
        )

    def _pip_settings(self) -> dict[str, str]:
        """Let uv hear what pip was told about certificates, the index and a proxy."""
        command = [str(self.python), "-m", "pip", "config", "list"]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        settings = {}
        # Lines such as: global.cert='/etc/ssl/own.pem', and later :env:.cert=…, which wins.
        for line in told.splitlines():
            name, _, value = line.partition("=")
            for_uv = PIP_TO_UV.get(name.rpartition(".")[2].replace("_", "-"))
            if for_uv and for_uv not in os.environ:
                settings[for_uv] = value.strip("'")
        return settings

    # --- engine and images -------------------------------------------------------------------

    def engine(self) -> None:
        """See that an engine answers; start Docker's own where that is for root to do."""
        known = read_json(self.build / "engine.json")
        if known.get("named_by") == self._names_engine() and ask(
            unix_path(known.get("host", "")), "/_ping"
        ):
            self.step.say(known["says"])
            return
        found = self._find_engine()
        may_start = found.get("error") in {"NoEngineError", "EngineNotRunningError"}
        if may_start and self._may_start_docker():
            self._start_docker()
            found = self._find_engine()
        if "error" in found:
            raise SetupError(f"{found['what']}\n{WITHOUT_ENGINE}", next_step=found["next"])
        self.step.say(found["says"])
        self._write("engine.json", {**found, "named_by": self._names_engine()})

    def images(self) -> None:
        """Make the course's images where they are missing or of an earlier edition."""
        host = read_json(self.build / "engine.json").get("host", "")
        wanted = {"inputs": self._image_inputs(), "there": self._images_there(host)}
        if wanted["there"] and read_json(self.build / "images.json") == wanted:
            return
        self.step.say("preparing the course's images")
        self._run(
            [str(self.venv / "bin" / "lab"), "images", "prepare"],
            "The course's images could not be made.",
            next_step="do what the message above says, then run the same command again.",
        )
        wanted["there"] = self._images_there(host)
        self._write("images.json", wanted)

    def _find_engine(self) -> dict[str, str]:
        command = [str(self.python), "-c", FIND_ENGINE]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise blame(
                "The course's own search for an engine failed.",
                done.stderr,
                next_step="remove the folder .venv, and run the same command again.",
            )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def _names_engine(self) -> str:
        environ = os.environ
        config = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
        text = ""
        with contextlib.suppress(OSError):
            text = config.read_text(encoding="utf-8")
        return digest(environ.get("DOCKER_HOST"), environ.get("DOCKER_CONTEXT"), text)

    def _images_there(self, host: str) -> dict[str, str]:
        # Both labels: an image that a learner builds has no key of its own making.
        filters = "%7B%22label%22%3A%5B%22course%3Dcontainers-on-aws%22%2C%22course.key%22%5D%7D"
        images = ask(unix_path(host), f"/images/json?filters={filters}") or []
        return {tag: image["Id"] for image in images for tag in image.get("RepoTags") or ()}

    def _image_inputs(self) -> str:
        folders = [self.root / "lab" / name for name in ("base", "app", "proxy", "registry")]
        files = [file for folder in folders for file in folder.iterdir() if file.is_file()]
        files.append(self.root / "lab" / "images.py")
        return digest(*(f"{file} {file.read_bytes().hex()}" for file in sorted(files)))

    def _may_start_docker(self) -> bool:
        return (
            self.machine.is_root
            and not os.environ.get("DOCKER_HOST")
            and not os.environ.get("DOCKER_CONTEXT")
            and shutil.which("dockerd") is not None
        )

    def _start_docker(self) -> None:
        self.step.say("starting Docker")
        if Path("/run/systemd/system").is_dir():
            self._run(["systemctl", "start", "docker"], "systemd could not start Docker.")
            daemon = None
        elif self._docker_runs():
            # Somebody has just started it, for example the package that was installed.
            daemon = None
        else:
            # Stale: left by a machine that was switched off, and Docker would believe it.
            DOCKER_PID.unlink(missing_ok=True)
            # In a session of its own it outlives `make` and hears no Ctrl-C; with its output in
            # a file it holds no pipe open on which a CI would wait for ever.
            with DOCKER_LOG.open("ab") as log:
                daemon = subprocess.Popen(
                    ["dockerd"],
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        deadline = time.monotonic() + DOCKER_SECONDS
        while not ask(DOCKER_SOCKET, "/_ping"):
            if (daemon and daemon.poll() is not None) or time.monotonic() > deadline:
                log_text = ""
                with contextlib.suppress(OSError):
                    log_text = DOCKER_LOG.read_text(encoding="utf-8", errors="replace")
                raise SetupError(
                    f"Docker's daemon did not start.\n{WITHOUT_ENGINE}",
                    tail=tail_of(log_text),
                    next_step=f"read {DOCKER_LOG}. A container can run Docker only if it was "
                    "itself started with `--privileged`.",
                )
            time.sleep(0.1)

    def _docker_runs(self) -> bool:
        try:
            process = Path("/proc") / DOCKER_PID.read_text(encoding="utf-8").strip()
            return (process / "comm").read_text(encoding="utf-8").strip() == "dockerd"
        except OSError:
            return False

    # --- browser -----------------------------------------------------------------------------

    def browser(self) -> None:
        """See that there is a browser which the tests can drive."""
        path = find_browser(os.environ)
        if not path:
            raise SetupError(
                "There is no Chromium or Chrome on this machine, and the site's tests drive one.",
                next_step=f"type `{self.machine.browser_command()}`, then run the same command "
                "again. If it is in an unusual place, name it with CHROMIUM=/path/to/it.",
            )
        self.step.say(path)
        # For `make test`, which tells the tests.
        (self.build / "browser").write_text(path, encoding="utf-8")

    # --- running programs --------------------------------------------------------------------

    def _run(
        self,
        command: Sequence[str],
        what: str,
        *,
        next_step: str = "run the same command again; what is done stays done.",
        environment: Mapping[str, str] | None = None,
        is_apt: bool = False,
    ) -> None:
        """Run a program with its output in a file and nothing to ask; say why it failed."""
        surroundings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", **(environment or {})}
        log = self.build / f"setup-{self.step.name}.log"
        with log.open("a+", encoding="utf-8", errors="replace") as output:
            begin = output.seek(0, os.SEEK_END)
            print("$", shlex.join(command), file=output, flush=True)
            try:
                process = subprocess.Popen(
                    command,
                    cwd=self.root,
                    env=surroundings,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # The terminal's Ctrl-C would stop dpkg in the middle of a package.
                    start_new_session=is_apt,
                )
            except OSError as error:
                raise SetupError(f"{what} {error}", next_step=next_step) from None
            self._wait(process, is_apt=is_apt)
            if process.returncode != 0:
                raise blame(what, _text_from(output, begin), next_step=next_step)

    def _wait(self, process: subprocess.Popen[bytes], *, is_apt: bool) -> None:
        try:
            process.wait()
        except KeyboardInterrupt:
            if is_apt:
                # apt ends its downloads at once, and finishes the package that it unpacks.
                self.step.say("letting apt finish what it unpacks")
                process.send_signal(signal.SIGINT)
                process.wait()
            else:
                process.terminate()
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()
            raise

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        (self.build / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def unix_path(host: str) -> str:
    """Take the path out of an engine's address; empty if it has none."""
    return host[len("unix://") :] if host.startswith("unix://") else ""


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of ours; one that is missing or was cut off says nothing."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _text_from(file: IO[str], begin: int) -> str:
    file.seek(begin)
    return file.read()


STEPS: dict[str, Callable[[Setup], None]] = {
    "apt": Setup.apt,
    "venv": Setup.make_venv,
    "engine": Setup.engine,
    "browser": Setup.browser,
    "images": Setup.images,
    "lock": Setup.make_lock,
    "upgrade": Setup.upgrade,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
