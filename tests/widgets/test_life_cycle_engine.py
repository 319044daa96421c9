from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import docker
import docker.errors
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from lab import images
from lab.engine import find_engine
from lab.naming import COURSE
from widgets import LifeCycle
from widgets.life_cycle import ACTIONS, OUTCOMES, PROGRAMS, STATES, THINGS, Outcome, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker.models.containers import Container

pytestmark = pytest.mark.engine

WAYS = {
    "no container": [],
    "created": ["create"],
    "running": ["create", "start"],
    "paused": ["create", "start", "pause"],
    "exited": ["create", "start", "exit 1"],
    "removed": ["create", "remove"],
}
# Ends with the code in /code on USR1, grows without limit on USR2, says when it can hear.
PROGRAM = "trap 'exit $(cat /code)' USR1; trap 'exec tail /dev/zero' USR2; echo ready; "
WAIT = "sleep 600 & wait"
COMMANDS = {
    "handles": "trap 'exit 0' TERM; " + PROGRAM + WAIT,
    "ignores": PROGRAM + WAIT,
    "init": PROGRAM + WAIT,
}
PATIENCE = 1  # seconds that `stop` waits here; 10 if nobody says otherwise
# What docker-py asks the engine for; it hides the answer of a call that has succeeded.
REQUESTS: dict[str, tuple[str, str]] = {
    "start": ("POST", "/start"),
    "pause": ("POST", "/pause"),
    "unpause": ("POST", "/unpause"),
    "stop": ("POST", f"/stop?t={PATIENCE}"),
    "kill": ("POST", "/kill"),
    "restart": ("POST", f"/restart?t={PATIENCE}"),
    "remove": ("DELETE", ""),
    "remove --force": ("DELETE", "?force=1"),
}


@dataclass
class Subject:
    """One container, or the place of one, and the program that runs in it."""

    client: docker.DockerClient
    name: str
    program: str

    def do(self, action: str) -> str:
        """Does an action and gives the engine's answer; an event has none."""
        if action == "create":
            return self.create()
        if action in REQUESTS:
            return self.ask(*REQUESTS[action])
        self.happen(action)
        return "no request"

    def ask(self, method: str, path: str) -> str:
        heard = self.says_ready()
        api = self.client.api
        answer = api.request(method, f"{api.base_url}/containers/{self.name}{path}", timeout=30)
        if answer.status_code == 204 and path.startswith(("/start", "/restart")):
            until(lambda: self.says_ready() > heard)  # now the program can hear signals
        return f"{answer.status_code} {answer.text}"

    def says_ready(self) -> int:
        container = self.container
        return container.logs().count(b"ready") if container else 0

    def create(self) -> str:
        try:
            self.client.containers.create(
                "course/base:1",
                ["sh", "-c", COMMANDS[self.program]],
                name=self.name,
                init=self.program == "init",
                labels={"course": COURSE, "chapter": "05-life-cycle", "learner": self.name},
                mem_limit="16m",
                memswap_limit="16m",
                ports={"8080/tcp": ("127.0.0.1", None)},
            )
        except docker.errors.APIError as refusal:
            return f"{refusal.status_code} {refusal.explanation}"
        return "201"

    def happen(self, event: str) -> None:
        container = self.container
        assert container is not None
        call = f"echo {event[-1]} > /code; kill -USR1 1"
        container.exec_run(["sh", "-c", "kill -USR2 1" if event == "out of memory" else call])
        container.wait(timeout=30)

    @property
    def container(self) -> Container | None:
        try:
            return self.client.containers.get(self.name)
        except docker.errors.NotFound:
            return None


def until(condition: Callable[[], bool]) -> None:
    retry(
        retry=retry_if_result(lambda done: not done),
        stop=stop_after_delay(30),
        wait=wait_fixed(0.05),
    )(condition)()


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    made = find_engine().connect()
    images.ensure(made)
    yield made
    made.close()


@pytest.fixture
def subject(client: docker.DockerClient, request: pytest.FixtureRequest) -> Iterator[Subject]:
    made = Subject(client, f"course-test-{uuid.uuid4().hex[:8]}", request.param)
    yield made
    if made.container is not None:
        made.container.remove(force=True)


