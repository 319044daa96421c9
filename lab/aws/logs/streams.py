"""The operations on log streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.aws.errors import AwsError
from lab.aws.logs.state import Stream, invalid, page

if TYPE_CHECKING:
    from lab.aws.logs.state import Logs

    Json = dict[str, Any]

__all__ = ["create_log_stream", "delete_log_stream", "describe_log_streams"]


async def create_log_stream(logs: Logs, request: Json) -> Json:
    """Create a log stream in a group."""
    group, name = logs.group(request), request["logStreamName"]
    if name in group.streams:
        raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
    group.streams[name] = Stream(name, f"{group.arn}:log-stream:{name}")
    return {}


async def describe_log_streams(logs: Logs, request: Json) -> Json:
    """Describe the streams of a group, by name or by the time of their last event."""
    group, prefix = logs.group(request), request.get("logStreamNamePrefix")
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    found = [s for s in group.streams.values() if s.name.startswith(prefix or "")]
    found.sort(key=_by_last_event if by_time else _by_name, reverse=bool(request.get("descending")))
    some, token = page(request, found)
    return {"logStreams": [stream.shown() for stream in some], "nextToken": token}


def _by_last_event(stream: Stream) -> tuple[int, str]:
    return stream.events[-1].timestamp if stream.events else 0, stream.name


def _by_name(stream: Stream) -> tuple[int, str]:
    return 0, stream.name


async def delete_log_stream(logs: Logs, request: Json) -> Json:
    """Delete a stream and its events."""
    group = logs.group(request)
    del group.streams[group.stream(request["logStreamName"]).name]
    return {}
