"""A repository of a few small notebooks with the real hooks, which a test runs by pytest."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat.v4

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent"}
WORKERS = ("-n", "2")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
OPEN = "from lab import open_lab\nlab = open_lab('05-life-cycle')"
OPENED = "The lab of chapter 05 is open. lab.close() removes what you start here.\n"
PYTEST = (sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider")


class Course:
    """A repository with the real hooks and rules, and notebooks of a few cells."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("conftest.py", "nbval.cfg", "pyproject.toml"):
            shutil.copy(ROOT / name, root)
        for folder in ("chapters", "exercises", "tests", "tools"):
            (root / folder).mkdir()

    def write(self, name: str, *cells: tuple[str, str | None]) -> None:
        """Store a notebook: each cell's source, and what it is said to show."""
        written = []
        for count, (source, shown) in enumerate(cells, start=1):
            cell = nbformat.v4.new_code_cell(source, execution_count=count)
            if shown is not None:
                stream = nbformat.v4.new_output("stream", name="stdout", text=shown)
                cell.outputs = [stream]
            written.append(cell)
        notebook = nbformat.v4.new_notebook(cells=written, metadata={"kernelspec": KERNEL})
        nbformat.write(notebook, self.root / "chapters" / f"{name}.ipynb")

    def tag(self, name: str, number: int, tag: str) -> None:
        path = self.root / "chapters" / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[number].metadata["tags"] = [tag]
        nbformat.write(notebook, path)

    def pytest(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PYTEST, *options],
            cwd=self.root,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            check=False,
            timeout=240,
        )

    def interrupted(
        self, when: Callable[[str], bool], *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Press Ctrl-C once pytest has said something."""
        with subprocess.Popen(
            [*PYTEST, "-v", *options],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        ) as run:
            assert run.stdout is not None
            said = ""
            for line in run.stdout:
                said += line
                if when(line):
                    # What a terminal does at Ctrl-C: everybody hears it.
                    os.killpg(run.pid, signal.SIGINT)
                    break
            said += run.stdout.read()
            code = run.wait(timeout=60)
        return subprocess.CompletedProcess(run.args, code, said, "")


def outcomes(done: subprocess.CompletedProcess[str], name: str) -> list[str]:
    found = re.findall(rf"^([A-Z]+) chapters/{name}.ipynb::Cell (\d+)", done.stdout, re.MULTILINE)
    return [outcome for outcome, _ in sorted(found, key=lambda pair: int(pair[1]))]
