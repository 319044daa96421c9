"""What Elastic Load Balancing refuses, and that nothing is half made then."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import fixed, forward, free_port

if TYPE_CHECKING:
    from .conftest import Region

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("form", "code", "says"),
    [
        ({"Name": ""}, "ValidationError", "cannot be empty"),
        ({"Name": "a" * 33}, "ValidationError", "longer than '32'"),
        ({"Name": "no_underscore"}, "ValidationError", "alphanumeric"),
        ({"Name": "-web"}, "ValidationError", "begin or end with '-'"),
        ({"Name": "internal-web"}, "ValidationError", "cannot begin with 'internal-'"),
        ({"Type": "network"}, "InvalidConfigurationRequest", "application only, not network"),
        ({"IpAddressType": "dualstack"}, "InvalidConfigurationRequest", "IPv4 only"),
        ({"Subnets": []}, "ValidationError", "At least two subnets"),
        ({"Subnets": ["subnet-1", "subnet-2"]}, "SubnetNotFound", "'subnet-1' does not exist"),
        ({"SecurityGroups": ["sg-1"]}, "InvalidSecurityGroup", "'sg-1' does not exist"),
        (
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]},
            "DuplicateTagKeys",
            "more than once: a",
        ),
    ],
)
def test_bad_load_balancer(region: Region, form: Json, code: str, says: str) -> None:
    whole = {"Name": "web", "Subnets": [one["id"] for one in region.subnets[:2]]} | form
    refusal = region.refused("CreateLoadBalancer", **whole)
    assert refusal.code == code
    assert says in refusal.message
    assert region.ask("DescribeLoadBalancers")["LoadBalancers"] == []


def test_one_zone_is_not_enough(region: Region) -> None:
    one = region.subnets[0]["id"]
    assert region.refused("CreateLoadBalancer", Name="a", Subnets=[one]).code == "ValidationError"
    assert region.refused("CreateLoadBalancer", Name="a", Subnets=[one, one]).code == (
        "ValidationError"
    )


@pytest.mark.parametrize(
    ("form", "code", "says"),
    [
        ({"Name": "web-"}, "ValidationError", "begin or end"),
        ({"Protocol": None}, "ValidationError", "A protocol must be specified"),
        ({"Port": None}, "ValidationError", "A port must be specified"),
        ({"VpcId": None}, "ValidationError", "A VPC ID must be specified"),
        ({"VpcId": "vpc-1"}, "ValidationError", "The VPC ID 'vpc-1' is not found"),
        ({"Port": 70000}, "ValidationError", "'port' failed to satisfy constraint"),
        ({"Protocol": "TCP"}, "InvalidConfigurationRequest", "HTTP, HTTPS only"),
        ({"TargetType": "lambda"}, "InvalidConfigurationRequest", "instance, ip only"),
        ({"ProtocolVersion": "GRPC"}, "InvalidConfigurationRequest", "HTTP1 only"),
        ({"HealthCheckIntervalSeconds": 4}, "ValidationError", "greater than or equal to 5"),
        ({"HealthCheckTimeoutSeconds": 121}, "ValidationError", "less than or equal to 120"),
        ({"HealthCheckTimeoutSeconds": 30}, "ValidationError", "smaller than the interval '30'"),
        ({"HealthyThresholdCount": 1}, "ValidationError", "'healthyThresholdCount' failed"),
        ({"HealthCheckPath": "health"}, "ValidationError", "must begin with a '/'"),
        ({"HealthCheckPort": "http"}, "ValidationError", "'traffic-port'"),
        ({"HealthCheckPort": "0"}, "ValidationError", "'traffic-port'"),
        ({"Matcher": {"HttpCode": "500"}}, "ValidationError", "'200-499' inclusive"),
        ({"Matcher": {"HttpCode": "all"}}, "ValidationError", "not valid"),
        ({"Matcher": {"HttpCode": "300-200"}}, "ValidationError", "not valid"),
        ({"Matcher": {}}, "ValidationError", "not valid"),
    ],
)
def test_bad_target_group(region: Region, form: Json, code: str, says: str) -> None:
    whole = {"Name": "web", "Protocol": "HTTP", "Port": 80, "VpcId": region.vpc} | form
    refusal = region.refused("CreateTargetGroup", **whole)
    assert (refusal.code, says in refusal.message) == (code, True), refusal
    assert region.ask("DescribeTargetGroups")["TargetGroups"] == []


def test_change_that_is_refused_changes_nothing(region: Region) -> None:
    group = region.group()
    before = region.ask("DescribeTargetGroups")
    change = {"HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 60}
    region.refused("ModifyTargetGroup", TargetGroupArn=group, **change)
    assert region.ask("DescribeTargetGroups") == before


@pytest.mark.parametrize(
    ("target", "code", "says"),
    [
        ({"Id": "web"}, "ValidationError", "not a valid IPv4 address"),
        ({"Id": "8.8.8.8"}, "ValidationError", "private range"),
        ({"Id": "127.0.0.1"}, "ValidationError", "private range"),
        ({"Id": "10.9.9.9"}, "ValidationError", "The Availability Zone is required"),
        ({"AvailabilityZone": "all"}, "ValidationError", "cannot have its Availability Zone"),
        ({"Port": 70000}, "ValidationError", "less than or equal to 65535"),
    ],
)
def test_bad_target(region: Region, target: Json, code: str, says: str) -> None:
    group = region.group()
    good = {"Id": region.address(10)}
    refusal = region.refused("RegisterTargets", TargetGroupArn=group, Targets=[good, good | target])
    assert (refusal.code, says in refusal.message) == (code, True), refusal
    found = region.ask("DescribeTargetHealth", TargetGroupArn=group)
    assert found["TargetHealthDescriptions"] == []


def test_instance_that_does_not_run_is_no_target(region: Region) -> None:
    group = region.group(TargetType="instance")
    refusal = region.refused("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": "i-1"}])
    assert refusal.code == "InvalidTarget"


def redirect(**config: str) -> Json:
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302"} | config}


@pytest.mark.parametrize(
    ("actions", "code", "says"),
    [
        ([], "InvalidLoadBalancerAction", "exactly one action"),
        ([fixed("a"), fixed("b")], "InvalidLoadBalancerAction", "exactly one action"),
        ([{"Type": "authenticate-oidc"}], "InvalidLoadBalancerAction", "only on HTTPS"),
        ([{"Type": "forward"}], "ValidationError", "target group ARN must be specified"),
        ([forward("arn:none")], "TargetGroupNotFound", "'arn:none' not found"),
        ([forward(*"abcdef")], "TooManyUniqueTargetGroupsPerLoadBalancer", "at most 5"),
        ([{"Type": "fixed-response"}], "ValidationError", "must be specified"),
        ([fixed("a", "301")], "ValidationError", "'301' at 'defaultActions.1"),
        ([fixed("a", ContentType="image/png")], "ValidationError", "must be one of"),
        ([fixed("a" * 1025)], "ValidationError", "less than or equal to 1024"),
        ([{"Type": "redirect"}], "ValidationError", "must be specified"),
        ([redirect()], "InvalidLoadBalancerAction", "creates a loop"),
        ([redirect(Query="a")], "InvalidLoadBalancerAction", "creates a loop"),
        ([redirect(Protocol="FTP")], "ValidationError", "Value 'FTP'"),
        ([redirect(Port="http")], "ValidationError", "'http' is not valid"),
        ([redirect(Path="new")], "ValidationError", "must begin with a '/'"),
    ],
)
def test_bad_action(region: Region, actions: list[Json], code: str, says: str) -> None:
    arn = region.balancer()["LoadBalancerArn"]
    form = {"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": free_port()}
    refusal = region.refused("CreateListener", **form, DefaultActions=actions)
    assert (refusal.code, says in refusal.message) == (code, True), refusal
    assert region.ask("DescribeListeners", LoadBalancerArn=arn)["Listeners"] == []


@pytest.mark.parametrize(
    ("tuples", "code"),
    [
        ({"Weight": 1000}, "ValidationError"),
        ({"Weight": -1}, "ValidationError"),
    ],
)
def test_bad_weight(region: Region, tuples: Json, code: str) -> None:
    group, balancer = region.group(), region.balancer()
    config = {"TargetGroups": [{"TargetGroupArn": group} | tuples]}
    refusal = region.refused(
        "CreateListener",
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=free_port(),
        DefaultActions=[{"Type": "forward", "ForwardConfig": config}],
    )
    assert refusal.code == code


def test_group_has_one_load_balancer(region: Region) -> None:
    group = region.group()
    region.listener(region.balancer("one"), forward(group))
    other = region.balancer("two")["LoadBalancerArn"]
    form = {"LoadBalancerArn": other, "Protocol": "HTTP", "Port": free_port()}
    refusal = region.refused("CreateListener", **form, DefaultActions=[forward(group)])
    assert refusal.code == "TargetGroupAssociationLimit"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Port": None}, "ValidationError"),
        ({"Protocol": None}, "ValidationError"),
        ({"Protocol": "TCP"}, "ValidationError"),
        ({"Protocol": "HTTPS"}, "UnsupportedProtocol"),
        ({"Port": 65536}, "ValidationError"),
    ],
)
def test_bad_listener(region: Region, form: Json, code: str) -> None:
    whole = {"Protocol": "HTTP", "Port": free_port(), "DefaultActions": [fixed("a")]} | form
    arn = region.balancer()["LoadBalancerArn"]
    assert region.refused("CreateListener", LoadBalancerArn=arn, **whole).code == code


def test_port_that_is_taken_on_this_machine_is_named(region: Region) -> None:
    balancer = region.balancer()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        form = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "HTTP"}
        refusal = region.refused(
            "CreateListener", **form, Port=port, DefaultActions=[fixed("hello")]
        )
        assert refusal.code == "InvalidConfigurationRequest"
        assert str(port) in refusal.message
        listener = region.listener(balancer, fixed("hello"))
        arn = listener["ListenerArn"]
        assert region.refused("ModifyListener", ListenerArn=arn, Port=port).code == (
            "InvalidConfigurationRequest"
        )
    [only] = region.ask("DescribeListeners", LoadBalancerArn=balancer["LoadBalancerArn"])[
        "Listeners"
    ]
    assert only == listener


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Priority": 0}, "ValidationError"),
        ({"Priority": 50001}, "ValidationError"),
        ({"Priority": 1}, "PriorityInUse"),
        ({"Conditions": []}, "ValidationError"),
        ({"Transforms": [{"Type": "url-rewrite"}]}, "InvalidConfigurationRequest"),
        ({"Actions": []}, "InvalidLoadBalancerAction"),
    ],
)
def test_bad_rule(region: Region, form: Json, code: str) -> None:
    arn = region.listener(region.balancer(), fixed("a"))["ListenerArn"]
    path = [{"Field": "path-pattern", "Values": ["/a"]}]
    good = {"ListenerArn": arn, "Priority": 2, "Conditions": path, "Actions": [fixed("b")]}
    region.ask("CreateRule", **(good | {"Priority": 1}))
    assert region.refused("CreateRule", **(good | form)).code == code
    assert len(region.ask("DescribeRules", ListenerArn=arn)["Rules"]) == 2


def test_default_rule_stays_as_the_listener_has_it(region: Region) -> None:
    arn = region.listener(region.balancer(), fixed("a"))["ListenerArn"]
    [default] = region.ask("DescribeRules", ListenerArn=arn)["Rules"]
    for operation, form in (
        ("DeleteRule", {"RuleArn": default["RuleArn"]}),
        ("ModifyRule", {"RuleArn": default["RuleArn"], "Actions": [fixed("b")]}),
        ("SetRulePriorities", {"RulePriorities": [{"RuleArn": default["RuleArn"], "Priority": 1}]}),
    ):
        assert region.refused(operation, **form).code == "OperationNotPermitted"


def test_rule_is_changed_as_a_whole_or_not(region: Region) -> None:
    arn = region.listener(region.balancer(), fixed("a"))["ListenerArn"]
    path = [{"Field": "path-pattern", "Values": ["/a"]}]
    form = {"ListenerArn": arn, "Priority": 1, "Conditions": path, "Actions": [fixed("b")]}
    rule = region.ask("CreateRule", **form)["Rules"][0]["RuleArn"]
    before = region.ask("DescribeRules", RuleArns=[rule])
    other = [{"Field": "path-pattern", "Values": ["/b"]}]
    region.refused("ModifyRule", RuleArn=rule, Conditions=other, Actions=[fixed("c", "999")])
    assert region.refused("ModifyRule", RuleArn=rule).code == "ValidationError"
    assert region.ask("DescribeRules", RuleArns=[rule]) == before
    region.ask("ModifyRule", RuleArn=rule, Conditions=other)
    assert region.ask("DescribeRules", RuleArns=[rule])["Rules"][0]["Actions"] == [fixed("b")]


@pytest.mark.parametrize(
    ("operation", "form", "code"),
    [
        ("DescribeListeners", {}, "ValidationError"),
        ("DescribeRules", {}, "ValidationError"),
        ("DescribeLoadBalancers", {"PageSize": 401}, "ValidationError"),
        ("DescribeLoadBalancers", {"Marker": "next"}, "ValidationError"),
        ("DescribeLoadBalancers", {"LoadBalancerArns": ["web"]}, "ValidationError"),
        ("DescribeTargetGroups", {"Names": ["web"]}, "TargetGroupNotFound"),
        ("DescribeTags", {"ResourceArns": ["web"]}, "ValidationError"),
        ("DescribeSSLPolicies", {}, "InvalidAction"),
        ("DeleteListener", {"ListenerArn": "web"}, "ValidationError"),
    ],
)
def test_bad_question(region: Region, operation: str, form: Json, code: str) -> None:
    assert region.refused(operation, **form).code == code


@pytest.mark.parametrize(
    ("kind", "number", "code"),
    [
        ("loadbalancer/app", "DescribeListeners", "LoadBalancerNotFound"),
        ("listener/app", "DescribeRules", "ListenerNotFound"),
    ],
)
def test_what_is_not_there(region: Region, kind: str, number: str, code: str) -> None:
    arn = f"arn:aws:elasticloadbalancing:us-east-1:999999999999:{kind}/web/0123456789abcdef"
    member = "LoadBalancerArn" if kind.startswith("load") else "ListenerArn"
    assert region.refused(number, **{member: arn}).code == code


@pytest.mark.parametrize(
    ("key", "value", "code", "says"),
    [
        ("colour", "red", "ValidationError", "'colour' is not recognized"),
        (
            "deregistration_delay.timeout_seconds",
            "3601",
            "ValidationError",
            "'0-3600' inclusive",
        ),
        ("deregistration_delay.timeout_seconds", "soon", "ValidationError", "inclusive"),
        ("load_balancing.algorithm.type", "first", "ValidationError", "must be one of"),
        ("stickiness.enabled", "true", "InvalidConfigurationRequest", "can't change"),
        ("slow_start.duration_seconds", "30", "InvalidConfigurationRequest", "can't change"),
    ],
)
def test_bad_attribute(region: Region, key: str, value: str, code: str, says: str) -> None:
    group = region.group()
    good = {"Key": "deregistration_delay.timeout_seconds", "Value": "1"}
    refusal = region.refused(
        "ModifyTargetGroupAttributes",
        TargetGroupArn=group,
        Attributes=[good, {"Key": key, "Value": value}],
    )
    assert (refusal.code, says in refusal.message) == (code, True), refusal
    found = region.ask("DescribeTargetGroupAttributes", TargetGroupArn=group)["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "300"} in found


def test_tags_are_limited_and_replaced(region: Region) -> None:
    arn = region.group()
    many = [{"Key": str(number), "Value": ""} for number in range(51)]
    assert region.refused("AddTags", ResourceArns=[arn], Tags=many).code == "TooManyTags"
    region.ask("AddTags", ResourceArns=[arn], Tags=many[:50])
    region.ask("AddTags", ResourceArns=[arn], Tags=[{"Key": "0", "Value": "new"}])
    region.ask("RemoveTags", ResourceArns=[arn], TagKeys=[str(n) for n in range(1, 51)])
    [found] = region.ask("DescribeTags", ResourceArns=[arn])["TagDescriptions"]
    assert found["Tags"] == [{"Key": "0", "Value": "new"}]


def test_protected_load_balancer_keeps_its_listeners(region: Region) -> None:
    balancer = region.balancer()
    arn = balancer["LoadBalancerArn"]
    region.listener(balancer, fixed("a"))
    protect = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    region.ask("ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=protect)
    assert region.refused("DeleteLoadBalancer", LoadBalancerArn=arn).code == (
        "OperationNotPermitted"
    )
    assert len(region.ask("DescribeListeners", LoadBalancerArn=arn)["Listeners"]) == 1


def test_same_again_is_the_same(region: Region) -> None:
    balancer, group = region.balancer(), region.group()
    assert region.balancer() == balancer | {"State": {"Code": "active"}}
    assert region.group() == group
    listener = region.listener(balancer, fixed("a"))
    assert region.listener(balancer, fixed("a"), Port=listener["Port"]) == listener
