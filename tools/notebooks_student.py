"""Makes the copies that learners work in, and never touches what a learner has changed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import nbformat
from notebooks_form import (
    find_drawings,
    find_notebooks,
    normalise,
    read_notebook,
    to_bytes,
    write_atomically,
)
from notebooks_plain import Pages, plain_markdown

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

__all__ = ["Given", "give_copies", "learner_copy"]

GIVEN = ".given.json"
PLACEHOLDER = "# Your turn"
ASLEEP = "Run this cell: what it shows comes alive then."
WIDGET = 'class="course-widget"'
_SOLUTION = re.compile(
    r"^(`{3,})\{solution-(start|end)\}[^\n]*\n(?:[^\n]*\n)*?\1[ \t]*$", re.MULTILINE
)


@dataclass
class Given:
    """What became of each copy, by its path in the learner's folder.

    Attributes:
        made: Copies that were not there before.
        renewed: Copies that the learner had not changed, and that are of the new edition now.
        kept: Copies that the learner has changed and of which there is a new edition.
        beside: New editions, written beside the copies that were kept.
    """

    made: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)


def give_copies(root: Path, into: Path, *, fresh: bool = False) -> Given:
    """Write the learner's copies of all notebooks, pages and drawings.

    A copy that a learner has changed is never overwritten; the file ``.given.json`` tells
    which those are.

    Args:
        root: The repository.
        into: The learner's folder.
        fresh: Write the new edition of a changed copy beside it, as ``<stem>.new.ipynb``.
    """
    pages = Pages.of(root)
    ledger = into / GIVEN
    # What was last given, by path: the hash of the bytes that the learner got.
    last: dict[str, str] = json.loads(ledger.read_text()) if ledger.exists() else {}
    given = Given()
    pages_and_drawings = [*sorted((root / "chapters").glob("*.md")), *find_drawings(root)]
    for path in [*find_notebooks(root), *pages_and_drawings]:
        name = path.relative_to(root).as_posix()
        copy = into / name
        content = _content(path, name, pages)
        new = _hash(content)
        if not copy.exists():
            given.made.append(name)
        elif _hash(copy.read_bytes()) == new:
            last[name] = new
            continue
        elif _hash(copy.read_bytes()) == last.get(name):
            given.renewed.append(name)
        else:
            # A copy that still is of this edition, and changed, has nothing to be told of.
            if last.get(name) != new or fresh:
                given.kept.append(name)
            if fresh:
                beside = copy.with_suffix(f".new{copy.suffix}")
                write_atomically(beside, content)
                given.beside.append(beside.relative_to(into).as_posix())
            continue
        write_atomically(copy, content)
        last[name] = new
    write_atomically(ledger, (json.dumps(last, indent=1, sort_keys=True) + "\n").encode())
    return given


def learner_copy(notebook: NotebookNode, page: str, pages: Pages) -> NotebookNode:
    """Derive what a learner gets of a notebook.

    A chapter keeps its outputs, without the numbers of a run; of a widget, which JupyterLab can't
    show before its cell has run, it keeps the text. An exercise loses its solutions, with the
    prose between their marks, and every output; one empty cell stands in the place of each.

    Args:
        notebook: The notebook as it is stored.
        page: Its path from the root.
        pages: The pages that its prose may refer to.
    """
    copy = normalise(notebook)
    if page.startswith("exercises/"):
        copy.cells = _without_solutions(copy.cells)
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = plain_markdown(cell.source, page, pages)
        if cell.cell_type == "code":
            # An empty number tells a stored output from one's own.
            cell.execution_count = None
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":
                output.execution_count = None
            if WIDGET in output.get("data", {}).get("text/html", ""):
                output.data.pop("text/html")
                output.data["text/plain"] = f"{ASLEEP}\n\n{output.data['text/plain']}"
    copy.cells = [cell for cell in copy.cells if cell.source]
    nbformat.validate(copy)
    return copy


def _content(path: Path, name: str, pages: Pages) -> bytes:
    if path.suffix == ".svg":
        return path.read_bytes()
    if path.suffix == ".md":
        text = plain_markdown(path.read_text(encoding="utf-8"), name, pages)
        return f"{text}\n".encode()
    return to_bytes(learner_copy(read_notebook(path), name, pages))


def _without_solutions(cells: list[NotebookNode]) -> list[NotebookNode]:
    kept: list[NotebookNode] = []
    solving = placed = False
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if solving or "solution" in cell.metadata.get("tags", []):
                if placed:
                    continue
                cell.source, placed = PLACEHOLDER, True
                cell.metadata = nbformat.from_dict({})
        else:
            cell.source, solving = _problem_only(cell.source, solving=solving)
            if not solving:
                placed = False
        kept.append(cell)
    return kept


def _problem_only(text: str, *, solving: bool) -> tuple[str, bool]:
    """Cut out what stands between the marks of a solution, which may be in other cells."""
    kept, position = [], 0
    for mark in _SOLUTION.finditer(text):
        if not solving:
            kept.append(text[position : mark.start()])
        solving, position = mark[2] == "start", mark.end()
    if not solving:
        kept.append(text[position:])
    return "".join(kept).strip("\n"), solving


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
