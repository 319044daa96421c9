"""What CloudWatch Logs remembers of one place: groups, their streams, and the events in them.

An event's id sorts as its time does, and those of one time by their arrival; a page's token is the
id at which it ends. So pages stay right while events come in.
"""

from __future__ import annotations

import bisect
import operator
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from lab.aws.errors import AwsError
from lab.aws.pages import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.aws.place import Place

    Json = dict[str, Any]

__all__ = [
    "DAY",
    "FIRST_ID",
    "LAST_ID",
    "Event",
    "Group",
    "Logs",
    "Stream",
    "first_id_of",
    "invalid",
    "missing",
    "now",
    "page",
]

T = TypeVar("T")

DAY: Final = 24 * 3600 * 1000
# An id is a time in milliseconds and a running number: 56 digits, as AWS's ids have.
TIME_DIGITS: Final = 20
NUMBER_DIGITS: Final = 36
FIRST_ID: Final = "0" * (TIME_DIGITS + NUMBER_DIGITS)
LAST_ID: Final = "9" * (TIME_DIGITS + NUMBER_DIGITS)
MOST_DESCRIBED: Final = 50
BY_ID: Final = operator.attrgetter("id")


def now() -> int:
    """Tell the time as Logs does: in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def first_id_of(timestamp: int) -> str:
    """Give the id that comes before those of all events of a time."""
    return f"{timestamp:0{TIME_DIGITS}}{0:0{NUMBER_DIGITS}}"


def invalid(message: str) -> AwsError:
    """Refuse a parameter."""
    return AwsError("InvalidParameterException", message)


def missing(what: str) -> AwsError:
    """Say that something is not there: a log group, a log stream, a resource."""
    return AwsError("ResourceNotFoundException", f"The specified {what} does not exist.")


def page(
    request: Json, found: Sequence[T], key: Callable[[T], str] | None = None
) -> tuple[list[T], str | None]:
    """Cut a page out of a list, and give the token that leads to the next one.

    Args:
        request: The request, with its ``limit`` and ``nextToken``.
        found: All there is, always in the same order.
        key: What it is sorted by, where others may delete some of it meanwhile.

    Raises:
        AwsError: The token is none that came with an answer.
    """
    size = request.get("limit") or MOST_DESCRIBED
    try:
        return page_of(found, request.get("nextToken"), size, key)
    except ValueError:
        raise invalid("The specified nextToken is invalid.") from None


class Event(NamedTuple):
    """One line of a log."""

    id: str
    timestamp: int
    message: str
    ingested: int
    stream: str


@dataclass
class Stream:
    """A log stream: what one source wrote, oldest first.

    Attributes:
        size: Bytes of its messages.
        last_ingested: When the last event came in.
    """

    name: str
    arn: str
    created: int = field(default_factory=now)
    events: list[Event] = field(default_factory=list)
    size: int = 0
    last_ingested: int = 0

    def add(self, event: Event) -> None:
        """Take an event; as good as always it is the newest one."""
        self.size += len(event.message.encode())
        self.last_ingested = event.ingested
        if not self.events or event.id > self.events[-1].id:
            self.events.append(event)
        else:
            bisect.insort(self.events, event, key=BY_ID)

    def between(self, low: str, high: str) -> list[Event]:
        """Give the events from one id on, and before another one."""
        start = bisect.bisect_left(self.events, low, key=BY_ID)
        end = bisect.bisect_left(self.events, high, key=BY_ID)
        return self.events[start:end]

    def shown(self) -> Json:
        """Describe it in AWS's words."""
        shown: Json = {
            "logStreamName": self.name,
            "creationTime": self.created,
            "arn": self.arn,
            "storedBytes": 0,  # AWS does not count them any more
        }
        if self.events:
            shown |= {
                "firstEventTimestamp": self.events[0].timestamp,
                "lastEventTimestamp": self.events[-1].timestamp,
                "lastIngestionTime": self.last_ingested,
                "uploadSequenceToken": self.events[-1].id,
            }
        return shown


@dataclass
class Group:
    """A log group.

    Attributes:
        arn: Without the ``:*`` that stands for its streams.
        retention: Days; nothing if its events stay for ever.
        protected: Whether it can't be deleted.
    """

    name: str
    arn: str
    kind: str
    tags: dict[str, str]
    key: str | None
    protected: bool
    retention: int | None = None
    created: int = field(default_factory=now)
    streams: dict[str, Stream] = field(default_factory=dict)

    @property
    def expiry(self) -> int:
        """The time before which events are no more."""
        return now() - self.retention * DAY if self.retention else 0

    def stream(self, name: str) -> Stream:
        """Find a stream by its name.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        if name not in self.streams:
            raise missing("log stream")
        return self.streams[name]

    def shown(self) -> Json:
        """Describe it in AWS's words."""
        shown: Json = {
            "logGroupName": self.name,
            "creationTime": self.created,
            "retentionInDays": self.retention,
            "metricFilterCount": 0,
            "arn": f"{self.arn}:*",
            "storedBytes": sum(stream.size for stream in self.streams.values()),
            "kmsKeyId": self.key,
            "logGroupClass": self.kind,
            "logGroupArn": self.arn,
            "deletionProtectionEnabled": self.protected,
        }
        return {name: value for name, value in shown.items() if value is not None}


class Logs:
    """The state of CloudWatch Logs in one place.

    Attributes:
        place: The account and the region.
        groups: By name.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.groups: dict[str, Group] = {}
        self._events = 0

    def group(self, request: Json) -> Group:
        """Find the group that a request means, by its name or by its name or ARN.

        Raises:
            AwsError: It is not there, or named twice, or not at all.
        """
        name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
        if bool(name) == bool(identifier):
            raise invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
        name = name or str(identifier).partition(":log-group:")[2] or identifier
        if name not in self.groups:
            raise missing("log group")
        return self.groups[name]

    def group_of(self, arn: str) -> Group:
        """Find a group by its ARN.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        for group in self.groups.values():
            if group.arn == arn:
                return group
        raise missing("resource")

    def new_event(self, stream: Stream, timestamp: int, message: str) -> Event:
        """Make an event that has just come in."""
        self._events += 1
        event_id = f"{timestamp:0{TIME_DIGITS}}{self._events:0{NUMBER_DIGITS}}"
        return Event(event_id, timestamp, message, now(), stream.name)
