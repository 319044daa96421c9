from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lab.aws import moto_seam
from lab.aws.errors import AwsError
from lab.aws.logs.api import OPERATIONS
from lab.aws.logs.state import Logs, now
from lab.aws.place import Place
from lab.aws.sources import Sources, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = Place("123456789012", "us-east-1")
WHERE = {"logGroupName": "/course/web", "logStreamName": "web/1"}


@pytest.fixture
def sources() -> Iterator[Sources]:
    logs = Logs(PLACE)

    def answer(_place: Place, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return asyncio.run(OPERATIONS.answer(logs, operation, request))

    moto_seam.own_service("logs", answer)
    server = moto_seam.serve(0)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    made = Sources()
    made.endpoint = "http://{}:{}".format(*server.server_address[:2])
    yield made
    server.shutdown()
    server.server_close()
    serving.join()


def written(sources: Sources) -> list[str]:
    events = client_of("logs", sources.endpoint).get_log_events(**WHERE, startFromHead=True)
    return [event["message"] for event in events["events"]]


def test_group_that_is_missing_is_made_only_if_asked_for(sources: Sources) -> None:
    with pytest.raises(AwsError) as refusal:
        sources.log_group(PLACE, "/course/web", create=False)
    assert "The specified log group does not exist." in refusal.value.message
    for _ in range(2):
        sources.log_group(PLACE, "/course/web", create=True)
    sources.log_group(PLACE, "/course/web", create=False)


def test_empty_lines_are_left_out_and_lines_mixed_up_are_put_in_order(sources: Sources) -> None:
    sources.log_group(PLACE, "/course/web", create=True)
    time = now()
    lines = [(2, "second"), (1, "first"), (3, ""), (3, "third")]
    events = [{"timestamp": time + after, "message": message} for after, message in lines]
    sources.put_log_events(PLACE, *WHERE.values(), events)
    sources.put_log_events(PLACE, *WHERE.values(), [{"timestamp": time, "message": ""}])
    assert written(sources) == ["first", "second", "third"]
