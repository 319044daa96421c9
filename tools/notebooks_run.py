"""Runs a notebook in a fresh kernel and stores what it shows."""

from __future__ import annotations

import copy
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

import nbclient
import nbclient.exceptions
from notebooks_form import (
    code_cells,
    keep_equal_outputs,
    load_rules,
    normalise,
    normalise_outputs,
    read_notebook,
    to_bytes,
    write_atomically,
)

from lab.aws.environment import without_aws
from lab.cleaning import sweep
from lab.engine import find_engine
from lab.swarm import WAITING

if TYPE_CHECKING:
    from pathlib import Path

    import docker
    from nbformat import NotebookNode

__all__ = ["LEARNER", "SEED", "CellFailedError", "run_notebook"]

LEARNER = "author"
# Which fault the lab injects: the solutions speak of this one. conftest.py has it too.
SEED = "0"
CELL_SECONDS = 300


class CellFailedError(Exception):
    """Says which cell of which notebook failed, and how.

    Args:
        path: The notebook.
        cell: The cell.
        error: What went wrong, as one or a few lines.
    """

    def __init__(self, path: Path, cell: NotebookNode, error: str) -> None:
        source = "\n".join(f"    {line}" for line in cell.source.split("\n"))
        super().__init__(
            f"{path} · cell {cell.id}\n{source}\n{error}\n"
            "Nothing was written. Repair the cell; or tag it raises-exception, if the error is "
            "the lesson."
        )


def run_notebook(path: Path, rules_file: Path, *, renew: bool = False) -> bool:
    """Run a notebook, and store its outputs in normal form where they differ from what is stored.

    Args:
        path: The notebook.
        rules_file: nbval's file of shapes that may differ.
        renew: Store also what differs in such shapes only, so that no figure grows old.

    Returns:
        Whether the file has changed.

    Raises:
        CellFailedError: A cell failed that was not tagged for it; the file is as it was.
        lab.errors.LabError: The notebook opens a lab and there is no engine.
    """
    stored = path.read_bytes()
    before = read_notebook(path)
    notebook = copy.deepcopy(before)
    learner = os.environ.get("COURSE_LEARNER") or LEARNER
    uses_engine = any("open_lab" in cell.source for cell in code_cells(notebook))
    client = find_engine().client if uses_engine else None
    _sweep(client, learner)
    try:
        # The author's own progress and locks are no business of a run.
        with tempfile.TemporaryDirectory(prefix="course-state-") as state:
            _execute(
                notebook,
                path,
                {
                    # So that no output tells of an author's keys.
                    **without_aws(os.environ),
                    "COURSE_LEARNER": learner,
                    "COURSE_SEED": SEED,
                    "COURSE_STATE_DIR": state,
                },
            )
    finally:
        _sweep(client, learner)
        if client is not None:
            client.close()
    rules = load_rules(rules_file)
    old = {cell.id: normalise_outputs(cell.outputs) for cell in code_cells(before)}
    for count, cell in enumerate(code_cells(notebook), start=1):
        told = [output for output in cell.outputs if not _is_waiting(output)]
        new = normalise_outputs(told)
        cell.outputs = new if renew else keep_equal_outputs(old[cell.id], new, rules)
        cell.execution_count = count
    content = to_bytes(normalise(notebook))
    if content == stored:
        return False
    write_atomically(path, content)
    return True


def _is_waiting(output: NotebookNode) -> bool:
    """Tell whether an output only says that another lab had the swarm, at that moment."""
    return output.get("name") == "stderr" and str(output.text).rstrip().endswith(WAITING)


def _sweep(client: docker.DockerClient | None, learner: str) -> None:
    if client is not None:
        sweep(client, chapter=None, learner=learner)


def _execute(notebook: NotebookNode, path: Path, environment: dict[str, str]) -> None:
    executor = nbclient.NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    # As nbval does: what a kernel writes there is for no reader.
    with executor.setup_kernel(env=environment, stderr=subprocess.DEVNULL):
        for index, cell in enumerate(notebook.cells):
            try:
                executor.execute_cell(cell, index)
            except nbclient.exceptions.CellExecutionError as error:
                raise CellFailedError(path, cell, f"{error.ename}: {error.evalue}") from None
            except nbclient.exceptions.CellTimeoutError:
                limit = f"It took longer than {CELL_SECONDS} seconds."
                raise CellFailedError(path, cell, limit) from None
            except nbclient.exceptions.DeadKernelError:
                raise CellFailedError(path, cell, "The kernel died.") from None
