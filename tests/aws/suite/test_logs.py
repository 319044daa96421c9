"""CloudWatch Logs: groups, streams, events, filters, pages, refusals."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from .account import refused
from .documented import documented

if TYPE_CHECKING:
    from .account import Account, Json

INVALID = "InvalidParameterException"
MISSING = "ResourceNotFoundException"
EXISTS = "ResourceAlreadyExistsException"


def now() -> int:
    """Tell the time as Logs does, in milliseconds."""
    return int(time.time() * 1000)


def put(aws: Account, group: str, stream: str, *messages: str, begin: int | None = None) -> int:
    """Put messages a second apart, in the last minute, and give the first one's time."""
    first = begin or now() - 60_000
    events = [{"timestamp": first + 1000 * n, "message": m} for n, m in enumerate(messages)]
    aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return first


def filled(aws: Account, *messages: str) -> tuple[str, str, int]:
    group = aws.log_group()
    stream = aws.log_stream(group)
    return group, stream, put(aws, group, stream, *messages)


def read(aws: Account, group: str, stream: str, **parameters: object) -> Json:
    return aws.logs.get_log_events(
        logGroupName=group, logStreamName=stream, startFromHead=True, **parameters
    )


def texts(answer: Json) -> list[str]:
    return [event["message"] for event in answer["events"]]


def found(aws: Account, group: str, count: int, **parameters: object) -> list[str]:
    """Filter until so many events are found: what was put may take a moment to be found."""

    def filtered() -> list[str] | None:
        pages = aws.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, **parameters
        )
        seen = [text for page in pages for text in texts(page)]
        return seen if len(seen) == count else None

    return aws.until(filtered, f"{count} events")


@documented("logs/API_CreateLogGroup")
def test_group_is_described(aws: Account) -> None:
    """A log group is described with its name, its ARN and the time of its creation."""
    name = aws.log_group()
    [group] = aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["logGroupName"] == name
    assert re.fullmatch(rf"arn:aws:logs:us-east-1:\d{{12}}:log-group:{name}:\*", group["arn"])
    assert abs(group["creationTime"] - now()) < 60_000


@documented("logs/API_CreateLogGroup")
def test_group_name_is_taken_once(aws: Account) -> None:
    """A second log group of the name is a ResourceAlreadyExistsException."""
    name = aws.log_group()
    with refused(EXISTS):
        aws.logs.create_log_group(logGroupName=name)


@documented("logs/API_CreateLogGroup")
def test_group_name_has_certain_characters(aws: Account) -> None:
    """A log group's name with other characters is an InvalidParameterException."""
    with refused(INVALID):
        aws.logs.create_log_group(logGroupName="no spaces, please!")


@documented("logs/API_CreateLogGroup")
def test_groups_do_not_expire_by_default(aws: Account) -> None:
    """A log group has no retention by default."""
    name = aws.log_group()
    [group] = aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert "retentionInDays" not in group


@documented("logs/API_PutRetentionPolicy")
def test_retention_can_be_set_and_taken_away(aws: Account) -> None:
    """A retention that was set is described, and gone after it was deleted."""
    name = aws.log_group()
    aws.logs.put_retention_policy(logGroupName=name, retentionInDays=7)
    [group] = aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["retentionInDays"] == 7
    aws.logs.delete_retention_policy(logGroupName=name)
    [group] = aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert "retentionInDays" not in group


@documented("shape:logs.PutRetentionPolicyRequest.retentionInDays")
def test_retention_is_one_of_a_list(aws: Account) -> None:
    """A retention of 2 days does not exist."""
    name = aws.log_group()
    with refused(INVALID):
        aws.logs.put_retention_policy(logGroupName=name, retentionInDays=2)


@documented("logs/API_DeleteLogGroup")
def test_deleted_group_is_gone(aws: Account) -> None:
    """A deleted log group is not described any more, and its streams are not found."""
    name = aws.log_group()
    aws.logs.delete_log_group(logGroupName=name)
    assert aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []
    with refused(MISSING):
        aws.logs.describe_log_streams(logGroupName=name)


