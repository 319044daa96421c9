from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Program, Run


@pytest.fixture
def store(run: Run) -> Program:
    return run("store.py")


def test_a_value_can_be_put_read_listed_and_removed(store: Program) -> None:
    assert store.ask("GET /health").text == "ok"
    assert store.ask("PUT /keys/tea", data="green").status_code == 200
    assert store.ask("PUT /keys/a%20cup", data="blue").status_code == 200

    assert store.ask("GET /keys/tea").text == "green"
    assert store.ask("GET /keys").json() == ["a cup", "tea"]
    assert store.ask("DELETE /keys/tea").text == "green"
    assert store.ask("GET /keys/tea").status_code == 404
    assert store.ask("DELETE /keys/tea").status_code == 404


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_values_survive_the_process_however_it_ends(run: Run, how: signal.Signals) -> None:
    first = run("store.py")
    first.ask("PUT /keys/tea", data="green")
    first.process.send_signal(how)
    code = first.process.wait(timeout=5)

    second = run("store.py")

    assert code == (0 if how == signal.SIGTERM else -9)
    assert second.ask("GET /keys/tea").text == "green"
    assert "keys kept: 1" in second.lines[0]


def test_a_key_is_handed_out_once_in_order(store: Program) -> None:
    for name in ("job-2", "job-1", "other"):
        store.ask(f"PUT /keys/{name}", data=f"do {name}")

    assert store.ask("POST /take/job-").json() == {"key": "job-1", "value": "do job-1"}
    assert store.ask("POST /take/job-").json() == {"key": "job-2", "value": "do job-2"}
    assert store.ask("POST /take/job-").status_code == 204
    assert store.ask("GET /keys").json() == ["other"]


def test_two_who_ask_at_once_never_get_the_same_key(store: Program) -> None:
    for number in range(20):
        store.ask(f"PUT /keys/job-{number:02}")

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: store.ask("POST /take/job-").json()["key"], range(20)))

    assert sorted(taken) == [f"job-{number:02}" for number in range(20)]


def test_a_value_that_is_too_long_is_refused(store: Program) -> None:
    refused = store.ask("PUT /keys/long", data="x" * ((1 << 20) + 1))

    assert refused.status_code == 413
    assert store.ask("GET /keys").json() == []


@pytest.mark.parametrize("request_", ["GET /nowhere", "PUT /keys/", "PUT /other", "POST /take/"])
def test_an_unknown_route_changes_nothing(store: Program, request_: str) -> None:
    assert store.ask(request_).status_code == 404
    assert store.ask("GET /keys").json() == []


def test_a_folder_that_cannot_be_used_is_said_at_the_start(run: Run, tmp_path: Path) -> None:
    store = run("store.py", DATA_DIR=str(tmp_path / "gone"))

    assert store.process.wait(timeout=5) == 1
    assert store.lines[0].startswith(f"can't use {tmp_path}/gone/store.json: ")


def test_a_file_that_is_something_else_is_kept_and_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text("not ours")

    store = run("store.py")

    assert store.process.wait(timeout=5) == 1
    assert (tmp_path / "store.json").read_text() == "not ours"


def test_it_logs_what_changes(store: Program) -> None:
    store.ask("PUT /keys/job-1", data="x")
    store.ask("GET /keys/job-1")
    store.ask("POST /take/job-")
    store.stop()

    assert store.lines[1:] == ["PUT job-1", "TAKE job-1", "stopping"]
