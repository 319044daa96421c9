"""Proves what a single run can't: notebooks hold twice, in any order, and side by side.

It takes minutes, so it is a door of its own (`make prove`) and no part of `make test`.
Tests that are marked as slow run here, too.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from notebooks_form import ROOT, find_notebooks
from own_engine import NoEngineOfOneSOwnError, dead_end, own_engine
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab import LabError, archive, cleaning
from lab.engine import find_engine
from lab.images import IMAGES
from lab.naming import COURSE
from lab.swarm import BRIDGE, labels_of_swarm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import docker
    from docker.models.containers import Container
    from own_engine import Engine

LEARNERS = 8
SHOWN_LINES = 60
CHECKS = ROOT / "_build" / "checks"
# Not the course's label: what carries it must survive whatever the course does.
FOREIGN = "prove.foreign"

# Ends with an error if there is a route to elsewhere. The address is set apart for documentation:
# nobody has it, and only who has a route to the whole world has one to it. Nothing is sent.
NO_WAY_OUT = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    try:
        asking.connect(("192.0.2.1", 53))
    except OSError:
        sys.exit(0)
sys.exit("this network has a way out")
"""

# Sends a packet to such an address all the same.
SET_OUT = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
    sending.sendto(b"anybody there?", ("198.51.100.1", 9))
