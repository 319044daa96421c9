"""The engine restarts in mid-chapter: what chapter 07 says of it, on a daemon of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from own_engine import NO_FIREWALL, own_engine

from lab import Lab, images, open_lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker
    from own_engine import Engine

pytestmark = pytest.mark.engine

FOR_EVER = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"


@pytest.fixture(scope="module")
def engine(
    tmp_path_factory: pytest.TempPathFactory, engine_client: docker.DockerClient
) -> Iterator[Engine]:
    with own_engine(tmp_path_factory.mktemp("engine"), NO_FIREWALL) as engine:
        for course_image in images.IMAGES:
            image = engine_client.images.get(course_image.name)
            engine.client.images.load(b"".join(image.save(named=True)))
        yield engine


@pytest.fixture
def lab(engine: Engine, learner: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    opened = open_lab("07-one-host")
    assert opened.naming.learner == learner
    yield opened
    opened.close()


def test_policies_say_what_starts_again_and_the_lab_goes_on(engine: Engine, lab: Lab) -> None:
    policies = ("no", "on-failure", "always", "unless-stopped")
    for policy in policies:
        for short in (policy, f"{policy}-stopped"):
            lab.docker.containers.run(
                "course/base:1",
                ["sh", "-c", FOR_EVER],
                name=lab.name(short),
                network_mode="none",
                restart_policy={"Name": policy},
                detach=True,
            )
    for policy in policies:
        lab.docker.containers.get(lab.name(f"{policy}-stopped")).stop()

    engine.restart()

    lab.ping()
    always = lab.docker.containers.get(lab.name("always"))
    lab.wait_for(always, "status", "running")
    mine = lab.docker.containers.list(filters=lab.filters)
    running = {str(each.name).removeprefix(lab.naming.prefix) for each in mine}
    assert running == {"always", "always-stopped", "unless-stopped"}
    removed = lab.close()
    assert len(removed.containers) == 8
