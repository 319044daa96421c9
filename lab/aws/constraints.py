"""What a service's model demands of a request.

boto3 looks for missing members and wrong types before it asks; other clients do not, and what
values are allowed no client looks at. So who breaks a rule meets the service's own refusal.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import botocore.session
from botocore.model import ListShape, MapShape, StructureShape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ServiceModel, Shape

__all__ = ["Violation", "mistyped", "service_model", "violations"]

# Java's names for letters, numbers and separators, in Python's words.
CLASSES: Final = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s"}
# What a value is once it has been read from JSON. What has no entry can be written in several ways.
TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "blob": str,
}


@dataclass(frozen=True)
class Violation:
    """A value that the model does not allow.

    Attributes:
        path: Where it stands, such as ``logEvents.1.member.message``.
        value: What it is; nothing where a member is missing.
        must: What it must do, such as ``have length less than or equal to 512``.
        rule: What kind of rule it breaks: a member that must be there, the values that it can
            have, its length or size, or its pattern.
        pattern: The pattern that it must match; empty where it is something else.
    """

    path: str
    value: object
    must: str
    rule: Literal["null", "enum", "size", "pattern"]
    pattern: str = ""

    def __str__(self) -> str:
        """Say it as most services do."""
        value = "null" if self.rule == "null" else f"'{self.value}'"
        return (
            f"1 validation error detected: Value {value} at '{self.path}' failed to satisfy "
            f"constraint: Member must {self.must}"
        )


@functools.cache
def service_model(service: str) -> ServiceModel:
    """Load botocore's model of a service, as boto3 names it."""
    return botocore.session.get_session().get_service_model(service)


def violations(service: str, operation: str, request: dict[str, Any]) -> Iterator[Violation]:
    """Find what the model of an operation does not allow in a request, in the model's order."""
    shape = service_model(service).operation_model(operation).input_shape
    if shape is not None:
        for part, value, path in _parts_of(shape, request):
            yield from _of_value(part, value, path)


def mistyped(shape: Shape, value: Any) -> Iterator[tuple[Shape, Any, str]]:  # noqa: ANN401  # JSON
    """Find what has another type than the model says, in a value that was read from JSON.

    Args:
        shape: The value's shape in the model.
        value: What was sent.

    Returns:
        The shape, what was sent in its place, and the path to it.
    """
    for part, found, path in _parts_of(shape, value):
        wanted = TYPES.get(part.type_name, object)
        # To Python a truth value is a number, too.
        is_truth = isinstance(found, bool) and part.type_name != "boolean"
        if (is_truth and wanted is not object) or not isinstance(found, wanted):
            yield part, found, path


def _parts_of(shape: Shape, value: Any, path: str = "") -> Iterator[tuple[Shape, Any, str]]:  # noqa: ANN401  # JSON
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
                yield from _parts_of(member, value[name], f"{path}.{name}".lstrip("."))
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, member in enumerate(value, 1):
            yield from _parts_of(shape.member, member, f"{path}.{number}.member")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for name, member in value.items():
            yield from _parts_of(shape.key, name, f"{path}.key")
            yield from _parts_of(shape.value, member, f"{path}.{name}")


def _of_value(shape: Shape, value: Any, path: str) -> Iterator[Violation]:  # noqa: ANN401  # JSON
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if value.get(name) is None:
                yield Violation(f"{path}.{name}".lstrip("."), None, "not be null", "null")
    enum = getattr(shape, "enum", None)
    if enum and value not in enum:
        allowed = f"satisfy enum value set: [{', '.join(enum)}]"
        yield Violation(path, value, allowed, "enum")
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None or most is not None:
        is_number = isinstance(value, int | float)
        what, size = ("value", value) if is_number else ("length", len(value))
        if least is not None and size < least:
            yield Violation(path, value, f"have {what} greater than or equal to {least}", "size")
        if most is not None and size > most:
            yield Violation(path, value, f"have {what} less than or equal to {most}", "size")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        allowed = f"satisfy regular expression pattern: {pattern}"
        yield Violation(path, value, allowed, "pattern", pattern)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)
