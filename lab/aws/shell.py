"""Says what to type in a terminal so that any AWS client there asks the local AWS."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from lab.aws.clients import KEY, REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["settings"]

# What would lead a client elsewhere all the same, or have it sign with somebody's session.
MISLEADING: Final = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
SERVICE_ENDPOINT: Final = "AWS_ENDPOINT_URL_"
# How a shell sets a variable for its children, and how it forgets one.
FORMS: Final = {
    "fish": ("set -gx {} {}", "set -e {}"),
    "csh": ("setenv {} {}", "unsetenv {}"),
    "tcsh": ("setenv {} {}", "unsetenv {}"),
}
POSIX: Final = ("export {}={}", "unset {}")


def settings(endpoint: str, environ: Mapping[str, str]) -> list[str]:
    """Write the settings in the form of the shell that ``SHELL`` names.

    Args:
        endpoint: Where the local AWS answers.
        environ: The environment, whose settings for another AWS are to be forgotten.

    Example:
        >>> settings("http://127.0.0.1:4566", {"SHELL": "/usr/bin/fish", "AWS_PROFILE": "work"})[:2]
        ['set -gx AWS_ENDPOINT_URL http://127.0.0.1:4566', 'set -gx AWS_REGION us-east-1']
    """
    put, forget = FORMS.get(PurePath(environ.get("SHELL", "")).name, POSIX)
    values = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,  # boto3 reads this one
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
    }
    misleading = [name for name in MISLEADING if environ.get(name)]
    misleading += sorted(name for name in environ if name.startswith(SERVICE_ENDPOINT))
    lines = [put.format(name, value) for name, value in values.items()]
    return lines + [forget.format(name) for name in misleading]
