"""Filter patterns: what FilterLogEvents finds.

Terms, each in quotes unless it is of letters, digits and underscores; ``-`` before a term leaves
out what has it, and of the terms with ``?`` one is enough. A term is found anywhere in the message,
within a word, too. ``%…%`` is a regular expression. ``{ $.status >= 500 && $.path = "/api/*" }``
looks into events that are JSON. The patterns in brackets, for events of columns, are refused here.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any, Final

__all__ = ["PatternError", "matcher"]

Matcher = Callable[[str], bool]
JsonMatcher = Callable[[Any], bool]

# A term, and after it a space or the end; and what stands there instead.
TERM: Final = re.compile(
    r"""\s* (?P<sign>[?-]?)
    (?: "(?P<quoted>(?:[^"\\]|\\.)*)" | %(?P<regex>[^%]+)% | (?P<word>\w+) ) (?!\S)
    """,
    re.VERBOSE | re.ASCII,
)
WRONG: Final = re.compile(r"[\s\w?-]*([^\s\w]+)", re.ASCII)
TOKEN: Final = re.compile(
    r"""\s* (?:
    (?P<selector>\$(?:\.[\w-]+ | \.\* | \[(?:\d+|\*)\] | \.?\['[^']*'\])+)
    | (?P<logic>&&|\|\||\(|\))
    | (?P<operator>!=|>=|<=|=|>|<)
    | (?P<state>IS\s+(?:NULL|TRUE|FALSE)\b|NOT\s+EXISTS\b)
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | %(?P<regex>[^%]+)%
    | (?P<bare>[\w.*+-]+)
    )""",
    re.VERBOSE | re.ASCII,
)
STEP: Final = re.compile(r"\.([\w-]+|\*)|\[(\d+|\*)\]|\.?\['([^']*)'\]", re.ASCII)
NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
STATES: Final = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False}


class PatternError(ValueError):
    """Says in AWS's words what is wrong with a pattern."""


def matcher(pattern: str) -> Matcher:
    """Make a function that tells whether a message is found.

    Raises:
        PatternError: The pattern can't be read.

    Example:
        >>> matcher("ERROR -disk")("ERROR: no memory")
        True
    """
    text = pattern.strip()
    if text.startswith("["):
        raise PatternError(
            f"Invalid filter pattern {text!r}: on this machine there are none in brackets"
        )
    return _json(text) if text.startswith("{") else _terms(text)


# --- terms -----------------------------------------------------------------------------------


def _terms(text: str) -> Matcher:
    must: list[Matcher] = []
    must_not: list[Matcher] = []
    may: list[Matcher] = []
    position = 0
    while position < len(text):
        found = TERM.match(text, position)
        if found is None:
            wrong = WRONG.match(text, position)
            raise PatternError(f"Invalid character(s) in term '{wrong[1] if wrong else ''}'")
        {"": must, "-": must_not, "?": may}[found["sign"]].append(_has(found))
        position = found.end()
    if must or must_not:
        # With others beside them, terms with a question mark have no effect.
        return lambda message: (
            all(has(message) for has in must) and not any(has(message) for has in must_not)
        )
    return lambda message: not may or any(has(message) for has in may)


def _has(term: re.Match[str]) -> Matcher:
    if term["regex"] is not None:
        expression = _expression(term["regex"])
        return lambda message: expression.search(message) is not None
    text = term["word"] or _unquoted(term["quoted"]).strip()
    return lambda message: text in message


def _expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise PatternError(f"Invalid regular expression '{text}': {error}") from None


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


# --- JSON ------------------------------------------------------------------------------------


def _json(text: str) -> Matcher:
    if not text.endswith("}"):
        raise PatternError(f"Invalid filter pattern {text!r}: a brace is not closed")
    matches = _Parser(text[1:-1]).parse()

    def matches_message(message: str) -> bool:
        try:
            event = json.loads(message)
        except ValueError:
            return False
        return isinstance(event, dict | list) and matches(event)

    return matches_message


class _Parser:
    """Reads what stands between the braces: comparisons, ``&&`` before ``||``, parentheses."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._position = 0

    def parse(self) -> JsonMatcher:
        matches = self._any()
        if self._position < len(self._text):
            raise self._error()
        return matches

    def _peek(self) -> re.Match[str] | None:
        return TOKEN.match(self._text, self._position)

    def _take(self, kind: str, *texts: str) -> str | None:
        """Take the next token if it is of this kind, and one of these texts if any are given."""
        found = self._peek()
        if found is None or found[kind] is None or (texts and found[kind] not in texts):
            return None
        self._position = found.end()
        return found[kind]

    def _error(self) -> PatternError:
        return PatternError(
            f"Invalid character(s) in term '{self._text[self._position :].strip()}'"
        )

    def _any(self) -> JsonMatcher:
        parts = [self._all()]
        while self._take("logic", "||"):
            parts.append(self._all())
        return lambda event: any(part(event) for part in parts)

    def _all(self) -> JsonMatcher:
        parts = [self._one()]
        while self._take("logic", "&&"):
            parts.append(self._one())
        return lambda event: all(part(event) for part in parts)

    def _one(self) -> JsonMatcher:
        if self._take("logic", "("):
            matches = self._any()
            if not self._take("logic", ")"):
                raise self._error()
            return matches
        selector = self._take("selector")
        if selector is None:
            raise self._error()
        if state := self._take("state"):
            return _state(selector, " ".join(state.split()))
        comparison = self._take("operator")
        if comparison is None:
            raise self._error()
        fits = self._value(comparison)
        return lambda event: any(fits(value) for value in _selected(event, selector))

    def _value(self, comparison: str) -> JsonMatcher:
        """Read what a member is compared with."""
        if (bare := self._take("bare")) is not None:
            number = _number(bare)
            if comparison in COMPARISONS:
                if number is None:
                    raise self._error()
                compare = COMPARISONS[comparison]
                return lambda value: _is_number(value) and compare(value, number)
            if number is not None:
                return lambda value: _is_number(value) and (value == number) is (comparison == "=")
            return _text(comparison, _wildcard(bare))
        if comparison in COMPARISONS:
            raise self._error()
        if (quoted := self._take("quoted")) is not None:
            return _text(comparison, _wildcard(_unquoted(quoted)))
        if (regex := self._take("regex")) is not None:
            return _text(comparison, _expression(regex))
        raise self._error()


def _state(selector: str, state: str) -> JsonMatcher:
    if state == "NOT EXISTS":
        return lambda event: not _selected(event, selector)
    wanted = STATES[state]
    return lambda event: any(value is wanted for value in _selected(event, selector))


def _text(comparison: str, expression: re.Pattern[str]) -> JsonMatcher:
    """Compare a text, or a number as it is written; objects and lists are neither."""

    def fits(value: Any) -> bool:  # noqa: ANN401  # JSON
        if not isinstance(value, str) and not _is_number(value):
            return False
        return (expression.search(str(value)) is not None) is (comparison == "=")

    return fits


def _wildcard(text: str) -> re.Pattern[str]:
    """Make a pattern of a text in which an asterisk stands for anything."""
    parts = [re.escape(part) for part in text.split("*")]
    return re.compile(rf"\A{'.*'.join(parts)}\Z", re.DOTALL)


def _number(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None


def _is_number(value: Any) -> bool:  # noqa: ANN401  # JSON
    return isinstance(value, int | float) and not isinstance(value, bool)


def _selected(event: Any, selector: str) -> list[Any]:  # noqa: ANN401  # JSON
    """Find what a selector means: one value, several with an asterisk, or none."""
    values = [event]
    for name, index, quoted in STEP.findall(selector):
        values = [found for value in values for found in _step(value, name or quoted, index)]
    return values


def _step(value: Any, name: str, index: str) -> list[Any]:  # noqa: ANN401  # JSON
    if isinstance(value, dict) and not index:
        if name == "*":
            return [*value.values()]
        return [value[name]] if name in value else []
    if isinstance(value, list) and index:
        if index == "*":
            return value
        return value[int(index) : int(index) + 1]
    return []
