from __future__ import annotations

import json
import re
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from lab.cleaning import find
from lab.engine import find_engine

from .course import NO_ENGINE, OPEN, OPENED, WORKERS, Course, outcomes

if TYPE_CHECKING:
    from pathlib import Path

LEAVE = "network = lab.docker.networks.create(lab.name('left'))\nprint(network.name[-4:])"
# Each test says when it ran, and in which worker.
MODULE = """
import json, os, time
from pathlib import Path

import pytest

{mark}

@pytest.mark.parametrize("number", range(3))
def test_it(number):
    begin = time.time()
    time.sleep(0.3)
    row = [Path(__file__).stem, os.environ["PYTEST_XDIST_WORKER"], begin, time.time()]
    with Path("spans").open("a") as spans:
        spans.write(json.dumps(row) + "\\n")
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path)


def closing_line(said: str) -> str:
    return said.strip().splitlines()[-1]


def left(learner: str) -> bool:
    client = find_engine().client
    found = find(client, learner=learner)
    client.close()
    return bool(found.containers or found.networks)


def test_what_workers_found_is_told_and_judged_once(course: Course) -> None:
    course.write("01-mute", ("x = 1", None), ("x = 2", None), ("print(3)", "4\n"))
    course.tag("01-mute", 2, "nbval-ignore-output")
    course.write("02-sound", *(("print(x := 1 if 'x' not in dir() else x + 1)", "1\n"),))
    (course.root / "tests" / "test_one.py").write_text("def test_it() -> None:\n    pass\n")
    done = course.pytest(*WORKERS, **NO_ENGINE)
    assert outcomes(done, "01-mute") == ["PASSED"] * 3
    assert outcomes(done, "02-sound") == ["PASSED"]
    assert done.returncode == 1
    for said in (
        "4 cells: 1 compared, 2 without output (50%), 1 ignored",
        "FAILED: 2 of 4 cells show nothing",
        "FAILED: 1 outputs are ignored (at most 0)",
    ):
        assert done.stdout.count(said) == 1
    assert re.search(r"= 5 passed in [\d.]+s", closing_line(done.stdout))
    assert not (course.root / "_build").exists()


def test_a_notebook_that_passes_beside_others_is_a_run_that_passes(course: Course) -> None:
    count = ("x = x + 1 if 'x' in dir() else 1\nprint(x)",)
    for name in ("01-one", "02-two"):
        course.write(name, *((*count, f"{number}\n") for number in range(1, 6)))
    done = course.pytest(*WORKERS, **NO_ENGINE)
    assert done.returncode == 0, done.stdout
    assert "10 cells: 10 compared, 0 without output (0%), 0 ignored" in done.stdout


def test_a_missing_engine_ends_the_run_at_once_and_is_told_once(course: Course) -> None:
    course.write("01-engine", (OPEN, OPENED), ("print(lab)", "<Lab 05-life-cycle>\n"))
    course.write("02-engine", (OPEN, OPENED))
    done = course.pytest(*WORKERS, **NO_ENGINE)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    said = done.stdout + done.stderr
    assert said.count("3 tests and cells need a container engine.") == 1
    assert said.count("With ENGINE=none they are left out, and counted.") == 1
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    assert "crashed" not in said
    assert len(re.findall(r"= no tests ran in [\d.]+s", done.stdout)) == 1


def test_engine_none_leaves_out_and_counts_once(course: Course) -> None:
    course.write("01-engine", (OPEN, OPENED), ("print(1)", "1\n"), ("print(lab)", "<Lab>\n"))
    engine_test = (
        "import pytest\n\n\n@pytest.mark.engine\ndef test_it() -> None:\n    raise ValueError\n"
    )
    (course.root / "tests" / "test_engine.py").write_text(engine_test)
    done = course.pytest(*WORKERS, ENGINE="none", **NO_ENGINE)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("left out (ENGINE=none): 2 cells and 1 tests") == 1
    assert "1 cells: 1 compared, 0 without output (0%), 0 ignored" in done.stdout


@pytest.mark.engine
def test_each_worker_has_a_learner_and_what_they_count_is_stored_once(course: Course) -> None:
    told = ("import os\nprint(len(os.environ['COURSE_LEARNER']))", "17\n")
    for name in ("01-one", "02-two"):
        gone = ("print(lab.close())", "Removed network left.\n")
        # Both open the same chapter: one learner would be refused.
        course.write(name, (OPEN, OPENED), told, (LEAVE, "left\n"), gone)
    course.write("03-leaves", (OPEN, OPENED), (LEAVE, "left\n"), ("print(1)", "1\n"))
    done = course.pytest(*WORKERS)
    assert done.returncode == 1
    assert outcomes(done, "01-one") == outcomes(done, "02-two") == ["PASSED"] * 4
    assert "chapters/03-leaves.ipynb left something on the engine" in done.stdout
    assert "Removed network left." in done.stdout
    records = json.loads((course.root / "_build" / "measured.json").read_text())
    assert list(records) == ["chapters/01-one.ipynb", "chapters/02-two.ipynb"]
    for record in records.values():
        assert (record["cells"], record["networks"]) == (4, 1)
        assert record["seconds"] == []


@pytest.mark.engine
@pytest.mark.parametrize("everybody", [True, False], ids=["terminal", "kill"])
def test_a_run_that_is_stopped_by_ctrl_c_leaves_nothing_behind(
    course: Course, *, everybody: bool
) -> None:
    course.write(
        "01-stopped",
        (OPEN, OPENED),
        (LEAVE, "left\n"),
        ("print(lab.naming.learner)", ""),
        ("import time\ntime.sleep(100)", None),
    )
    course.write("02-other", ("import time\ntime.sleep(100)", None))
    done = course.interrupted(
        lambda line: "01-stopped.ipynb::Cell 2" in line and "FAILED" in line,
        *WORKERS,
        everybody=everybody,
    )
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "INTERNALERROR" not in done.stdout
    assert re.search(r"= 1 failed, 2 passed in [\d.]+s", closing_line(done.stdout))
    learner = re.search(r"pytest-[0-9a-f]{6}-gw\d", done.stdout)
    assert learner
    assert not left(learner[0])


@pytest.mark.engine
def test_what_a_worker_that_dies_has_made_is_removed(course: Course) -> None:
    die = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"
    course.write(
        "01-dies",
        (OPEN, OPENED),
        (LEAVE, "left\n"),
        ("print(lab.naming.learner)", ""),
        (die, None),
    )
    done = course.pytest(*WORKERS, "--max-worker-restart=0")
    assert done.returncode == 1
    learner = re.search(r"pytest-[0-9a-f]{6}-gw\d", done.stdout)
    assert learner
    assert not left(learner[0])


def spans(course: Course) -> dict[str, tuple[str, float, float]]:
    """Tell of each module its worker, its begin and its end."""
    found: dict[str, tuple[str, float, float]] = {}
    for line in (course.root / "spans").read_text().splitlines():
        name, worker, begin, end = json.loads(line)
        before = found.get(name, (worker, begin, end))
        assert before[0] == worker, f"{name} was split"
        found[name] = (worker, min(begin, before[1]), max(end, before[2]))
    return found


def test_a_file_that_runs_alone_is_beside_none(course: Course) -> None:
    mark = "pytestmark = pytest.mark.alone"
    for name, its in {"b": mark, "c": mark, "d": "", "e": "", "f": ""}.items():
        (course.root / "tests" / f"test_{name}.py").write_text(MODULE.format(mark=its))
    done = course.pytest(*WORKERS, **NO_ENGINE)
    assert done.returncode == 0, done.stdout
    found = spans(course)
    assert len(found) == 5
    for name in ("test_b", "test_c"):
        _, begin, end = found.pop(name)
        assert all(end <= other[1] or other[2] <= begin for other in found.values())
    # The others do run side by side.
    assert len({worker for worker, _, _ in found.values()}) == 2
    (_, _, first), *_, (_, last, _) = sorted(found.values(), key=lambda span: span[1])
    assert time.time() > last
    assert min(span[1] for span in found.values()) < first


def test_a_notebook_runs_alone_if_one_of_its_cells_says_so(course: Course) -> None:
    note = (
        "import json, time\nrow = ['{name}', '', time.time(), time.time()]\n"
        "with open('../spans', 'a') as spans:\n    spans.write(json.dumps(row) + '\\n')"
    )
    pause = ("import time\ntime.sleep(0.5)\nprint(1)", "1\n")
    for name in ("01-one", "02-alone", "03-alone"):
        cell = (note.replace("{name}", name), None)
        course.write(name, cell, pause, pause, pause, cell)
    course.tag("02-alone", 2, "alone")
    course.tag("03-alone", 4, "alone")
    done = course.pytest(*WORKERS, **NO_ENGINE)
    assert done.returncode == 1, "two of five cells show nothing"
    found = sorted(spans(course).items(), key=lambda named: named[1][1])
    assert [name for name, _ in found][2] == "01-one"
    for (_, (_, _, end)), (_, (_, begin, _)) in pairwise(found):
        assert end <= begin
