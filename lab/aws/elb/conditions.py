"""The conditions of rules: whether they are well formed, and whether a request meets them.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from multidict import CIMultiDictProxy

    Json = dict[str, Any]

__all__ = ["Asked", "are_met", "checked"]

MOST_VALUES: Final = 5
MOST_LETTERS: Final = 128
MOST_LETTERS_OF_A_NAME: Final = 40
METHOD: Final = re.compile(r"[A-Z_-]{1,40}")
# Where the values stand, by the field.
CONFIGS: Final[Mapping[str, str]] = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
SHORT: Final = ("host-header", "path-pattern")
REPEATABLE: Final = ("http-header", "query-string")


@dataclass(frozen=True)
class Asked:
    """What a rule can go by in a request.

    Attributes:
        host: The name that the client asks for, without the port.
        source: The address of the client.
    """

    method: str
    host: str
    path: str
    query: str
    headers: CIMultiDictProxy[str]
    source: str


# --- whether they are well formed ------------------------------------------------------------


def checked(conditions: list[Json]) -> list[Json]:
    """Refuse conditions that a rule can't have, and write the others as AWS answers them.

    Raises:
        AwsError: ``ValidationError``.
    """
    if not conditions:
        raise AwsError("ValidationError", "A condition must be specified")
    found = [_checked(condition) for condition in conditions]
    fields = Counter(condition["Field"] for condition in found)
    for name, count in fields.items():
        if count > 1 and name not in REPEATABLE:
            raise AwsError("ValidationError", f"A rule can only have one '{name}' condition")
    values = sum(len(_values(one)) + len(_expressions(one)) for one in found)
    if values > MOST_VALUES:
        raise AwsError("ValidationError", f"A rule can only have '{MOST_VALUES}' condition values")
    return found


def _checked(condition: Json) -> Json:
    name = condition.get("Field") or ""
    if name not in CONFIGS:
        raise AwsError(
            "ValidationError", f"Condition field '{name}' must be one of '[{','.join(CONFIGS)}]'"
        )
    condition = _written_out(condition, name)
    if not _values(condition) and not _expressions(condition):
        raise AwsError("ValidationError", "A condition value must be specified")
    for value in _values(condition):
        parts = value.items() if isinstance(value, dict) else [("value", value)]
        for part, text in parts:
            if len(text) > MOST_LETTERS:
                raise AwsError(
                    "ValidationError",
                    f"The '{name}' {part} is too long; the limit is '{MOST_LETTERS}'",
                )
        _VALUES[name](value)
    for expression in _expressions(condition):
        try:
            re.compile(expression)
        except re.error as error:
            raise AwsError(
                "ValidationError", f"The regular expression '{expression}' is not valid: {error}"
            ) from None
    if name == "http-header":
        _refuse_header_name(condition["HttpHeaderConfig"].get("HttpHeaderName"))
    return condition


def _written_out(condition: Json, name: str) -> Json:
    """Put the values where they belong: two fields may have them in a member of their own."""
    config = CONFIGS[name]
    short, given = condition.get("Values"), condition.get(config)
    if expressions := condition.get("RegexValues"):
        given = {**(given or {}), "RegexValues": expressions}
    if short and name not in SHORT:
        raise AwsError("ValidationError", f"The 'Values' field is not compatible with '{name}'")
    if short and given:
        raise AwsError(
            "ValidationError",
            f"You cannot provide both Values and '{config}' for a condition of type '{name}'",
        )
    if short and len(short) > 1:
        raise AwsError(
            "ValidationError", f"The '{name}' field contains too many values; the limit is '1'"
        )
    if not short and not given:
        raise AwsError("ValidationError", f"A '{config}' must be specified with '{name}'")
    written: Json = {"Field": name, config: given or {"Values": short}}
    if name in SHORT:
        written["Values"] = list(written[config].get("Values") or [])
    return written


def _values(condition: Json) -> list[Any]:
    return condition[CONFIGS[condition["Field"]]].get("Values") or []


def _expressions(condition: Json) -> list[str]:
    return condition[CONFIGS[condition["Field"]]].get("RegexValues") or []


def _refuse_header_name(name: str | None) -> None:
    if not name:
        raise AwsError("ValidationError", "A 'HttpHeaderName' must be specified")
    if len(name) > MOST_LETTERS_OF_A_NAME:
        raise AwsError(
            "ValidationError",
            f"The 'HttpHeaderName' value is too long; the limit is '{MOST_LETTERS_OF_A_NAME}'",
        )
    if name.lower() == "host":
        raise AwsError(
            "ValidationError", "The 'http-header' field cannot be 'host'; use 'host-header' instead"
        )


def _refuse_host(value: str) -> None:
    if "." not in value:
        raise AwsError(
            "ValidationError", f"The 'host-header' value '{value}' must contain at least one '.'"
        )


def _refuse_method(value: str) -> None:
    if not METHOD.fullmatch(value):
        raise AwsError(
            "ValidationError",
            "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen "
            "and underscore",
        )


def _refuse_range(value: str) -> None:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        is_range = False
    else:
        is_range = "/" in value
    if not is_range:
        raise AwsError("ValidationError", f"The source IP value '{value}' is not a valid CIDR")


def _refuse_pair(value: Json) -> None:
    if not value.get("Value"):
        raise AwsError(
            "ValidationError", "A 'Value' must be specified in 'QueryStringKeyValuePair'"
        )


def _accept(_value: str) -> None:
    """Take any text."""


_VALUES: Final[Mapping[str, Callable[[Any], None]]] = {
    "host-header": _refuse_host,
    "path-pattern": _accept,
    "http-header": _accept,
    "http-request-method": _refuse_method,
    "query-string": _refuse_pair,
    "source-ip": _refuse_range,
}


# --- whether a request meets them ------------------------------------------------------------


def are_met(conditions: list[Json], asked: Asked) -> bool:
    """Tell whether a request meets all conditions of a rule; one value of each is enough."""
    return all(_MET[condition["Field"]](condition, asked) for condition in conditions)


def _host(condition: Json, asked: Asked) -> bool:
    return _fits(condition, [asked.host.lower()], any_case=True)


def _path(condition: Json, asked: Asked) -> bool:
    return _fits(condition, [asked.path])


def _header(condition: Json, asked: Asked) -> bool:
    name = condition["HttpHeaderConfig"]["HttpHeaderName"]
    return _fits(condition, asked.headers.getall(name, []), any_case=True)


def _method(condition: Json, asked: Asked) -> bool:
    return asked.method in _values(condition)


def _source(condition: Json, asked: Asked) -> bool:
    source = ipaddress.ip_address(asked.source)
    return any(source in ipaddress.ip_network(value) for value in _values(condition))


def _query(condition: Json, asked: Asked) -> bool:
    pairs = parse_qsl(asked.query, keep_blank_values=True)
    return any(
        _pattern(wanted.get("Key") or "*", any_case=True).fullmatch(key)
        and _pattern(wanted["Value"], any_case=True).fullmatch(value)
        for wanted in _values(condition)
        for key, value in pairs
    )


_MET: Final[Mapping[str, Callable[[Json, Asked], bool]]] = {
    "host-header": _host,
    "path-pattern": _path,
    "http-header": _header,
    "http-request-method": _method,
    "query-string": _query,
    "source-ip": _source,
}


def _fits(condition: Json, texts: list[str], *, any_case: bool = False) -> bool:
    patterns = [_pattern(value, any_case=any_case) for value in _values(condition)]
    patterns += [re.compile(expression) for expression in _expressions(condition)]
    return any(pattern.fullmatch(text) for pattern in patterns for text in texts)


@functools.lru_cache(maxsize=1024)
def _pattern(text: str, *, any_case: bool) -> re.Pattern[str]:
    r"""Make a regular expression of a text with ``*`` and ``?``; a ``\`` before them escapes.

    Example:
        >>> bool(_pattern("/img/*", any_case=False).fullmatch("/img/1.png"))
        True
    """
    wild = {"*": ".*", "?": "."}
    pieces = re.findall(r"\\[*?\\]|.", text, re.DOTALL)
    expression = "".join(wild.get(piece) or re.escape(piece[-1]) for piece in pieces)
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if any_case else 0))
