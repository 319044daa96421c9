"""What the course's own services have for the Resource Groups Tagging API: ARN, type, tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.aws.ecr.state import Ecr
    from lab.aws.ecs.state import Ecs
    from lab.aws.elb.state import Elb
    from lab.aws.logs.state import Logs

__all__ = ["Tagged", "of_ecr", "of_ecs", "of_elb", "of_logs"]

Tagged = tuple[str, str, dict[str, str]]


def of_ecs(ecs: Ecs) -> list[Tagged]:
    """List what has tags in ECS."""
    groups: dict[str, Iterable[Any]] = {
        "cluster": ecs.clusters.values(),
        "service": ecs.services.values(),
        "task": ecs.tasks.values(),
        "task-definition": [one for family in ecs.families.values() for one in family],
        "container-instance": ecs.hosts.values(),
    }
    return [
        (one.arn, f"ecs:{kind}", {tag["key"]: tag["value"] for tag in one.tags})
        for kind, group in groups.items()
        for one in group
        if one.tags
    ]


def of_logs(logs: Logs) -> list[Tagged]:
    """List the log groups that have tags."""
    groups = logs.groups.values()
    return [(group.arn, "logs:log-group", group.tags) for group in groups if group.tags]


def of_ecr(ecr: Ecr) -> list[Tagged]:
    """List the repositories that have tags."""
    found = ecr.repositories.values()
    return [(one.arn, "ecr:repository", one.tags) for one in found if one.tags]


def of_elb(elb: Elb) -> list[Tagged]:
    """List what has tags in Elastic Load Balancing."""
    groups: dict[str, Iterable[Any]] = {
        "loadbalancer": elb.balancers.values(),
        "targetgroup": elb.target_groups.values(),
        "listener": elb.listeners(),
        "listener-rule": elb.rules(),
    }
    return [
        (
            one.arn,
            f"elasticloadbalancing:{kind}",
            {tag["Key"]: tag.get("Value", "") for tag in one.tags},
        )
        for kind, group in groups.items()
        for one in group
        if one.tags
    ]
