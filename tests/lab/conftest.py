from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from lab import Lab, images, open_lab
from lab.cleaning import sweep
from lab.engine import find_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import docker

CHAPTER = "05-life-cycle"


@pytest.fixture(scope="session")
def engine_client() -> Iterator[docker.DockerClient]:
    client = find_engine().connect()
    images.prepare(client)
    yield client
    client.close()


@pytest.fixture
def learner(
    engine_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("COURSE_LEARNER", name)
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / "state"))
    yield name
    sweep(engine_client, chapter=None, learner=name)


@pytest.fixture
def lab(learner: str) -> Iterator[Lab]:
    opened = open_lab(CHAPTER)
    assert opened.naming.learner == learner
    yield opened
    opened.close()
