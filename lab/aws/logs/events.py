"""The operations on log events: to write them, to read a stream, to search a group."""

from __future__ import annotations

import bisect
import heapq
import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.logs.patterns import PatternError, matcher
from lab.aws.logs.state import BY_ID, DAY, FIRST_ID, LAST_ID, first_id_of, invalid, now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.aws.logs.state import Event, Group, Logs, Stream

    Json = dict[str, Any]

__all__ = ["filter_log_events", "get_log_events", "put_log_events"]

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
MEBIBYTE: Final = 1 << 20
EVENT_OVERHEAD: Final = 26
MOST_EVENTS: Final = 10_000
LONGEST_FUTURE: Final = 2 * 3600 * 1000
LONGEST_PAST: Final = 14 * DAY
# The newest first: only where the range begins after this, 1 January 2024.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
DESCENDING_FROM: Final = 1_704_067_200_000


async def put_log_events(logs: Logs, request: Json) -> Json:
    """Write events into a stream; those that are too old or too new are left out, and named."""
    group = logs.group(request)
    stream = group.stream(request["logStreamName"])
    events: list[Json] = request["logEvents"]
    times = [event["timestamp"] for event in events]
    if times != sorted(times):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    _refuse_large(events)
    rejected, valid = _rejected(times, group.expiry)
    accepted = events[valid]
    if accepted and accepted[-1]["timestamp"] - accepted[0]["timestamp"] > DAY:
        raise invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 "
            "hours."
        )
    for event in accepted:
        stream.add(logs.new_event(stream, event["timestamp"], event["message"]))
    answer: Json = {"nextSequenceToken": stream.events[-1].id if stream.events else FIRST_ID}
    return answer | ({"rejectedLogEventsInfo": rejected} if rejected else {})


def _refuse_large(events: list[Json]) -> None:
    sizes = [len(event["message"].encode()) + EVENT_OVERHEAD for event in events]
    for size in sizes:
        if size - EVENT_OVERHEAD > MEBIBYTE:
            raise invalid(f"Log event too large: {size} bytes exceeds limit of {MEBIBYTE}")
    if sum(sizes) > MEBIBYTE:
        raise invalid(f"Upload too large: {sum(sizes)} bytes exceeds limit of {MEBIBYTE}")


def _rejected(times: list[int], expiry: int) -> tuple[dict[str, int], slice]:
    """Tell which of the times, which are in order, are out of bounds, and where the others are."""
    time_now = now()
    too_old = bisect.bisect_left(times, time_now - LONGEST_PAST)
    expired = bisect.bisect_left(times, expiry)
    too_new = bisect.bisect_right(times, time_now + LONGEST_FUTURE)
    rejected = {}
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    if too_new < len(times):
        rejected["tooNewLogEventStartIndex"] = too_new
    return rejected, slice(max(too_old, expired), too_new)


async def get_log_events(logs: Logs, request: Json) -> Json:
    """Read a stream, forward or backward; each answer has a token for either way."""
    group = logs.group(request)
    stream = group.stream(request["logStreamName"])
    forward, edge = _direction(request.get("nextToken"), forward=bool(request.get("startFromHead")))
    # What happened at the end itself is not included.
    low, high = _range(group, request.get("startTime"), request.get("endTime"))
    if forward:
        some = _fitting(stream.between(max(low, _shifted(edge, 1)), high), request.get("limit"))
    else:
        before = reversed(stream.between(low, min(high, edge)))
        some = _fitting(before, request.get("limit"))[::-1]
    if some:
        tokens = some[-1].id, some[0].id
    elif request.get("nextToken"):
        # The way on stays where it is; the way back begins with what is on the other side.
        tokens = (edge, _shifted(edge, 1)) if forward else (_shifted(edge, -1), edge)
    else:
        tokens = FIRST_ID, FIRST_ID
    return {
        "events": [
            {"timestamp": e.timestamp, "message": e.message, "ingestionTime": e.ingested}
            for e in some
        ],
        "nextForwardToken": f"f/{tokens[0]}/s",
        "nextBackwardToken": f"b/{tokens[1]}/s",
    }


async def filter_log_events(logs: Logs, request: Json) -> Json:
    """Find events of all the streams of a group, by time, by stream and by a pattern."""
    group, names = logs.group(request), request.get("logStreamNames")
    prefix = request.get("logStreamNamePrefix")
    if names and prefix:
        raise invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
    from_head = request.get("startFromHead") is not False
    if not from_head and (request.get("startTime") or 0) < DESCENDING_FROM:
        raise invalid("startFromHead can be false only with a startTime since January 1, 2024.")
    try:
        matches = matcher(request.get("filterPattern") or "")
    except PatternError as error:
        raise invalid(str(error)) from None
    streams = [group.stream(name) for name in names] if names else [*group.streams.values()]
    streams = [stream for stream in streams if stream.name.startswith(prefix or "")]
    forward, edge = _direction(request.get("nextToken"), forward=from_head)
    end = request.get("endTime")
    # What happened at the end itself is included here.
    low, high = _range(group, request.get("startTime"), None if end is None else end + 1)
    if forward:
        low = max(low, _shifted(edge, 1))
    else:
        high = min(high, edge)
    found = [e for e in _merged(streams, low, high, forward=forward) if matches(e.message)]
    some = _fitting(found, request.get("limit"))
    more = f"{'f' if forward else 'b'}/{some[-1].id}/s" if len(some) < len(found) else None
    return {"events": [_shown(e) for e in some], "searchedLogStreams": [], "nextToken": more}


def _merged(streams: list[Stream], low: str, high: str, *, forward: bool) -> Iterable[Event]:
    parts = [stream.between(low, high) for stream in streams]
    ordered = parts if forward else [part[::-1] for part in parts]
    return heapq.merge(*ordered, key=BY_ID, reverse=not forward)


def _shown(event: Event) -> Json:
    return {
        "logStreamName": event.stream,
        "timestamp": event.timestamp,
        "message": event.message,
        "ingestionTime": event.ingested,
        "eventId": event.id,
    }


def _range(group: Group, start: int | None, end: int | None) -> tuple[str, str]:
    """Give the id at which a range of time begins, and the one before which it ends."""
    low = first_id_of(max(start or 0, group.expiry))
    return low, LAST_ID if end is None else first_id_of(end)


def _direction(token: str | None, *, forward: bool) -> tuple[bool, str]:
    """Tell which way to go, and from which event on, which itself was there before."""
    if token is None:
        return forward, FIRST_ID if forward else LAST_ID
    found = re.fullmatch(rf"([fb])/(\d{{{len(FIRST_ID)}}})/s", token)
    if found is None:
        raise invalid("The specified nextToken is invalid.")
    return found[1] == "f", found[2]


def _shifted(event_id: str, by: int) -> str:
    return f"{max(0, int(event_id) + by):0{len(FIRST_ID)}}"


def _fitting(events: Iterable[Event], limit: int | None) -> list[Event]:
    """Take as many events as fit into an answer."""
    some: list[Event] = []
    size = 0
    for event in events:
        size += len(event.message.encode()) + EVENT_OVERHEAD
        if len(some) == (limit or MOST_EVENTS) or (some and size > MEBIBYTE):
            break
        some.append(event)
    return some
