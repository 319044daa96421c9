"""What the endpoint refuses before any service is asked: what is not there, here or at AWS.

An answer that looks true is worse than a refusal: behind a service that the course does not use
there would be nothing, and a region that AWS does not have is a typing mistake.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from botocore.loaders import Loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    Refusal = tuple[str, str, str]

__all__ = ["SERVICES", "guarded", "regions", "services_said"]

# What of AWS the local one has, of its own or as far as the state of it goes: each service's name
# in boto3, and the name by which requests to it are signed.
SERVICES: Final = {
    "ec2": "ec2",
    "ecr": "ecr",
    "ecs": "ecs",
    "elbv2": "elasticloadbalancing",
    "iam": "iam",
    "logs": "logs",
    "resourcegroupstaggingapi": "tagging",
    "s3": "s3",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
    "sts": "sts",
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
_SCOPE: Final = re.compile(r"Credential=[^/]*/[^/]*/([^/]*)/([^/]*)/aws4_request")


def services_said() -> str:
    """List the services in a sentence.

    Example:
        >>> services_said()[-11:]
        'ssm and sts'
    """
    *others, last = SERVICES
    return f"{', '.join(others)} and {last}"


@functools.cache
def regions() -> frozenset[str]:
    """List all regions that AWS has, by botocore's table of them.

    Example:
        >>> "us-east-1" in regions(), "mars-1" in regions()
        (True, False)
    """
    partitions = Loader().load_data("partitions")["partitions"]
    return frozenset(region for partition in partitions for region in partition["regions"])


def guarded(application: WSGIApplication) -> WSGIApplication:
    """Put the gate before an application: what it refuses, the application never sees.

    A request without a signature passes: it names neither service nor region.

    Args:
        application: The server of all services.
    """

    def gate(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        refusal = _refusal(*scope.groups()) if scope else None
        if scope is None or refusal is None:
            return application(environ, start)
        # What is not read would be taken for the next request of the connection.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code, message = refusal
        write = _writer(environ, service=scope[2])
        kind, body = write(code, message)
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return gate


def _refusal(region: str, service: str) -> Refusal | None:
    if service not in SERVICES.values():
        told = f"The local AWS has no service {service}. It has {services_said()}."
        return "400 Bad Request", "UnknownOperationException", told
    if region not in regions():
        # As AWS says it, where a request has reached one of its endpoints.
        # https://github.com/aws/aws-sdk-java-v2/issues/988
        told = f"Credential should be scoped to a valid region, not '{region}'."
        return "403 Forbidden", "InvalidSignatureException", told
    return None


def _writer(environ: WSGIEnvironment, service: str) -> Callable[[str, str], tuple[str, bytes]]:
    """Choose how to write an error, as the protocol of the request wants to have it."""
    if service == "s3":
        return functools.partial(_xml, "<Error>{}</Error>")
    if "x-www-form-urlencoded" not in environ.get("CONTENT_TYPE", ""):
        return _json
    if service == "ec2":
        return functools.partial(_xml, "<Response><Errors><Error>{}</Error></Errors></Response>")
    return functools.partial(_xml, "<ErrorResponse><Error>{}</Error></ErrorResponse>")


def _json(code: str, message: str) -> tuple[str, bytes]:
    return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()


def _xml(around: str, code: str, message: str) -> tuple[str, bytes]:
    # The services that speak XML have another name for it.
    code = {"InvalidSignatureException": "SignatureDoesNotMatch"}.get(code, code)
    inside = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    return "text/xml", around.format(inside).encode()
