"""Sends requests on to targets, and their answers back, as they come.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from lab.aws.elb.choice import target_for
from lab.aws.elb.pages import SERVER, page
from lab.aws.place import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

    from lab.aws.elb.records import Listener, Target, TargetGroup
    from lab.aws.elb.state import Elb

__all__ = ["Forwarding"]

CONNECT_SECONDS: Final = 10
# What concerns one connection only, beside what the header "Connection" names.
# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
OF_ONE_CONNECTION: Final = (
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
# A request of these may be sent a second time. https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
REPEATABLE: Final = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
BAD_GATEWAY: Final = 502
UNAVAILABLE: Final = 503
GATEWAY_TIMEOUT: Final = 504


class BrokenError(aiohttp.ClientError):
    """Says that the connection to a target ended before its answer began."""


class Forwarding:
    """The way from the listeners of one place to their targets; connections are kept for later.

    Args:
        elb: The state of that place.
    """

    def __init__(self, elb: Elb) -> None:
        self._elb = elb
        traces = aiohttp.TraceConfig()
        traces.on_connection_reuseconn.append(_note_that_it_was_kept)
        self._session = aiohttp.ClientSession(
            # Whether a target's certificate is to be trusted, AWS does not look at, either.
            connector=aiohttp.TCPConnector(limit=0, ssl=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            middlewares=(_send_once,),
            trace_configs=[traces],
        )

    async def close(self) -> None:
        """Close all connections to targets."""
        await self._session.close()

    async def forward(
        self, request: web.BaseRequest, listener: Listener, group: TargetGroup
    ) -> web.StreamResponse:
        """Have a target of a group answer a request.

        Who can't be connected to has not got anything of the request: another target gets it.
        """
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        tried: set[Target] = set()
        while target := target_for(group, next(self._elb.turns), tried):
            tried.add(target)
            try:
                return await self._exchange(request, listener, target)
            except aiohttp.ConnectionTimeoutError:
                return page(GATEWAY_TIMEOUT)
            except aiohttp.ClientConnectorError:
                continue
        return page(BAD_GATEWAY if tried else UNAVAILABLE)

    async def _exchange(
        self, request: web.BaseRequest, listener: Listener, target: Target
    ) -> web.StreamResponse:
        response: web.StreamResponse | None = None
        try:
            async with asyncio.timeout(None) as limit:
                target.under_way.add(limit)
                try:
                    async with await self._ask(request, listener, target) as answer:
                        response = web.StreamResponse(
                            status=answer.status,
                            reason=answer.reason,
                            headers=_end_to_end(answer.headers),
                        )
                        response.headers.setdefault("Server", SERVER)
                        await response.prepare(request)
                        async for piece in answer.content.iter_any():
                            await response.write(piece)
                        await response.write_eof()
                        return response
                finally:
                    target.under_way.discard(limit)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError):
            raise
        except TimeoutError:
            # Either the target has left meanwhile, or it has said nothing for too long.
            status = BAD_GATEWAY if limit.expired() else GATEWAY_TIMEOUT
            return _broken_off(request, response, status)
        except (aiohttp.ClientError, ConnectionError):
            return _broken_off(request, response, BAD_GATEWAY)

    async def _ask(
        self, request: web.BaseRequest, listener: Listener, target: Target
    ) -> ClientResponse:
        host, port = self._elb.address_of(target.id, target.port)
        scheme = target.group.form["Protocol"].lower()
        path = request.raw_path if request.raw_path[:1] == "/" else request.rel_url.raw_path_qs
        idle = int(listener.balancer.attributes["idle_timeout.timeout_seconds"])
        headers = _end_to_end(request.headers)
        _tell_who_asks(headers, request, listener)
        while True:
            connection = {"was_kept": False}
            try:
                return await self._session.request(
                    request.method,
                    URL(f"{scheme}://{host}:{port}{path}", encoded=True),
                    headers=headers,
                    data=request.content if request.body_exists else None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, sock_connect=CONNECT_SECONDS, sock_read=idle
                    ),
                    trace_request_ctx=connection,
                )
            except BrokenError:
                # The target may have closed a kept connection just before it was used.
                is_safe = request.method in REPEATABLE and not request.body_exists
                if not (connection["was_kept"] and is_safe):
                    raise


async def _send_once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """Keep the client from sending a request again: whether that is safe is decided here."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as broken:
        raise BrokenError(str(broken)) from broken


async def _note_that_it_was_kept(_session: object, context: Any, _parameters: object) -> None:  # noqa: ANN401  # aiohttp's
    context.trace_request_ctx["was_kept"] = True


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Leave out of headers what concerns one connection only."""
    found = CIMultiDict(headers)
    named = [name.strip() for name in found.get("Connection", "").split(",") if name.strip()]
    for name in (*OF_ONE_CONNECTION, *named):
        found.popall(name, None)
    return found


def _tell_who_asks(headers: CIMultiDict[str], request: web.BaseRequest, listener: Listener) -> None:
    """Add what the target can't see itself.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    """
    mode = listener.balancer.attributes["routing.http.xff_header_processing.mode"]
    if mode == "append":
        before = headers.popall("X-Forwarded-For", [])
        headers["X-Forwarded-For"] = ", ".join([*before, request.remote or ""])
    elif mode == "remove":
        headers.popall("X-Forwarded-For", None)
    headers["X-Forwarded-Proto"] = "http"
    headers["X-Forwarded-Port"] = str(listener.port)
    headers.setdefault("X-Amzn-Trace-Id", f"Root=1-{int(time.time()):08x}-{new_id(24)}")


def _broken_off(
    request: web.BaseRequest, response: web.StreamResponse | None, status: int
) -> web.StreamResponse:
    """Answer a request that a target has not answered to the end.

    Where half of an answer has been sent, the connection is cut: else it would look whole.
    """
    if response is None or not response.prepared:
        return page(status)
    if request.transport is not None:
        request.transport.abort()
    return response
