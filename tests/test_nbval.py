from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from own_engine import NO_FIREWALL, own_engine

from lab.cleaning import find
from lab.engine import find_engine

from .course import NO_ENGINE, OPEN, OPENED, Course, outcomes

if TYPE_CHECKING:
    from pathlib import Path

BUILD_ONE = """
folder = lab.folder("made")
(folder / "Dockerfile").write_text("FROM course/base:1\\nRUN true")
_ = lab.docker.images.build(path=str(folder), tag=lab.name("made"))
print("built")
"""
START_THREE = """
ports = {"8080/tcp": ("127.0.0.1", None)}
for name in ("one", "two", "two"):
    short, command = lab.name(name), "sleep 600"
    lab.docker.containers.run("course/base:1", command, name=short, ports=ports, detach=True)
print("up")
"""
COUNTS = ("cells", "containers", "at_once", "ports", "networks", "volumes")
LONG_ID = "f'{__import__(\"random\").getrandbits(256):064x}'"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path)


def test_every_stored_output_is_compared(course: Course) -> None:
    course.write(
        "01-strict",
        ("print(1 + 1)", "2\n"),
        ("print(1 + 2)", "4\n"),  # shows something else
        ("print(3)", None),  # shows more than is stored
        ("4", "4\n"),  # shows it as another kind of output
        ("x = 5", "5\n"),  # shows nothing any more
        ("int('x')", "6\n"),  # fails
        ("print(7)", "7\n"),  # the rest still runs
    )
    course.write(
        "02-shapes",
        ("print(7, '(varies)')", "12345 (varies)\n"),
        ("print(7, 's (varies)')", "12345 ms (varies)\n"),
        (f"print({LONG_ID})", "0123456789abcdef" * 4 + "\n"),
        ("import os; print(os.environ['COURSE_SEED'])", "0\n"),
        ("print(os.environ['COURSE_LEARNER'].startswith('pytest-'))", "True\n"),
        ("print(os.path.basename(os.getcwd()))", "chapters\n"),
    )
    done = course.pytest(**NO_ENGINE)
    assert done.returncode == 1
    ok, wrong = "PASSED", "FAILED"
    assert outcomes(done, "01-strict") == [ok, wrong, wrong, wrong, wrong, wrong, ok]
    assert outcomes(done, "02-shapes") == [ok, wrong, ok, ok, ok, ok]
    assert "13 cells: 12 compared, 1 without output (8%), 0 ignored" in done.stdout
    assert not (course.root / "_build").exists()


def test_a_notebook_that_shows_nothing_or_ignores_much_fails(course: Course) -> None:
    course.write("01-mute", ("x = 1", None), ("x = 2", None), ("print(3)", "4\n"))
    course.tag("01-mute", 2, "nbval-ignore-output")
    done = course.pytest(**NO_ENGINE)
    assert outcomes(done, "01-mute") == ["PASSED"] * 3
    assert done.returncode == 1
    assert "FAILED: 2 of 3 cells show nothing" in done.stdout
    assert "FAILED: 1 outputs are ignored (at most 0)" in done.stdout


def test_a_missing_engine_ends_the_run_at_once(course: Course) -> None:
    course.write("01-engine", (OPEN, OPENED), ("print(lab)", "<Lab 05-life-cycle>\n"))
    done = course.pytest(**NO_ENGINE)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "2 tests and cells need a container engine." in done.stdout
    assert "Next: " in done.stdout
    assert "With ENGINE=none they are left out, and counted." in done.stdout
    assert outcomes(done, "01-engine") == []


def test_engine_none_leaves_engine_cells_and_tests_out_and_counts_them(course: Course) -> None:
    course.write(
        "01-engine",
        (OPEN, OPENED),
        ("web = lab.docker.containers.list()\nfrom json import loads", None),
        ("for each in web: print(each)", None),
        ("url = str(web)", None),
        ("loads('1')", None),
        ("web = 'another'\nprint(web)", "another\n"),
        ("print(web[:2])", "an\n"),
        ("print('lab')", "lab\n"),
        ("from widgets import LifeCycle as shown\nprint(shown.__name__)", "LifeCycle\n"),
        ("print(1)", "1\n"),
        ("print(2)", "2\n"),
        ("print(3)", "3\n"),
        ("lab.close()", "Nothing to remove.\n"),
    )
    (course.root / "tests" / "test_engine.py").write_text(
        "import pytest\n\n\n@pytest.mark.engine\ndef test_it() -> None:\n    raise ValueError\n"
        "\n\ndef test_other() -> None:\n    pass\n"
    )
    done = course.pytest(ENGINE="none", **NO_ENGINE)
    assert done.returncode == 0, done.stdout
    assert "left out (ENGINE=none): 6 cells and 1 tests" in done.stdout
    assert "7 cells: 7 compared, 0 without output (0%), 0 ignored" in done.stdout
    assert re.search(r"8 passed, 7 deselected in [\d.]+s", done.stdout.strip().split("\n")[-1])


