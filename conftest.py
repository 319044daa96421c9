"""Makes plain ``pytest`` run every notebook by nbval, strictly, and clean up after each one.

Fixtures do not run for the cells of notebooks, so all of this is done by hooks.

With ``pytest -n 2`` workers run the tests side by side, each a process of its own with these
hooks, and a controller adds up what they say. A file is never split: the cells of a notebook
belong together. Only what stands alone is dealt out one by one: the proofs of checks, each of which
opens a lab of its own, and the checks of AWS's behaviour.
"""

from __future__ import annotations

import ast
import dataclasses
import datetime as dt
import fcntl
import json
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import docker.errors
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from facts import NotebookRecord, load_records
from lab import LabError, checks, images
from lab.aws.environment import without_aws
from lab.cleaning import sweep
from lab.engine import find_engine
from lab.swarm import why_not_now

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from nbformat import NotebookNode
    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController

    from lab.engine import Engine

# Which fault the lab injects; tools/notebooks_run.py stores outputs with the same one.
SEED = "0"
STDERR = "stderr"
NEEDS_SWARM = "needs-swarm"
# A swarm is one for the whole engine, so labs take turns; lab.swarm() gives up some time before.
SWARM_SECONDS = 1200
MOST_WITHOUT_OUTPUT = 0.35
# May only fall: an output that is not compared proves nothing.
MOST_IGNORED = 0
# Each of these stands alone, and mostly waits.
ONE_BY_ONE = ("tests/lab/checks/", "tests/aws/suite/")
# A chart's form for JupyterLab is not stored, like a widget's: its HTML holds the same spec.
NOT_STORED = "application/vnd.plotly.v1+json"
RUNS_REMEMBERED = 5
EVENTS_SECONDS = 5


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with Ctrl-C ignored, and their children inherit that: the
    # tests that press Ctrl-C in a child would press it in vain.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.option.nbval = True
    config.option.nbval_sanitize_with = str(config.rootpath / "nbval.cfg")
    worker = getattr(config, "workerinput", None)
    config.pluginmanager.register(Notebooks(config, worker))
    if worker:
        config.pluginmanager.register(Turns(Path(worker["folder"])))


class LeftBehindError(Exception):
    """Says what a notebook left on the engine although its last cell ran."""


@dataclass
class Running:
    """The notebook whose cells run now.

    Attributes:
        file: The notebook.
        watch: Looks at the engine meanwhile; ``None`` where nothing needs an engine.
        started: When its first cell was set up, on the monotonic clock.
        passed: The cells that passed, by their number.
    """

    file: IPyNbFile
    watch: EngineWatch | None
    started: float = field(default_factory=time.monotonic)
    passed: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Tally:
    """What the chosen tests and cells come to. Each worker collects all, so all find the same.

    Attributes:
        cells: The chosen cells.
        empty: Those of them that show nothing.
        ignored: Those of them whose output is not compared.
        left_out_cells: Cells that are left out because they need an engine.
        left_out_tests: Tests that are left out because they need an engine.
        left_out_swarm: Cells and tests that are left out because they need a swarm.
        no_swarm: Why there can be none; empty if there can.
        complaints: Why the run fails even if every cell passes.
    """

    cells: int
    empty: int
    ignored: int
    left_out_cells: int
    left_out_tests: int
    left_out_swarm: tuple[int, int]
    no_swarm: str
    complaints: list[str]


