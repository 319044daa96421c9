"""Makes boto3's own clients of the local AWS, which know nothing of anybody's real account."""

from __future__ import annotations

import functools
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEY", "REGION", "client_of", "keys_there", "services"]

REGION: Final = "us-east-1"
# As key id and as secret: it opens nothing anywhere.
KEY: Final = "local"
# https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
VARIABLES: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
FILES: Final = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
}
# botocore's form: name in the configuration file, in the environment, default, conversion.
NO_FILE: Final = (None, None, os.devnull, None)
# botocore's session makes one client at a time.
_making = threading.Lock()


def client_of(service: str, endpoint: str, region: str = REGION) -> Any:  # noqa: ANN401  # no stubs
    """Make boto3's client of a service of the local AWS, with keys that open nothing elsewhere.

    Args:
        service: As boto3 names it.
        endpoint: Where the local AWS answers.
        region: The region, which keeps its resources apart from the others'.
    """
    with _making:
        return _session().client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=KEY,
            aws_secret_access_key=KEY,
            config=Config(
                retries={"total_max_attempts": 2},
                connect_timeout=5,
                read_timeout=60,
                # No proxy leads to this machine.
                proxies={},
            ),
        )


def services() -> list[str]:
    """List all services that boto3 knows."""
    found: list[str] = _session().get_available_services()
    return found


def keys_there(environ: Mapping[str, str]) -> list[str]:
    """Name what on this machine may lead to a real account; nothing of it is opened.

    Example:
        >>> keys_there({"AWS_PROFILE": "work", "HOME": "/nowhere"})
        ['AWS_PROFILE']
    """
    found = [name for name in VARIABLES if environ.get(name)]
    for name, usual in FILES.items():
        path = environ.get(name) or usual.replace("~", environ.get("HOME", "~"), 1)
        found += [environ.get(name) or usual] if Path(path).expanduser().is_file() else []
    return found


@functools.cache
def _session() -> boto3.Session:
    # Without the files: a profile there could name another endpoint, or be missing and thus refuse.
    variables = {
        "profile": (None, None, None, None),
        "config_file": NO_FILE,
        "credentials_file": NO_FILE,
    }
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=variables))
