"""What an AWS service answers when it refuses: a code, a message, and nothing else."""

from __future__ import annotations

__all__ = ["AwsError"]


class AwsError(Exception):
    """Carries AWS's own error to the client, who meets it as botocore's ``ClientError``.

    Args:
        code: The exception's name in the service's model, such as ``ClusterNotFoundException``.
        message: AWS's words.

    Example:
        >>> print(AwsError("ClusterNotFoundException", "Cluster not found."))
        ClusterNotFoundException: Cluster not found.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
