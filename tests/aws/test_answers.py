from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from .suite.answers import faults
from .suite.documented import model

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


def task(**members: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    return {"tasks": [members], "failures": []}


def found(answer: dict[str, Any], operation: str = "DescribeTasks") -> list[str]:
    return faults(model("ecs").operation_model(operation), answer)


def test_answer_that_fits_has_no_fault() -> None:
    answer = task(launchType="FARGATE", version=3, createdAt=NOW, enableExecuteCommand=False)
    assert found(answer | {"ResponseMetadata": {"HTTPStatusCode": 200}}) == []


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"version": "3"}, "tasks[0].version is '3', not a long"),
        ({"version": True}, "tasks[0].version is True, not a long"),
        ({"cpu": 256}, "tasks[0].cpu is 256, not a string"),
        ({"createdAt": "today"}, "tasks[0].createdAt is 'today', not a timestamp"),
        ({"enableExecuteCommand": 0}, "tasks[0].enableExecuteCommand is 0, not a boolean"),
        ({"containers": {}}, "tasks[0].containers is {}, not a list"),
        ({"containers": [{"exitCode": "1"}]}, "tasks[0].containers[0].exitCode is '1'"),
        ({"group": None}, "tasks[0].group is None, not a string"),
    ],
)
def test_wrong_type_is_a_fault(members: dict[str, Any], says: str) -> None:
    [fault] = found(task(**members))
    assert says in fault


def test_value_that_the_enumeration_lacks_is_a_fault() -> None:
    [fault] = found(task(launchType="CLOUD"))
    assert fault.startswith("DescribeTasks: tasks[0].launchType is 'CLOUD', which is none of EC2")


def test_missing_member_is_a_fault() -> None:
    storage = {"ephemeralStorage": {}}
    assert found(task(**storage)) == [
        "DescribeTasks: tasks[0].ephemeralStorage has no sizeInGiB, which is required"
    ]


def test_member_that_the_model_lacks_is_a_fault() -> None:
    [fault] = found(task(colour="blue"))
    assert "colour, which the model lacks" in fault


def test_map_is_looked_into() -> None:
    described = {"taskDefinition": {"containerDefinitions": [{"dockerLabels": {"team": 1}}]}}
    [fault] = found(described, "DescribeTaskDefinition")
    assert "dockerLabels['team'] is 1, not a string" in fault


def test_operation_without_an_answer_has_no_fault() -> None:
    assert faults(model("logs").operation_model("CreateLogStream"), {"ResponseMetadata": {}}) == []
