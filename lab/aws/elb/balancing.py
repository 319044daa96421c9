"""What ECS asks of Elastic Load Balancing for the tasks of its services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.aws.elb.records import EVERY_ZONE
from lab.aws.elb.targets import zone_of_instance
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.elb.state import Elb

__all__ = ["Balancing"]


class Balancing:
    """The target groups of one place, as ECS sees them.

    Args:
        elb: The state of that place.
    """

    def __init__(self, elb: Elb) -> None:
        self._elb = elb

    def refuse_bad_group(self, group_arn: str, network_mode: str) -> None:
        """Refuse a target group that can't have the tasks of a service.

        Args:
            group_arn: The target group.
            network_mode: The tasks' own; in ``awsvpc`` each has an address, else its host has.

        Raises:
            AwsError: ``InvalidParameterException``.
        """
        group = self._elb.target_groups.get(group_arn)
        if group is None:
            raise AwsError(
                "InvalidParameterException", f"The target group {group_arn} does not exist."
            )
        if group.balancer is None:
            raise AwsError(
                "InvalidParameterException",
                f"The target group with targetGroupArn {group_arn} does not have an associated "
                "load balancer.",
            )
        if (group.kind == "ip") != (network_mode == "awsvpc"):
            raise AwsError(
                "InvalidParameterException",
                f"The provided target group {group_arn} has target type {group.kind}, which is "
                f"incompatible with the {network_mode} network mode specified in the task "
                "definition.",
            )

    def register(self, group_arn: str, target_id: str, port: int) -> None:
        """Make a task a target: its address or its host, and the port there.

        Raises:
            AwsError: ``TargetGroupNotFound`` or ``InvalidTarget``.
        """
        group = self._elb.group(group_arn)
        if group.kind == "instance":
            zone = zone_of_instance(self._elb, group, target_id)
        else:
            zone = self._elb.zone_of(group.form["VpcId"], target_id) or EVERY_ZONE
        self._elb.register(group, target_id, port, zone)

    async def deregister(self, group_arn: str, target_id: str, port: int) -> None:
        """Give a task no more requests, and return when it has had its time to finish others."""
        group = self._elb.target_groups.get(group_arn)
        target = group.targets.get((target_id, port)) if group else None
        if target is not None:
            self._elb.deregister(target)
            await target.gone.wait()

    def state_of(self, group_arn: str, target_id: str, port: int) -> str:
        """Tell how a task is: initial, healthy, unhealthy, draining or unused."""
        group = self._elb.target_groups.get(group_arn)
        target = group.targets.get((target_id, port)) if group else None
        return str(target.health()["State"]) if target else "unused"
