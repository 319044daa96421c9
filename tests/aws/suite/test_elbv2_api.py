"""Load balancers, target groups, listeners and rules: what is made, listed, refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .account import fixed, forward, refused
from .documented import documented

if TYPE_CHECKING:
    from .account import Account, Json


def path(*patterns: str) -> list[Json]:
    return [{"Field": "path-pattern", "PathPatternConfig": {"Values": list(patterns)}}]


def rule(aws: Account, listener: Json, priority: int, *patterns: str) -> Json:
    made = aws.elbv2.create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=priority,
        Conditions=path(*patterns),
        Actions=[fixed(patterns[0])],
    )
    return made["Rules"][0]


@documented("elbv2/API_CreateLoadBalancer")
def test_load_balancer_is_an_application_facing_the_internet(aws: Account) -> None:
    """By default a load balancer is of the type application and the scheme internet-facing."""
    made = aws.balancer()
    assert (made["Type"], made["Scheme"]) == ("application", "internet-facing")
    assert made["IpAddressType"] == "ipv4"
    assert made["DNSName"]
    assert made["VpcId"] == aws.vpc()


@documented("shape:elbv2.LoadBalancer.LoadBalancerArn")
def test_arn_names_type_and_name(aws: Account) -> None:
    """A load balancer's ARN has loadbalancer/app/name/id."""
    made = aws.balancer()
    form = r"arn:aws:elasticloadbalancing:us-east-1:\d{12}:loadbalancer/app/"
    assert re.fullmatch(form + made["LoadBalancerName"] + "/[0-9a-f]{16}", made["LoadBalancerArn"])


@documented("shape:elbv2.LoadBalancerState.Code")
def test_load_balancer_becomes_active(aws: Account) -> None:
    """A load balancer is provisioning at first, and then active."""
    arn = aws.balancer()["LoadBalancerArn"]
    described = aws.elbv2.describe_load_balancers

    def is_active() -> bool:
        [found] = described(LoadBalancerArns=[arn])["LoadBalancers"]
        return found["State"]["Code"] == "active"

    aws.until(is_active, "load balancer active")


@documented("elbv2/API_DescribeLoadBalancers")
def test_load_balancer_is_found_by_name(aws: Account) -> None:
    """A load balancer is described by its name."""
    made = aws.balancer()
    found = aws.elbv2.describe_load_balancers(Names=[made["LoadBalancerName"]])
    assert [lb["LoadBalancerArn"] for lb in found["LoadBalancers"]] == [made["LoadBalancerArn"]]


@documented("elbv2/API_DescribeLoadBalancers")
def test_unknown_load_balancer_is_not_found(aws: Account) -> None:
    """Describing a load balancer that is not there is LoadBalancerNotFound."""
    with refused("LoadBalancerNotFound"):
        aws.elbv2.describe_load_balancers(Names=[aws.name("nobody")])


@documented("elbv2/API_CreateLoadBalancer")
def test_name_is_taken_once(aws: Account) -> None:
    """A second load balancer with the name and another scheme is DuplicateLoadBalancerName."""
    name = aws.balancer()["LoadBalancerName"]
    with refused("DuplicateLoadBalancerName"):
        aws.balancer(Name=name, Scheme="internal")


@documented("elbv2/API_CreateLoadBalancer")
def test_creation_is_idempotent(aws: Account) -> None:
    """Creating a load balancer again with the same settings succeeds, and makes no second one."""
    first = aws.balancer()
    again = aws.balancer(Name=first["LoadBalancerName"])
    assert again["LoadBalancerArn"] == first["LoadBalancerArn"]


@documented("elbv2/API_CreateLoadBalancer")
def test_application_load_balancer_needs_two_zones(aws: Account) -> None:
    """An application load balancer needs subnets of two zones at least."""
    with refused("ValidationError", "InvalidConfigurationRequest", "InvalidSubnet"):
        aws.balancer(Subnets=aws.subnets(1))