class Notebooks:
    """What pytest does for notebooks on top of nbval; registered as a plugin.

    Args:
        config: pytest's configuration.
        worker: What a worker was given by its controller; ``None`` in a process that is none.
    """

    def __init__(self, config: pytest.Config, worker: dict[str, Any] | None) -> None:
        self._root = config.rootpath
        self._no_engine = os.environ.get("ENGINE") == "none"
        self._engine: Engine | None = None
        self._running: Running | None = None
        self._left_out = (0, 0)
        self._left_out_swarm = (0, 0)
        self._no_swarm = ""
        self._tally: Tally | None = None
        self._records: dict[str, NotebookRecord] = {}
        self._output: dict[str, Any] | None = None
        # A controller's workers that have not ended by themselves, by the learner of each.
        self._at_work: set[str] = set()
        if worker:
            self._output = vars(config)["workeroutput"]
            self._learner = str(worker["learner"])
            self._folder = Path(worker["folder"])
        else:
            self._learner = f"pytest-{secrets.token_hex(3)}"
            self._folder = Path(tempfile.mkdtemp(prefix="course-state-"))
            config.add_cleanup(lambda: shutil.rmtree(self._folder, ignore_errors=True))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Give a worker a learner of its own, and the folder that it shares with the others."""
        learner = f"{self._learner}-{node.gateway.id}"
        node.workerinput.update(learner=learner, folder=str(self._folder))
        self._at_work.add(learner)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Scheduling:  # noqa: ANN401
        """Give out files in the order in which they were collected, and checks one by one."""
        # Here, because it is there only where there are workers.
        from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415

        class Scheduler(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
            def _split_scope(self, nodeid: str) -> str:
                return nodeid if nodeid.startswith(ONE_BY_ONE) else super()._split_scope(nodeid)

        config.option.loadscopereorder = False
        return Scheduler(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        """Take over what a worker found, and its word that nothing can run."""
        said = getattr(node, "workeroutput", None)
        if said is None:
            # It crashed; who comes after it runs its tests, and its things are swept at the end.
            return
        self._at_work.discard(node.workerinput["learner"])
        if "refusal" in said:
            _refuse(said["refusal"])
        if "tally" in said:
            self._tally = Tally(**said["tally"])
        for path, record in said.get("records", {}).items():
            self._records[path] = NotebookRecord.model_validate_json(record)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Find the engine that the chosen tests and cells need, or leave them out if told to."""
        _order(items)
        engine_cells = _engine_cells(items)
        needing = [
            item
            for item in items
            if item in engine_cells or item.get_closest_marker("engine") is not None
        ]
        if self._no_engine:
            left_out = set(needing)
            items[:] = [item for item in items if item not in left_out]
            self._left_out = (len(engine_cells), len(needing) - len(engine_cells))
            config.hook.pytest_deselected(items=needing)
        elif needing and not config.option.collectonly:
            try:
                self._engine = find_engine()
                if engine_cells:
                    images.ensure(self._engine.client)
                self._leave_out_without_swarm(config, items)
            except LabError as error:
                refusal = (
                    f"{len(needing)} tests and cells need a container engine.\n{error}\n"
                    "With ENGINE=none they are left out, and counted."
                )
                if self._output is not None:
                    self._output["refusal"] = refusal
                _refuse(refusal)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which cells run, for the summary."""
        cells = [item for item in session.items if isinstance(item, IPyNbCell)]
        if not cells and not any((*self._left_out, *self._left_out_swarm)):
            return
        notebooks = [file.nb for file in dict.fromkeys(cell.parent for cell in cells)]
        chosen = [cell.cell for cell in cells]
        self._tally = Tally(
            len(chosen),
            sum(not cell.outputs for cell in chosen if not _is_ignored(cell)),
            sum(map(_is_ignored, chosen)),
            *self._left_out,
            self._left_out_swarm,
            self._no_swarm,
            _complaints(notebooks),
        )
        if self._output is not None:
            self._output["tally"] = dataclasses.asdict(self._tally)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Begin a notebook at its first cell: nbval starts the kernel in here."""
        if not isinstance(item, IPyNbCell):
            return (yield)
        skipped = [key for key in item.parent.skip_compare if key not in (NOT_STORED, STDERR)]
        # Who has to wait long for the swarm is told so, there.
        waiting = [STDERR] if _needs_swarm(item) else []
        item.parent.skip_compare = (*skipped, NOT_STORED, *waiting)
        if self._is_running(item):
            return (yield)
        watch = EngineWatch(self._engine, self._learner) if self._engine else None
        self._running = Running(item.parent, watch)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("COURSE_LEARNER", self._learner)
            environment.setenv("COURSE_SEED", SEED)
            # The author's own progress and locks are no business of a test.
            environment.setenv("COURSE_STATE_DIR", str(self._folder / self._learner))
            # So that no output tells of them: the lab says that it does not use them.
            kept = without_aws(os.environ)
            for name in set(os.environ) - set(kept):
                environment.delenv(name)
            for name, value in kept.items():
                environment.setenv(name, value)
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note which cells of the notebook passed."""
        report = yield
        if (
            self._running
            and isinstance(item, IPyNbCell)
            and self._is_running(item)
            and report.when == "call"
            and report.passed
        ):
            self._running.passed.add(item.cell_num)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, None, None]:
        """End a notebook after its last cell."""
        try:
            return (yield)
        finally:
            # nbval has killed the kernel by now, if this was the notebook's last cell.
            if self._is_running(item) and (nextitem is None or nextitem.parent is not item.parent):
                self._end()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Clean up after a run that was stopped, store what was measured, judge the whole."""
        if self._running:
            # The run was stopped inside a notebook, whose kernel is gone only now.
            self._running.passed.clear()
            self._end()
        if self._output is not None:
            records = {path: record.model_dump_json() for path, record in self._records.items()}
            self._output["records"] = records
            return
        if self._at_work and not self._no_engine:
            self._sweep_after_workers()
        if self._records:
            self._write_records()
        if self._tally and self._tally.complaints and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many outputs were really compared."""
        tally = self._tally
        if tally is None:
            return
        terminalreporter.section("notebooks")
        terminalreporter.line(
            f"{tally.cells} cells: {tally.cells - tally.ignored - tally.empty} compared, "
            f"{tally.empty} without output ({tally.empty / max(tally.cells, 1):.0%}), "
            f"{tally.ignored} ignored"
        )
        if self._no_engine:
            terminalreporter.line(
                f"left out (ENGINE=none): {tally.left_out_cells} cells and "
                f"{tally.left_out_tests} tests"
            )
        if any(tally.left_out_swarm):
            cells, tests = tally.left_out_swarm
            terminalreporter.line(
                f"left out (needs-swarm): {cells} cells and {tests} tests. {tally.no_swarm}"
            )
        for complaint in tally.complaints:
            terminalreporter.line(complaint, red=True)

    def _leave_out_without_swarm(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what needs a swarm where there can be none, and give the rest time for it."""
        needing = [item for item in items if _needs_swarm(item)]
        if not needing or self._engine is None:
            return
        self._no_swarm = why_not_now(self._engine.client)
        if self._no_swarm:
            items[:] = [item for item in items if not _needs_swarm(item)]
            cells = sum(isinstance(item, IPyNbCell) for item in needing)
            self._left_out_swarm = (cells, len(needing) - cells)
            config.hook.pytest_deselected(items=needing)
            return
        for item in needing:
            item.add_marker(pytest.mark.timeout(SWARM_SECONDS))

    def _is_running(self, item: pytest.Item) -> bool:
        return self._running is not None and item.parent is self._running.file

    def _end(self) -> None:
        running, self._running = self._running, None
        if running is None or running.watch is None or self._engine is None:
            return
        seconds = time.monotonic() - running.started
        removed = sweep(self._engine.client, chapter=None, learner=self._learner)
        running.watch.close()
        path = running.file.path.relative_to(self._root).as_posix()
        cells = sum(map(_is_code, running.file.nb.cells))
        if removed and cells - 1 in running.passed:
            raise LeftBehindError(
                f"{path} left something on the engine although its last cell ran. {removed}"
            )
        if len(running.passed) == cells:
            self._records[path] = NotebookRecord(
                # The local day, as a reader's calendar has it.
                date=dt.datetime.now().astimezone().date(),
                engine=f"{self._engine.product} {self._engine.version}",
                cores=os.cpu_count() or 1,
                # Beside another worker a notebook takes longer than with a reader.
                seconds=[] if self._output is not None else [round(seconds, 2)],
                cells=cells,
                **running.watch.counts(),
            )

    def _sweep_after_workers(self) -> None:
        """Remove what workers have left that were stopped or died before they could."""
        try:
            client = find_engine().client
        except LabError:
            return
        for learner in self._at_work:
            sweep(client, chapter=None, learner=learner)
        client.close()

    def _write_records(self) -> None:
        """Add this run to the earlier ones on the same machine and engine."""
        file = self._root / "_build" / "measured.json"
        records = load_records(file) if file.exists() else {}
        for path, record in self._records.items():
            before = records.get(path)
            if before and (before.engine, before.cores) == (record.engine, record.cores):
                seconds = [*before.seconds, *record.seconds][-RUNS_REMEMBERED:]
                records[path] = record.model_copy(update={"seconds": seconds})
            else:
                records[path] = record
        file.parent.mkdir(exist_ok=True)
        rows = {path: records[path].model_dump(mode="json") for path in sorted(records)}
        file.write_text(json.dumps(rows, indent=1) + "\n")