"""

console = Console(soft_wrap=True, highlight=False)


@dataclass
class Round:
    """One claim that was put to the test.

    Attributes:
        claim: What is claimed.
        runs: How many times pytest ran for it.
        seconds: How long that took, side by side or one after another.
        failures: What did not hold, each with what was said; empty if the claim holds.
        not_here: Why nothing was proved on this machine; empty if it was put to the test.
    """

    claim: str
    runs: int = 0
    seconds: float = 0
    failures: list[str] = field(default_factory=list)
    not_here: str = ""

    @property
    def verdict(self) -> str:
        """Whether it holds, in a word or two."""
        return "no" if self.failures else "not proved here" if self.not_here else "yes"


@dataclass(frozen=True)
class Run:
    """One pytest that runs now, and where it says what."""

    process: subprocess.Popen[bytes]
    output: Path
    notebooks: Sequence[str]


@dataclass
class Prover:
    """Runs notebooks by pytest, each time as a new learner in a folder of that learner's own.

    Attributes:
        folder: Where the folders are made. In the repository itself several runs would
            write the same ``_build/measured.json``, and what they measure is no guide.
        rounds: What was found so far.
    """

    folder: Path
    rounds: list[Round] = field(default_factory=list)

    @contextmanager
    def round(self, claim: str) -> Iterator[Round]:
        """Time one claim, and say whether it holds."""
        found = Round(claim)
        self.rounds.append(found)
        begin = time.monotonic()
        yield found
        found.seconds = time.monotonic() - begin
        verdict = {"yes": "holds", "no": "DOES NOT HOLD"}.get(found.verdict, found.verdict)
        console.print(f"{claim}: {verdict} ({found.seconds:.0f} s)", markup=False)
        if found.not_here:
            console.print(f"    {found.not_here}", markup=False)

    def in_turn(self, found: Round, *orders: Sequence[Path]) -> None:
        """Run notebooks in each of some orders, one run after another."""
        for order in orders:
            with self._run(found, order) as run:
                _look_at(found, run)

    def side_by_side(self, found: Round, notebooks: Sequence[Path], learners: int) -> None:
        """Let several learners run the same notebooks at the same time, on one engine."""
        with ExitStack() as stack:
            runs = [stack.enter_context(self._run(found, notebooks)) for _ in range(learners)]
            for run in runs:
                _look_at(found, run)

    def checks(self, found: Round, notebooks: Sequence[Path]) -> None:
        """Run the tests of the checks of some notebooks' exercises; they note what was said."""
        stems = {path.stem.partition("-")[2].replace("-", "_") for path in notebooks}
        shutil.rmtree(CHECKS, ignore_errors=True)
        self._tests(found, *(f"tests/lab/checks/test_{stem}.py" for stem in sorted(stems)))

    def slow(self, found: Round) -> None:
        """Run the tests that are too slow for `make test`."""
        self._tests(found, "tests", "-m", "slow")

    def without_network(self, notebooks: Sequence[Path], client: docker.DockerClient) -> None:
        """Carry the images to a second engine that has no way out, and run the notebooks there.

        Those that use the local AWS run once more, with a way out that is watched.
        """
        file = archive.save(client, self.folder, progress=lambda *_: None)
        with ExitStack() as stack:
            with self.round("all with no network at all, the images from a file") as found:
                try:
                    engine = stack.enter_context(own_engine(self.folder / "engine"))
                except NoEngineOfOneSOwnError as why:
                    found.not_here = str(why)
                    return
                self._cut_off(found, notebooks, engine, file)
            with_aws = [path for path in notebooks if "lab.aws(" in path.read_text("utf-8")]
            if with_aws:
                with self.round("what uses the local AWS sends nothing off this machine") as found:
                    self._watched(found, with_aws, engine)

    def _watched(self, found: Round, notebooks: Sequence[Path], engine: Engine) -> None:
        try:
            left = dead_end(engine.inside)
        except NoEngineOfOneSOwnError as why:
            found.not_here = str(why)
            return
        # The counter has to be seen to count.
        subprocess.run([*engine.inside, sys.executable, "-c", SET_OUT], check=True)
        before = left()
        if not before:
            found.failures.append("a packet was sent on its way, and was not counted")
        with self._run(found, notebooks, engine) as run:
            _look_at(found, run)
        if packets := left() - before:
            found.failures.append(f"{packets} packets set out to somewhere off this machine")

    def _cut_off(self, found: Round, notebooks: Sequence[Path], engine: Engine, file: Path) -> None:
        environment = {**os.environ, "DOCKER_HOST": engine.host}
        lab = [*engine.inside, sys.executable, "-m", "lab.cli", "images"]
        for command in (
            [*engine.inside, sys.executable, "-c", NO_WAY_OUT],
            [*lab, "load", str(file)],
            [*lab, "prepare"],
        ):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                found.failures.append(f"{shlex.join(command)}\n{done.stderr}")
                return
        # What is made where nothing can be fetched was not in the file.
        if " made in " in done.stdout:
            found.failures.append(f"after loading, this was left to prepare:\n{done.stdout}")
        with self._run(found, notebooks, engine) as run:
            _look_at(found, run)

    def _tests(self, found: Round, *arguments: str) -> None:
        found.runs += 1
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--color=no", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            found.failures.append("\n".join(run.stdout.splitlines()[-SHOWN_LINES:]))

    @contextmanager
    def _run(
        self, found: Round, notebooks: Sequence[Path], engine: Engine | None = None
    ) -> Iterator[Run]:
        """Start pytest, which makes up a learner for itself, and end it in any case."""
        found.runs += 1
        clone = Path(tempfile.mkdtemp(dir=self.folder))
        for name in ("chapters", "exercises"):
            shutil.copytree(ROOT / name, clone / name)
        for name in ("conftest.py", "nbval.cfg", "pyproject.toml"):
            shutil.copy(ROOT / name, clone)
        names = [str(path.relative_to(ROOT)) for path in notebooks]
        # What is not to be proved is no reason to leave cells out.
        environment = {name: value for name, value in os.environ.items() if name != "ENGINE"}
        inside: Sequence[str] = ()
        if engine:
            inside, environment["DOCKER_HOST"] = engine.inside, engine.host
        # Into a file: a pipe that nobody reads yet would stop the run when it is full.
        output = clone / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*inside, sys.executable, "-m", "pytest", "-q", "--color=no", *names],
                cwd=clone,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            yield Run(process, output, names)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


