"""Where requests go, by weights and by the health of targets."""

from __future__ import annotations

from typing import Any

from lab.aws.elb.attributes import OF_GROUPS
from lab.aws.elb.choice import group_for, target_for
from lab.aws.elb.records import EVERY_ZONE, Listener, LoadBalancer, Rule, Target, TargetGroup

BALANCER = LoadBalancer("web", "arn", "localhost", "internal", "vpc", [], [], {}, [])


def group(*states: str, **attributes: str) -> TargetGroup:
    settings = dict(OF_GROUPS) | {key.replace("__", "."): v for key, v in attributes.items()}
    made = TargetGroup("web", "arn", {"TargetType": "ip"}, settings, [], BALANCER)
    for number, state in enumerate(states):
        made.targets[str(number), 80] = Target(made, str(number), 80, EVERY_ZONE, state)
    return made


def chosen(of: TargetGroup, count: int) -> str:
    found = [target_for(of, turn, set()) for turn in range(1, count + 1)]
    return "".join(target.id if target else "-" for target in found)


def weighted(**weights: int) -> Rule:
    groups: list[dict[str, Any]] = [
        {"TargetGroupArn": name, "Weight": weight} for name, weight in weights.items()
    ]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    return Rule("arn", Listener("arn", BALANCER, 80, []), None, [], [action])


def test_no_target_is_no_choice() -> None:
    assert target_for(group(), 1, set()) is None
    assert target_for(group("draining"), 1, set()) is None


def test_target_of_another_zone_gets_nothing() -> None:
    of = group("healthy", "healthy")
    of.targets["0", 80].zone = "us-east-1f"
    assert chosen(of, 3) == "111"


def test_group_that_no_listener_uses_gets_nothing() -> None:
    of = group("healthy")
    of.balancer = None
    assert target_for(of, 1, set()) is None


def test_requests_go_round_the_healthy_ones() -> None:
    assert chosen(group("healthy", "unhealthy", "healthy", "initial", "draining"), 5) == "02020"


def test_all_get_requests_if_none_is_healthy() -> None:
    assert chosen(group("unhealthy", "initial", "draining"), 4) == "0101"


def test_all_get_requests_if_too_few_are_healthy() -> None:
    count = "target_group_health__unhealthy_state_routing__minimum_healthy_targets__count"
    share = "target_group_health__unhealthy_state_routing__minimum_healthy_targets__percentage"
    assert chosen(group("healthy", "unhealthy", **{count: "2"}), 4) == "0101"
    assert chosen(group("healthy", "unhealthy", **{share: "51"}), 4) == "0101"
    assert chosen(group("healthy", "unhealthy", **{share: "50"}), 4) == "0000"


def test_who_has_least_to_do_is_next() -> None:
    of = group("healthy", "healthy", load_balancing__algorithm__type="least_outstanding_requests")
    of.targets["0", 80].under_way.add(object())  # type: ignore[arg-type]
    assert chosen(of, 3) == "111"


def test_dice_reach_everybody() -> None:
    of = group("healthy", "healthy", load_balancing__algorithm__type="weighted_random")
    assert set(chosen(of, 100)) == {"0", "1"}


def test_new_target_does_not_get_all_to_catch_up() -> None:
    of = group("healthy", "healthy")
    chosen(of, 10)
    of.targets["2", 80] = Target(of, "2", 80, EVERY_ZONE, "healthy")
    assert [target_for(of, turn, set()).id for turn in range(11, 17)].count("2") == 2  # type: ignore[union-attr]


def test_weights_are_kept_exactly() -> None:
    rule = weighted(a=9, b=1)
    for _ in range(3):
        assert sorted(group_for(rule) or "-" for _ in range(10)) == ["a"] * 9 + ["b"]


def test_group_without_weight_gets_nothing() -> None:
    assert {group_for(weighted(a=0, b=1)) for _ in range(5)} == {"b"}
    assert group_for(weighted(a=0, b=0)) is None
