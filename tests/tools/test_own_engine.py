from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import prove
import pytest
from own_engine import NO_FIREWALL, NoEngineOfOneSOwnError, own_engine

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
