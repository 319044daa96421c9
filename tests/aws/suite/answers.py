"""Holds an answer against botocore's model of its operation.

botocore looks at what is sent, and takes what comes back as it is: an emulator can answer a number
where AWS answers text, or a status that AWS does not have, and a client of the real AWS never
learns to expect it.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import OperationModel, Shape

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "character": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "bigdecimal": (float, int),
    "boolean": (bool,),
    "timestamp": (dt.datetime,),
    "blob": (bytes,),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}


def faults(operation: OperationModel, answer: dict[str, Any]) -> list[str]:
    """Say what in a parsed answer the model of the operation does not allow.

    Returns:
        One line for each wrong type, value that the enumeration lacks, and missing member.
    """
    if operation.output_shape is None:
        return []
    content = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return [f"{operation.name}: {fault}" for fault in _faults(operation.output_shape, content, "")]


def _faults(shape: Shape, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401  # JSON
    where, kind = path.removeprefix(".") or "the answer", shape.type_name
    if hasattr(value, "read"):
        return  # a stream, whose content is no matter of the model
    # A bool is an int to Python, and not to anybody else.
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{where} is {value!r:.60}, not a {kind}"
    elif kind == "structure":
        yield from _in_structure(shape, value, path, where)
    elif kind == "list":
        for number, content in enumerate(value):
            yield from _faults(shape.member, content, f"{path}[{number}]")
    elif kind == "map":
        for name, content in value.items():
            yield from _faults(shape.key, name, f"{path} key")
            yield from _faults(shape.value, content, f"{path}[{name!r}]")
    elif kind == "string" and shape.enum and value not in shape.enum:
        yield f"{where} is {value!r:.60}, which is none of {', '.join(shape.enum)}"


def _in_structure(shape: Shape, value: dict[str, Any], path: str, where: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"{where} has no {name}, which is required"
    for name, content in value.items():
        if name in shape.members:
            yield from _faults(shape.members[name], content, f"{path}.{name}")
        elif name != "SDK_UNKNOWN_MEMBER":
            yield f"{where} has {name}, which the model lacks"