class Turns:
    """Lets files run side by side with those of other workers, but some of them alone.

    A file runs alone if one of its tests has the marker ``alone``, or one of its cells the tag:
    it measures how long a browser is busy, or changes something that the engine has only once.

    All files share a lock, and a file that runs alone has it for itself. Whoever waits for the
    lock keeps the door, because the others come and go, and it would never be free.

    Args:
        folder: A folder that the workers of this run share.
    """

    def __init__(self, folder: Path) -> None:
        self._door = (folder / "door").open("w")
        self._room = (folder / "room").open("w")
        self._alone: set[Path] = set()
        self._inside: Path | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which files run alone."""
        self._alone = {item.path for item in session.items if _is_alone(item)}

    # First of all: who waits here must not be timed yet.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Wait for a file's turn before its first test, and give it up after its last one."""
        if self._inside != item.path:
            fcntl.flock(self._door, fcntl.LOCK_EX)
            fcntl.flock(self._room, fcntl.LOCK_EX if item.path in self._alone else fcntl.LOCK_SH)
            fcntl.flock(self._door, fcntl.LOCK_UN)
            self._inside = item.path
        try:
            return (yield)
        finally:
            if nextitem is None or nextitem.path != item.path:
                self._inside = None
                fcntl.flock(self._room, fcntl.LOCK_UN)

    def pytest_unconfigure(self) -> None:
        """Close the locks."""
        self._door.close()
        self._room.close()


