"""A load balancer of a test's own: in a loop of its own, its targets servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import tenacity
from moto.ec2.models import ec2_backends

from lab.aws import moto_seam
from lab.aws.cloud import Cloud
from lab.aws.elb.api import answer
from lab.aws.elb.state import Elb
from lab.aws.errors import AwsError
from lab.aws.place import Place
from lab.aws.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Json = dict[str, Any]

# An account that no other test has: moto keeps its VPCs as long as the process lives.
PLACE = Place("999999999999", "us-east-1")
RANGE = "172.31.0.0/16"
SECONDS = 20


class Handler(BaseHTTPRequestHandler):
    """Answers as its server says, and notes what it was asked."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        body = self.read_body()
        if self.path == "/health":
            self.send(self.server.health, b"ok")
            return
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        self.server.connections.add(self.client_address)
        self.server.answer(self)

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815  # http.server's names

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A target: answers with its name, or as a test tells it to."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.name = name
        self.health = 200
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections: set[tuple[str, int]] = set()
        self.answer: Callable[[Handler], None] = lambda one: one.send(200, name.encode())
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        pass

    def end(self) -> None:
        self.shutdown()
        self.server_close()


@dataclass
class Region:
    """One place with Elastic Load Balancing, and servers that can be its targets."""

    cloud: Cloud
    elb: Elb
    servers: dict[str, Server] = field(default_factory=dict)
    addresses: dict[str, tuple[str, int]] = field(default_factory=dict)

    def ask(self, operation: str, **request: Any) -> Json:  # noqa: ANN401
        return self.cloud.call(answer(self.elb, operation, request))

    def refused(self, operation: str, **request: Any) -> AwsError:  # noqa: ANN401
        with pytest.raises(AwsError) as refusal:
            self.ask(operation, **request)
        return refusal.value

    @property
    def vpc(self) -> str:
        backend = ec2_backends[PLACE.account][PLACE.region]
        return next(iter(backend.vpcs))

    @property
    def subnets(self) -> list[Json]:
        found = Sources.subnets_of(PLACE, self.vpc)
        assert found is not None
        return sorted(found, key=lambda one: one["zone"])

    def address(self, number: int, zone: int = 0) -> str:
        """Give an address in a subnet of the load balancer."""
        return self.subnets[zone]["range"].rpartition(".")[0] + f".{number}"

    def balancer(self, name: str = "web", **form: Any) -> Json:  # noqa: ANN401
        form = {"Subnets": [one["id"] for one in self.subnets[:2]]} | form
        return self.ask("CreateLoadBalancer", Name=name, **form)["LoadBalancers"][0]

    def group(self, name: str = "web", **form: Any) -> str:  # noqa: ANN401
        form = {
            "Protocol": "HTTP",
            "Port": 8080,
            "VpcId": self.vpc,
            "TargetType": "ip",
            "HealthCheckPath": "/health",
        } | form
        made = self.ask("CreateTargetGroup", Name=name, **form)["TargetGroups"][0]
        return made["TargetGroupArn"]

    def listener(self, balancer: Json, action: Json, **form: Any) -> Json:  # noqa: ANN401
        form = {"Port": free_port()} | form
        return self.ask(
            "CreateListener",
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            DefaultActions=[action],
            **form,
        )["Listeners"][0]

    def target(self, group: str, number: int = 10) -> Server:
        """Start a server and register it as a target; give it when it is healthy."""
        server = Server(f"target {number}")
        address = self.address(number)
        self.servers[address] = server
        self.addresses[address] = ("127.0.0.1", server.server_port)
        self.ask("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": address}])
        self.until(lambda: self.health(group, address)["State"] == "healthy", "healthy")
        return server

    def health(self, group: str, address: str) -> Json:
        wanted = [{"Id": address}]
        found = self.ask("DescribeTargetHealth", TargetGroupArn=group, Targets=wanted)
        return found["TargetHealthDescriptions"][0]["TargetHealth"]

    def attributes(self, group: str, **values: str) -> None:
        changes = [{"Key": key.replace("__", "."), "Value": v} for key, v in values.items()]
        self.ask("ModifyTargetGroupAttributes", TargetGroupArn=group, Attributes=changes)

    def until(self, question: Callable[[], bool], what: str) -> None:
        try:
            tenacity.Retrying(
                retry=tenacity.retry_if_result(lambda said: not said),
                wait=tenacity.wait_fixed(0.02),
                stop=tenacity.stop_after_delay(SECONDS),
            )(question)
        except tenacity.RetryError:
            pytest.fail(f"after {SECONDS} s, still not: {what}")


@pytest.fixture
def region() -> Iterator[Region]:
    moto_seam.place_default_vpcs(lambda _place: RANGE)
    cloud = Cloud()

    async def make() -> Elb:
        return Elb(PLACE, cloud, Sources())

    made = Region(cloud, cloud.call(make()))
    made.elb.address_of = lambda target_id, port: made.addresses.get(target_id, (target_id, port))
    yield made
    cloud.call(made.elb.close())
    cloud.call(asyncio.sleep(0))
    cloud.close()
    for server in made.servers.values():
        with contextlib.suppress(OSError):
            server.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def forward(*groups: str, **weights: int) -> Json:
    if not weights and len(groups) == 1:
        return {"Type": "forward", "TargetGroupArn": groups[0]}
    return {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": one} for one in groups]},
    }


def fixed(text: str, status: str = "200", **config: str) -> Json:
    config = {"StatusCode": status, "MessageBody": text} | config
    return {"Type": "fixed-response", "FixedResponseConfig": config}