def expect(subject: Subject, step: Step) -> None:
    container = subject.container
    if step.status in {"no container", "removed"}:
        assert container is None
        return
    assert container is not None
    assert container.status == step.status
    state = container.attrs["State"]
    if step.status == "exited":
        assert state["ExitCode"] == step.exit_code
        assert state["OOMKilled"] is (step.action == "out of memory")
    else:
        assert state["ExitCode"] == 0


def ends(outcome: Outcome) -> bool:
    return outcome.to == "exited" or outcome.signal == "{signals}"


EVENTS = [name for name, action in ACTIONS.items() if action.kind == "event"]
CASES = [
    (program, status, action)
    for status in STATES
    for action in ACTIONS
    # An event needs a process that is awake: elsewhere there is nothing to try.
    if action not in EVENTS or status == "running"
    # The program matters only where its process ends.
    for program in (PROGRAMS if ends(OUTCOMES[status][action]) else ["handles"])
]


@pytest.mark.parametrize(("subject", "status", "action"), CASES, indirect=["subject"], ids=str)
def test_the_engine_does_what_the_table_says(subject: Subject, status: str, action: str) -> None:
    for earlier in WAYS[status]:
        subject.do(earlier)
    *_, step = LifeCycle.walk([*WAYS[status], action], program=subject.program)
    answer = subject.do(action)
    expect(subject, step)
    # "409 Conflict: Container web is not running": the number, then words that the engine uses.
    number, _, words = OUTCOMES[status][action].answer.partition(": ")
    assert answer.startswith(number if number == "no request" else number[:3])
    if not step.changed and words:
        said = answer.lower()
        for word in words.lower().split():
            assert word.strip('"/') in said or word in {"web", '"/web"'}  # it says the id there


@pytest.mark.parametrize("subject", ["handles"], indirect=True)
def test_what_the_engine_keeps_in_each_state(subject: Subject) -> None:
    def marks(status: str) -> dict[str, str]:
        return {thing: mark for thing, (mark, _) in zip(THINGS, STATES[status].keeps, strict=True)}

    def look(status: str) -> Container:
        container = subject.container
        assert container is not None
        assert container.status == status
        kept = marks(status)
        network = container.attrs["NetworkSettings"]
        assert bool(container.attrs["State"]["Pid"]) is (kept["process"] != "no")
        assert bool(network["Networks"]["bridge"]["IPAddress"]) is (kept["IP address"] == "yes")
        assert bool(container.ports) is (kept["published port"] != "no")
        assert bool(container.logs()) is (kept["logs"] == "yes")
        assert container.attrs["HostConfig"]["Memory"] == 16 * 1024**2
        return container

    def has_note(container: Container) -> bool:
        try:
            container.get_archive("/note")
        except docker.errors.NotFound:
            return False
        return True

    subject.do("create")
    assert not has_note(look("created"))
    subject.do("start")
    running = look("running")
    running.exec_run("touch /note")
    first = running.attrs["State"]["Pid"]
    subject.do("pause")
    assert look("paused").attrs["State"]["Pid"] == first
    subject.do("unpause")
    assert look("running").attrs["State"]["Pid"] == first
    subject.do("stop")
    assert has_note(look("exited"))
    subject.do("start")
    again = look("running")
    assert has_note(again)
    assert again.attrs["State"]["Pid"] != first
    subject.do("remove --force")
    assert subject.container is None
    subject.do("create")
    assert not has_note(look("created"))


def test_a_restart_policy_shows_a_seventh_status(client: docker.DockerClient) -> None:
    name = f"course-test-{uuid.uuid4().hex[:8]}"
    container = client.containers.run(
        "course/base:1",
        "false",
        name=name,
        detach=True,
        restart_policy={"Name": "always"},
        labels={"course": COURSE, "chapter": "05-life-cycle", "learner": name},
    )
    try:

        def restarting() -> bool:
            container.reload()
            return bool(container.status == "restarting")

        until(restarting)
    finally:
        container.remove(force=True)
