"""Stands before a registry, and gives it the rules of ECR.

A registry takes whatever is pushed, from whoever comes. ECR wants a token, a repository that was
created before, and leaves a tag alone that is immutable. It also tells what a registry's own API
does not: which images have no tag any more, and when each was pushed.

This is a program of its own, which needs the standard library alone: it runs in the registry's
container, beside the registry. So it is where the engine reaches it by 127.0.0.1, also an engine in
a virtual machine, which can't reach a process beside the notebook. Who asks is always on the side
of the notebook: this program asks for nothing, and is told of repositories by `ecr.registry`.
https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Json = dict[str, Any]

__all__ = ["OWNER", "PORT", "USER", "RefusalError", "link_signature", "token"]

# Who holds a token is this user, as on AWS; and who told this program its key.
USER = "AWS"
OWNER = "course"
PORT = 5000
REGISTRY = ("127.0.0.1", 5001)
START_SECONDS = 20
# Where the registry keeps what it holds, by a layout that is as old as its API.
# https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/paths.go
STORE = Path("/var/lib/registry/docker/registry/v2")
PIECE = 1 << 16
NUMBER = re.compile("[0-9]{1,12}")
REFERENCE = re.compile(
    r"/v2/(?P<name>.+)/(?:manifests/(?P<reference>[^/]+)"
    r"|blobs/[^/]+|blobs/uploads/[^/]*|tags/list)"
)
# What is of no repository: is this a registry, and what is in it?
GENERAL = ("/v2", "/v2/", "/v2/_catalog")
# Headers of one connection, which are not those of the next; and the answers' length, which is
# written anew.
HOPS = {
    "authorization",
    "connection",
    "content-length",
    "keep-alive",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def token(key: str, expires: int) -> str:
    """Make a password that is good until then, in seconds since 1970."""
    return f"{expires}-{_signature(key, f'token {expires}')}"


def link_signature(key: str, path: str, expires: int) -> str:
    """Sign the address of a layer, which is then good without a password until then."""
    return _signature(key, f"{path} {expires}")


def _are_same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


def _signature(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


class RefusalError(Exception):
    """Says no, in the words of the registry's API and of ECR."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Rules:
    """Which repositories there are, and which of their tags are immutable.

    Args:
        account: The registry's id, which stands in refusals.
    """

    def __init__(self, account: str) -> None:
        self.account = account
        self.by_name: dict[str, Json] = {}
        # From the look at a tag until it is set, nobody else sets it.
        self.tagging = threading.Lock()

    def check_name(self, name: str) -> None:
        """Refuse a repository that was not created."""
        if name not in self.by_name:
            raise RefusalError(
                404,
                "NAME_UNKNOWN",
                f"The repository with name '{name}' does not exist in the registry with id "
                f"'{self.account}'",
            )

    def check_tag(self, name: str, tag: str) -> None:
        """Refuse a tag that is there already and immutable."""
        if self.is_immutable(name, tag) and is_tagged(name, tag):
            raise RefusalError(
                400,
                "TAG_INVALID",
                f"The image tag '{tag}' already exists in the '{name}' repository and cannot be "
                "overwritten because the tag is immutable.",
            )

    def check_image(self, name: str, tag: str) -> None:
        """Refuse a tag that is not there."""
        if not is_tagged(name, tag):
            raise RefusalError(404, "MANIFEST_UNKNOWN", "Requested image not found")

    def is_immutable(self, name: str, tag: str) -> bool:
        """Tell whether a tag of a repository can't be moved to another image."""
        mode, _, with_exclusion = self.by_name[name]["mutability"].partition("_WITH_")
        filters = self.by_name[name]["exclusions"] if with_exclusion else []
        is_excluded = any(fnmatch.fnmatchcase(tag, one) for one in filters)
        return bool((mode == "IMMUTABLE") is not is_excluded)


# --- what the registry holds -------------------------------------------------------------------


def tags_folder(name: str) -> Path:
    """Tell where the tags of a repository are."""
    return STORE / "repositories" / name / "_manifests/tags"


def is_tagged(name: str, tag: str) -> bool:
    """Tell whether a repository has a tag."""
    return (tags_folder(name) / tag / "current/link").exists()


