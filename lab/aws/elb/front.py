"""Answers at the port of a listener, by the listener's rules."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lab.aws.elb.choice import group_for, rule_for
from lab.aws.elb.conditions import Asked
from lab.aws.elb.pages import fixed_response, page, redirect
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.elb.records import Listener
    from lab.aws.elb.state import Elb

__all__ = ["Front"]

HOST: Final = "127.0.0.1"
BACKLOG: Final = 1024
# AWS's own limit of a request line and of a header.
MOST_LETTERS: Final = 16 * 1024
UNAVAILABLE: Final = 503
# aiohttp would take 0 for as long as it takes.
AT_ONCE: Final = 0.01


class Front:
    """What answers for a listener on this machine.

    Args:
        elb: The state of its place.
        listener: The listener.
    """

    def __init__(self, elb: Elb, listener: Listener) -> None:
        self._elb = elb
        self._listener = listener
        self._server: asyncio.Server | None = None
        self._web: web.Server | None = None

    async def open(self, port: int) -> None:
        """Begin to answer at a port of this machine.

        Raises:
            AwsError: ``InvalidConfigurationRequest``: the port can't be had.
        """
        idle = self._listener.balancer.attributes["idle_timeout.timeout_seconds"]
        self._web = web.Server(
            self._answer,
            # A client that goes away takes its request along.
            handler_cancellation=True,
            keepalive_timeout=float(idle),
            access_log=None,
            auto_decompress=False,
            max_line_size=MOST_LETTERS,
            max_field_size=MOST_LETTERS,
        )
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._web, HOST, port, backlog=BACKLOG
            )
        except OSError as error:
            reason = error.strerror or error
            raise AwsError(
                "InvalidConfigurationRequest",
                f"A listener on this machine can't have the port {port}: {reason}. "
                "Choose another port, from 1024 on if you are not root.",
            ) from None

    def close_port(self) -> None:
        """Take no more connections; those that are there go on."""
        if self._server is not None:
            self._server.close()

    async def close(self, seconds: float = AT_ONCE) -> None:
        """End all connections.

        Args:
            seconds: How long requests that are under way may take.
        """
        self.close_port()
        if self._web is not None:
            await self._web.shutdown(seconds)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = Asked(
            method=request.method,
            host=(request.headers.get("Host") or "").rpartition("@")[2].partition(":")[0],
            path=request.rel_url.raw_path,
            query=request.rel_url.raw_query_string,
            headers=request.headers,
            source=request.remote or HOST,
        )
        rule = rule_for(self._listener, asked)
        [action] = rule.actions
        if action["Type"] == "fixed-response":
            return fixed_response(action["FixedResponseConfig"])
        if action["Type"] == "redirect":
            return redirect(action["RedirectConfig"], asked, self._listener.port)
        arn = group_for(rule)
        if arn is None:
            return page(UNAVAILABLE)
        return await self._elb.forwarding.forward(
            request, self._listener, self._elb.target_groups[arn]
        )
