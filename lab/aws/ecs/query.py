"""The cluster query language, by which ECS is told which container instances are meant.

``attribute:ecs.instance-type =~ t3.* and not (task:group == service:web)`` is an expression of it.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.aws.ecs.hosts import Host

    Condition = Callable[[Host], bool]

__all__ = ["parsed"]

LONGEST: Final = 2000
SUBJECT: Final = re.compile(
    r"attribute:[\w./\\-]+|task:group|agentConnected|agentVersion|ec2InstanceId|registeredAt"
    r"|runningTasksCount"
)
OPERATOR: Final = re.compile(
    r"==|!=|=~|!~|>=|<=|>|<|!in\b|!exists\b|(?:equals|not_equals|greater_than_equal|greater_than"
    r"|less_than_equal|less_than|exists|not_exists|in|not_in|matches|not_matches)\b"
)
WORDS: Final = {
    "equals": "==", "not_equals": "!=", "greater_than": ">", "greater_than_equal": ">=",
    "less_than": "<", "less_than_equal": "<=", "not_exists": "!exists", "not_in": "!in",
    "matches": "=~", "not_matches": "!~",
}  # fmt: skip
AND: Final = re.compile(r"&&|and\b")
OR: Final = re.compile(r"\|\||or\b")
NOT: Final = re.compile(r"!(?!in\b|exists\b|=|~)|not\b")
QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
BARE: Final = re.compile(r"[^\s()]+")
LISTED: Final = re.compile(r"[^\s,\[\]]+")
ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def parsed(expression: str) -> Condition:
    """Turn an expression into a function that tells whether it holds for an instance.

    Raises:
        AwsError: ``InvalidParameterException``: this is no expression of the language.

    Example:
        >>> parsed("stack == a")
        Traceback (most recent call last):
        ...
        lab.aws.errors.AwsError: InvalidParameterException: Invalid expression 'stack == a': a \
subject is missing at position 0.
    """
    if len(expression) > LONGEST:
        raise AwsError(
            "InvalidParameterException",
            f"The expression can have a maximum length of {LONGEST} characters.",
        )
    return _Reader(expression).whole()


@dataclass
class _Reader:
    """Reads an expression from left to right."""

    text: str
    at: int = 0

    def whole(self) -> Condition:
        found = self._any()
        if self._rest():
            raise self._wrong("'and' or 'or' is missing")
        return found

    def _any(self) -> Condition:
        one = self._all()
        while self._has(OR):
            one = _either(one, self._all())
        return one

    def _all(self) -> Condition:
        one = self._not()
        while self._has(AND):
            one = _both(one, self._not())
        return one

    def _not(self) -> Condition:
        if self._has(NOT):
            inner = self._not()
            return lambda host: not inner(host)
        if self._has(re.compile(r"\(")):
            inner = self._any()
            if not self._has(re.compile(r"\)")):
                raise self._wrong("a closing parenthesis is missing")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        subject = self._has(SUBJECT)
        if not subject:
            raise self._wrong("a subject is missing")
        found = self._has(OPERATOR)
        if not found:
            raise self._wrong("an operator is missing")
        means = WORDS.get(found, found)
        if means in ("exists", "!exists"):
            return lambda host: bool(_values(host, subject)) is (means == "exists")
        arguments = self._list() if means in ("in", "!in") else [self._argument(BARE)]
        if means in ("=~", "!~"):
            self._refuse_bad_pattern(arguments[0])
        if means in ORDERS and subject == "registeredAt":
            self._refuse_bad_date(arguments[0])
        return lambda host: _holds(_values(host, subject), subject, means, arguments)

    def _list(self) -> list[str]:
        if not self._has(re.compile(r"\[")):
            raise self._wrong("a list is missing")
        found = [self._argument(LISTED)]
        while self._has(re.compile(",")):
            found.append(self._argument(LISTED))
        if not self._has(re.compile(r"\]")):
            raise self._wrong("a closing bracket is missing")
        return found

    def _argument(self, bare: re.Pattern[str]) -> str:
        if quoted := self._has(QUOTED):
            return quoted[1:-1]
        if found := self._has(bare):
            return found
        raise self._wrong("an argument is missing")

    def _refuse_bad_pattern(self, pattern: str) -> None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise self._wrong(f"the pattern {pattern} is not valid ({error})") from None

    def _refuse_bad_date(self, date: str) -> None:
        try:
            _moment(date)
        except ValueError:
            raise self._wrong(f"{date} is no date") from None

    def _has(self, pattern: re.Pattern[str]) -> str:
        """Step over what comes next if it is such, and give it."""
        start = self.at + len(self.text[self.at :]) - len(self._rest())
        found = pattern.match(self.text, start)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def _rest(self) -> str:
        return self.text[self.at :].lstrip()

    def _wrong(self, what: str) -> AwsError:
        return AwsError(
            "InvalidParameterException",
            f"Invalid expression '{self.text}': {what} at position {self.at}.",
        )


def _either(one: Condition, other: Condition) -> Condition:
    return lambda host: one(host) or other(host)


def _both(one: Condition, other: Condition) -> Condition:
    return lambda host: one(host) and other(host)


def _values(host: Host, subject: str) -> list[str]:
    """Give what an instance has of a subject: nothing, one value, or the groups of its tasks."""
    kind, _, name = subject.partition(":")
    if kind == "task":
        return sorted({task.group for task in host.live})
    if kind == "attribute":
        return [host.attributes[name] or ""] if name in host.attributes else []
    return [
        {
            "agentConnected": str(host.agent_connected).lower(),
            "agentVersion": host.agent_version,
            "ec2InstanceId": host.instance_id,
            "registeredAt": host.registered_at.isoformat(),
            "runningTasksCount": str(host.count("RUNNING")),
        }[subject]
    ]


def _holds(values: list[str], subject: str, means: str, arguments: list[str]) -> bool:
    """Compare; of an attribute that is not there nothing holds, not even that it differs."""
    if subject != "task:group" and not values:
        return False
    first = arguments[0]
    if means in ORDERS:
        return all(ORDERS[means](_ordered(subject, v), _ordered(subject, first)) for v in values)
    if means in ("=~", "!~"):
        found = any(re.fullmatch(first, value) for value in values)
    else:
        found = any(_same(subject, value, one) for value in values for one in arguments)
    return found if means in ("==", "in", "=~") else not found


def _same(subject: str, value: str, other: str) -> bool:
    if subject == "registeredAt":
        return _moment(value) == _moment(other)
    return value == other


def _ordered(subject: str, value: str) -> Any:  # noqa: ANN401  # what can be ordered
    """Make of a value what is in the order that is meant: dates, numbers, parts of a version."""
    if subject == "registeredAt":
        return _moment(value)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in value.split(".")]


def _moment(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
