"""A lab waits for a deployment of ECS, and finds a port that nobody listens on."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lab import Lab
from lab.errors import NotReadyError
from lab.naming import Naming

WHICH = {"cluster": "shop", "service": "web"}


class Told:
    """Answers as boto3's client of ECS does: statuses one after the other, the last for ever."""

    def __init__(self, *statuses: str, events: tuple[str, ...] = ()) -> None:
        self.statuses = [*statuses]
        self.events = events

    def list_service_deployments(self, **which: str) -> dict[str, Any]:
        assert which == WHICH
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {"serviceDeployments": [{"status": status}, {"status": "SUCCESSFUL"}]}

    def describe_services(self, **which: object) -> dict[str, Any]:
        assert which == {"cluster": "shop", "services": ["web"]}
        return {"services": [{"events": [{"message": event} for event in self.events]}]}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr("lab.session.DEPLOYMENT_POLL_SECONDS", 0)
    return Lab(None, Naming(chapter="12-ecs", learner="test"), lock=None)


@pytest.mark.parametrize("end", ["SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL"])
def test_it_waits_for_the_end_of_the_newest_one(lab: Lab, end: str) -> None:
    assert lab.wait_deployment(Told("PENDING", "IN_PROGRESS", end), **WHICH) == end


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (("(service web) has started 1 tasks.",), "It says last: (service web) has started 1"),
        ((), "The deployment of web is IN_PROGRESS after 0 s."),
    ],
)
def test_it_says_what_the_service_said_last(lab: Lab, events: tuple[str, ...], said: str) -> None:
    with pytest.raises(NotReadyError) as caught:
        lab.wait_deployment(Told("IN_PROGRESS", events=events), timeout=0, **WHICH)
    assert said in str(caught.value)


def test_the_port_can_be_listened_on(lab: Lab) -> None:
    port = lab.free_port()
    with socket.create_server(("127.0.0.1", port)) as listening:
        assert listening.getsockname() == ("127.0.0.1", port)
