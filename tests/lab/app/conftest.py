from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import requests
import tenacity

import lab.app

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(lab.app.__file__).parent

eventually = tenacity.retry(
    stop=tenacity.stop_after_delay(15), wait=tenacity.wait_fixed(0.02), reraise=True
)


@dataclass
class Program:
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    @property
    def url(self) -> str:
        port = self.wait_for(r"listens on port (\d+)")[1]
        return f"http://127.0.0.1:{port}"

    @eventually
    def wait_for(self, pattern: str) -> re.Match[str]:
        found = re.search(pattern, self.output.read_text())
        if found is None:
            message = f"no {pattern!r} in {self.lines}"
            raise AssertionError(message)
        return found

    def ask(self, request: str, **options: Any) -> requests.Response:  # noqa: ANN401
        method, path = request.split(" ")
        options = {"timeout": 5, **options}
        return requests.request(method, self.url + path, **options)  # noqa: S113 - just above

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


class Run(Protocol):
    def __call__(self, program: str, **settings: str) -> Program: ...


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    programs: list[Program] = []

    def start(program: str, **settings: str) -> Program:
        output = tmp_path / f"{program}-{len(programs)}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "PORT": "0",
            "ADDRESS": "127.0.0.1",
            "TMPDIR": str(tmp_path),
            "DATA_DIR": str(tmp_path),
            **settings,
        }
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAMS / program)],
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        programs.append(Program(process, output))
        return programs[-1]

    yield start
    for program in programs:
        program.process.kill()
        program.process.wait(timeout=10)
