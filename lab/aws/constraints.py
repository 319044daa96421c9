"""What a service's model demands of a request's values, and boto3 does not look at before it asks.

boto3 looks for missing members and wrong types; lengths, bounds and patterns are left to the
service, so that who breaks one meets the service's own refusal.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.model import ListShape, MapShape, StructureShape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ServiceModel, Shape

__all__ = ["Violation", "parts_of", "service_model", "violations"]

# Java's names for letters, numbers and separators, in Python's words.
CLASSES: Final = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s"}


@dataclass(frozen=True)
class Violation:
    """A value that the model does not allow.

    Attributes:
        path: Where it stands, such as ``logEvents.1.member.message``.
        value: What it is.
        must: What it must do, such as ``have length less than or equal to 512``.
        pattern: The pattern that it must match; empty where it is something else.
    """

    path: str
    value: object
    must: str
    pattern: str = ""


@functools.cache
def service_model(service: str) -> ServiceModel:
    """Load botocore's model of a service, as boto3 names it."""
    return botocore.session.get_session().get_service_model(service)


def violations(service: str, operation: str, request: dict[str, Any]) -> Iterator[Violation]:
    """Find what the model of an operation does not allow in a request, in the model's order."""
    shape = service_model(service).operation_model(operation).input_shape
    if shape is not None:
        for part, value, path in parts_of(shape, request):
            yield from _of_value(part, value, path)


def parts_of(shape: Shape, value: Any, path: str = "") -> Iterator[tuple[Shape, Any, str]]:  # noqa: ANN401  # JSON
    """Go through a value and all that is in it, in the model's order.

    Args:
        shape: The value's shape in the model.
        value: What was sent; what has another type than its shape is not gone into.
        path: Where it stands.

    Returns:
        Each part's shape, the part, and its path, such as ``logEvents.1.member.message``.
    """
    yield shape, value, path
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from parts_of(member, value[name], f"{path}.{name}".lstrip("."))
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, member in enumerate(value, 1):
            yield from parts_of(shape.member, member, f"{path}.{number}.member")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for name, member in value.items():
            yield from parts_of(shape.key, name, f"{path}.key")
            yield from parts_of(shape.value, member, f"{path}.{name}")


def _of_value(shape: Shape, value: Any, path: str) -> Iterator[Violation]:  # noqa: ANN401  # JSON
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None or most is not None:
        is_number = isinstance(value, int | float)
        what, size = ("value", value) if is_number else ("length", len(value))
        if least is not None and size < least:
            yield Violation(path, value, f"have {what} greater than or equal to {least}")
        if most is not None and size > most:
            yield Violation(path, value, f"have {what} less than or equal to {most}")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield Violation(path, value, f"satisfy regular expression pattern: {pattern}", pattern)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)