class Foreign:
    """Things on the engine that are none of the course's, and how they look.

    They are what a learner's other work could be: a running and a stopped container, a
    network, a volume with something in it, an image.

    Args:
        client: The engine, without the course's labels.
    """

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self._name = f"prove-foreign-{os.getpid()}"
        self._labels = {FOREIGN: self._name}
        self._image = f"{self._name}:1"
        self.running: Container | None = None

    def make(self) -> None:
        """Make them."""
        client, labels = self._client, self._labels
        # From bytes, because an image built on the course's own would inherit its labels.
        source = client.containers.create(IMAGES[0].name, "true", labels=labels)
        files: Any = source.export()  # its types say str
        client.api.import_image_from_data(b"".join(files), repository=self._name, tag="1")
        source.remove()
        client.networks.create(self._name, labels=labels)
        client.volumes.create(self._name, labels=labels)
        options: dict[str, Any] = {
            "labels": labels,
            "network": self._name,
            "volumes": {self._name: {"bind": "/data", "mode": "rw"}},
        }
        write = "echo precious > /data/file; exec sleep 100000"
        self.running = client.containers.run(
            self._image, ["sh", "-c", write], name=f"{self._name}-running", detach=True, **options
        )
        stopped = client.containers.run(
            self._image,
            ["sh", "-c", "exit 3"],
            name=f"{self._name}-stopped",
            detach=True,
            **options,
        )
        stopped.wait()

    def look(self) -> dict[str, object]:
        """Describe each of them down to the last detail, and the content of the volume."""
        api = self._client.api
        assert self.running is not None  # noqa: S101  # make() comes first
        stream: Any = self.running.get_archive("/data")[0]  # its types say str
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            files = {
                entry.name: (entry.mtime, entry.mode, _content(archive, entry))
                for entry in archive.getmembers()
            }
        return {
            "running container": api.inspect_container(f"{self._name}-running"),
            "stopped container": api.inspect_container(f"{self._name}-stopped"),
            "network": api.inspect_network(self._name),
            "volume": api.inspect_volume(self._name),
            "image": self._client.images.get(self._image).attrs,
            "files in the volume": files,
            "swarm": self._swarm(),
        }

    def _swarm(self) -> tuple[object, ...]:
        """Describe a foreign swarm of the engine, and the network that one leaves behind.

        A swarm of the course, which somebody else may have at this moment, counts as none.
        """
        info = self._client.info()
        labels = labels_of_swarm(info)
        cluster = info["Swarm"].get("Cluster") or {}
        bridges = [network.id for network in self._client.networks.list(names=[BRIDGE])]
        if labels.get("course") == COURSE:
            return (), [] if labels.get(BRIDGE) == "made" else bridges
        if not cluster:
            return (), bridges
        return (info["Swarm"].get("NodeID"), cluster["ID"], cluster.get("Spec")), bridges

    def remove(self) -> None:
        """Remove them, as far as they were made."""
        client = self._client
        mine: dict[str, Any] = {"label": f"{FOREIGN}={self._name}"}
        for container in client.containers.list(all=True, filters=mine):
            container.remove(force=True)
        for network in client.networks.list(filters=mine):
            network.remove()
        for volume in client.volumes.list(filters=mine):
            volume.remove()
        if client.images.list(self._name):
            client.images.remove(self._image)


