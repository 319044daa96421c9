from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lab.aws.errors import AwsError
from lab.aws.logs.api import OPERATIONS
from lab.aws.logs.state import DAY, Logs, now
from lab.aws.place import Place

GROUP, STREAM = "/course/web", "web/1"


class Client:
    """Asks the operations as a request does."""

    def __init__(self) -> None:
        self.logs = Logs(Place("123456789012", "us-east-1"))

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
        return asyncio.run(OPERATIONS.answer(self.logs, operation, request))

    def refused(self, operation: str, **request: Any) -> tuple[str, str]:  # noqa: ANN401
        with pytest.raises(AwsError) as refusal:
            self.ask(operation, **request)
        return refusal.value.code, refusal.value.message

    def put(self, *messages: str, begin: int | None = None, stream: str = STREAM) -> int:
        first = begin or now() - 60_000
        events = [{"timestamp": first + n, "message": m} for n, m in enumerate(messages)]
        self.ask("PutLogEvents", logGroupName=GROUP, logStreamName=stream, logEvents=events)
        return first

    def read(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        return self.ask("GetLogEvents", logGroupName=GROUP, logStreamName=STREAM, **request)

    def search(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        return self.ask("FilterLogEvents", logGroupName=GROUP, **request)


@pytest.fixture
def client() -> Client:
    made = Client()
    made.ask("CreateLogGroup", logGroupName=GROUP)
    made.ask("CreateLogStream", logGroupName=GROUP, logStreamName=STREAM)
    return made


def texts(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_operation_that_is_not_there_is_refused_by_name(client: Client) -> None:
    code, message = client.refused("StartQuery", queryString="fields @message")
    assert code == "UnknownOperationException"
    assert "StartQuery" in message


def test_value_that_the_model_does_not_allow_is_refused_in_the_service_s_words(
    client: Client,
) -> None:
    code, message = client.refused("CreateLogGroup", logGroupName="no spaces")
    assert code == "InvalidParameterException"
    assert message == (
        "1 validation error detected: Value 'no spaces' at 'logGroupName' failed to satisfy "
        r"constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
    )


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([(0, "b"), (-1, "a")], "must be in chronological order"),
        ([(-2 * DAY, "a"), (0, "b")], "cannot span more than 24 hours"),
        ([(0, "x" * 1_048_577)], "Log event too large"),
        ([(0, "x" * 600_000)] * 2, "Upload too large"),
    ],
)
def test_batch_that_breaks_a_rule_is_refused_as_a_whole(
    client: Client, events: list[tuple[int, str]], says: str
) -> None:
    batch = [{"timestamp": now() + time, "message": message} for time, message in events]
    where = {"logGroupName": GROUP, "logStreamName": STREAM}
    code, message = client.refused("PutLogEvents", **where, logEvents=batch)
    assert code == "InvalidParameterException"
    assert says in message
    assert client.read(startFromHead=True)["events"] == []


def test_what_is_out_of_time_is_left_out_and_does_not_count_for_the_span(client: Client) -> None:
    client.ask("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=1)
    times = [-15 * DAY, -2 * DAY, 0, DAY]
    batch = [{"timestamp": now() + time, "message": str(time)} for time in times]
    where = {"logGroupName": GROUP, "logStreamName": STREAM}
    answer = client.ask("PutLogEvents", **where, logEvents=batch)
    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 2,
        "tooNewLogEventStartIndex": 3,
    }
    assert texts(client.read(startFromHead=True)) == ["0"]


@pytest.mark.parametrize("token", ["x", "f/1/s", "g/" + "0" * 56 + "/s"])
def test_token_that_came_with_no_answer_is_refused(client: Client, token: str) -> None:
    where = {"logGroupName": GROUP, "logStreamName": STREAM}
    said = ("InvalidParameterException", "The specified nextToken is invalid.")
    assert client.refused("GetLogEvents", **where, nextToken=token) == said
    assert client.refused("FilterLogEvents", logGroupName=GROUP, nextToken=token) == said
    assert client.refused("DescribeLogGroups", nextToken=token) == said


def test_group_is_named_once(client: Client) -> None:
    for request in ({}, {"logGroupName": GROUP, "logGroupIdentifier": GROUP}):
        assert client.refused("FilterLogEvents", **request)[0] == "InvalidParameterException"
    arn = client.ask("DescribeLogGroups")["logGroups"][0]["logGroupArn"]
    client.put("one")
    for identifier in (GROUP, arn):
        assert texts(client.ask("FilterLogEvents", logGroupIdentifier=identifier)) == ["one"]


def test_stream_is_read_backward_and_forward_again(client: Client) -> None:
    client.put(*"abcde")
    page = client.read(limit=2)
    assert texts(page) == ["d", "e"]
    before = client.read(limit=2, nextToken=page["nextBackwardToken"])
    assert texts(before) == ["b", "c"]
    first = client.read(limit=2, nextToken=before["nextBackwardToken"])
    assert texts(first) == ["a"]
    end = client.read(limit=2, nextToken=first["nextBackwardToken"])
    assert texts(end) == []
    assert end["nextBackwardToken"] == first["nextBackwardToken"]
    assert texts(client.read(nextToken=end["nextForwardToken"])) == [*"abcde"]


def test_who_follows_a_stream_gets_what_is_written_later(client: Client) -> None:
    token = client.read(startFromHead=True)["nextForwardToken"]
    client.put("a")
    page = client.read(startFromHead=True, nextToken=token)
    assert texts(page) == ["a"]
    again = client.read(startFromHead=True, nextToken=page["nextForwardToken"])
    assert (texts(again), again["nextForwardToken"]) == ([], page["nextForwardToken"])
    client.put("b", begin=now())
    assert texts(client.read(startFromHead=True, nextToken=again["nextForwardToken"])) == ["b"]
    assert texts(client.read(nextToken=again["nextBackwardToken"])) == ["a"]


def test_events_that_come_in_late_are_put_where_they_belong(client: Client) -> None:
    first = client.put("a", "c")
    client.put("b", begin=first)
    assert texts(client.read(startFromHead=True)) == ["a", "b", "c"]


def test_search_goes_on_where_it_was_although_events_come_in(client: Client) -> None:
    client.ask("CreateLogStream", logGroupName=GROUP, logStreamName="other")
    first = client.put("a1", "b", "a2", "b", "a3")
    page = client.search(filterPattern="a1 ", limit=1)
    assert (texts(page), page["nextToken"]) == (["a1"], None)
    page = client.search(filterPattern="?a1 ?a2 ?a3", limit=1)
    client.put("a0", begin=first - 5, stream="other")
    rest = client.search(filterPattern="?a0 ?a1 ?a2 ?a3", nextToken=page["nextToken"])
    assert (texts(rest), rest["nextToken"]) == (["a2", "a3"], None)


def test_search_from_the_newest_on(client: Client) -> None:
    first = client.put(*"abc")
    options = {"startFromHead": False, "startTime": first}
    page = client.search(**options, limit=2)
    assert texts(page) == ["c", "b"]
    assert texts(client.search(startTime=first, nextToken=page["nextToken"])) == ["a"]
    assert client.refused("FilterLogEvents", logGroupName=GROUP, startFromHead=False)[0] == (
        "InvalidParameterException"
    )


def test_end_of_the_range_is_included_in_a_search_and_not_in_a_stream(client: Client) -> None:
    first = client.put(*"abc")
    assert texts(client.search(startTime=first + 1, endTime=first + 2)) == ["b", "c"]
    assert texts(client.read(startTime=first + 1, endTime=first + 2)) == ["b"]


def test_pattern_that_can_not_be_read_is_refused(client: Client) -> None:
    assert client.refused("FilterLogEvents", logGroupName=GROUP, filterPattern="a:b") == (
        "InvalidParameterException",
        "Invalid character(s) in term ':'",
    )


def test_answer_has_as_much_as_fits_and_leads_on(client: Client) -> None:
    for _ in range(3):
        client.put("x" * 600_000, begin=now())
    page = client.read(startFromHead=True)
    assert len(page["events"]) == 1
    page = client.read(startFromHead=True, nextToken=page["nextForwardToken"])
    assert len(page["events"]) == 1


def test_protected_group_is_not_deleted(client: Client) -> None:
    client.ask(
        "PutLogGroupDeletionProtection", logGroupIdentifier=GROUP, deletionProtectionEnabled=True
    )
    assert client.refused("DeleteLogGroup", logGroupName=GROUP)[0] == "ValidationException"


def test_prefix_and_pattern_of_groups_exclude_each_other(client: Client) -> None:
    names = {"logGroupNamePrefix": "/course", "logGroupNamePattern": "web"}
    assert client.refused("DescribeLogGroups", **names)[0] == "InvalidParameterException"
    found = client.ask("DescribeLogGroups", logGroupNamePattern="WEB")["logGroups"]
    assert [group["logGroupName"] for group in found] == [GROUP]


def test_group_has_at_most_fifty_tags(client: Client) -> None:
    arn = client.ask("DescribeLogGroups")["logGroups"][0]["logGroupArn"]
    client.ask("TagResource", resourceArn=arn, tags={f"k{n}": "v" for n in range(50)})
    code, _ = client.refused("TagResource", resourceArn=arn, tags={"one": "more"})
    assert code == "TooManyTagsException"
    client.ask("UntagResource", resourceArn=arn, tagKeys=[f"k{n}" for n in range(49)])
    assert client.ask("ListTagsForResource", resourceArn=arn) == {"tags": {"k49": "v"}}
    assert client.refused("ListTagsForResource", resourceArn=f"{arn}x")[0] == (
        "ResourceNotFoundException"
    )


def test_streams_are_ordered_by_their_last_event(client: Client) -> None:
    for name in ("a", "b"):
        client.ask("CreateLogStream", logGroupName=GROUP, logStreamName=name)
    client.put("x", begin=now() - 10, stream="b")
    client.put("x", begin=now() - 5000, stream=STREAM)
    found = client.ask(
        "DescribeLogStreams", logGroupName=GROUP, orderBy="LastEventTime", descending=True
    )
    assert [one["logStreamName"] for one in found["logStreams"]] == ["b", STREAM, "a"]
