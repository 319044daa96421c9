"""Turns what a test run measured into the figures that a chapter's readers see."""

from __future__ import annotations

import math
import re
import statistics
from typing import TYPE_CHECKING

import yaml
from notebooks_form import (
    find_notebooks,
    normalise,
    read_notebook,
    to_bytes,
    write_atomically,
)

from facts import Chapter, Measured, load_chapters, load_measured, load_records
from lab import checks

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from nbformat import NotebookNode

    from facts import NotebookRecord

__all__ = ["CELL", "NotMeasuredError", "before_you_start", "update_chapters", "update_measured"]

CELL = "before-you-start"
# Slower than the usual 200 to 250: many readers have another mother tongue, and code is dense.
WORDS_A_MINUTE = 150
_HEADER = "# Written by `tools/notebooks.py measure` from what a test run measured. Do not edit.\n"
_WORD = re.compile(r"[^\W_]\w*")


class NotMeasuredError(Exception):
    """Says which figures are missing, and what makes them."""


def update_measured(root: Path, date: dt.date | None, only: str | None) -> list[str]:
    """Renew the table of measured figures from the last test runs.

    What is counted comes from the last run. How long it takes comes from the last ones without
    workers (``WORKERS=0``): beside other tests a notebook takes longer than with a reader.

    Args:
        root: The repository.
        date: The day to note; the day of the run when left out.
        only: A chapter's digits or stem, to renew only its row.

    Returns:
        The stems of the renewed chapters.

    Raises:
        NotMeasuredError: No test run has measured, or none has timed, a chapter that was asked
            for.
    """
    source = root / "_build" / "measured.json"
    try:
        records = load_records(source)
    except FileNotFoundError:
        raise NotMeasuredError(f"{source} is not there. Run `make test WORKERS=0` first.") from None
    table = root / "facts" / "measured.yaml"
    measured = load_measured(table)
    renewed = []
    for path in _chapters(root, only):
        record = records.get(path.relative_to(root).as_posix())
        if record is None:
            raise NotMeasuredError(
                f"The last test run did not measure {path.stem} to its end. {_run_first(path)}"
            )
        if not record.seconds:
            raise NotMeasuredError(
                f"{path.stem} was only run beside other tests, which says nothing of how long it "
                f"takes a reader. {_run_first(path)}"
            )
        measured[path.stem] = _round(record, read_notebook(path), path.stem, date)
        renewed.append(path.stem)
    rows = {stem: measured[stem].model_dump() for stem in sorted(measured)}
    text = _HEADER + yaml.safe_dump(rows, sort_keys=False, allow_unicode=True)
    write_atomically(table, text.encode())
    return renewed


def update_chapters(root: Path, only: str | None) -> list[str]:
    """Write the cell "Before you start" of each chapter anew, from the two tables in ``facts``.

    Returns:
        The stems of the chapters whose file has changed.
    """
    chapters = load_chapters(root / "facts" / "chapters.yaml")
    measured = load_measured(root / "facts" / "measured.yaml")
    changed = []
    for path in _chapters(root, only):
        if path.stem not in chapters:
            raise NotMeasuredError(f"facts/chapters.yaml has no row {path.stem}: write one.")
        notebook = read_notebook(path)
        cells = [cell for cell in notebook.cells if cell.id == CELL]
        if not cells:
            raise NotMeasuredError(f"{path.stem} has no Markdown cell with the id {CELL}: add one.")
        text = before_you_start(chapters[path.stem], measured[path.stem])
        if cells[0].source != text:
            cells[0].source = text
            write_atomically(path, to_bytes(normalise(notebook)))
            changed.append(path.stem)
    return changed


def before_you_start(chapter: Chapter, measured: Measured) -> str:
    """Write the cell that tells readers what a chapter asks of them and of their machine."""
    running = (
        "under 1 minute"
        if measured.run_seconds < 60  # noqa: PLR2004  # seconds in a minute
        else f"about {_count(math.ceil(measured.run_seconds / 60), 'minute')}"
    )
    rows = {
        "Needed": chapter.needed,
        "Helpful": chapter.helpful,
        "Reading": f"about {measured.reading_minutes} minutes",
        "Running all cells": running,
        "Exercises": f"about {measured.exercise_minutes} minutes (estimate)",
        **_started(measured),
        "AWS": chapter.aws,
        "Engines": chapter.engines,
    }
    table = "\n".join(f"| {what} | {value} |" for what, value in rows.items())
    with_engine = f" with {measured.engine}" if measured.containers else ""
    return (
        "## Before you start\n\n"
        f"| What | In this chapter |\n|---|---|\n{table}\n\n"
        f"Measured on {measured.date}{with_engine} on {_count(measured.cores, 'core')}."
    )


def _started(measured: Measured) -> dict[str, str]:
    """Say what a chapter starts on the machine; of one that starts nothing, only that."""
    if not measured.containers:
        return {"Starts": "nothing: no containers, no networks, no images"}
    where = ", on 127.0.0.1 only" if measured.ports else ""
    return {
        "Containers": f"{measured.containers}, at most {measured.at_once} running at once",
        "Networks and volumes": f"{_count(measured.networks, 'network')}, "
        f"{_count(measured.volumes, 'volume')}",
        "Ports": f"{_count(measured.ports, 'port')}{where}",
        "Disk": f"about {measured.image_megabytes} MB of images",
    }


def _run_first(path: Path) -> str:
    return f"Run `make test ONLY={path.stem.partition('-')[0]} WORKERS=0` first."


def _chapters(root: Path, only: str | None) -> list[Path]:
    return [path for path in find_notebooks(root, only) if path.parent.name == "chapters"]


def _round(
    record: NotebookRecord, notebook: NotebookNode, stem: str, date: dt.date | None
) -> Measured:
    """Round so that the next run gives the same figures, and upwards so that they hold."""
    # The cell with the figures must not change them.
    words = sum(len(_WORD.findall(cell.source)) for cell in notebook.cells if cell.id != CELL)
    minutes = sum(exercise.minutes for exercise in checks.exercises_of(stem).values())
    return Measured(
        date=date or record.date,
        engine=record.engine,
        cores=record.cores,
        reading_minutes=_up(words / WORDS_A_MINUTE, 5),
        run_seconds=_up(statistics.median(record.seconds), 10),
        exercise_minutes=_up(minutes, 5),
        containers=record.containers,
        at_once=record.at_once,
        ports=record.ports,
        networks=record.networks,
        volumes=record.volumes,
        image_megabytes=_up(record.image_bytes / 1e6, 5),
    )


def _up(value: float, step: int) -> int:
    return step * math.ceil(value / step)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
