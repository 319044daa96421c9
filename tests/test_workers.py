from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from lab.cleaning import find
from lab.engine import find_engine

from .course import NO_ENGINE, OPEN, OPENED, WORKERS, Course, outcomes

if TYPE_CHECKING:
    from pathlib import Path

LEAVE = "network = lab.docker.networks.create(lab.name('left'))\nprint(network.name[-4:])"
# Each test and cell says when it ran, and where.
MODULE = """
import json, os, time
from pathlib import Path

import pytest

{before}

@pytest.mark.parametrize("number", range(3))
def test_it(number):
    begin = time.time()
    time.sleep(0.5)
    row = [Path(__file__).stem, os.getpid(), begin, time.time()]
    with Path("spans").open("a") as spans:
        spans.write(json.dumps(row) + "\\n")
"""
ALONE = "pytestmark = pytest.mark.alone"
# Two that can only end if they run side by side.
MEET = """
@pytest.fixture(autouse=True)
def met():
    Path("met-" + Path(__file__).stem).touch()
    deadline = time.time() + 120
    while len(list(Path().glob("met-*"))) < 2:
        assert time.time() < deadline
        time.sleep(0.01)
"""
NOTE = """import json, os, time
begin = time.time()
time.sleep(0.5)
with open("../spans", "a") as spans:
    spans.write(json.dumps(["{name}", os.getpid(), begin, time.time()]) + "\\n")
print(1)"""


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
def test_a_run_that_is_stopped_by_ctrl_c_leaves_nothing_behind(course: Course) -> None:
    course.write(
        "01-stopped",
        (OPEN, OPENED),
        (LEAVE, "left\n"),
        ("print(lab.naming.learner)", ""),
        ("import time\ntime.sleep(100)", None),
    )
    course.write("02-other", ("import time\ntime.sleep(100)", None))
    done = course.interrupted(lambda line: "FAILED chapters/01-stopped" in line, *WORKERS)
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


def spans(course: Course) -> dict[str, tuple[float, float]]:
    """Tell of each file when it began and when it ended."""
    found: dict[str, tuple[int, float, float]] = {}
    for line in (course.root / "spans").read_text().splitlines():
        name, process, begin, end = json.loads(line)
        before = found.get(name, (process, begin, end))
        assert before[0] == process, f"{name} was split"
        found[name] = (process, min(begin, before[1]), max(end, before[2]))
    return {name: (begin, end) for name, (_, begin, end) in found.items()}


def test_a_file_that_runs_alone_is_beside_none(course: Course) -> None:
    for name in ("01-with", "02-alone", "03-alone"):
        said = (NOTE.replace("{name}", name), "1\n")
        course.write(name, said, said, said)
    course.tag("02-alone", 2, "alone")
    course.tag("03-alone", 1, "alone")
    modules = {
        "test_a_alone": ALONE,
        "test_b_alone": ALONE,
        "test_c_with": MEET,
        "test_d_with": MEET,
    }
    for name, before in modules.items():
        (course.root / "tests" / f"{name}.py").write_text(MODULE.format(before=before))
    done = course.pytest(*WORKERS, **NO_ENGINE)
    assert done.returncode == 0, done.stdout
    found = spans(course)
    # Notebooks first, and what runs alone where nobody has to wait for it.
    order = sorted(found, key=lambda name: found[name][0])
    assert [name[3:] for name in order[:2]] == ["alone", "alone"]
    assert [name[7:] for name in order[-2:]] == ["alone", "alone"]
    for name in (*order[:2], *order[-2:]):
        begin, end = found.pop(name)
        assert all(end <= other[0] or other[1] <= begin for other in found.values()), name
