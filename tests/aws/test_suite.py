"""The suite as it is run: against moto, which answers at once, with checks of known outcome."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import aws_suite
import pytest

ROOT = Path(__file__).resolve().parents[2]
# What moto does, and what it does not: it takes any number of days for a retention.
HELD, FAILED = "test_retention_can_be_set_and_taken_away", "test_retention_is_one_of_a_list"
WAITS = "test_task_becomes_running"
# And it answers a launch type of no letters here, which the model lacks.
MISFITS = "test_default_strategy_chooses_the_capacity_provider"
LOGS, TASKS = "tests/aws/suite/test_logs.py", "tests/aws/suite/test_ecs_tasks.py"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_suite_prints_and_writes_a_table(tmp_path: Path) -> None:
    chosen = [f"{LOGS}::{HELD}", f"{LOGS}::{FAILED}", f"{TASKS}::{WAITS}", f"{TASKS}::{MISFITS}"]
    path = tmp_path / "table.json"
    with aws_suite.moto() as (endpoint, of):
        to = ["--endpoint", endpoint, "--of", of, "--table", str(path)]
        done = run(*chosen, *to, "-n", "2")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "AWS's documented behaviour" in done.stdout
    table = json.loads(path.read_text())
    assert table["about"]["of"].startswith("moto ")
    verdicts = {one["check"]: one["verdict"] for one in table["checks"]}
    assert verdicts == {
        "ecs_tasks/default_strategy_chooses_the_capacity_provider": "answer",
        "ecs_tasks/task_becomes_running": "failed",
        "logs/retention_can_be_set_and_taken_away": "held",
        "logs/retention_is_one_of_a_list": "failed",
    }
    misfits, why, *_ = [one["reason"] for one in table["checks"] if one["service"] == "ECS"]
    assert "launchType is '', which is none of EC2" in misfits
    assert "no task runs here" in why
    counts = table["services"]["all"]
    assert (counts["held"], counts["share"], counts["strictly"]) == (2, 50.0, 25.0)


def test_suite_ends_soon_where_nothing_answers(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    done = run(LOGS, TASKS, "--endpoint", "http://127.0.0.1:1", "--table", str(path))
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    found = json.loads(path.read_text())["checks"]
    assert len(found) > 50
    assert {one["verdict"] for one in found} == {"failed"}
    assert all("nothing answers here" in one["reason"] for one in found)


def test_suite_is_left_out_without_an_endpoint() -> None:
    done = run("tests/aws", "--collect-only", "-q")
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "tests/aws/suite" not in done.stdout
    assert "tests/aws/test_answers.py" in done.stdout