def tags_of(name: str) -> dict[str, str]:
    """Give the tags of a repository, with the digest that each stands for."""
    tags = {}
    for link in tags_folder(name).glob("*/current/link"):
        with contextlib.suppress(FileNotFoundError):
            tags[link.parts[-3]] = link.read_text().strip()
    return tags


def images_of(name: str) -> list[Json]:
    """Give the images of a repository, the first pushed first: digest, tags, time, manifest."""
    tags = tags_of(name)
    images = []
    for link in (STORE / "repositories" / name / "_manifests/revisions").glob("*/*/link"):
        algorithm, digest = link.parts[-3:-1]
        content = STORE / "blobs" / algorithm / digest[:2] / digest / "data"
        full = f"{algorithm}:{digest}"
        # Somebody may be deleting it.
        with contextlib.suppress(FileNotFoundError):
            images.append(
                {
                    "digest": full,
                    "tags": sorted(tag for tag, of in tags.items() if of == full),
                    "pushed": link.stat().st_mtime,
                    "manifest": content.read_text(),
                }
            )
    return sorted(images, key=lambda image: (image["pushed"], image["digest"]))


# --- the server ----------------------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    """Answers on the port that the container publishes.

    Args:
        key: What tokens are signed with.
        rules: The rules of the repositories.
    """

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], key: str, rules: Rules) -> None:
        super().__init__(address, Handler)
        self.key = key
        self.rules = rules


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request after the other of a connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Check who asks and for what, then let the registry answer, or answer oneself."""
        self._is_read = False
        try:
            self._let_in()
            if self.path.startswith("/repositories/"):
                self._answer_owner()
            else:
                self._pass_on()
        except RefusalError as refusal:
            errors = [{"code": refusal.code, "message": str(refusal)}]
            if not self._is_read:
                # It would be taken for the next request.
                for _ in self._body():
                    pass
            self._answer(refusal.status, {"errors": errors})

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # names of the library

    def _let_in(self) -> None:
        """Refuse who has neither the key, nor a token, nor a signed address.

        Raises:
            RefusalError: 401, or 403 for a token that has expired.
        """
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if self.command in ("GET", "HEAD") and "signature" in query:
            expires = query.get("expires", "")
            if not NUMBER.fullmatch(expires) or not _are_same(
                query["signature"], link_signature(self.server.key, parts.path, int(expires))
            ):
                raise RefusalError(403, "DENIED", "SignatureDoesNotMatch")
            if int(expires) < time.time():
                raise RefusalError(403, "DENIED", "Request has expired")
            self.path = parts.path
            return
        user, password = self._credentials()
        if user == OWNER and _are_same(password, self.server.key):
            return
        expires = password.partition("-")[0]
        if (
            user != USER
            or not NUMBER.fullmatch(expires)
            or not _are_same(password, token(self.server.key, int(expires)))
            or self.path.startswith("/repositories/")
        ):
            raise RefusalError(401, "UNAUTHORIZED", "Not Authorized")
        if int(expires) < time.time():
            raise RefusalError(
                403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."
            )

    def _credentials(self) -> tuple[str, str]:
        scheme, _, coded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        try:
            user, _, password = base64.b64decode(coded).decode("ascii").partition(":")
        except ValueError:
            return "", ""
        return user, password

    # --- what only the owner asks -----------------------------------------------------------------

    def _answer_owner(self) -> None:
        """Take the rules of a repository, list its images, or delete a tag or all of it."""
        parts = urllib.parse.urlsplit(self.path)
        name = parts.path.removeprefix("/repositories/")
        tag = dict(urllib.parse.parse_qsl(parts.query)).get("tag")
        rules = self.server.rules
        content = b"".join(self._body())
        if self.command == "PUT":
            rules.by_name[name] = json.loads(content)
            self._answer(200, {})
            return
        rules.check_name(name)
        if self.command == "GET":
            self._answer(200, {"images": images_of(name)})
        elif tag:
            shutil.rmtree(tags_folder(name) / tag, ignore_errors=True)
            self._answer(200, {})
        else:
            del rules.by_name[name]
            # Another repository may be below this one: only what is its own goes.
            for own in ("_layers", "_manifests", "_uploads"):
                shutil.rmtree(STORE / "repositories" / name / own, ignore_errors=True)
            self._answer(200, {})

    # --- what the registry answers ----------------------------------------------------------------

    def _pass_on(self) -> None:
        # As the registry reads it: an escaped tag is the same tag.
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path in GENERAL:
            self._ask_registry(self._body())
            return
        found = REFERENCE.fullmatch(path)
        if found is None:
            raise RefusalError(404, "UNSUPPORTED", "The operation is unsupported.")
        rules, name = self.server.rules, found["name"]
        rules.check_name(name)
        tag = found["reference"]
        if not tag or ":" in tag:
            self._ask_registry(self._body())
            return
        if self.command != "PUT":
            rules.check_image(name, tag)
            self._ask_registry(self._body())
            return
        content = b"".join(self._body())
        with rules.tagging:
            rules.check_tag(name, tag)
            self._ask_registry(iter([content]))

    def _ask_registry(self, body: Iterator[bytes]) -> None:
        registry = http.client.HTTPConnection(*REGISTRY)
        try:
            answer = self._asked(registry, body)
        except (OSError, http.client.HTTPException) as error:
            # What is left of the request would be taken for the next one.
            self.close_connection = True
            why = f"The registry does not answer: {error}"
            raise RefusalError(502, "UNAVAILABLE", why) from error
        else:
            self._copy(answer)
        finally:
            registry.close()

    def _asked(
        self, registry: http.client.HTTPConnection, body: Iterator[bytes]
    ) -> http.client.HTTPResponse:
        registry.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        # Each by itself: there may be several of a name, such as Accept.
        for name, value in self.headers.items():
            if name.lower() not in HOPS:
                registry.putheader(name, value)
        length = self.headers.get("Content-Length")
        if length is not None:
            registry.putheader("Content-Length", length)
        elif self._is_chunked():
            registry.putheader("Transfer-Encoding", "chunked")
        registry.endheaders(body, encode_chunked=length is None and self._is_chunked())
        return registry.getresponse()

    def _copy(self, answer: http.client.HTTPResponse) -> None:
        """Pass the registry's answer on."""
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOPS:
                self.send_header(name, value)
        length = answer.getheader("Content-Length")
        if self.command == "HEAD" or answer.status == http.HTTPStatus.NO_CONTENT:
            if length is not None:
                self.send_header("Content-Length", length)
            self.end_headers()
            return
        content = None if length is not None else answer.read()
        self.send_header("Content-Length", length or str(len(content or b"")))
        self.end_headers()
        if content is not None:
            self.wfile.write(content)
        else:
            shutil.copyfileobj(answer, self.wfile, PIECE)

    # --- bytes ------------------------------------------------------------------------------------

    def _is_chunked(self) -> bool:
        return self.headers.get("Transfer-Encoding", "").lower() == "chunked"

    def _body(self) -> Iterator[bytes]:
        """Read the request's content, piece by piece."""
        self._is_read = True
        if not self._is_chunked():
            yield from self._read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers, which say nothing here

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.rfile.read(min(size, PIECE))
            if not piece:
                raise ConnectionAbortedError("the client has gone")
            size -= len(piece)
            yield piece

    def _answer(self, status: int, said: Json) -> None:
        content = json.dumps(said).encode()
        self.log_request(status)
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if status == http.HTTPStatus.UNAUTHORIZED:
            realm = f'Basic realm="http://{self.headers.get("Host", "")}/"'
            self.send_header("WWW-Authenticate", f'{realm},service="ecr.amazonaws.com"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def main() -> None:
    """Start the registry where only this program reaches it, and stand before it."""
    address = f"{REGISTRY[0]}:{REGISTRY[1]}"
    registry = subprocess.Popen(
        ["registry", "serve", "/etc/registry.yml"],
        env={**os.environ, "REGISTRY_HTTP_ADDR": address},
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _wait(registry)
        rules = Rules(os.environ["ACCOUNT"])
        # All of the container's own addresses; the engine publishes it on 127.0.0.1.
        Server(("", PORT), os.environ["KEY"], rules).serve_forever()
    finally:
        registry.terminate()
        registry.wait()


def _wait(registry: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while registry.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(REGISTRY, timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    sys.exit("front: the registry does not start")


if __name__ == "__main__":
    main()
