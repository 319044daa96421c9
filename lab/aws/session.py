"""Reads what a command printed that ECS Exec ran, where there is no Session Manager plugin.

The AWS CLI hands a session to that plugin, which is a program for a terminal. A cell of a notebook
has none: this does the same for a command that needs no input.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import uuid
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from lab.aws.data_channel import (
    CHANNEL_CLOSED,
    INPUT,
    OUTPUT,
    Message,
    PayloadType,
    acknowledgement_of,
)
from lab.errors import NotReadyError, SessionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_session"]

CLIENT_VERSION: Final = "1.2.0.0"
# What the plugin says where it has no terminal.
SIZE: Final = {"cols": 300, "rows": 100}
SUCCESS: Final = 1


def read_session(answer: Mapping[str, Any], *, seconds: float = 30) -> str:
    """Open the session that ``execute_command`` made, and give what its command prints.

    Args:
        answer: What ``execute_command`` answered; it opens its session once.
        seconds: How long the command may take.

    Returns:
        All that it printed, output and errors in one, as on a terminal.

    Raises:
        NotReadyError: It did not end in time; a shell, for example, waits for input.
        SessionError: The session can't be opened, or the command can't be started.

    Example:
        >>> answer = ecs.execute_command(
        ...     cluster="shop", task=arn, command="cat /etc/hostname", interactive=True
        ... )  # doctest: +SKIP
        >>> print(read_session(answer))  # doctest: +SKIP
        ip-172-31-0-4.ec2.internal
    """
    # The kernel of a notebook has a loop in this thread already.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _read(answer["session"], seconds)).result()


async def _read(session: Mapping[str, str], seconds: float) -> str:
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession() as client,
            client.ws_connect(session["streamUrl"]) as socket,
        ):
            opening = {
                "MessageSchemaVersion": "1.0",
                "RequestId": str(uuid.uuid4()),
                "TokenValue": session["tokenValue"],
                "ClientId": str(uuid.uuid4()),
                "ClientVersion": CLIENT_VERSION,
            }
            await socket.send_str(json.dumps(opening))
            return await Reader(socket).read()
    except TimeoutError:
        raise NotReadyError(
            f"The command did not end within {seconds:g} seconds.",
            next_step="Run one that ends by itself and asks for nothing, such as `ls -l`.",
        ) from None
    except aiohttp.ClientError as error:
        raise SessionError(
            f"The session does not open: {error}",
            next_step="Call `execute_command` again: each answer opens its session once.",
        ) from None


class Reader:
    """The client's side of a session.

    Args:
        socket: The websocket, on which the token was said.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._expected = 0
        self._sent = 0
        self._early: dict[int, Message] = {}
        self._printed = bytearray()

    async def read(self) -> str:
        """Acknowledge and answer what comes, until the session is over."""
        async for frame in self._socket:
            if frame.type is not aiohttp.WSMsgType.BINARY:
                continue
            message = Message.unpacked(frame.data)
            if message.kind == CHANNEL_CLOSED:
                return self._result(message.read()["Output"])
            if message.kind == OUTPUT:
                await self._socket.send_bytes(acknowledgement_of(message).packed())
                if message.sequence >= self._expected:
                    self._early[message.sequence] = message
                while following := self._early.pop(self._expected, None):
                    self._expected += 1
                    await self._take(following)
        raise SessionError(
            f"The session was closed with the code {self._socket.close_code}.",
            next_step="Call `execute_command` again: each answer opens its session once.",
        )

    def _result(self, why: str) -> str:
        # A terminal sends the cursor back at the end of each line.
        printed = self._printed.decode(errors="replace").replace("\r\n", "\n")
        if why:
            raise SessionError(
                f"The session ended: {why.strip()}",
                next_step="Look at the command: no shell reads it, and its program must be there.",
            )
        return printed

    async def _take(self, message: Message) -> None:
        if message.payload_type == PayloadType.OUTPUT:
            self._printed += message.payload
        elif message.payload_type == PayloadType.HANDSHAKE_REQUEST:
            done = [
                {"ActionType": action["ActionType"], "ActionStatus": SUCCESS}
                for action in message.read()["RequestedClientActions"]
            ]
            response = {"ClientVersion": CLIENT_VERSION, "ProcessedClientActions": done}
            await self._say(PayloadType.HANDSHAKE_RESPONSE, response)
        elif message.payload_type == PayloadType.HANDSHAKE_COMPLETE:
            await self._say(PayloadType.SIZE, SIZE)

    async def _say(self, payload_type: PayloadType, content: Mapping[str, Any]) -> None:
        payload = json.dumps(content).encode()
        message = Message(INPUT, payload, payload_type, self._sent)
        self._sent += 1
        await self._socket.send_bytes(message.packed())