@documented("logs/API_DeleteLogGroup")
def test_unknown_group_is_not_deleted(aws: Account) -> None:
    """Deleting a log group that is not there is a ResourceNotFoundException."""
    with refused(MISSING):
        aws.logs.delete_log_group(logGroupName=aws.name("nobody"))


@documented("logs/API_DescribeLogGroups")
def test_groups_are_sorted_and_found_by_prefix(aws: Account) -> None:
    """Log groups are found by prefix, sorted by name, in pages of the size asked for."""
    prefix = f"/course/{aws.name()}"
    names = [f"{prefix}/{letter}" for letter in "abc"]
    for name in reversed(names):
        aws.logs.create_log_group(logGroupName=name)
        aws.afterwards("logs", "delete_log_group", logGroupName=name)
    first = aws.logs.describe_log_groups(logGroupNamePrefix=prefix, limit=2)
    rest = aws.logs.describe_log_groups(
        logGroupNamePrefix=prefix, limit=2, nextToken=first["nextToken"]
    )
    pages = [[group["logGroupName"] for group in page["logGroups"]] for page in (first, rest)]
    assert pages == [names[:2], names[2:]]
    assert "nextToken" not in rest


@documented("logs/API_TagResource")
def test_tags_are_listed_by_arn(aws: Account) -> None:
    """Tags given to a log group are listed, and a key's new value replaces the old one."""
    name = aws.log_group(tags={"stage": "try"})
    [group] = aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    arn = group["arn"].removesuffix(":*")
    aws.logs.tag_resource(resourceArn=arn, tags={"stage": "real", "team": "blue"})
    tags = aws.logs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == {"stage": "real", "team": "blue"}


@documented("logs/API_CreateLogStream")
def test_stream_needs_its_group(aws: Account) -> None:
    """A log stream in a group that is not there is a ResourceNotFoundException."""
    with refused(MISSING):
        aws.log_stream(aws.name("nobody"))


@documented("logs/API_CreateLogStream")
def test_stream_name_is_taken_once(aws: Account) -> None:
    """A second log stream of the name is a ResourceAlreadyExistsException."""
    group = aws.log_group()
    stream = aws.log_stream(group)
    with refused(EXISTS):
        aws.logs.create_log_stream(logGroupName=group, logStreamName=stream)


@documented("logs/API_CreateLogStream")
def test_stream_name_has_no_colon(aws: Account) -> None:
    """A log stream's name with a colon or an asterisk is an InvalidParameterException."""
    group = aws.log_group()
    for name in ("a:b", "a*b"):
        with refused(INVALID):
            aws.logs.create_log_stream(logGroupName=group, logStreamName=name)


@documented("logs/API_DescribeLogStreams")
def test_streams_are_found_by_prefix(aws: Account) -> None:
    """Log streams are found by prefix, sorted by name."""
    group = aws.log_group()
    for name in ("web/2", "worker/1", "web/1"):
        aws.logs.create_log_stream(logGroupName=group, logStreamName=name)
    streams = aws.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="web/")
    assert [s["logStreamName"] for s in streams["logStreams"]] == ["web/1", "web/2"]


@documented("logs/API_DescribeLogStreams")
def test_prefix_and_order_by_time_exclude_each_other(aws: Account) -> None:
    """Ordered by LastEventTime, a prefix of the name can't be given."""
    group = aws.log_group()
    with refused(INVALID):
        aws.logs.describe_log_streams(
            logGroupName=group, logStreamNamePrefix="web/", orderBy="LastEventTime"
        )


@documented("logs/API_DeleteLogStream")
def test_deleted_stream_is_gone(aws: Account) -> None:
    """A deleted log stream and its events are not found any more."""
    group, stream, _ = filled(aws, "hello")
    aws.logs.delete_log_stream(logGroupName=group, logStreamName=stream)
    assert aws.logs.describe_log_streams(logGroupName=group)["logStreams"] == []
    with refused(MISSING):
        read(aws, group, stream)


@documented("logs/API_PutLogEvents")
def test_events_come_back_in_their_order(aws: Account) -> None:
    """Events come back oldest first, with their times and the time at which they came in."""
    group, stream, first = filled(aws, "one", "two", "three")
    answer = aws.until(lambda: _full(read(aws, group, stream), 3), "three events")
    assert texts(answer) == ["one", "two", "three"]
    assert [e["timestamp"] for e in answer["events"]] == [first, first + 1000, first + 2000]
    assert all(abs(event["ingestionTime"] - now()) < 60_000 for event in answer["events"])


