from __future__ import annotations

from typing import Any

import pytest

from lab.aws.constraints import service_model, violations

GOOD = {"logGroupName": "/course/web", "logStreamName": "web/1"}


def broken(operation: str, service: str = "logs", /, **request: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    return [(one.path, one.must) for one in violations(service, operation, request)]


@pytest.mark.parametrize(
    ("changes", "path", "must"),
    [
        (
            {"logGroupName": "no spaces"},
            "logGroupName",
            r"satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
        ),
        ({"logGroupName": "a" * 513}, "logGroupName", "have length less than or equal to 512"),
        ({"logEvents": []}, "logEvents", "have length greater than or equal to 1"),
        (
            {"logEvents": [{"timestamp": -1, "message": "x"}]},
            "logEvents.1.member.timestamp",
            "have value greater than or equal to 0",
        ),
        (
            {"logEvents": [{"timestamp": 1, "message": ""}]},
            "logEvents.1.member.message",
            "have length greater than or equal to 1",
        ),
    ],
)
def test_what_the_model_does_not_allow_is_found(
    changes: dict[str, Any], path: str, must: str
) -> None:
    request = {**GOOD, "logEvents": [{"timestamp": 1, "message": "x"}], **changes}
    assert broken("PutLogEvents", **request) == [(path, must)]


def test_keys_and_values_of_maps_are_looked_at() -> None:
    found = broken("TagLogGroup", logGroupName="a", tags={"ü ber": "x" * 300, "!": "y"})
    assert [path for path, _ in found] == ["tags.ü ber", "tags.key"]


def test_what_is_allowed_has_no_violation() -> None:
    assert broken("PutLogEvents", **GOOD, logEvents=[{"timestamp": 1, "message": "x"}]) == []
    assert broken("GetAuthorizationToken", "ecr") == []


@pytest.mark.parametrize("service", ["logs", "ecr"])
def test_every_pattern_of_a_served_model_can_be_read(service: str) -> None:
    model = service_model(service)
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        request = {
            member: "a"
            for member, of in (shape.members.items() if shape else ())
            if of.type_name == "string"
        }
        list(violations(service, name, request))
