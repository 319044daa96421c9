from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import prove
import pytest
from own_engine import NO_FIREWALL, NoEngineOfOneSOwnError, dead_end, own_engine

from lab.engine import find_engine

if TYPE_CHECKING:
    from pathlib import Path


def way_out(*inside: str) -> str:
    command = [*inside, sys.executable, "-c", prove.NO_WAY_OUT]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.engine
def test_its_network_has_no_way_out_and_goes_with_it(tmp_path: Path) -> None:
    with own_engine(tmp_path, NO_FIREWALL) as engine:
        assert engine.client.images.list() == []
        assert way_out(*engine.inside) == ""

    assert "No such file" in way_out(*engine.inside)


@pytest.mark.engine
def test_what_leaves_by_a_dead_end_is_counted_also_from_a_container(tmp_path: Path) -> None:
    with own_engine(tmp_path) as engine, closing(find_engine().client) as main:
        engine.client.images.load(b"".join(main.images.get("course/base:1").save(named=True)))
        left = dead_end(engine.inside)
        inside = {"remove": True, "network_mode": "bridge"}
        engine.client.containers.run("course/base:1", "true", **inside)
        assert left() == 0
        subprocess.run([*engine.inside, sys.executable, "-c", prove.SET_OUT], check=True)
        assert left() == 1
        engine.client.containers.run("course/base:1", ["python3", "-c", prove.SET_OUT], **inside)
        assert left() == 2


def test_without_root_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with (
        pytest.raises(NoEngineOfOneSOwnError, match="only root may"),
        own_engine(tmp_path),
    ):
        pass


def test_without_a_daemon_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(NoEngineOfOneSOwnError, match="there is no program dockerd"),
        own_engine(tmp_path),
    ):
        pass


@pytest.mark.engine
def test_a_daemon_that_does_not_start_is_said_with_its_own_words(tmp_path: Path) -> None:
    with (
        pytest.raises(NoEngineOfOneSOwnError, match=r"did not start:\n(.*\n)*.*no-such-option"),
        own_engine(tmp_path, ["--no-such-option"]),
    ):
        pass


def test_what_is_not_proved_is_said_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    prover = prove.Prover(folder=None)  # type: ignore[arg-type]
    with prover.round("with no network") as found:
        found.not_here = "only root may start a second Docker daemon"
    assert found.verdict == "not proved here"
    assert not found.failures
    said = capsys.readouterr().out
    assert "with no network: not proved here" in said
    assert "only root may" in said