@documented("elbv2/API_CreateLoadBalancer")
def test_unknown_subnet_is_refused(aws: Account) -> None:
    """A subnet that is not there is SubnetNotFound or InvalidSubnet."""
    with refused("SubnetNotFound", "InvalidSubnet"):
        aws.balancer(Subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"])


@documented("shape:elbv2.CreateLoadBalancerInput.Name")
def test_name_has_letters_numbers_hyphens(aws: Account) -> None:
    """A name with other characters than letters, numbers and hyphens is refused."""
    with refused("ValidationError", "InvalidConfigurationRequest"):
        aws.balancer(Name="no spaces, please!")


@documented("shape:elbv2.CreateLoadBalancerInput.Name")
def test_name_has_at_most_32_characters(aws: Account) -> None:
    """A name of 33 characters is refused."""
    with refused("ValidationError", "InvalidConfigurationRequest"):
        aws.balancer(Name="n" * 33)


@documented("elbv2/API_DeleteLoadBalancer")
def test_deleted_load_balancer_is_gone(aws: Account) -> None:
    """A deleted load balancer is not found, its listeners neither, and deleting again succeeds."""
    made = aws.balancer()
    listener = aws.listener(made, fixed("hello"))
    for _ in range(2):
        aws.elbv2.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    with refused("LoadBalancerNotFound"):
        aws.elbv2.describe_load_balancers(LoadBalancerArns=[made["LoadBalancerArn"]])
    with refused("ListenerNotFound"):
        aws.elbv2.describe_listeners(ListenerArns=[listener["ListenerArn"]])


@documented("elbv2/API_DeleteLoadBalancer")
def test_protected_load_balancer_is_not_deleted(aws: Account) -> None:
    """With deletion protection, deleting is OperationNotPermitted."""
    arn = aws.balancer()["LoadBalancerArn"]
    modify = aws.elbv2.modify_load_balancer_attributes
    key = "deletion_protection.enabled"
    modify(LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": "true"}])
    with refused("OperationNotPermitted"):
        aws.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    modify(LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": "false"}])


@documented("elbv2/API_LoadBalancerAttribute")
def test_load_balancer_has_its_default_attributes(aws: Account) -> None:
    """A load balancer is not protected, and closes an idle connection after 60 seconds."""
    arn = aws.balancer()["LoadBalancerArn"]
    found = aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    attributes = {attribute["Key"]: attribute["Value"] for attribute in found}
    assert attributes["deletion_protection.enabled"] == "false"
    assert attributes["idle_timeout.timeout_seconds"] == "60"


@documented("elbv2/API_CreateTargetGroup")
def test_health_checks_have_their_defaults(aws: Account) -> None:
    """An HTTP target group's checks: each 30 s, 5 good or 2 bad ones decide, GET / with 200."""
    arn = aws.target_group()
    [made] = aws.elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    # Not the timeout: the API's reference says 6 seconds, the guide 5.
    assert made["HealthCheckIntervalSeconds"] == 30
    assert (made["HealthyThresholdCount"], made["UnhealthyThresholdCount"]) == (5, 2)
    assert (made["HealthCheckPath"], made["Matcher"]["HttpCode"]) == ("/", "200")
    assert made["HealthCheckPort"] == "traffic-port"


@documented("elbv2/API_TargetGroupAttribute")
def test_deregistration_takes_300_seconds_by_default(aws: Account) -> None:
    """A target group's deregistration delay is 300 seconds."""
    found = aws.elbv2.describe_target_group_attributes(TargetGroupArn=aws.target_group())
    attributes = {attribute["Key"]: attribute["Value"] for attribute in found["Attributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "300"


@documented("elbv2/API_CreateTargetGroup")
def test_target_group_name_is_taken_once(aws: Account) -> None:
    """A second target group of the name with another port is DuplicateTargetGroupName."""
    name = aws.name("tg")
    aws.target_group(Name=name, Port=80)
    with refused("DuplicateTargetGroupName"):
        aws.target_group(Name=name, Port=81)


@documented("elbv2/API_DescribeTargetGroups")
def test_unknown_target_group_is_not_found(aws: Account) -> None:
    """Describing a target group that is not there is TargetGroupNotFound."""
    with refused("TargetGroupNotFound"):
        aws.elbv2.describe_target_groups(Names=[aws.name("nobody")])


@documented("elbv2/API_DeleteTargetGroup")
def test_target_group_in_use_is_not_deleted(aws: Account) -> None:
    """A target group that an action refers to is not deleted: ResourceInUse."""
    group = aws.target_group()
    aws.listener(aws.balancer(), forward(group))
    with refused("ResourceInUse"):
        aws.elbv2.delete_target_group(TargetGroupArn=group)


@documented("elbv2/API_DescribeTargetGroups")
def test_target_groups_are_found_by_load_balancer(aws: Account) -> None:
    """The target groups are described to which a load balancer's listeners forward."""
    group, balancer = aws.target_group(), aws.balancer()
    aws.target_group()
    aws.listener(balancer, forward(group))
    found = aws.elbv2.describe_target_groups(LoadBalancerArn=balancer["LoadBalancerArn"])
    [one] = found["TargetGroups"]
    assert one["TargetGroupArn"] == group
    assert one["LoadBalancerArns"] == [balancer["LoadBalancerArn"]]


@documented("elbv2/API_CreateListener")
def test_listener_has_a_default_rule(aws: Account) -> None:
    """A listener has one rule, the default, with its default action."""
    listener = aws.listener(aws.balancer(), fixed("hello"))
    [only] = aws.elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    assert (only["Priority"], only["IsDefault"], only["Conditions"]) == ("default", True, [])
    assert only["Actions"][0]["FixedResponseConfig"]["MessageBody"] == "hello"


@documented("elbv2/API_CreateListener")
def test_port_is_taken_once(aws: Account) -> None:
    """A second listener on the port of a load balancer, with another action, is refused."""
    balancer = aws.balancer()
    first = aws.listener(balancer, fixed("hello"))
    with refused("DuplicateListener"):
        aws.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=first["Port"],
            DefaultActions=[fixed("other")],
        )


@documented("elbv2/API_CreateListener")
def test_listener_needs_a_target_group_that_is_there(aws: Account) -> None:
    """A listener that forwards to a target group that is not there is TargetGroupNotFound."""
    balancer, group = aws.balancer(), aws.target_group()
    aws.elbv2.delete_target_group(TargetGroupArn=group)
    with refused("TargetGroupNotFound"):
        aws.listener(balancer, forward(group))


@documented("elbv2/API_CreateRule")
def test_priority_is_taken_once(aws: Account) -> None:
    """A second rule with the same priority is PriorityInUse."""
    listener = aws.listener(aws.balancer(), fixed("hello"))
    rule(aws, listener, 10, "/a")
    with refused("PriorityInUse"):
        rule(aws, listener, 10, "/b")


@documented("elbv2/API_DescribeRules")
def test_rules_have_their_priorities(aws: Account) -> None:
    """A listener's rules are described with their priorities, the default rule among them."""
    listener = aws.listener(aws.balancer(), fixed("hello"))
    for priority, pattern in ((20, "/b"), (10, "/a")):
        rule(aws, listener, priority, pattern)
    found = aws.elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    assert sorted(one["Priority"] for one in found) == ["10", "20", "default"]


@documented("elbv2/API_SetRulePriorities")
def test_priorities_can_be_swapped(aws: Account) -> None:
    """Rules can be reordered at once, if no two have the same priority afterwards."""
    listener = aws.listener(aws.balancer(), fixed("hello"))
    first, second = (rule(aws, listener, n, f"/{n}")["RuleArn"] for n in (1, 2))
    swapped = aws.elbv2.set_rule_priorities(
        RulePriorities=[
            {"RuleArn": first, "Priority": 2},
            {"RuleArn": second, "Priority": 1},
        ]
    )["Rules"]
    assert {one["RuleArn"]: one["Priority"] for one in swapped} == {first: "2", second: "1"}


@documented("elbv2/API_DeleteRule")
def test_default_rule_is_not_deleted(aws: Account) -> None:
    """The default rule can't be deleted: OperationNotPermitted."""
    listener = aws.listener(aws.balancer(), fixed("hello"))
    [only] = aws.elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    with refused("OperationNotPermitted"):
        aws.elbv2.delete_rule(RuleArn=only["RuleArn"])


@documented("elbv2/API_DescribeTargetHealth")
def test_target_without_a_listener_is_unused(aws: Account) -> None:
    """A target whose group no listener uses is unused: Target.NotInUse."""
    group = aws.target_group()
    target = {"Id": _address(aws), "Port": 8080}
    aws.elbv2.register_targets(TargetGroupArn=group, Targets=[target])
    [found] = aws.health(group)
    assert found["Target"]["Id"] == target["Id"]
    assert found["TargetHealth"]["State"] == "unused"
    assert found["TargetHealth"]["Reason"] == "Target.NotInUse"


@documented("elbv2/API_RegisterTargets")
def test_address_can_be_registered_with_two_ports(aws: Account) -> None:
    """An address can be a target several times, with different ports."""
    group, address = aws.target_group(), _address(aws)
    targets = [{"Id": address, "Port": port} for port in (8080, 8081)]
    aws.elbv2.register_targets(TargetGroupArn=group, Targets=targets)
    assert sorted(found["Target"]["Port"] for found in aws.health(group)) == [8080, 8081]


@documented("elbv2/API_DeregisterTargets")
def test_target_that_is_not_there_is_deregistered_quietly(aws: Account) -> None:
    """If the target does not exist, deregistering it returns successfully."""
    group = aws.target_group()
    answer = aws.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": _address(aws)}])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@documented("elbv2/API_AddTags")
def test_tags_are_described_by_arn(aws: Account) -> None:
    """Tags that were added to a load balancer and a target group are described for each."""
    arns = [aws.balancer()["LoadBalancerArn"], aws.target_group()]
    aws.elbv2.add_tags(ResourceArns=arns, Tags=[{"Key": "stage", "Value": "try"}])
    found = aws.elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]
    assert {one["ResourceArn"]: one["Tags"] for one in found} == {
        arn: [{"Key": "stage", "Value": "try"}] for arn in arns
    }


@documented("shape:elbv2.DescribeTargetGroupsInput.PageSize")
def test_target_groups_come_in_pages(aws: Account) -> None:
    """PageSize limits a page of target groups, and NextMarker leads to the rest."""
    names = [aws.name("tg") for _ in range(3)]
    for name in names:
        aws.target_group(Name=name)
    paginate = aws.elbv2.get_paginator("describe_target_groups").paginate
    pages = [page["TargetGroups"] for page in paginate(PaginationConfig={"PageSize": 1})]
    assert all(len(page) <= 1 for page in pages)
    assert set(names) <= {group["TargetGroupName"] for page in pages for group in page}


def _address(aws: Account) -> str:
    """Take an address in a subnet of the VPC at which nothing listens."""
    [subnet] = aws.ec2.describe_subnets(SubnetIds=aws.subnets(1))["Subnets"]
    return f"{subnet['CidrBlock'].rpartition('.')[0]}.250"
