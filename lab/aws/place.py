"""Where a resource lives: an account and a region, which its ARN names."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

__all__ = ["Place", "new_id"]


@dataclass(frozen=True)
class Place:
    """One region of one account; each service keeps its resources by place.

    Example:
        >>> Place("123456789012", "us-east-1").arn("ecs", "cluster/default")
        'arn:aws:ecs:us-east-1:123456789012:cluster/default'
    """

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """Name a resource of this place in full."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def new_id(digits: int = 32) -> str:
    """Make an id as AWS's are: hexadecimal digits, 32 of them for a task.

    Example:
        >>> len(new_id()), len(new_id(16))
        (32, 16)
    """
    return secrets.token_hex(digits // 2)
