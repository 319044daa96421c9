from __future__ import annotations

from typing import TYPE_CHECKING

import pydantic
import pytest

import facts

if TYPE_CHECKING:
    from pathlib import Path

ROW = """
05-life-cycle:
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


def test_the_course_s_own_tables_are_well_formed() -> None:
    assert set(facts.load_measured()) <= set(facts.load_chapters())


def test_a_table_with_no_rows_yet_is_empty(tmp_path: Path) -> None:
    table = tmp_path / "measured.yaml"
    table.write_text("# nothing yet\n")
    assert facts.load_measured(table) == {}


def test_a_row_becomes_a_typed_value(tmp_path: Path) -> None:
    table = tmp_path / "measured.yaml"
    table.write_text(ROW)
    row = facts.load_measured(table)["05-life-cycle"]
    assert (row.date.isoformat(), row.containers) == ("2026-11-24", 11)


@pytest.mark.parametrize(
    "wrong",
    [
        ROW.replace("  cores: 2\n", ""),
        ROW.replace("containers: 11", "containers: many"),
        ROW.replace("ports: 1", "ports: -1"),
        ROW + "  colour: blue\n",
    ],
    ids=["missing", "no number", "negative", "unknown"],
)
def test_a_wrong_row_is_refused(tmp_path: Path, wrong: str) -> None:
    table = tmp_path / "measured.yaml"
    table.write_text(wrong)
    with pytest.raises(pydantic.ValidationError):
        facts.load_measured(table)
