"""The door of ECS Exec: websockets on this machine's loopback, each opened once by its token."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSCloseCode, web

from lab.aws.agent.agent import ENGINE_ERRORS
from lab.aws.agent.exec_session import ExecSession
from lab.aws.errors import AwsError
from lab.aws.place import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    import docker

    from lab.aws.cloud import Cloud

    Json = dict[str, Any]

__all__ = ["Sessions"]

# The agent runs as root, and its children with it, whoever the container's user is.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
ROOT: Final = "0"
TOKEN_SECONDS: Final = 300
OPEN_SECONDS: Final = 10
SHUTDOWN_SECONDS: Final = 2
ID_DIGITS: Final = 18


@dataclass(frozen=True)
class Ticket:
    """What opens a session, once."""

    token: str
    exec_id: str
    command: str


class Sessions:
    """The sessions of one local AWS.

    Args:
        cloud: The loop in which they are led.
        connect: Makes a client of the engine.
    """

    def __init__(self, cloud: Cloud, connect: Callable[[], docker.DockerClient]) -> None:
        self._cloud = cloud
        self._client = connect()
        self._tickets: dict[str, Ticket] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None
        self._serving: asyncio.Task[int] | None = None

    async def open(self, runtime_id: str, command: str) -> Json:
        """Make a session with a command in a container, which starts when a client opens it.

        Args:
            runtime_id: The engine's id of the container.
            command: The command, with quotes as in a shell; no shell reads it.

        Returns:
            ``sessionId``, ``streamUrl``, ``tokenValue``.

        Raises:
            AwsError: ``TargetNotConnectedException``: nothing can be started in the container.
        """
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise AwsError("InvalidParameterException", f"command: {error}") from None
        if not words:
            raise AwsError("InvalidParameterException", "command can not be empty.")
        try:
            made = await self._cloud.beside(
                self._client.api.exec_create, runtime_id, words, stdin=True, tty=True, user=ROOT
            )
        except ENGINE_ERRORS:
            raise AwsError(
                "TargetNotConnectedException",
                "The execute command failed due to an internal error. Try again later.",
            ) from None
        if self._serving is None:
            self._serving = self._cloud.spawn(self._serve())
        port = await asyncio.shield(self._serving)
        session_id = f"ecs-execute-command-{new_id(ID_DIGITS)}"
        token = secrets.token_urlsafe(64)
        self._tickets[session_id] = Ticket(token, made["Id"], command)
        self._cloud.later(TOKEN_SECONDS, self._tickets.pop, session_id, None)
        url = f"ws://127.0.0.1:{port}/v1/data-channel/{session_id}?role=publish_subscribe"
        return {"sessionId": session_id, "streamUrl": url, "tokenValue": token}

    async def close(self) -> None:
        """End all sessions."""
        for socket in [*self._sockets]:
            await socket.close(code=WSCloseCode.GOING_AWAY)
        if self._runner:
            await self._runner.cleanup()
        self._client.close()

    async def _serve(self) -> int:
        """Begin to listen, and give the port."""
        application = web.Application()
        application.router.add_get("/v1/data-channel/{session}", self._connected)
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def _connected(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=SHUTDOWN_SECONDS)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            session_id = request.match_info["session"]
            ticket = await self._admitted(socket, session_id)
            if ticket is None:
                await socket.close(
                    code=WSCloseCode.POLICY_VIOLATION, message=b"The token does not open it."
                )
            else:
                await ExecSession(
                    self._cloud,
                    self._client.api,
                    socket,
                    session_id,
                    ticket.exec_id,
                    ticket.command,
                ).run()
        finally:
            self._sockets.discard(socket)
        return socket

    async def _admitted(self, socket: web.WebSocketResponse, session_id: str) -> Ticket | None:
        """Take the ticket of a session for the token that the client says first."""
        ticket = self._tickets.get(session_id)
        said: object = None
        with contextlib.suppress(TimeoutError, ValueError, TypeError):
            said = json.loads(await socket.receive_str(timeout=OPEN_SECONDS))
        token = said.get("TokenValue") if isinstance(said, dict) else None
        if ticket is None or not isinstance(token, str):
            return None
        if not hmac.compare_digest(token.encode(), ticket.token.encode()):
            return None
        # Another client with the same token may have been faster.
        return self._tickets.pop(session_id, None)
