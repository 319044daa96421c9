from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
NEEDED_FOR_VENV = ("Makefile", "pyproject.toml", "README.md", "LICENSE", "LICENSE-CONTENT")
PACKAGES = ("facts", "lab", "tools", "widgets")


def make(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    # Not what the `make` has set that may have started this test.
    clean = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=cwd,
        env={**clean, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


_OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"} | {
    *("ONLY", "WORKERS", "ENGINE", "REPOSITORY")
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what the doors need, with a lock that is quick to install."""
    for name in NEEDED_FOR_VENV:
        shutil.copy(ROOT / name, tmp_path)
    for name in PACKAGES:
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=leave)
    lock = (ROOT / "requirements.lock").read_text()
    wanted = [
        entry
        for entry in re.split(r"(?m)^(?=[a-z0-9])", lock)
        if entry.startswith(("uv==", "setuptools==", "wheel==", "packaging=="))
    ]
    assert len(wanted) == 4
    (tmp_path / "requirements.lock").write_text("".join(wanted))
    return tmp_path


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def test_help_is_the_first_door_and_lists_every_door() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    said = make()
    assert said.returncode == 0
    assert [line.split()[1] for line in said.stdout.splitlines()] == phony[1].split()


@pytest.mark.parametrize("door", ["test", "notebooks", "prove"])
def test_chapter_that_does_not_exist_is_refused_with_a_list(door: str) -> None:
    said = make(door, "ONLY=77")
    assert said.returncode != 0
    assert "ONLY=77 is no chapter" in said.stderr
    assert "05-life-cycle" in said.stderr


def test_one_chapter_is_its_notebooks_and_its_checks() -> None:
    said = make("--dry-run", "test", "ONLY=05")
    assert (
        "pytest -n 4 tests/lab/checks/test_life_cycle.py "
        "chapters/05-life-cycle.ipynb exercises/05-life-cycle.ipynb" in said.stdout
    )
    assert "check --only 05" in said.stdout


def test_without_engine_none_is_set_up() -> None:
    steps = make("--dry-run", "test", "ENGINE=none").stdout.splitlines()[0].split()
    assert steps[1:] == ["tools/setup.py", "apt", "venv", "browser"]


@pytest.mark.parametrize("door", ["site", "links", "lint"])
def test_site_links_and_lint_need_no_engine(door: str) -> None:
    steps = make("--dry-run", door).stdout.splitlines()[0].split()
    assert steps[1:] == ["tools/setup.py", "apt", "venv"]


def test_cleaning_leaves_work_and_environment(tree: Path) -> None:
    for kept in ("learn/chapters", ".venv"):
        (tree / kept).mkdir(parents=True)
        (tree / kept / "mine").write_text("precious")
    for made in ("_build/html", ".mypy_cache", "lab/__pycache__"):
        (tree / made).mkdir(parents=True)
    said = make("clean", cwd=tree)
    assert said.returncode == 0
    assert "Removed _build." in said.stdout
    assert not (tree / "_build").exists()
    assert not (tree / "lab" / "__pycache__").exists()
    assert (tree / "learn" / "chapters" / "mine").read_text() == "precious"
    assert (tree / ".venv" / "mine").read_text() == "precious"


def test_set_up_can_be_stopped_and_run_again(tree: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    output = tree / "output"
    command = [sys.executable, "tools/setup.py", "venv"]
    # The Makefile's own door, with nothing but that step.
    (tree / "Makefile").write_text(f"door:\n\t@{' '.join(command)}\n")
    with output.open("w") as file:
        run = subprocess.Popen(
            ["make", "door"],
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    wait_for((tree / ".venv" / "bin" / "python").exists, "the environment is begun")
    # What a terminal does at Ctrl-C: everybody hears it.
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=30) != 0
    said = output.read_text()
    assert "Traceback" not in said
    assert said.count("stopped; run the same command again") == 1
    assert not (tree / ".venv" / "stamp.json").exists()

    again = make("door", cwd=tree)
    if "no network" in again.stderr:
        pytest.skip("uv is fetched from the package index, and there is no network")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (tree / ".venv" / "bin" / "lab").exists()

    begin = time.monotonic()
    third = make("door", cwd=tree)
    assert third.stdout.startswith("venv    nothing to do")
    assert time.monotonic() - begin < 5


def test_jupyterlab_opens_the_first_chapter_and_ends_with_one_line(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    (tree / "_build").mkdir()
    (tree / "_build" / "setup.json").write_text(json.dumps({"steps": []}))
    (tree / "chapters").mkdir()
    (tree / "learn" / "chapters").mkdir(parents=True)
    shutil.copy(ROOT / "_toc.yml", tree)
    shutil.copy(ROOT / "chapters" / "05-life-cycle.ipynb", tree / "chapters")
    shutil.copy(ROOT / "chapters" / "05-life-cycle.ipynb", tree / "learn" / "chapters")
    output = tree / "output"
    with output.open("w") as file:
        run = subprocess.Popen(
            [sys.executable, "tools/start.py"],
            cwd=tree,
            env={**os.environ, "ENGINE": "none", "HOME": str(tree)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: "Ctrl-C" in output.read_text(), "JupyterLab says where it is", 60)
        url = re.search(r"http://127\.0\.0\.1:\d+/lab/tree/chapters/05\S+", output.read_text())
        assert url is not None
        with urllib.request.urlopen(url[0]) as answer:  # noqa: S310  # our own, on loopback
            assert answer.status == 200
    finally:
        os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=30) == 0
    said = output.read_text()
    assert "Traceback" not in said
    assert said.rstrip().splitlines()[-1].startswith("Stopped.")