def _full(answer: Json, count: int) -> Json | None:
    return answer if len(answer["events"]) == count else None


@documented("logs/API_PutLogEvents")
def test_events_need_their_stream(aws: Account) -> None:
    """Events for a stream that is not there are a ResourceNotFoundException."""
    group = aws.log_group()
    with refused(MISSING):
        put(aws, group, "nobody", "hello")


@documented("logs/API_PutLogEvents")
def test_events_must_be_in_order_of_time(aws: Account) -> None:
    """A batch whose events are not in chronological order is an InvalidParameterException."""
    group = aws.log_group()
    stream = aws.log_stream(group)
    late = now()
    events = [
        {"timestamp": late, "message": "later"},
        {"timestamp": late - 5000, "message": "earlier"},
    ]
    with refused(INVALID):
        aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@documented("logs/API_PutLogEvents")
def test_sequence_token_is_ignored(aws: Account) -> None:
    """A sequence token that is not valid does no harm."""
    group, stream, first = filled(aws, "one")
    aws.logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": first + 5000, "message": "two"}],
        sequenceToken="1",  # no password
    )
    answer = aws.until(lambda: _full(read(aws, group, stream), 2), "two events")
    assert texts(answer) == ["one", "two"]


@documented("shape:logs.RejectedLogEventsInfo.tooNewLogEventStartIndex")
def test_events_of_the_future_are_rejected(aws: Account) -> None:
    """Events more than two hours in the future are rejected, and the valid ones stored."""
    group = aws.log_group()
    stream = aws.log_stream(group)
    events = [
        {"timestamp": now(), "message": "now"},
        {"timestamp": now() + 3 * 3600 * 1000, "message": "later"},
    ]
    answer = aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    assert answer["rejectedLogEventsInfo"]["tooNewLogEventStartIndex"] == 1
    assert texts(aws.until(lambda: _full(read(aws, group, stream), 1), "one event")) == ["now"]


@documented("shape:logs.RejectedLogEventsInfo.tooOldLogEventEndIndex")
def test_events_of_long_ago_are_rejected(aws: Account) -> None:
    """Events older than 14 days are rejected, and the valid ones stored."""
    group = aws.log_group()
    stream = aws.log_stream(group)
    events = [
        {"timestamp": now() - 15 * 24 * 3600 * 1000, "message": "long ago"},
        {"timestamp": now(), "message": "now"},
    ]
    # All within 24 hours is a rule too, so each comes in a batch of its own.
    rejected = aws.logs.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=events[:1]
    )["rejectedLogEventsInfo"]
    assert rejected["tooOldLogEventEndIndex"] == 1
    aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events[1:])
    assert texts(aws.until(lambda: _full(read(aws, group, stream), 1), "one event")) == ["now"]


@documented("shape:logs.GetLogEventsRequest.startTime")
def test_events_are_chosen_by_time(aws: Account) -> None:
    """StartTime is included in what is read, endTime is not."""
    group, stream, first = filled(aws, "one", "two", "three")
    aws.until(lambda: _full(read(aws, group, stream), 3), "three events")
    answer = read(aws, group, stream, startTime=first + 1000, endTime=first + 2000)
    assert texts(answer) == ["two"]


@documented("logs/API_GetLogEvents")
def test_same_token_comes_back_at_the_end(aws: Account) -> None:
    """At the end of the stream the token that was passed comes back."""
    group, stream, _ = filled(aws, "one", "two", "three")
    aws.until(lambda: _full(read(aws, group, stream), 3), "three events")
    token, seen = None, []
    for _ in range(10):
        more = {"nextToken": token} if token else {}
        answer = read(aws, group, stream, limit=2, **more)
        seen += texts(answer)
        if answer["nextForwardToken"] == token:
            break
        token = answer["nextForwardToken"]
    else:
        raise AssertionError("the token changed at each of ten pages")
    assert seen == ["one", "two", "three"]


