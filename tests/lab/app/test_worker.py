from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Run


def test_it_does_the_jobs_in_order_and_puts_back_the_results(run: Run) -> None:
    store = run("store.py")
    for number, text in enumerate(("green tea", "black tea"), start=1):
        store.ask(f"PUT /keys/job-{number}", data=text)

    worker = run("worker.py", STORE_URL=store.url)
    worker.wait_for("finished job-2")

    assert store.ask("GET /keys").json() == ["done-1", "done-2"]
    assert store.ask("GET /keys/done-1").text == "GREEN TEA"
    assert worker.stop() == 0
    assert worker.lines == [
        "ready",
        "took job-1",
        "finished job-1",
        "took job-2",
        "finished job-2",
        "stopping",
    ]


def test_sigterm_lets_it_finish_the_job_that_it_has(run: Run) -> None:
    store = run("store.py")
    store.ask("PUT /keys/job-1", data="tea")
    store.ask("PUT /keys/job-2", data="tea")
    worker = run("worker.py", STORE_URL=store.url, WORK_SECONDS="0.5")
    worker.wait_for("took job-1")

    assert worker.stop() == 0
    assert worker.lines[1:] == ["took job-1", "finished job-1", "stopping"]
    assert store.ask("GET /keys").json() == ["done-1", "job-2"]


def test_it_waits_for_a_store_that_is_not_there_yet_and_says_so_once(run: Run) -> None:
    first = run("store.py")
    worker = run("worker.py", STORE_URL=first.url)
    worker.wait_for("ready")
    port = first.url.rpartition(":")[2]
    first.stop()
    worker.wait_for("waits for")

    second = run("store.py", PORT=port)
    second.ask("PUT /keys/job-1", data="tea")
    worker.wait_for("finished job-1")

    assert worker.lines == ["ready", f"waits for {first.url}", "took job-1", "finished job-1"]


def test_a_result_is_kept_until_the_store_is_back(run: Run) -> None:
    first = run("store.py")
    first.ask("PUT /keys/job-1", data="tea")
    url = first.url
    worker = run("worker.py", STORE_URL=url, WORK_SECONDS="0.5")
    worker.wait_for("took job-1")
    first.stop()
    worker.wait_for("waits for")

    second = run("store.py", PORT=url.rpartition(":")[2])
    worker.wait_for("finished job-1")

    assert second.ask("GET /keys/done-1").text == "TEA"


def test_a_result_that_cannot_be_delivered_is_said_at_the_end(run: Run) -> None:
    store = run("store.py")
    store.ask("PUT /keys/job-1", data="tea")
    worker = run("worker.py", STORE_URL=store.url, WORK_SECONDS="0.5")
    worker.wait_for("took job-1")
    store.stop()
    worker.wait_for("waits for")

    assert worker.stop() == 0
    assert worker.lines[-2:] == ["lost job-1: its result could not be delivered", "stopping"]
