"""How a target becomes healthy or unhealthy, and what is said of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from lab.aws.elb.attributes import OF_GROUPS
from lab.aws.elb.health import Failure, is_expected, judge
from lab.aws.elb.records import EVERY_ZONE, Target, TargetGroup

from .conftest import Server, forward

if TYPE_CHECKING:
    from .conftest import Region

Json = dict[str, Any]

BAD = Failure("Target.Timeout", "Request timed out")


def states(checks: str) -> str:
    """Tell a target's states after good (+) and bad (-) checks, by their first letters."""
    form = {"HealthyThresholdCount": 3, "UnhealthyThresholdCount": 2, "TargetType": "ip"}
    group = TargetGroup("web", "arn", form, dict(OF_GROUPS), [])
    target = Target(group, "10.0.0.1", 80, EVERY_ZONE)
    found = []
    for check in checks:
        judge(target, None if check == "+" else BAD)
        found.append(target.state[0])
    return "".join(found)


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ("+", "h"),
        ("-+", "ih"),
        ("--", "iu"),
        ("+-+-", "hhhh"),
        ("+--", "hhu"),
        ("--++-+++", "iuuuuuuh"),
    ],
)
def test_checks_in_a_row_decide(checks: str, expected: str) -> None:
    assert states(checks) == expected


@pytest.mark.parametrize(
    ("status", "matcher", "expected"),
    [
        (200, "200", True),
        (201, "200", False),
        (302, "200,300-399", True),
        (299, "200,300-399", False),
        (404, "200-299,404", True),
    ],
)
def test_matcher(status: int, matcher: str, expected: bool) -> None:  # noqa: FBT001
    assert is_expected(status, matcher) is expected


def quick(region: Region, **form: Any) -> str:  # noqa: ANN401
    times = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}
    group = region.group(**(times | form))
    region.listener(region.balancer(), forward(group))
    return group


def put(region: Region, group: str, server: Server | None, number: int = 10) -> str:
    address = region.address(number)
    if server:
        region.servers[address] = server
        region.addresses[address] = ("127.0.0.1", server.server_port)
    region.ask("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": address}])
    return address


def test_wrong_code_is_named(region: Region) -> None:
    server = Server("web")
    server.health = 503
    group = quick(region)
    address = put(region, group, server)
    assert region.health(group, address)["Reason"] == "Elb.InitialHealthChecking"
    region.until(lambda: region.health(group, address)["State"] == "unhealthy", "unhealthy")
    assert region.health(group, address) == {
        "State": "unhealthy",
        "Reason": "Target.ResponseCodeMismatch",
        "Description": "Health checks failed with these codes: [503]",
    }


def test_refused_connection_is_a_failed_check(region: Region) -> None:
    server = Server("web")
    server.end()
    group = quick(region)
    address = put(region, group, server)
    region.until(lambda: region.health(group, address)["State"] == "unhealthy", "unhealthy")
    assert region.health(group, address)["Reason"] == "Target.FailedHealthChecks"


def test_no_answer_is_a_timeout(region: Region) -> None:
    server, leave = Server("web"), threading.Event()
    server.answer = lambda _one: (leave.wait(20), None)[1]
    group = quick(region, HealthCheckPath="/slow")
    address = put(region, group, server)
    region.until(lambda: region.health(group, address)["State"] == "unhealthy", "unhealthy")
    leave.set()
    assert region.health(group, address) == {
        "State": "unhealthy",
        "Reason": "Target.Timeout",
        "Description": "Request timed out",
    }


def test_new_target_is_healthy_as_soon_as_it_answers(region: Region) -> None:
    server = Server("web")
    server.health = 503
    group = region.group(HealthCheckIntervalSeconds=300)
    region.listener(region.balancer(), forward(group))
    address = put(region, group, server)
    server.health = 200
    region.until(lambda: region.health(group, address) == {"State": "healthy"}, "healthy")


def test_target_is_checked_at_the_port_and_path_that_are_set(region: Region) -> None:
    asked: list[tuple[str, int]] = []
    region.elb.address_of = lambda target_id, port: (
        asked.append((target_id, port))
        or (  # type: ignore[func-returns-value]
            "127.0.0.1",
            server.server_port,
        )
    )
    server = Server("web")
    group = region.group(HealthCheckPort="9000", HealthCheckPath="/ready?now=1")
    region.listener(region.balancer(), forward(group))
    address = put(region, group, server)
    region.servers[address] = server
    region.until(lambda: region.health(group, address) == {"State": "healthy"}, "healthy")
    assert set(asked) == {(address, 9000)}
    [(_, path, headers, _), *_] = server.asked
    assert path == "/ready?now=1"
    assert headers["User-Agent"] == "ELB-HealthChecker/2.0"
    [found] = region.ask("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"]
    assert found["HealthCheckPort"] == "9000"


def test_target_is_checked_only_while_a_rule_names_its_group(region: Region) -> None:
    group, server = region.group(), Server("web")
    address = put(region, group, server)
    assert region.health(group, address)["Reason"] == "Target.NotInUse"
    listener = region.listener(region.balancer(), forward(group))
    region.until(lambda: region.health(group, address) == {"State": "healthy"}, "healthy")
    region.ask("DeleteListener", ListenerArn=listener["ListenerArn"])
    assert region.health(group, address)["State"] == "unused"


def test_target_in_a_zone_that_is_not_enabled_is_unused(region: Region) -> None:
    group = region.group()
    region.listener(region.balancer(), forward(group))
    other = region.address(10, zone=2)
    region.ask("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": other}])
    health = region.health(group, other)
    assert (health["State"], health["Reason"]) == ("unused", "Target.NotInUse")
    assert "Availability Zone that is not enabled" in health["Description"]


def test_each_change_of_health_is_told(region: Region) -> None:
    told: list[str] = []
    group = quick(region)
    address, server = region.address(10), Server("web")

    def look() -> None:
        targets = region.elb.target_groups[group].targets.values()
        told.extend(str(target.health()["State"]) for target in targets)

    region.elb.changed = look
    put(region, group, server)
    region.until(lambda: region.health(group, address) == {"State": "healthy"}, "healthy")
    server.health = 500
    region.until(lambda: region.health(group, address)["State"] == "unhealthy", "unhealthy")
    assert told == ["initial", "healthy", "unhealthy"]