def prove(
    only: Annotated[str | None, typer.Option(help="A chapter's digits, such as 05.")] = None,
    seed: Annotated[int | None, typer.Option(help="Repeats an earlier random order.")] = None,
    learners: Annotated[int, typer.Option(help="How many run at the same time.")] = LEARNERS,
) -> None:
    """Run every notebook twice, alone, in any order, and as many learners at once."""
    # `make` passes on a polite request to end; it is answered like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        failed = _prove(
            only, random.SystemRandom().randrange(10**6) if seed is None else seed, learners
        )
    except LabError as error:
        console.print(str(error), markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("\nStopped; what was running is removed.")
        raise typer.Exit(128 + signal.SIGINT) from None
    raise typer.Exit(failed)


def _prove(only: str | None, seed: int, learners: int) -> bool:
    notebooks = find_notebooks(ROOT, only)
    engine = find_engine()
    client = engine.client
    console.print(f"{len(notebooks)} notebooks on {engine.describe()}")
    foreign = Foreign(client)
    with tempfile.TemporaryDirectory(prefix="prove-") as folder, ExitStack() as stack:
        stack.callback(client.close)
        stack.callback(foreign.remove)
        prover = Prover(Path(folder))
        labelled = _labelled(client)
        foreign.make()
        before = foreign.look()
        for notebook in notebooks:
            with prover.round(f"{_short(notebook)} alone, twice in a row") as found:
                prover.in_turn(found, [notebook], [notebook])
        if len(notebooks) > 1:
            with prover.round("all in the order of the book, then reversed") as found:
                prover.in_turn(found, notebooks, notebooks[::-1])
            with prover.round(f"all in a random order (--seed {seed})") as found:
                # Repeatable is what it has to be, not secret.
                prover.in_turn(found, random.Random(seed).sample(notebooks, len(notebooks)))  # noqa: S311
        with prover.round(f"{learners} learners at once on one engine") as found:
            prover.side_by_side(found, notebooks, learners)
        prover.without_network(notebooks, client)
        with prover.round(
            "each check fails untouched, fails on wrong answers, passes solved"
        ) as found:
            prover.checks(found, notebooks)
        if only is None:
            with prover.round("the tests that are too slow for each run") as found:
                prover.slow(found)
        with prover.round("nothing that carries the course's labels is left") as found:
            found.failures += sorted(_labelled(client) - labelled)
        with prover.round("what the course did not make is as it was") as found:
            found.failures += _differences(before, foreign.look())
    _report(prover.rounds)
    return any(round_.failures for round_ in prover.rounds)


def _look_at(found: Round, run: Run) -> None:
    code = run.process.wait()
    if code != 0:
        said = run.output.read_text(errors="replace").splitlines()
        # The first cell that fails is the one to read: later ones often follow from it.
        first = next((n for n, line in enumerate(said) if "= FAILURES =" in line), 0)
        shown = said[first : first + SHOWN_LINES]
        found.failures.append(
            "\n".join([f"{' '.join(run.notebooks)}: pytest ended with {code}", *shown])
        )


def _report(rounds: Sequence[Round]) -> None:
    for round_ in rounds:
        for failure in round_.failures:
            console.rule(round_.claim, align="left")
            console.print(failure, markup=False)
    table = Table("claim", "runs", "seconds", "holds", title="make prove")
    for column in table.columns[1:3]:
        column.justify = "right"
    for round_ in rounds:
        runs = str(round_.runs) if round_.runs else ""
        table.add_row(round_.claim, runs, f"{round_.seconds:.0f}", round_.verdict)
    console.print(table)
    rows = [json.loads(path.read_text()) for path in sorted(CHECKS.glob("*.json"))]
    said = Table("exercise", "state", "what its check said", title="the checks")
    for column in said.columns:
        column.overflow = "fold"
    for row in rows:
        said.add_row(escape(row["exercise"]), escape(row["state"]), escape(row["answer"]))
    console.print(said)


def _differences(before: dict[str, object], after: dict[str, object]) -> list[str]:
    return [
        f"the {thing} was\n{_as_text(before[thing])}\nand is now\n{_as_text(after[thing])}"
        for thing in before
        if _as_text(before[thing]) != _as_text(after[thing])
    ]


def _as_text(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True)


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    file = archive.extractfile(entry)
    return hashlib.sha256(file.read()).hexdigest() if file else ""


def _labelled(client: docker.DockerClient) -> set[str]:
    """List what the learners of tests have on the engine; a person's own is not looked at."""
    found = cleaning.find(client)
    things = (
        *found.containers,
        *found.services,
        *found.networks,
        *found.volumes,
        *found.images,
        *found.secrets,
        *found.configs,
    )
    described = {f"{thing!r} {json.dumps(thing.attrs, sort_keys=True)}" for thing in things}
    described.add(f"swarm {json.dumps(dict(found.swarm), sort_keys=True)}")
    return {text for text in described if '"learner": "pytest-' in text}


def _short(notebook: Path) -> str:
    return str(notebook.relative_to(ROOT))


if __name__ == "__main__":
    typer.run(prove)
