from __future__ import annotations

import inspect
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

from lab.aws.agent import gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Agent:
    """Answers a gateway that runs as it does in its container, by its source alone."""

    def __init__(self) -> None:
        self.answer: Callable[[str], tuple[int, Any]] = lambda path: (200, {"path": path})
        self.process = subprocess.Popen(
            [sys.executable, "-c", inspect.getsource(gateway), "127.0.0.1", "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            said = json.loads(line)
            status, document = self.answer(said["path"])
            self.say(number=said["number"], status=status, body=json.dumps(document))

    def say(self, **line: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def ask(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(5)
        self.thread.join(5)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def agent() -> Iterator[Agent]:
    made = Agent()
    yield made
    made.close()


def test_a_refusal_of_the_agent_comes_with_its_status(agent: Agent) -> None:
    agent.answer = lambda _path: (404, "nobody")
    answer = agent.ask("/v4/nobody")
    assert (answer.status_code, answer.json()) == (404, "nobody")


def test_an_answer_that_nobody_waits_for_is_dropped(agent: Agent) -> None:
    agent.say(number=12345, status=200, body="{}")
    assert agent.ask("/v4/a").json() == {"path": "/v4/a"}


def test_only_reading_is_possible(agent: Agent) -> None:
    address = f"http://127.0.0.1:{agent.port}/v4/a"
    assert requests.post(address, timeout=5).status_code == 501


def test_each_question_gets_its_own_answer(agent: Agent) -> None:
    paths = [f"/v4/{number}/task" for number in range(8)]
    answers: dict[str, str] = {}

    def ask(path: str) -> None:
        answers[path] = agent.ask(path).json()["path"]

    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {path: path for path in paths}


def test_it_ends_when_its_input_does(agent: Agent) -> None:
    assert agent.process.stdin
    agent.process.stdin.close()
    assert agent.process.wait(5) == 0
