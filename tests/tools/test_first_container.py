from __future__ import annotations

import json
from typing import TYPE_CHECKING

import first_container
import pytest

from lab import cleaning
from lab.engine import find_engine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.engine
def test_first_container_answers_and_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LEARNER", "test-first")
    seconds, answer = first_container.run_first_container()
    assert answer["version"] == "1"
    assert 0 < seconds < 30
    client = find_engine().client
    assert cleaning.find(client, learner="test-first") == cleaning.Found()
    client.close()


def test_broken_engine_is_told_with_what_works_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/engine.sock")
    first_container.say_first_container()
    said = " ".join(capsys.readouterr().out.split())
    assert "/no/such/engine.sock" in said
    assert "stored outputs" in said


def test_time_before_is_shown_step_by_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [
        {"name": "venv", "what": "making .venv", "seconds": 17.42},
        {"name": "images", "what": "preparing", "seconds": 7.5},
    ]
    record = tmp_path / "setup.json"
    record.write_text(json.dumps({"steps": steps}))
    first_container.say_what_it_took(record)
    said = capsys.readouterr().out
    assert "making .venv" in said
    assert "24.9" in said
