"""One session of ECS Exec: a command in a container, and who types at the other end.

It is the agent's side of the conversation that Session Manager's plugin leads: a handshake, then
what is typed one way and what is printed the other way, each message acknowledged.
https://github.com/aws/session-manager-plugin/blob/mainline/src/datachannel/streaming.go
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

import docker
import docker.errors
from aiohttp import WSMsgType

from lab.aws.agent.agent import ENGINE_ERRORS
from lab.aws.agent.engine_stream import EngineStream
from lab.aws.data_channel import (
    ACKNOWLEDGE,
    CHANNEL_CLOSED,
    INPUT,
    OUTPUT,
    Message,
    MessageError,
    PayloadType,
    acknowledgement_of,
)

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

    from lab.aws.cloud import Cloud

__all__ = ["ExecSession"]

log = logging.getLogger(__name__)

AGENT_VERSION: Final = "3.3.0.0"
PAYLOAD: Final = 1024
# How much may be on its way before who prints has to wait.
MOST_UNACKNOWLEDGED: Final = 256
# The plugin drops what comes before it is ready, and counts on getting it again.
RESEND_SECONDS: Final = 0.2
# The plugin tells its size at once; another client may never do.
SIZE_SECONDS: Final = 1
DRAIN_SECONDS: Final = 5
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
IDLE_SECONDS: Final = 20 * 60
TERMINATE: Final = b"\0\0\0\2"
INTERRUPT_AND_END: Final = b"\x03\x04"


class ExecSession:
    """The conversation of one session, from the handshake on.

    Args:
        cloud: The loop in which it is led.
        api: The engine.
        socket: The websocket to the client.
        session_id: Its id.
        exec_id: The engine's id of the command, which is made and not started.
        command: The command, for the handshake.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # all that it is made of
        self,
        cloud: Cloud,
        api: docker.APIClient,
        socket: WebSocketResponse,
        session_id: str,
        exec_id: str,
        command: str,
    ) -> None:
        self._cloud = cloud
        self._api = api
        self._socket = socket
        self._id = session_id
        self._exec_id = exec_id
        self._command = command
        self._sent = 0
        self._heard = 0
        self._unacknowledged: dict[int, bytes] = {}
        self._has_unacknowledged = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._size: tuple[int, int] | None = None
        self._has_size = asyncio.Event()
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        self._printed_all = asyncio.Event()
        self._stream: EngineStream | None = None
        self._printing: threading.Thread | None = None
        self._begun = time.monotonic_ns()
        self._last = time.monotonic()
        self._under_way: list[asyncio.Task[Any]] = []

    async def run(self) -> None:
        """Lead it to its end: the command's, the client's, or when nothing happens for long."""
        session_type = {
            "SessionType": "InteractiveCommands",
            "Properties": {"linux": {"commands": self._command}},
        }
        request = {
            "AgentVersion": AGENT_VERSION,
            "RequestedClientActions": [
                {"ActionType": "SessionType", "ActionParameters": session_type}
            ],
        }
        self._under_way = [self._cloud.spawn(self._resend()), self._cloud.spawn(self._watch())]
        try:
            await self._say(PayloadType.HANDSHAKE_REQUEST, json.dumps(request).encode())
            async for frame in self._socket:
                if frame.type is WSMsgType.BINARY:
                    await self._hear(Message.unpacked(frame.data))
        except MessageError as error:
            await self._end(f"The message can't be read: {error}")
        finally:
            for task in self._under_way:
                task.cancel()
            # Nobody acknowledges any more: who waits for it goes on.
            self._acknowledged.set()
            await self._hang_up()

    async def _hang_up(self) -> None:
        """End a command that still runs: the engine would let it go on."""
        if self._stream and self._printing:
            if not self._printed_all.is_set():
                with contextlib.suppress(OSError):
                    await self._cloud.beside(self._stream.write, INTERRUPT_AND_END)
            self._stream.close()
            await self._cloud.beside(self._printing.join, DRAIN_SECONDS)

    async def _watch(self) -> None:
        """End it when nothing was typed or printed for too long."""
        # Each message puts it off: looking again at the end is less than a timer for each.
        while (left := self._last + IDLE_SECONDS - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)
        await self._end("Nothing was typed or printed for 20 minutes.")

    # --- what the client says ----------------------------------------------------------------

    async def _hear(self, message: Message) -> None:
        self._last = time.monotonic()
        if message.kind == ACKNOWLEDGE:
            self._unacknowledged.pop(_number(message, "AcknowledgedMessageSequenceNumber"), None)
            self._acknowledged.set()
            if not self._unacknowledged:
                self._has_unacknowledged.clear()
        elif message.kind == INPUT and message.sequence <= self._heard:
            await self._send(acknowledgement_of(message).packed())
            # It comes again where the acknowledgement was late.
            if message.sequence == self._heard:
                self._heard += 1
                await self._take(message)

    async def _take(self, message: Message) -> None:
        if message.payload_type == PayloadType.HANDSHAKE_RESPONSE:
            await self._complete(message)
        elif message.payload_type == PayloadType.SIZE:
            self._size = _number(message, "cols"), _number(message, "rows")
            self._has_size.set()
            await self._resize()
        elif message.payload_type == PayloadType.OUTPUT:
            self._typed.put_nowait(message.payload)
        elif message.payload_type == PayloadType.FLAG and message.payload == TERMINATE:
            await self._end("")

    async def _complete(self, response: Message) -> None:
        """End the handshake, and start the command."""
        if errors := response.read().get("Errors"):
            await self._end(f"The client refused the handshake: {errors}")
            return
        complete = {
            "HandshakeTimeToComplete": time.monotonic_ns() - self._begun,
            "CustomerMessage": "",
        }
        await self._say(PayloadType.HANDSHAKE_COMPLETE, json.dumps(complete).encode())
        self._under_way.append(self._cloud.spawn(self._execute()))

    # --- the command -------------------------------------------------------------------------

    async def _execute(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_size.wait(), SIZE_SECONDS)
        try:
            connection = await self._cloud.beside(
                self._api.exec_start, self._exec_id, tty=True, socket=True
            )
        except ENGINE_ERRORS as error:
            said = error.explanation if isinstance(error, docker.errors.APIError) else error
            await self._end(f"----------ERROR-------\nUnable to start command: {said}")
            return
        self._stream = EngineStream(connection)
        await self._resize()
        self._under_way.append(self._cloud.spawn(self._type(self._stream)))
        # A thread of its own: it waits for as long as the session lasts.
        self._printing = threading.Thread(
            target=self._print, args=(self._stream,), name=f"session {self._id}", daemon=True
        )
        self._printing.start()
        await self._printed_all.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_acknowledged(), DRAIN_SECONDS)
        await self._end("")

    def _print(self, stream: EngineStream) -> None:
        for chunk in stream.chunks():
            for start in range(0, len(chunk), PAYLOAD):
                part = chunk[start : start + PAYLOAD]
                self._cloud.call(self._say(PayloadType.OUTPUT, part))
        self._cloud.tell(self._printed_all.set)

    async def _type(self, stream: EngineStream) -> None:
        while True:
            typed = await self._typed.get()
            with contextlib.suppress(OSError):
                await self._cloud.beside(stream.write, typed)

    async def _resize(self) -> None:
        if self._stream and self._size:
            columns, rows = self._size
            # The command may have ended by now.
            with contextlib.suppress(*ENGINE_ERRORS):
                await self._cloud.beside(self._api.exec_resize, self._exec_id, rows, columns)

    # --- what the client is told -------------------------------------------------------------

    async def _say(self, payload_type: PayloadType, payload: bytes) -> None:
        """Send the next message of the stream, and keep it until it is acknowledged."""
        while len(self._unacknowledged) >= MOST_UNACKNOWLEDGED and not self._socket.closed:
            await self._next_acknowledgement()
        message = Message(OUTPUT, payload, payload_type, self._sent)
        self._last = time.monotonic()
        self._sent += 1
        self._unacknowledged[message.sequence] = message.packed()
        self._has_unacknowledged.set()
        await self._send(self._unacknowledged[message.sequence])

    async def _resend(self) -> None:
        """Send the oldest message again whose acknowledgement does not come."""
        while True:
            await self._has_unacknowledged.wait()
            oldest = next(iter(self._unacknowledged))
            await asyncio.sleep(RESEND_SECONDS)
            if oldest in self._unacknowledged:
                await self._send(self._unacknowledged[oldest])

    async def _send(self, packed: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self._socket.send_bytes(packed)

    async def _next_acknowledgement(self) -> None:
        self._acknowledged.clear()
        await self._acknowledged.wait()

    async def _all_acknowledged(self) -> None:
        while self._unacknowledged:
            await self._next_acknowledgement()

    async def _end(self, output: str) -> None:
        """Tell the client that the session is over, and why if it did not just end."""
        message_id = uuid.uuid4()
        content = {
            "MessageId": str(message_id),
            "CreatedDate": str(time.time_ns() // 1_000_000),
            "DestinationId": self._id,
            "SessionId": self._id,
            "MessageType": CHANNEL_CLOSED,
            "SchemaVersion": 1,
            "Output": output,
        }
        await self._send(
            Message(CHANNEL_CLOSED, json.dumps(content).encode(), id=message_id).packed()
        )
        await self._socket.close()


def _number(message: Message, name: str) -> int:
    """Read a number out of a payload.

    Raises:
        MessageError: It is missing, or none.
    """
    found = message.read().get(name)
    if not isinstance(found, int):
        raise MessageError(f"{name} is {found!r}, which is no number")
    return found
