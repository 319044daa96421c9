"""What no client of AWS's would send is refused like anything else, and never by a bare 500."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from lab.aws.process import AwsProcess
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine

ECS = "AmazonEC2ContainerServiceV20141113"
TARGETS = {"ecs": ECS, "logs": "Logs_20140328", "ecr": "AmazonEC2ContainerRegistry_V20150921"}
ONE = {"name": "web", "image": "course/app:1", "memory": 64}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with closing(AwsProcess(Naming(chapter="12-ecs", learner="raw"))) as served:
        yield served.endpoint


def signed(service: str) -> str:
    scope = f"local/20260101/us-east-1/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def ask(endpoint: str, service: str, operation: str, body: Any) -> requests.Response:  # noqa: ANN401
    return requests.post(
        endpoint,
        data=body if isinstance(body, str | bytes) else json.dumps(body),
        headers={
            "Authorization": signed(service),
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{TARGETS[service]}.{operation}",
        },
        timeout=60,
    )


@pytest.mark.parametrize(
    ("service", "operation", "body", "code", "says"),
    [
        ("ecs", "RegisterTaskDefinition", "{", "SerializationException", "line 1"),
        ("ecs", "RegisterTaskDefinition", b"\xff", "SerializationException", "utf-8"),
        ("ecs", "RegisterTaskDefinition", [], "SerializationException", "structure as the"),
        ("ecs", "RegisterTaskDefinition", {}, "InvalidParameterException", "null at 'family'"),
        (
            "ecs", "RegisterTaskDefinition",
            {"family": "web", "containerDefinitions": [{**ONE, "cpu": "128"}]},
            "SerializationException",
            "Expected integer at 'containerDefinitions.1.member.cpu', and got \\\"128\\\"",
        ),
        (
            "ecs", "RegisterTaskDefinition",
            {"family": "web", "containerDefinitions": [{**ONE, "cpu": True}]},
            "SerializationException", "got true",
        ),
        ("ecs", "CreateCluster", {"tags": {"a": "b"}}, "SerializationException", "list at 'tags'"),
        ("ecs", "MakeTea", {}, "UnsupportedFeatureException", "no operation MakeTea"),
        ("logs", "PutLogEvents", {"logGroupName": 3}, "SerializationException", "string at"),
        ("logs", "PutLogEvents", {}, "InvalidParameterException", "null at 'logGroupName'"),
        ("ecr", "PutImage", {}, "InvalidParameterException", "'must not be null'"),
        ("ecr", "MakeTea", {}, "UnknownOperationException", "MakeTea"),
    ],
)  # fmt: skip
def test_json_that_does_not_fit_is_refused(  # noqa: PLR0913, PLR0917
    endpoint: str, service: str, operation: str, body: object, code: str, says: str
) -> None:
    answer = ask(endpoint, service, operation, body)
    assert answer.status_code == 400
    assert answer.json()["__type"] == code
    assert says in answer.text


@pytest.mark.parametrize(
    ("form", "code", "says"),
    [
        ({"Action": "CreateTargetGroup"}, "ValidationError", "null at 'name'"),
        ({"Action": "CreateTargetGroup", "Name": "a", "Port": "many"}, "MalformedInput", "many"),
        ({"Action": "MakeTea"}, "InvalidAction", "no operation MakeTea"),
        ({}, "InvalidAction", "no operation"),
    ],
)
def test_a_form_that_does_not_fit_is_refused(
    endpoint: str, form: dict[str, str], code: str, says: str
) -> None:
    headers = {"Authorization": signed("elasticloadbalancing")}
    body = {**form, "Version": "2015-12-01"}
    answer = requests.post(endpoint, data=body, headers=headers, timeout=60)
    assert answer.status_code == 400
    assert f"<Code>{code}</Code>" in answer.text
    assert says in answer.text


def test_what_is_null_is_not_there(endpoint: str) -> None:
    answer = ask(endpoint, "ecs", "CreateCluster", {"clusterName": None})
    assert answer.json()["cluster"]["clusterName"] == "default"
