"""The way to a real account, which is never taken here: the local AWS stands in for it."""

from __future__ import annotations

import datetime as dt
import re
import socket
import uuid
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from facts.bills import ChapterBill
from lab import LabError, images
from lab.aws import door
from lab.aws.door import Door
from lab.aws.process import AwsProcess
from lab.aws.real import MAKES, RealAws, real_session, tagged
from lab.aws.removal import KINDS, Removal, arns_made
from lab.cleaning import sweep
from lab.engine import find_engine
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "123456789012"
CHAPTER = "05-life-cycle"
BILL = ChapterBill(
    has="two tasks and a load balancer",
    items={"fargate-x86-vcpu-hour": 0.5, "fargate-x86-gb-hour": 1, "alb-hour": 1},
)
TAGS = {"course": "containers-on-aws", "learner": "ada"}


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def learner() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def endpoint(learner: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    engine = find_engine()
    images.prepare(engine.client)
    served = AwsProcess(Naming(chapter="real", learner=learner))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    yield served.endpoint
    served.close()
    sweep(engine.client, chapter=None, learner=learner)
    engine.client.close()


def real(learner: str, endpoint: str, hours: float = 1) -> RealAws:
    naming = Naming(chapter=CHAPTER, learner=learner)
    return RealAws(naming, BILL, account=ACCOUNT, hours=hours, endpoint_url=endpoint)


# --- what is asked wrongly -------------------------------------------------------------------


@pytest.mark.parametrize("account", ["", "12345678901", "1234567890123", "12345678901x", 0, None])
def test_account_must_be_twelve_digits(account: Any) -> None:  # noqa: ANN401
    naming = Naming(chapter=CHAPTER, learner="ada")
    with pytest.raises(LabError, match="no id of an account"):
        RealAws(naming, BILL, account=account, hours=1)


@pytest.mark.parametrize("hours", [0, -1, 13, True, "2", None, float("nan")])
def test_hours_must_be_some_and_not_many(hours: Any) -> None:  # noqa: ANN401
    naming = Naming(chapter=CHAPTER, learner="ada")
    with pytest.raises(LabError, match="for how long"):
        RealAws(naming, BILL, account=ACCOUNT, hours=hours)


@pytest.mark.parametrize("bill", [None, ChapterBill(has="nothing", items={})])
def test_chapter_without_a_bill_is_refused(bill: ChapterBill | None) -> None:
    naming = Naming(chapter=CHAPTER, learner="ada")
    with pytest.raises(LabError, match="does not say what it makes"):
        RealAws(naming, bill, account=ACCOUNT, hours=1)


def test_no_keys_are_told() -> None:
    with pytest.raises(LabError, match="does not say whose keys"):
        real_session(ACCOUNT)


# --- tags ------------------------------------------------------------------------------------


def shape_of(service: str, operation: str) -> Any:  # noqa: ANN401
    model = botocore.session.get_session().get_service_model(service)
    return model.operation_model(operation).input_shape


@pytest.mark.parametrize(
    ("service", "operation"), [(name, one) for name, some in MAKES.items() for one in sorted(some)]
)
def test_what_may_be_made_takes_tags_and_can_be_found_in_the_answer(
    service: str, operation: str
) -> None:
    params = tagged(shape_of(service, operation), {}, TAGS)
    assert "containers-on-aws" in str(params)
    output = botocore.session.get_session().get_service_model(service)
    shape = output.operation_model(operation).output_shape
    if operation not in {"CreateListener", "CreateRule", "CreateLogGroup"}:
        answer = {name: example(member) for name, member in shape.members.items()}
        assert len(arns_made(operation, answer, "us-east-1", ACCOUNT)) == 1


def example(shape: Any) -> Any:  # noqa: ANN401
    if shape.type_name == "structure":
        return {name: f"{shape.name}.{name}" for name in shape.members}
    return [example(shape.member)] if shape.type_name == "list" else shape.name


def test_tags_that_were_given_stay_unless_they_are_the_course_s() -> None:
    given = [{"key": "mine", "value": "1"}, {"key": "learner", "value": "bob"}]
    params = tagged(shape_of("ecs", "CreateCluster"), {"clusterName": "c", "tags": given}, TAGS)
    assert params["clusterName"] == "c"
    assert {tag["key"]: tag["value"] for tag in params["tags"]} == {"mine": "1", **TAGS}
    params = tagged(shape_of("logs", "CreateLogGroup"), {"tags": {"mine": "1"}}, TAGS)
    assert params["tags"] == {"mine": "1", **TAGS}
    assert len(given) == 2


def test_operation_without_tags_is_refused() -> None:
    with pytest.raises(LabError, match="takes no tags"):
        tagged(shape_of("logs", "CreateLogStream"), {}, TAGS)


def test_each_kind_of_arn_has_one_way_to_go() -> None:
    head = f"us-east-1:{ACCOUNT}"
    arns = [
        f"arn:aws:ecs:{head}:service/c/s",
        f"arn:aws:ecs:{head}:task/c/0123",
        f"arn:aws:ecs:{head}:cluster/c",
        f"arn:aws:ecs:{head}:task-definition/f:1",
        f"arn:aws:elasticloadbalancing:{head}:loadbalancer/app/l/0123",
        f"arn:aws:elasticloadbalancing:{head}:targetgroup/t/0123",
        f"arn:aws:logs:{head}:log-group:/course/a",
        f"arn:aws:ecr:{head}:repository/course/a",
        f"arn:aws:ec2:{head}:security-group/sg-1",
    ]
    assert [sum(bool(re.search(kind.arn, arn)) for kind in KINDS) for arn in arns] == [1] * 9


# --- the local AWS as the real one -----------------------------------------------------------


@pytest.mark.engine
def test_keys_of_another_account_are_refused(endpoint: str, learner: str) -> None:
    naming = Naming(chapter=CHAPTER, learner=learner)
    with pytest.raises(LabError, match=f"belong to account {ACCOUNT}, not to 999999999999"):
        RealAws(naming, BILL, account="999999999999", hours=1, endpoint_url=endpoint)


@pytest.mark.engine
def test_cost_is_told_before_there_is_a_client(
    endpoint: str, learner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    real(learner, endpoint)
    said = capsys.readouterr().out
    assert str(BILL) in said
    assert f"Account {ACCOUNT}: until " in said
    assert f"learner={learner}" in said


@pytest.mark.engine
def test_who_has_the_real_one_is_told_of_a_client_of_the_local_one(
    endpoint: str,
    learner: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(door, "_said", {"keys"})
    opened = Door(Naming(chapter=CHAPTER, learner=learner))
    opened.client("ecs")
    assert not capsys.readouterr().out
    opened._real = real(learner, endpoint)
    capsys.readouterr()
    for service in ("ecs", "ec2"):
        opened.client(service)
    told = "This client is of the local AWS; real=True asks your account.\n"
    assert capsys.readouterr().out == told
    opened.close()


def test_what_could_not_be_undone_is_not_done(endpoint: str, learner: str) -> None:
    aws = real(learner, endpoint)
    with pytest.raises(LabError, match="could not clean up"):
        aws.client("rds")
    with pytest.raises(LabError, match="does not do RunInstances"):
        aws.client("ec2").run_instances(MinCount=1, MaxCount=1)
    with pytest.raises(LabError, match="does not do TagResource"):
        aws.client("ecs").tag_resource(resourceArn="arn", tags=[])
    with pytest.raises(LabError, match="not in 999999999999"):
        aws.refuse_other("999999999999")


@pytest.mark.engine
def test_when_the_time_is_up_nothing_is_made_and_all_can_be_removed(
    endpoint: str, learner: str
) -> None:
    aws = real(learner, endpoint)
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="in-time")
    aws._end = dt.datetime.now().astimezone() - dt.timedelta(seconds=1)
    with pytest.raises(LabError, match=r"time in account \d+ was up"):
        ecs.create_cluster(clusterName="late")
    with pytest.raises(LabError, match="was up"):
        ecs.update_service(service="any", desiredCount=100)
    assert ecs.describe_clusters(clusters=["in-time"])["clusters"]
    aws.close()
    assert ecs.list_clusters()["clusterArns"] == []


def make_a_chapter(aws: RealAws) -> None:
    ec2, ecs, elbv2 = aws.client("ec2"), aws.client("ecs"), aws.client("elbv2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]][:2]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0"
    )
    aws.client("logs").create_log_group(logGroupName="/course/web")
    balancer = elbv2.create_load_balancer(Name="web", Subnets=subnets, SecurityGroups=[group])
    target_group = elbv2.create_target_group(
        Name="web", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=free_port(),
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
    )
    aws.client("ecr").create_repository(repositoryName="course/web")
    ecs.create_cluster(clusterName="web")
    ecs.register_task_definition(
        family="web",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "web", "image": "course/app:1", "stopTimeout": 2}],
    )
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group]}}
    fargate = {"launchType": "FARGATE", "networkConfiguration": network, "cluster": "web"}
    ecs.run_task(taskDefinition="web", **fargate)
    ecs.create_service(serviceName="web", taskDefinition="web", desiredCount=1, **fargate)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def active_definitions(ecs: Any) -> list[str]:  # noqa: ANN401
    try:
        found = ecs.describe_task_definition(taskDefinition="web:1")["taskDefinition"]
    except ClientError:
        return []
    return [found["taskDefinitionArn"]] if found["status"] == "ACTIVE" else []


