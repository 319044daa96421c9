from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat.v4
import pytest
from notebooks import app
from notebooks_form import ROOT
from notebooks_run import run_notebook
from typer.testing import CliRunner

from lab.cleaning import find
from lab.engine import find_engine
from lab.swarm import WAITING

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

RULES = ROOT / "nbval.cfg"
CHANGES = """
import datetime, random
display({"id": f"{random.getrandbits(256):064x}"})
display(datetime.datetime.now(datetime.UTC).isoformat())
print(random.random(), "(varies)")
print("same")
"""


def write(path: Path, **sources: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_markdown_cell("# Title", id="title")]
    for name, source in sources.items():
        tags = ["raises-exception"] if name.startswith("fails") else []
        cell = nbformat.v4.new_code_cell(source.strip(), id=name.replace("_", "-"))
        cell.metadata["tags"] = tags
        cells.append(cell)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def run(root: Path, *options: str) -> Result:
    (root / "nbval.cfg").write_text(RULES.read_text())
    return CliRunner().invoke(app, ["run", "--root", str(root), *options])


def test_runs_without_a_real_change_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    path = tmp_path / "chapters" / "05-a.ipynb"
    write(path, changes=CHANGES, seed="import os; os.environ['COURSE_SEED']")
    hashes = set()
    changed = []
    for _ in range(4):
        changed.append(run_notebook(path, RULES))
        hashes.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(hashes) == 1
    assert changed == [True, False, False, False]
    cells = json.loads(path.read_text())["cells"]
    assert [cell.get("execution_count") for cell in cells] == [None, 1, 2]
    assert len(cells[1]["outputs"]) == 3
    assert cells[2]["outputs"][0]["data"]["text/plain"] == ["'0'"]


def test_a_run_that_renews_takes_the_figures_of_today(tmp_path: Path) -> None:
    path = tmp_path / "chapters" / "05-a.ipynb"
    write(path, changes="import random\nprint(random.random(), '(varies)')")
    run_notebook(path, RULES)
    before = path.read_bytes()
    assert run(tmp_path).exit_code == 0
    assert path.read_bytes() == before
    assert run(tmp_path, "--renew").exit_code == 0
    assert path.read_bytes() != before


def test_what_is_stored_is_in_normal_form(tmp_path: Path) -> None:
    path = tmp_path / "chapters" / "05-a.ipynb"
    write(
        path,
        streams="import sys\nfor word in 'abc': print(word, flush=True); display(word)",
        fails="int('x')",
        widget="from ipywidgets import IntSlider\nIntSlider()",
    )
    run_notebook(path, RULES)
    notebook = json.loads(path.read_text())
    assert set(notebook["metadata"]) == {"kernelspec"}
    _, streams, fails, widget = notebook["cells"]
    assert streams["outputs"][0]["text"] == ["a\n", "b\n", "c\n"]
    assert fails["outputs"][0]["traceback"] == [
        "ValueError: invalid literal for int() with base 10: 'x'"
    ]
    assert fails["metadata"] == {"tags": ["raises-exception"]}
    assert "widget-view" not in json.dumps(widget)
    assert "IntSlider(value=0)" in json.dumps(widget)


def test_a_failing_cell_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "chapters" / "05-a.ipynb"
    write(path, good="1 + 1", the_bad_one="colour = 'blue'\nint(colour)")
    before = path.read_bytes()
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "05-a.ipynb · cell the-bad-one" in done.output
    assert "    int(colour)" in done.output
    assert "ValueError: invalid literal for int() with base 10: 'blue'" in done.output
    assert "Traceback" not in done.output
    assert path.read_bytes() == before


def test_a_chapter_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "99")
    assert done.exit_code == 1
    assert "no notebook for '99'" in done.output


def test_a_missing_engine_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    path = tmp_path / "chapters" / "05-a.ipynb"
    write(path, setup="from lab import open_lab\nopen_lab('05-life-cycle')")
    before = path.read_bytes()
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "Next: " in done.output
    assert path.read_bytes() == before


def test_ctrl_c_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "chapters" / "05-a.ipynb"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    write(
        path, waits=f"open({str(pipe)!r}, 'w').close()\nimport threading; threading.Event().wait()"
    )
    before = path.read_bytes()
    (tmp_path / "nbval.cfg").touch()
    running = subprocess.Popen(
        [sys.executable, ROOT / "tools" / "notebooks.py", "run", "--root", tmp_path],
        stdout=subprocess.PIPE,
        text=True,
    )
    # Opening the pipe waits until the cell has opened it too.
    pipe.open().close()
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "05-a.ipynb is as it was" in output
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["05-a.ipynb"]


def test_that_another_lab_had_the_swarm_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "chapters" / "05-a.ipynb"
    tell = f"import sys\nprint('Chapter 09 of the learner b {WAITING}', file=sys.stderr)"
    write(path, waits=f"{tell}\nprint('mine')", warns=tell.replace(WAITING, "warns"))
    run_notebook(path, RULES)
    _, waits, warns = nbformat.read(path, as_version=4).cells
    assert [output.name for output in waits.outputs] == ["stdout"]
    assert [output.name for output in warns.outputs] == ["stderr"]


@pytest.mark.engine
def test_what_a_run_leaves_on_the_engine_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = f"run-{os.getpid()}"
    monkeypatch.setenv("COURSE_LEARNER", learner)
    path = tmp_path / "chapters" / "05-a.ipynb"
    write(
        path,
        setup="from lab import open_lab\nlab = open_lab('05-life-cycle')",
        network="lab.docker.networks.create(lab.name('left')).name.rpartition('-')[2]",
    )
    run_notebook(path, RULES)
    assert "'left'" in path.read_text()
    client = find_engine().client
    assert not find(client, learner=learner).networks
    client.close()
