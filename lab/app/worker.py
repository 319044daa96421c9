"""The course's worker: takes jobs from the store, one after the other, and puts back the results.

It runs alone, with the standard library only: ``python3 worker.py``. A job is a key ``job-…`` of
the store; its result is the same text in capitals, under ``done-…``.

On SIGTERM it finishes the job that it has, then exits with 0. A worker that is *killed* takes its
job with it: the store handed it out and knows no more of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.request
from http import HTTPStatus

PAUSE = 0.2  # seconds between two questions to a store with nothing to do


def log(line: str) -> None:
    """Write one line for one event."""
    print(line, flush=True)  # noqa: T201 - standard output is a container's log


class Worker:
    """Works until it is told to stop.

    Args:
        store: Address of the store, such as ``http://store:8080``.
        seconds: How long each job takes.
    """

    def __init__(self, store: str, seconds: float) -> None:
        self.store = store
        self.seconds = seconds
        self.stopping = False
        self.store_is_there = True
        self.finished: tuple[str, str] | None = None  # a job and its result, not delivered yet

    def stop(self, *_: object) -> None:
        """Take no further job: called by a signal, in the middle of whatever runs."""
        self.stopping = True

    def run(self) -> None:
        """Take job after job."""
        log("ready")
        while not self.stopping:
            try:
                worked = self.one_job()
                self.store_is_there = True
            except OSError:  # refused, timed out, gone in the middle, or its name unknown
                worked = False
                if self.store_is_there:  # said once, not five times a second
                    log(f"waits for {self.store}")
                self.store_is_there = False
            if not worked:
                time.sleep(PAUSE)
        if self.finished:
            log(f"lost {self.finished[0]}: its result could not be delivered")
        log("stopping")

    def one_job(self) -> bool:
        """Take a job, do it, deliver the result; or deliver the one that is still here.

        Returns:
            Whether there was one.
        """
        if self.finished is None:
            status, content = self.ask("POST", "/take/job-")
            if status == HTTPStatus.NO_CONTENT:
                return False
            job = json.loads(content)
            log(f"took {job['key']}")
            time.sleep(self.seconds)
            self.finished = job["key"], job["value"].upper()
        key, result = self.finished
        self.ask("PUT", f"/keys/{key.replace('job-', 'done-', 1)}", result)
        self.finished = None
        log(f"finished {key}")
        return True

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        """Ask the store, and wait five seconds at most."""
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's
            self.store + path, data=body.encode(), method=method
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return answer.status, answer.read()


def main() -> None:
    """Work until told to stop."""
    store = os.environ.get("STORE_URL", "http://store:8080")
    worker = Worker(store, float(os.environ.get("WORK_SECONDS", "0")))
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()
    sys.exit(0)


if __name__ == "__main__":
    main()
