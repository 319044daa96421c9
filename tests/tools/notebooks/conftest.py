"""A small repository with one chapter that keeps every rule, to be broken by the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat.v4
import pytest
from notebooks_check import check_all
from notebooks_form import code_cells, normalise, read_notebook, to_bytes, write_atomically
from notebooks_measure import before_you_start

from facts import load_chapters, load_measured
from lab import checks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbformat import NotebookNode

STEM = "05-life-cycle"
CHAPTERS = f"""
{STEM}:
  needed: nothing
  helpful: patience
  engines: Docker
  aws: nothing
"""
MEASURED = f"""
{STEM}:
  date: 2026-11-24
  engine: Docker Engine 20.10.24
  cores: 2
  reading_minutes: 15
  run_seconds: 30
  exercise_minutes: 30
  containers: 11
  at_once: 2
  ports: 1
  networks: 0
  volumes: 0
  image_megabytes: 35
"""
TOC = f"""
format: jb-book
root: chapters/intro
parts:
  - chapters:
      - file: chapters/setup
  - caption: Docker
    chapters:
      - file: chapters/{STEM}
        sections:
          - file: exercises/{STEM}
"""


def prose(name: str, text: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text, id=name)


def code(name: str, source: str, shown: str = "", tags: tuple[str, ...] = ()) -> NotebookNode:
    outputs = (
        [nbformat.v4.new_output("execute_result", {"text/plain": shown}, execution_count=1)]
        if shown
        else []
    )
    metadata = {"tags": list(tags)} if tags else {}
    return nbformat.v4.new_code_cell(source, id=name, outputs=outputs, metadata=metadata)


class House:
    """The repository; ``edit`` breaks it, ``findings`` checks it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chapter = root / "chapters" / f"{STEM}.ipynb"
        self.exercises = root / "exercises" / f"{STEM}.ipynb"
        for folder in ("chapters", "exercises", "facts", "widgets/questions"):
            (root / folder).mkdir(parents=True)
        (root / "facts" / "chapters.yaml").write_text(CHAPTERS)
        (root / "facts" / "measured.yaml").write_text(MEASURED)
        (root / "widgets" / "questions" / f"{STEM}.yaml").write_text("[]\n")
        (root / "_toc.yml").write_text(TOC)
        (root / "chapters" / "setup.md").write_text("(setup)=\n# Set-up\n\nInstall Docker.\n")
        self.store(self.chapter, self._chapter_cells())
        self.store(self.exercises, self._exercise_cells())

    def store(self, path: Path, cells: list[NotebookNode]) -> None:
        notebook = normalise(nbformat.v4.new_notebook(cells=cells))
        for count, cell in enumerate(code_cells(notebook), start=1):
            cell.execution_count = count
        write_atomically(path, to_bytes(normalise(notebook)))

    def edit(self, path: Path, change: Callable[[NotebookNode], object]) -> None:
        notebook = read_notebook(path)
        change(notebook)
        write_atomically(path, to_bytes(normalise(notebook)))

    def edit_cell(self, name: str, change: Callable[[NotebookNode], object]) -> None:
        for path in (self.chapter, self.exercises):
            notebook = read_notebook(path)
            for cell in notebook.cells:
                if cell.id == name:
                    change(cell)
                    write_atomically(path, to_bytes(normalise(notebook)))
                    return
        raise AssertionError(name)

    def findings(self) -> list[str]:
        return [str(finding) for finding in check_all(self.root).findings]

    def _chapter_cells(self) -> list[NotebookNode]:
        table = before_you_start(
            load_chapters(self.root / "facts" / "chapters.yaml")[STEM],
            load_measured(self.root / "facts" / "measured.yaml")[STEM],
        )
        return [
            prose("title", "(ch-life-cycle)=\n# Life cycle\n\nWhat becomes of a container?"),
            prose("objectives", "## Objectives\n\n- start one;\n- stop one;\n- read its end."),
            prose("before-you-start", table),
            code(
                "setup", f'from lab import open_lab\nlab = open_lab("{STEM}")', "The lab is open."
            ),
            prose("first", "## One\n\nSee {ref}`set-up <setup>`, or [](setup.md)."),
            code("one", "1 + 1", "2"),
            prose("second", "## Two\n\n```{note}\nTake care.\n```"),
            code("two", "1 + 2", "3"),
            prose("third", "## Three"),
            prose("wrong", "## What can go wrong"),
            prose("summary", "## Summary\n\nAll is said."),
            code("self-check", f'from widgets import SelfCheck\n\nSelfCheck("{STEM}")', "asked"),
            prose("exercises", f"## Exercises\n\n[Do them](../exercises/{STEM}.ipynb)."),
            prose("clean-up", "## Clean up"),
            code("close", "lab.close()", "Nothing to remove."),
        ]

    def _exercise_cells(self) -> list[NotebookNode]:
        setup = f'from lab import open_lab\nlab = open_lab("{STEM}", exercises=True)'
        cells = [
            prose("title", "(ex-life-cycle)=\n# Exercises: life cycle"),
            code("setup", setup, "The exercises are open."),
        ]
        for number, exercise in checks.exercises_of(STEM).items():
            label = f"ex-{number.replace('.', '-')}"
            slug = number.replace(".", "-")
            cells += [
                prose(
                    f"exercise-{slug}",
                    f"## {number} {exercise.title}\n\n"
                    f"```{{exercise-start}}\n:label: {label}\n:nonumber:\n```\n\n"
                    f"*About {exercise.minutes} minutes.*\nThe problem of {number}.\n\n"
                    "```{exercise-end}\n```",
                ),
                prose(
                    f"solution-{slug}-start",
                    f"```{{solution-start}} {label}\n:class: dropdown\n```\n\nThe secret prose.",
                ),
                code(f"solution-{slug}", f"the_secret = {number}", "the secret", ("solution",)),
                prose(f"more-{slug}", "More of the secret prose."),
                code(f"second-{slug}", "the_secret * 2", "the secret, twice", ("solution",)),
                prose(f"solution-{slug}-end", "```{solution-end}\n```"),
                code(f"check-{slug}", f'lab.check("{number}")', f"{number} passed."),
            ]
        cells.append(code("close", "lab.close()", "Nothing to remove."))
        return cells


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)
