from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from docker.types import ServiceMode, UpdateConfig

from lab.errors import NotReadyError

if TYPE_CHECKING:
    from lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.swarm]

CAREFUL = UpdateConfig(parallelism=1, failure_action="rollback", monitor=1_000_000_000)


@pytest.fixture
def web(lab: Lab) -> Any:  # noqa: ANN401  # docker-py has no types for services
    lab.swarm()
    made = lab.docker.services.create(
        "course/app:1",
        name=lab.name("web"),
        env=["VERSION=1"],
        mode=ServiceMode("replicated", replicas=1),
        update_config=CAREFUL,
    )
    lab.wait_tasks(made, 1)
    return made


def running(service: Any) -> list[list[str]]:  # noqa: ANN401
    return [
        task["Spec"]["ContainerSpec"]["Env"]
        for task in service.tasks()
        if task["Status"]["State"] == "running"
    ]


def test_an_update_is_waited_for_until_the_old_task_has_ended(lab: Lab, web: Any) -> None:  # noqa: ANN401
    web.update(env=["VERSION=2"])
    assert lab.wait_update(web) == "completed"
    assert running(web) == [["VERSION=2"]]


def test_a_bad_update_ends_with_the_version_before_it(lab: Lab, web: Any) -> None:  # noqa: ANN401
    web.update(env=["VERSION=3", "START_EXIT=1"])
    assert lab.wait_update(web) == "rollback_completed"
    assert web.attrs["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["VERSION=1"]


def test_who_was_never_updated_is_not_waited_for_without_end(lab: Lab, web: Any) -> None:  # noqa: ANN401
    with pytest.raises(NotReadyError, match=r"The service web is, after 0\.2 s, never updated"):
        lab.wait_update(web, timeout=0.2)


def test_nothing_of_a_service_is_left_when_its_lab_has_closed(lab: Lab, web: Any) -> None:  # noqa: ANN401
    client = lab.engine.connect() if lab.engine else None
    assert client is not None
    filters = {"label": f"com.docker.swarm.service.id={web.id}"}
    assert client.containers.list(all=True, filters=filters)
    lab.close()
    assert client.containers.list(all=True, filters=filters) == []
    client.close()
