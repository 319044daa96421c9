"""The instances of the EC2 launch type, as ECS sees them: container instances with a capacity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.aws.ecs.state import Cluster

__all__ = ["Host"]


@dataclass(eq=False)
class Host:
    """A container instance.

    Attributes:
        instance_id: The id of the EC2 instance.
        zone: Its availability zone.
    """

    id: str
    arn: str
    cluster: Cluster
    instance_id: str
    zone: str
