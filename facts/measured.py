"""What is known of each chapter: written by its author, or measured by the tests."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter

from facts.records import Record

__all__ = [
    "Chapter",
    "Measured",
    "NotebookRecord",
    "load_chapters",
    "load_measured",
    "load_records",
]

_HERE = Path(__file__).parent
_Count = Annotated[int, Field(ge=0)]
_Positive = Annotated[int, Field(gt=0)]
_Words = Annotated[str, Field(min_length=1)]


class Chapter(Record):
    """What a chapter asks for, in its author's words: each a phrase of Markdown.

    Attributes:
        needed: What a reader must have done before.
        helpful: What makes it easier.
        engines: Which engines were seen to run it.
        aws: What it touches there.
    """

    needed: _Words
    helpful: _Words
    engines: _Words
    aws: _Words


class Measured(Record):
    """What the tests measured of a chapter, in round figures.

    Attributes:
        date: The day of the measurement.
        engine: The engine's product and version.
        cores: How many cores the machine had.
        reading_minutes: At 150 words a minute, to the next five minutes.
        run_seconds: All cells one after the other: the median, to the next ten seconds.
        exercise_minutes: An estimate, not measured: the sum of what the exercises declare.
        containers: How many containers the cells start.
        at_once: How many of them run at the same time at most.
        ports: How many ports are published on 127.0.0.1.
        networks: How many networks are made.
        volumes: How many volumes are made.
        image_megabytes: The disk that the images take, to the next 5 MB.
    """

    date: dt.date
    engine: _Words
    cores: _Positive
    reading_minutes: _Positive
    run_seconds: _Positive
    exercise_minutes: _Count
    containers: _Count
    at_once: _Count
    ports: _Count
    networks: _Count
    volumes: _Count
    image_megabytes: _Count


class NotebookRecord(Record):
    """What test runs measured of one notebook, before rounding.

    Attributes:
        date: The day of the last run.
        engine: The engine's product and version.
        cores: How many cores the machine had.
        seconds: How long the last runs took that had no other worker beside them, the kernel's
            start included, oldest first. A test run with workers counts, but does not time:
            on a machine that is busy with other tests a notebook takes longer than with a reader.
        cells: How many code cells there are.
        containers: How many containers were created.
        at_once: How many of them ran at the same time at most.
        ports: How many ports they published.
        networks: How many networks were made.
        volumes: How many volumes were made.
        image_bytes: The size of the images in use, shared layers counted once.
    """

    date: dt.date
    engine: _Words
    cores: _Positive
    seconds: list[float]
    cells: _Count
    containers: _Count
    at_once: _Count
    ports: _Count
    networks: _Count
    volumes: _Count
    image_bytes: _Count


def load_chapters(path: Path = _HERE / "chapters.yaml") -> dict[str, Chapter]:
    """Read what each chapter asks for, by the chapter's stem.

    Raises:
        pydantic.ValidationError: A row has a wrong, a missing or an unknown field.

    Example:
        >>> load_chapters()["05-life-cycle"].aws
        'nothing'
    """
    return TypeAdapter(dict[str, Chapter]).validate_python(yaml.safe_load(path.read_text()) or {})


def load_measured(path: Path = _HERE / "measured.yaml") -> dict[str, Measured]:
    """Read the measured figures, by the chapter's stem.

    Raises:
        pydantic.ValidationError: A row has a wrong, a missing or an unknown field.

    Example:
        >>> load_measured()["05-life-cycle"].containers > 0
        True
    """
    return TypeAdapter(dict[str, Measured]).validate_python(yaml.safe_load(path.read_text()) or {})


def load_records(path: Path) -> dict[str, NotebookRecord]:
    """Read what a test run has measured, by the notebook's path from the root.

    Args:
        path: The file that a run of pytest has written, ``_build/measured.json``.

    Raises:
        FileNotFoundError: No run has measured anything yet.
        pydantic.ValidationError: The file is of another edition.

    Example:
        >>> load_records(Path("_build/measured.json"))  # doctest: +SKIP
    """
    return TypeAdapter(dict[str, NotebookRecord]).validate_json(path.read_bytes())
