"""What a load balancer answers itself: its own pages, fixed responses, redirects."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

if TYPE_CHECKING:
    from lab.aws.elb.conditions import Asked

    Json = dict[str, Any]

__all__ = ["SERVER", "fixed_response", "page", "redirect"]

SERVER: Final = "awselb/2.0"
TITLES: Final = {
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


def page(status: int) -> web.Response:
    """Make the page by which a load balancer says that no target has answered."""
    return _html(f"{status} {TITLES[status]}", status)


def _html(title: str, status: int, headers: dict[str, str] | None = None) -> web.Response:
    lines = (
        "<html>",
        f"<head><title>{title}</title></head>",
        "<body>",
        f"<center><h1>{title}</h1></center>",
        "</body>",
        "</html>",
        "",
    )
    return web.Response(
        status=status,
        reason=title.partition(" ")[2],
        body="\r\n".join(lines).encode(),
        headers={"Content-Type": "text/html", "Server": SERVER, **(headers or {})},
    )


def fixed_response(config: Json) -> web.Response:
    """Make the answer of an action ``fixed-response``."""
    kind = config.get("ContentType") or "text/plain"
    return web.Response(
        status=int(config["StatusCode"]),
        body=(config.get("MessageBody") or "").encode(),
        headers={"Content-Type": f"{kind}; charset=utf-8", "Server": SERVER},
    )


def redirect(config: Json, asked: Asked, port: int) -> web.Response:
    """Make the answer of an action ``redirect``, which keeps what it does not change.

    Args:
        config: The action's, completed by what it keeps.
        asked: The request.
        port: The listener's.
    """
    # The port of "#{port}" is the one that the client has asked.
    kept = {
        "#{protocol}": "http",
        "#{host}": asked.host,
        "#{port}": str(port),
        "#{path}": asked.path.removeprefix("/"),
        "#{query}": asked.query,
    }
    parts = {}
    for name in ("Protocol", "Host", "Port", "Path", "Query"):
        text = config[name]
        for keyword, value in kept.items():
            text = text.replace(keyword, value)
        parts[name] = text
    query = f"?{parts['Query']}" if parts["Query"] else ""
    location = (
        f"{parts['Protocol'].lower()}://{parts['Host']}:{parts['Port']}{parts['Path']}{query}"
    )
    status = int(config["StatusCode"].removeprefix("HTTP_"))
    return _html(f"{status} {http.HTTPStatus(status).phrase}", status, {"Location": location})
