"""What a load balancer or a target group can be called."""

from __future__ import annotations

import re
from typing import Final

from lab.aws.errors import AwsError

__all__ = ["refuse_bad_name"]

MOST_LETTERS: Final = 32


def refuse_bad_name(what: str, name: str) -> None:
    """Refuse a name that AWS does not take.

    Args:
        what: What is named, as AWS's sentence begins.
        name: The name.

    Raises:
        AwsError: ``ValidationError``.
    """
    if not name:
        raise AwsError("ValidationError", f"{what} cannot be empty")
    if len(name) > MOST_LETTERS:
        raise AwsError(
            "ValidationError", f"{what} '{name}' cannot be longer than '{MOST_LETTERS}' characters"
        )
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise AwsError(
            "ValidationError",
            f"{what} '{name}' can only contain characters that are alphanumeric characters and "
            "hyphens(-)",
        )
    if name.startswith("-") or name.endswith("-"):
        raise AwsError("ValidationError", f"{what} '{name}' cannot begin or end with '-'")
