"""What names another place, or what is not there, is refused before any service answers."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lab.aws.clients import client_of
from lab.aws.gate import SERVICES
from lab.aws.process import AwsProcess
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.engine

ABROAD = "arn:aws:ecs:eu-central-1:123456789012:"
OF_OTHERS = "arn:aws:ecs:us-east-1:999999999999:"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with closing(AwsProcess(Naming(chapter="10-containers-on-aws", learner="gate"))) as served:
        yield served.endpoint


def refused(call: Callable[..., object], **parameters: Any) -> tuple[str, str, int]:  # noqa: ANN401
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return answer["Error"]["Code"], answer["Error"]["Message"], status


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("sqs", "list_queues", {}),
        ("sns", "list_topics", {}),
        ("eks", "create_cluster", {"name": "x", "roleArn": "r", "resourcesVpcConfig": {}}),
        ("lambda", "list_functions", {}),
        ("dynamodb", "list_tables", {}),
        ("rds", "describe_db_instances", {}),
    ],
)
def test_service_that_is_not_there_is_refused_by_its_own_protocol(
    endpoint: str, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    client = client_of(service, endpoint)
    code, message, status = refused(getattr(client, operation), **parameters)
    assert (code, status) == ("UnknownOperationException", 400)
    assert message.startswith(f"The local AWS has no service {service}. It has ec2, ecr, ecs,")


@pytest.mark.parametrize("service", SERVICES)
def test_region_that_aws_does_not_have_is_refused(endpoint: str, service: str) -> None:
    calls = {
        "ec2": "describe_subnets",
        "ecr": "describe_repositories",
        "ecs": "list_clusters",
        "elbv2": "describe_load_balancers",
        "iam": "list_roles",
        "logs": "describe_log_groups",
        "resourcegroupstaggingapi": "get_resources",
        "s3": "list_buckets",
        "secretsmanager": "list_secrets",
        "ssm": "describe_parameters",
        "sts": "get_caller_identity",
    }
    client = client_of(service, endpoint, region="ap-northeast-11")
    code, message, status = refused(getattr(client, calls[service]))
    assert code in ("InvalidSignatureException", "SignatureDoesNotMatch")
    assert message == "Credential should be scoped to a valid region, not 'ap-northeast-11'."
    assert status == 403
    # The connection is sound, and a right request goes through.
    assert getattr(client_of(service, endpoint), calls[service])()


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("delete_cluster", {"cluster": f"{ABROAD}cluster/shop"}),
        ("describe_clusters", {"clusters": ["shop", f"{ABROAD}cluster/shop"]}),
        ("list_tasks", {"cluster": f"{ABROAD}cluster/shop"}),
        ("describe_tasks", {"cluster": "shop", "tasks": [f"{ABROAD}task/shop/{'0' * 32}"]}),
        ("describe_task_definition", {"taskDefinition": f"{ABROAD}task-definition/web:1"}),
        ("describe_services", {"cluster": "shop", "services": [f"{ABROAD}service/shop/web"]}),
        ("list_tags_for_resource", {"resourceArn": f"{ABROAD}cluster/shop"}),
    ],
)
def test_arn_of_another_region_or_account_is_refused_and_nothing_done(
    endpoint: str, operation: str, parameters: dict[str, Any]
) -> None:
    ecs = client_of("ecs", endpoint)
    ecs.create_cluster(clusterName="shop")
    call = getattr(ecs, operation)
    wrong = ("InvalidParameterException", "Invalid Region in ARN", 400)
    assert refused(call, **parameters) == wrong
    others = {
        name: [each.replace(ABROAD, OF_OTHERS) for each in value]
        if isinstance(value, list)
        else value.replace(ABROAD, OF_OTHERS)
        for name, value in parameters.items()
    }
    code, message, _ = refused(call, **others)
    assert code == "AccessDeniedException"
    assert message.endswith("because it belongs to another account.")
    [cluster] = ecs.describe_clusters(clusters=["shop"])["clusters"]
    assert cluster["status"] == "ACTIVE"