def test_engine_none_runs_a_chapter_that_starts_nothing(course: Course) -> None:
    opened = "The lab of chapter 16 is open. No engine is needed.\n"
    course.write(
        "16-choosing",
        (OPEN.replace("05-life-cycle", "16-choosing"), opened),
        ("print(lab.close())", "Nothing to remove.\n"),
    )
    done = course.pytest(ENGINE="none", **NO_ENGINE)
    assert done.returncode == 0, done.stdout
    assert "left out (ENGINE=none): 0 cells and 0 tests" in done.stdout
    assert "2 cells: 2 compared" in done.stdout


@pytest.mark.engine
def test_what_a_notebook_leaves_behind_is_removed_and_told(course: Course) -> None:
    leave = "print(lab.docker.networks.create(lab.name('left')).name[-4:])"
    course.write("01-leaves", (OPEN, OPENED), (leave, "left\n"), ("print(1)", "1\n"))
    course.write(
        "02-clean",
        (OPEN, OPENED),
        (leave, "left\n"),
        (
            START_THREE,
            "up\n",
        ),
        (BUILD_ONE, "built\n"),
        ("lab.docker.volumes.create(lab.name('data'))\nprint('made')", "made\n"),
        (
            "print(lab.close())",
            "Removed containers one and two, network left, volume data, image made:latest.\n",
        ),
    )
    engine = find_engine()
    earlier = {
        "date": "2026-11-23",
        "engine": f"{engine.product} {engine.version}",
        "cores": os.cpu_count(),
        "seconds": [1.0],
        **dict.fromkeys((*COUNTS, "image_bytes"), 0),
    }
    (course.root / "_build").mkdir()
    measured = course.root / "_build" / "measured.json"
    measured.write_text(json.dumps({"chapters/02-clean.ipynb": earlier}))
    done = course.pytest()
    assert done.returncode == 1
    assert outcomes(done, "02-clean") == ["PASSED"] * 6
    assert "chapters/01-leaves.ipynb left something on the engine" in done.stdout
    assert "Removed network left." in done.stdout
    assert "ERROR chapters/01-leaves.ipynb::Cell 2" in done.stdout
    records = json.loads(measured.read_text())
    assert list(records) == ["chapters/02-clean.ipynb"]
    record = records["chapters/02-clean.ipynb"]
    # The step of the build is no container that anybody would count.
    assert [record[name] for name in COUNTS] == [6, 3, 2, 2, 1, 1]
    assert record["image_bytes"] > 1_000_000
    before, now = record["seconds"]
    assert before == 1
    assert 0 < now < 240


@pytest.mark.engine
def test_a_run_that_is_stopped_leaves_nothing_behind(course: Course) -> None:
    course.write(
        "01-stopped",
        (OPEN, OPENED),
        ("network = lab.docker.networks.create(lab.name('left'))\nprint(lab.naming.learner)", ""),
        ("lab.close()", None),
    )
    done = course.pytest("-x")
    learner = re.search(r"pytest-[0-9a-f]{6}", done.stdout)
    assert done.returncode == 1
    assert learner, done.stdout
    client = find_engine().client
    assert not find(client, learner=learner[0]).networks
    client.close()


@pytest.mark.engine
def test_what_needs_a_swarm_is_left_out_and_counted_where_there_can_be_none(
    course: Course, tmp_path_factory: pytest.TempPathFactory
) -> None:
    course.write("01-swarm", ("print(1)", "1\n"), ("print(2)", "another\n"))
    course.tag("01-swarm", 1, "needs-swarm")
    (course.root / "tests" / "test_engine.py").write_text(
        "import pytest\n\n\n@pytest.mark.engine\ndef test_it() -> None:\n    pass\n"
        "\n\n@pytest.mark.swarm\ndef test_swarm() -> None:\n    raise ValueError\n"
    )
    with own_engine(tmp_path_factory.mktemp("engine"), NO_FIREWALL) as engine:
        engine.client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1")
        done = course.pytest(DOCKER_HOST=engine.host)
    assert done.returncode == 0, done.stdout
    assert "left out (needs-swarm): 1 cells and 1 tests. This engine is part of" in done.stdout
    assert "2 passed, 2 deselected" in done.stdout


def test_who_waits_for_a_swarm_may_be_told_so(course: Course) -> None:
    tell = "import sys\nprint('waiting', file=sys.stderr)\nprint(1)"
    course.write("01-swarm", (tell, "1\n"), (tell, "1\n"))
    course.tag("01-swarm", 0, "needs-swarm")
    done = course.pytest(**NO_ENGINE)
    assert outcomes(done, "01-swarm") == ["PASSED", "FAILED"]
