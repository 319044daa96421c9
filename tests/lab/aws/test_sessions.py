from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from lab.aws.agent.sessions import Sessions
from lab.aws.data_channel import CHANNEL_CLOSED, Message, PayloadType, acknowledgement_of
from lab.aws.errors import AwsError
from lab.aws.session import read_session
from lab.checks.evidence import within
from lab.client import connect_labelled
from lab.engine import find_engine
from lab.errors import NotReadyError, SessionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker.models.containers import Container

    from lab import Lab
    from lab.aws.cloud import Cloud

    Open = Callable[[str], dict[str, Any]]

pytestmark = pytest.mark.engine


@pytest.fixture
def sessions(lab: Lab, cloud: Cloud) -> Iterator[Sessions]:
    engine = find_engine()
    made = Sessions(cloud, lambda: connect_labelled(engine, lab.naming))
    yield made
    cloud.call(made.close())
    engine.client.close()


@pytest.fixture
def box(lab: Lab) -> Container:
    return lab.docker.containers.run(
        "course/base:1", ["sleep", "600"], name=lab.name("box"), user="1000", detach=True
    )


@pytest.fixture
def opened(cloud: Cloud, sessions: Sessions, box: Container) -> Open:
    return lambda command: {"session": cloud.call(sessions.open(str(box.id), command))}


def commands_in(box: Container) -> list[str]:
    return [line[-1] for line in box.top(ps_args="-o pid,args")["Processes"]]


def test_a_container_that_has_ended_can_not_be_reached(
    cloud: Cloud, sessions: Sessions, box: Container
) -> None:
    box.kill()
    box.wait()
    with pytest.raises(AwsError, match="internal error") as refusal:
        cloud.call(sessions.open(str(box.id), "ls"))
    assert refusal.value.code == "TargetNotConnectedException"


@pytest.mark.parametrize("command", ["", "   ", "echo 'open"])
def test_a_command_that_is_none_is_refused(opened: Open, command: str) -> None:
    with pytest.raises(AwsError, match="command"):
        opened(command)


def test_a_token_opens_its_session_once(opened: Open) -> None:
    answer = opened("echo once")
    assert read_session(answer) == "once\n"
    with pytest.raises(SessionError, match="1008"):
        read_session(answer)


def test_another_token_opens_nothing_and_spoils_nothing(opened: Open) -> None:
    answer = opened("echo mine")
    for token in ("", "another"):
        forged = {"session": {**answer["session"], "tokenValue": token}}
        with pytest.raises(SessionError, match="1008"):
            read_session(forged)
    assert read_session(answer) == "mine\n"


def test_a_program_that_is_not_there_is_named(opened: Open) -> None:
    try:
        said = read_session(opened("nobody --here"))
    except SessionError as error:
        said = str(error)
    assert "nobody" in said


def test_a_command_runs_as_root_on_a_terminal_of_the_clients_size(opened: Open) -> None:
    found = read_session(opened("sh -c 'id -u; test -t 1 && echo terminal; sleep 0.5; stty size'"))
    assert found == "0\nterminal\n100 300\n"


def test_no_shell_reads_the_command(opened: Open) -> None:
    assert read_session(opened("echo '$HOME  *' \"a b\"")) == "$HOME  * a b\n"


def test_a_long_output_comes_whole_and_in_order(opened: Open) -> None:
    numbers = read_session(opened("seq 60000")).split()
    assert numbers == [str(number) for number in range(1, 60001)]


def test_a_shell_that_waits_is_given_up_and_ended(opened: Open, box: Container) -> None:
    with pytest.raises(NotReadyError, match="did not end"):
        read_session(opened("sh -i"), seconds=1)
    assert within(5)(lambda: "sh -i" not in commands_in(box))()


def test_what_is_typed_reaches_the_command_and_what_is_lost_comes_again(opened: Open) -> None:
    printed = asyncio.run(conversation(opened("cat")["session"]))
    # The terminal shows what is typed; then the command prints it.
    assert printed == "hello\r\nhello\r\n"


async def conversation(session: dict[str, str]) -> str:
    """Speak as the plugin does, but miss each message of the agent once; type a line and an end."""
    seen: set[int] = set()
    taken: set[int] = set()
    printed, sent = b"", 0
    async with aiohttp.ClientSession() as client, client.ws_connect(session["streamUrl"]) as socket:

        async def say(payload_type: PayloadType, payload: bytes) -> None:
            nonlocal sent
            message = Message("input_stream_data", payload, payload_type, sent)
            sent += 1
            # What comes twice counts once.
            await socket.send_bytes(message.packed())
            await socket.send_bytes(message.packed())

        await socket.send_str(json.dumps({"TokenValue": session["tokenValue"]}))
        async for frame in socket:
            message = Message.unpacked(frame.data)
            if message.kind == CHANNEL_CLOSED:
                break
            if message.kind != "output_stream_data":
                continue
            if message.sequence not in seen:
                seen.add(message.sequence)
                continue
            await socket.send_bytes(acknowledgement_of(message).packed())
            if message.sequence in taken:
                continue
            taken.add(message.sequence)
            if message.payload_type == PayloadType.HANDSHAKE_REQUEST:
                await say(PayloadType.HANDSHAKE_RESPONSE, b"{}")
            elif message.payload_type == PayloadType.HANDSHAKE_COMPLETE:
                await say(PayloadType.SIZE, b'{"cols": 80, "rows": 24}')
                await say(PayloadType.OUTPUT, b"hello\r")
                await say(PayloadType.OUTPUT, b"\x04")
            else:
                printed += message.payload
    return printed.decode()
