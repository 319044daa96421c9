from __future__ import annotations

import json
from pathlib import Path

import pytest

from .suite import table
from .suite.table import Outcome

BASELINE = sorted((Path(__file__).parent / "baseline").glob("*.json"))
OUTCOMES = [
    Outcome("ecs_tasks/b", "ECS", "tasks", "failed", "no task runs here"),
    Outcome("ecs_tasks/a", "ECS", "api", "held"),
    Outcome("logs/a", "Logs", "api", "answer", "x is 1, not a string"),
    Outcome("logs/b", "Logs", "api", "held"),
]


def test_table_counts_by_service_and_overall() -> None:
    rows = table.rows(OUTCOMES)
    assert list(rows) == ["ECS", "Logs", "all"]
    assert (rows["ECS"]["held"], rows["ECS"]["checks"], rows["ECS"]["share"]) == (1, 2, 50.0)
    assert (rows["ECS"]["by the API"], rows["ECS"]["running"]) == ("1 of 1", "0 of 1")
    assert (rows["all"]["held"], rows["all"]["checks"]) == (3, 4)


def test_answer_that_does_not_fit_is_not_strictly_held() -> None:
    logs = table.rows(OUTCOMES)["Logs"]
    assert (logs["held"], logs["share"], logs["strictly"]) == (2, 100.0, 50.0)


def test_lines_stand_in_columns() -> None:
    head, *lines = table.lines(OUTCOMES)
    assert len(lines) == 3
    assert {len(line) for line in lines} == {len(head)}
    assert "50.0 %" in lines[0]


def test_file_does_not_depend_on_the_order_of_the_run(tmp_path: Path) -> None:
    for name, outcomes in (("one", OUTCOMES), ("two", OUTCOMES[::-1])):
        table.write(tmp_path / name, {"of": "nothing"}, outcomes)
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()
    stored = json.loads((tmp_path / "one").read_text())
    assert stored["services"]["all"]["checks"] == 4
    assert stored["checks"][0] == {
        "check": "ecs_tasks/a",
        "service": "ECS",
        "runs": "api",
        "verdict": "held",
        "reason": "",
    }


@pytest.mark.parametrize("path", BASELINE, ids=lambda path: path.stem)
def test_kept_table_says_what_it_is_of_and_adds_up(path: Path) -> None:
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert set(kept["about"]) == {"of", "date", "botocore"}
    assert kept["services"] == table.rows(Outcome(**one) for one in kept["checks"])
    # A slip of the suite itself is no verdict on anybody.
    slips = ("TypeError", "NameError", "AttributeError")
    assert [one for one in kept["checks"] if one["reason"].startswith(slips)] == []


def test_there_are_tables_of_moto_and_ministack() -> None:
    assert (
        {"ministack", "moto"} <= {path.stem for path in BASELINE} <= {"ministack", "moto", "ours"}
    )