class EngineWatch:
    """Counts what a learner makes on an engine, from outside of the kernel.

    The engine's own list of past events is too short for that (256 of all kinds), so they
    are read as they come.

    Args:
        engine: The engine to watch.
        learner: Whose containers, networks and volumes to count.
    """

    def __init__(self, engine: Engine, learner: str) -> None:
        self._client = engine.connect()
        self._learner = learner
        self._changed = threading.Condition()
        self._made: dict[str, set[str]] = {"container": set(), "network": set(), "volume": set()}
        self._there: set[str] = set()
        self._up: set[str] = set()
        self._at_once = 0
        self._ports: set[tuple[str, str]] = set()
        self._images: set[str] = set()
        self._image_bytes = 0
        self._stream = self._client.events(
            decode=True,
            filters={
                "type": list(self._made),
                "event": ["create", "start", "die", "destroy"],
            },
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Stop watching, once the end of each container has been told."""
        with self._changed:
            self._changed.wait_for(lambda: not self._there, timeout=EVENTS_SECONDS)
        self._stream.close()
        self._reader.join()
        self._image_bytes = self._size_of_images()
        self._client.close()

    def counts(self) -> dict[str, Any]:
        """Give the fields of a ``NotebookRecord`` that were counted here."""
        return {
            "containers": len(self._made["container"]),
            "at_once": self._at_once,
            "ports": len(self._ports),
            "networks": len(self._made["network"]),
            "volumes": len(self._made["volume"]),
            "image_bytes": self._image_bytes,
        }

    def _read(self) -> None:
        for event in self._stream:
            with self._changed:
                self._note(event["Type"], event["Action"], event["Actor"])
                self._changed.notify_all()

    def _note(self, kind: str, action: str, actor: dict[str, Any]) -> None:
        attributes, identity = actor["Attributes"], actor["ID"]
        # Only events of containers tell the labels; the course names the rest by the learner too.
        name = identity if kind == "volume" else attributes.get("name", "")
        if attributes.get("learner", "") != self._learner and not name.startswith(
            f"course-{self._learner}-"
        ):
            return
        image = attributes.get("image", "")
        if kind == "container" and image.startswith("sha256:") and not name.startswith("course-"):
            # The step of a build is a container, too, though nobody would call it so.
            self._images.add(image)
            return
        if action == "create":
            self._made[kind].add(identity)
        if kind != "container":
            return
        if action == "create":
            self._there.add(identity)
            self._images.add(image)
            self._note_ports(identity, name)
        elif action == "start":
            self._up.add(identity)
            self._at_once = max(self._at_once, len(self._up))
        elif action == "die":
            self._up.discard(identity)
        else:
            self._there.discard(identity)

    def _note_ports(self, identity: str, name: str) -> None:
        try:
            container = self._client.containers.get(identity)
        except docker.errors.NotFound:
            # Gone before it could be asked: it published nothing that anybody could use.
            return
        published = container.attrs["HostConfig"].get("PortBindings") or {}
        self._ports |= {(name, port) for port in published}

    def _size_of_images(self) -> int:
        """Add up the images, without those that others already stand on."""
        sizes: dict[tuple[str, ...], int] = {}
        for name in self._images:
            try:
                attributes = self._client.images.get(name).attrs
            except docker.errors.ImageNotFound:
                continue
            sizes[tuple(attributes["RootFS"].get("Layers", ()))] = attributes["Size"]
        return sum(
            size
            for layers, size in sizes.items()
            if not any(other != layers and other[: len(layers)] == layers for other in sizes)
        )


def _order(items: list[pytest.Item]) -> None:
    """Put notebooks before browsers, and what runs alone where the others wait least for it."""
    places: dict[Path, int] = {}
    for item in items:
        is_notebook = isinstance(item, IPyNbCell)
        if _is_alone(item):
            place = 0 if is_notebook else 3
        else:
            # nbval and an open browser both want the event loop of this thread.
            place = 1 if is_notebook or item.get_closest_marker("browser") is None else 2
        # A file is not split. An alone notebook has cells without the tag.
        places[item.path] = (min if is_notebook else max)(place, places.get(item.path, place))
    items.sort(key=lambda item: places[item.path])


def _is_alone(item: pytest.Item) -> bool:
    if isinstance(item, IPyNbCell):
        return "alone" in item.cell.metadata.get("tags", [])
    return item.get_closest_marker("alone") is not None


def _refuse(reason: str) -> NoReturn:
    pytest.exit(reason, returncode=pytest.ExitCode.USAGE_ERROR)


def _complaints(notebooks: Iterable[NotebookNode]) -> list[str]:
    """Judge whole notebooks, so that choosing one cell or leaving some out changes nothing."""
    cells = [cell for notebook in notebooks for cell in notebook.cells if _is_code(cell)]
    empty = sum(not cell.outputs for cell in cells)
    ignored = sum(map(_is_ignored, cells))
    complaints = []
    if empty > MOST_WITHOUT_OUTPUT * len(cells):
        complaints.append(
            f"FAILED: {empty} of {len(cells)} cells show nothing, so nothing of them is "
            f"compared (at most {MOST_WITHOUT_OUTPUT:.0%})"
        )
    if ignored > MOST_IGNORED:
        complaints.append(f"FAILED: {ignored} outputs are ignored (at most {MOST_IGNORED})")
    return complaints


def _engine_cells(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Pick the cells that use the lab, or a name that only such a cell has assigned."""
    found: set[pytest.Item] = set()
    tainted: dict[pytest.Item, set[str]] = {}
    for item in items:
        if not isinstance(item, IPyNbCell):
            continue
        lab = {"lab", "open_lab"} if _may_need_engine(item.path.stem) else set()
        names = tainted.setdefault(item.parent, lab)
        used, assigned = _names(item.cell.source)
        if used & names:
            found.add(item)
            names |= assigned
        else:
            names -= assigned
    return found


def _may_need_engine(stem: str) -> bool:
    try:
        return checks.needs_engine(stem)
    except LabError:
        # No chapter of the course: a notebook of its own.
        return True


def _names(source: str) -> tuple[set[str], set[str]]:
    """List the names that a cell takes from elsewhere, and those that it gives a value."""
    used: set[str] = set()
    assigned: set[str] = set()
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        # The lesson itself, where a cell shows one.
        return used, assigned
    for statement in statements:
        nodes = list(ast.walk(statement))
        loaded = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        used |= loaded - assigned
        for node in nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                assigned.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                assigned.add(node.name)
            elif isinstance(node, ast.alias):
                assigned.add((node.asname or node.name).partition(".")[0])
                if node.name == "open_lab":
                    used.add("open_lab")
    return used, assigned


def _needs_swarm(item: pytest.Item) -> bool:
    """Tell whether it is a cell or a test that needs a swarm."""
    if isinstance(item, IPyNbCell):
        return NEEDS_SWARM in item.cell.metadata.get("tags", [])
    return item.get_closest_marker("swarm") is not None


def _is_code(cell: NotebookNode) -> bool:
    return bool(cell.cell_type == "code")


def _is_ignored(cell: NotebookNode) -> bool:
    return "nbval-ignore-output" in cell.metadata.get("tags", [])
