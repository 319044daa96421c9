"""Keeps what an environment says of somebody's real AWS away from a program."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["forget_aws", "without_aws"]

FILES: Final = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


def without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave out keys, profiles and endpoints, and have nobody look for the files with them.

    Example:
        >>> sorted(without_aws({"AWS_PROFILE": "work", "HOME": "/home/ada"}))
        ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE', 'HOME']
    """
    others = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
    return others | dict.fromkeys(FILES, os.devnull)


def forget_aws() -> None:
    """Do the same to this process, before it imports moto, which reads a profile at once."""
    kept = without_aws(os.environ)
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    os.environ.update(kept)