@documented("shape:logs.GetLogEventsRequest.startFromHead")
def test_latest_events_come_first_by_default(aws: Account) -> None:
    """Without startFromHead a limit gives the latest events."""
    group, stream, _ = filled(aws, "one", "two", "three")
    aws.until(lambda: _full(read(aws, group, stream), 3), "three events")
    answer = aws.logs.get_log_events(logGroupName=group, logStreamName=stream, limit=2)
    assert sorted(texts(answer)) == ["three", "two"]


@documented("logs/API_FilterLogEvents")
def test_events_of_all_streams_are_found(aws: Account) -> None:
    """FilterLogEvents finds the events of all the group's streams, with stream and id."""
    group, stream, first = filled(aws, "one", "three")
    other = aws.log_stream(group)
    put(aws, group, other, "two", begin=first + 500)
    assert found(aws, group, 3) == ["one", "two", "three"]
    events = aws.logs.filter_log_events(logGroupName=group)["events"]
    assert [event["logStreamName"] for event in events] == [stream, other, stream]
    assert len({event["eventId"] for event in events}) == 3


@documented("logs-guide/FilterAndPatternSyntax")
def test_word_is_found(aws: Account) -> None:
    """A pattern of one word finds the events that have it, in just this case."""
    group, _, _ = filled(aws, "ERROR: no disk", "all is well", "error: no memory")
    assert found(aws, group, 1, filterPattern="ERROR") == ["ERROR: no disk"]


@documented("logs-guide/FilterAndPatternSyntax")
def test_all_words_must_be_there(aws: Account) -> None:
    """A pattern of several words finds the events that have all of them."""
    group, _, _ = filled(aws, "ERROR no disk", "ERROR no memory", "no disk, no trouble")
    assert found(aws, group, 1, filterPattern="ERROR disk") == ["ERROR no disk"]


@documented("logs-guide/FilterAndPatternSyntax")
def test_one_of_the_words_is_enough(aws: Account) -> None:
    """A pattern of words with question marks finds the events that have one of them."""
    group, _, _ = filled(aws, "ERROR no disk", "WARN hot", "INFO fine")
    assert found(aws, group, 2, filterPattern="?ERROR ?WARN") == ["ERROR no disk", "WARN hot"]


@documented("logs-guide/FilterAndPatternSyntax")
def test_phrase_is_found_whole(aws: Account) -> None:
    """A pattern in quotes finds the events that have the phrase."""
    group, _, _ = filled(aws, "INTERNAL SERVER ERROR", "SERVER had no INTERNAL ERROR")
    assert found(aws, group, 1, filterPattern='"SERVER ERROR"') == ["INTERNAL SERVER ERROR"]


@documented("logs-guide/FilterAndPatternSyntax")
def test_member_of_json_is_compared(aws: Account) -> None:
    """A pattern in braces compares a member of events that are JSON."""
    group, _, _ = filled(aws, '{"status": 500}', '{"status": 200}', "no JSON at all")
    assert found(aws, group, 1, filterPattern="{ $.status = 500 }") == ['{"status": 500}']


@documented("shape:logs.FilterLogEventsRequest.logStreamNamePrefix")
def test_streams_are_chosen_by_prefix(aws: Account) -> None:
    """Only streams are searched whose names begin with the prefix."""
    group = aws.log_group()
    for name in ("web/1", "worker/1"):
        aws.logs.create_log_stream(logGroupName=group, logStreamName=name)
        put(aws, group, name, f"from {name}")
    assert sorted(found(aws, group, 2)) == ["from web/1", "from worker/1"]
    assert found(aws, group, 1, logStreamNamePrefix="web/") == ["from web/1"]


@documented("logs/API_FilterLogEvents")
def test_streams_by_name_and_by_prefix_exclude_each_other(aws: Account) -> None:
    """Names and a prefix of streams in one request are an InvalidParameterException."""
    group = aws.log_group()
    with refused(INVALID):
        aws.logs.filter_log_events(
            logGroupName=group, logStreamNames=["a"], logStreamNamePrefix="a"
        )


@documented("logs/API_FilterLogEvents")
def test_unknown_group_is_not_filtered(aws: Account) -> None:
    """Filtering a log group that is not there is a ResourceNotFoundException."""
    with refused(MISSING):
        aws.logs.filter_log_events(logGroupName=aws.name("nobody"))