def all_there(aws: RealAws) -> list[str]:
    ecs, elbv2 = aws.client("ecs"), aws.client("elbv2")
    groups = aws.client("ec2").describe_security_groups()["SecurityGroups"]
    return [
        *ecs.list_clusters()["clusterArns"],
        *active_definitions(ecs),
        *(one["LoadBalancerArn"] for one in elbv2.describe_load_balancers()["LoadBalancers"]),
        *(one["TargetGroupArn"] for one in elbv2.describe_target_groups()["TargetGroups"]),
        *(one["arn"] for one in aws.client("logs").describe_log_groups()["logGroups"]),
        *(o["repositoryArn"] for o in aws.client("ecr").describe_repositories()["repositories"]),
        *(one["GroupId"] for one in groups if one["GroupName"] != "default"),
    ]


@pytest.mark.engine
def test_all_that_a_chapter_makes_is_tagged_and_removed_and_proved_gone(
    endpoint: str, learner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    aws = real(learner, endpoint)
    make_a_chapter(aws)
    assert len(all_there(aws)) == 7
    tags = aws.client("ecs").describe_services(cluster="web", services=["web"], include=["TAGS"])[
        "services"
    ][0]["tags"]
    assert {"key": "learner", "value": learner} in tags
    capsys.readouterr()
    aws.close()
    said = capsys.readouterr().out
    assert all_there(aws) == []
    assert "nothing with the course's tags is left" in said
    for what in (
        "cluster/web",
        "service/web/web",
        "loadbalancer/app/web/",
        "repository/course/web",
    ):
        assert what in said


@pytest.mark.engine
def test_later_kernel_removes_what_one_that_died_has_made(endpoint: str, learner: str) -> None:
    aws = real(learner, endpoint)
    make_a_chapter(aws)
    # Its notes are enough, and so are the tags alone.
    session = real_session(ACCOUNT, endpoint)
    tags = {"course": "containers-on-aws", "learner": learner}
    said = Removal(session, ACCOUNT, tags, endpoint_url=endpoint).run()
    assert "cluster/web" in said
    assert all_there(aws) == []


@pytest.mark.engine
def test_what_others_have_there_stays(endpoint: str, learner: str) -> None:
    session = real_session(ACCOUNT, endpoint)
    ecs = session.client("ecs", endpoint_url=endpoint)
    ecs.create_cluster(clusterName="untagged")
    other = real(f"{learner}-2", endpoint)
    other.client("ecs").create_cluster(clusterName="another-learner-s")
    aws = real(learner, endpoint)
    aws.client("ecs").create_cluster(clusterName="own")
    # Made by others, and answered as if it were new: so AWS does it.
    aws.client("ecs").create_cluster(clusterName="untagged")
    session.client("logs", endpoint_url=endpoint).create_log_group(logGroupName="untagged")
    with pytest.raises(ClientError, match="AlreadyExists"):
        aws.client("logs").create_log_group(logGroupName="untagged")
    aws.close()
    assert aws.client("logs").describe_log_groups()["logGroups"]
    left = [arn.rpartition("/")[2] for arn in ecs.list_clusters()["clusterArns"]]
    assert sorted(left) == ["another-learner-s", "untagged"]
    other.close()


@pytest.mark.engine
def test_thing_of_an_unknown_kind_is_told_and_not_removed(endpoint: str, learner: str) -> None:
    aws = real(learner, endpoint)
    session = real_session(ACCOUNT, endpoint)
    tags = [{"Key": name, "Value": value} for name, value in aws._tags.items()]
    secrets = session.client("secretsmanager", endpoint_url=endpoint)
    made = secrets.create_secret(Name="own", SecretString="kept", Tags=tags)
    with pytest.raises(LabError, match="still, and may cost:\n  arn:aws:secretsmanager:") as caught:
        aws.close()
    assert f"lab aws --clean-real {ACCOUNT}" in caught.value.next_step
    assert secrets.describe_secret(SecretId=made["ARN"])["Name"] == "own"
