from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from notebooks_check import check_all
from notebooks_form import read_notebook
from notebooks_measure import NotMeasuredError, update_chapters, update_measured

from facts import load_measured

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.notebooks.conftest import House

STEM = "05-life-cycle"
RECORD = {
    "date": "2026-11-24",
    "engine": "Podman 5.2.0",
    "cores": 1,
    "seconds": [61.0, 75.5, 200.0],
    "cells": 5,
    "containers": 12,
    "at_once": 3,
    "ports": 1,
    "networks": 2,
    "volumes": 0,
    "image_bytes": 34_329_865,
}


def measured(root: Path, **changes: object) -> None:
    (root / "_build").mkdir(exist_ok=True)
    rows = {f"chapters/{STEM}.ipynb": {**RECORD, **changes}}
    (root / "_build" / "measured.json").write_text(json.dumps(rows))


def table(house: House) -> str:
    notebook = read_notebook(house.chapter)
    return str(next(cell.source for cell in notebook.cells if cell.id == "before-you-start"))


def test_figures_are_rounded_and_reach_the_reader(house: House) -> None:
    measured(house.root)
    assert update_measured(house.root, None, None) == [STEM]
    assert update_chapters(house.root, None) == [STEM]
    assert check_all(house.root).findings == []
    text = table(house)
    assert "| Running all cells | about 2 minutes |" in text
    assert "| Exercises | about 30 minutes (estimate) |" in text
    assert "| Containers | 12, at most 3 running at once |" in text
    assert "| Networks and volumes | 2 networks, no volumes |" in text
    assert "| Ports | 1 port, on 127.0.0.1 only |" in text
    assert "| Disk | about 35 MB of images |" in text
    assert "Measured on 2026-11-24 with Podman 5.2.0 on 1 core." in text


def test_a_slightly_different_run_changes_nothing(house: House) -> None:
    measured(house.root)
    update_measured(house.root, None, None)
    update_chapters(house.root, None)
    before = (house.chapter.read_bytes(), (house.root / "facts/measured.yaml").read_bytes())
    measured(house.root, seconds=[71.0, 79.9, 79.0], image_bytes=33_000_000)
    update_measured(house.root, None, None)
    assert update_chapters(house.root, None) == []
    after = (house.chapter.read_bytes(), (house.root / "facts/measured.yaml").read_bytes())
    assert before == after


def test_a_short_run_is_under_a_minute(house: House) -> None:
    measured(house.root, seconds=[12.0])
    update_measured(house.root, None, None)
    update_chapters(house.root, None)
    assert "| Running all cells | under 1 minute |" in table(house)


def test_the_day_can_be_given(house: House) -> None:
    measured(house.root)
    update_measured(house.root, dt.date(2027, 1, 2), None)
    row = load_measured(house.root / "facts" / "measured.yaml")[STEM]
    assert row.date == dt.date(2027, 1, 2)


def test_reading_time_follows_from_the_words(house: House) -> None:
    house.edit_cell("third", lambda cell: cell.__setitem__("source", "## Three\n\n" + "so " * 1500))
    measured(house.root)
    update_measured(house.root, None, None)
    row = load_measured(house.root / "facts" / "measured.yaml")[STEM]
    assert row.reading_minutes == 15


def test_without_a_test_run_it_says_what_to_do(house: House) -> None:
    with pytest.raises(NotMeasuredError, match="Run `make test WORKERS=0` first"):
        update_measured(house.root, None, None)


def test_what_only_ran_beside_other_tests_is_not_told_to_readers(house: House) -> None:
    measured(house.root, seconds=[])
    with pytest.raises(NotMeasuredError, match="Run `make test ONLY=05 WORKERS=0` first"):
        update_measured(house.root, None, None)


def test_a_chapter_that_the_run_left_out_is_named(house: House) -> None:
    (house.root / "_build").mkdir()
    (house.root / "_build" / "measured.json").write_text("{}")
    with pytest.raises(NotMeasuredError, match="did not measure 05-life-cycle"):
        update_measured(house.root, None, None)
