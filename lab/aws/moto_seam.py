"""The one place that touches moto: its server, its protocols, and the services that it plays.

moto answers EC2, IAM, STS and what else the course's own services need, and parses and serialises
for all. Its internals are no public API, so its version is pinned, and a new one is judged by the
suite of AWS's documented behaviour. Where moto has an operation that the course's own service
lacks, it is not asked: an empty answer that looks true is worse than a refusal.
https://docs.getmoto.org/en/latest/docs/server_mode.html
"""

from __future__ import annotations

import importlib
import json
import os
from typing import TYPE_CHECKING, Any

from botocore.model import ListShape, MapShape, StructureShape

from lab.aws.errors import AwsError
from lab.aws.place import Place

# Before moto is imported: else it asks for instances' metadata at each start.
os.environ.setdefault("MOTO_ALLOW_NONEXISTENT_REGION", "false")

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.ec2.models import EC2Backend, ec2_backends
from moto.moto_server import werkzeug_app
from werkzeug.serving import BaseWSGIServer, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.model import Shape

    Json = dict[str, Any]
    Answer = Callable[[Place, str, Json], Json]

__all__ = [
    "attach_interface",
    "detach_interface",
    "own_service",
    "place_default_vpcs",
    "serve",
    "subnet_of",
]

# How many clients may knock at once: 1,000 requests do, in the tests.
BACKLOG = 2048


def own_service(name: str, answer: Answer, *, invalid: str) -> None:
    """Answer a service by the course's own code, and never by moto's.

    Args:
        name: The service, as boto3 names it.
        answer: Gets place, operation and request, and gives the response or raises `AwsError`.
        invalid: The code by which this service refuses a request that its model does not allow.
    """

    class Refusal(ServiceException):
        # moto finds the model of the service, with its exceptions, by the module of the class.
        __module__ = f"moto.{name}.exceptions"

    class Response(BaseResponse):
        def __init__(self) -> None:
            super().__init__(service_name=name)
            self.automated_parameter_parsing = True

        def call_action(self) -> Any:  # noqa: ANN401  # moto's type
            try:
                operation = get_service_model(name).operation_model(self._get_action())
                request = dict(self.params)
                if operation.input_shape is not None:
                    _refuse_unknown_values(operation.input_shape, request, invalid)
                place = Place(self.current_account, self.region)
                result = ActionResult(answer(place, operation.name, request))
                return self.serialized(result)
            except AwsError as refusal:
                error = ActionResult(Refusal(refusal.code, refusal.message))
                status, headers, body = self.serialized(error)
                return status, {**headers, "status": str(status)}, body

    urls: Any = importlib.import_module(f"moto.{name}.urls")
    urls.url_paths = {"{0}/$": Response.dispatch}
    if name == "elbv2":
        # It shares an address with the classic load balancers, whose module tells them apart.
        shared: Any = importlib.import_module("moto.elb.urls")
        shared.ELBV2Response = Response


def _refuse_unknown_values(shape: Shape, value: Any, invalid: str) -> None:  # noqa: ANN401  # JSON
    """Refuse what an enumeration of the model lacks: botocore's clients do not look at that."""
    for path, enum, found in _unknown_values(shape, value, ""):
        raise AwsError(
            invalid,
            f"1 validation error detected: Value '{found}' at '{path}' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(enum)}]",
        )


def _unknown_values(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, list[str], str]]:  # noqa: ANN401  # JSON
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _unknown_values(member, value[name], f"{path}.{name}".lstrip("."))
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, member in enumerate(value, 1):
            yield from _unknown_values(shape.member, member, f"{path}.{number}.member")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for name, member in value.items():
            yield from _unknown_values(shape.value, member, f"{path}.{name}")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield path, shape.enum, str(value)


def serve(port: int) -> BaseWSGIServer:
    """Make the server of all services on this machine's loopback; ``serve_forever`` runs it.

    Args:
        port: The port; 0 for one that the system chooses.

    Raises:
        OSError: The port is taken.
    """
    application = werkzeug_app.DomainDispatcherApplication(_application)
    server = make_server(
        "127.0.0.1",
        port,
        application,
        threaded=True,
        request_handler=_Handler,
    )
    server.socket.listen(BACKLOG)
    return server


class _Handler(werkzeug_app.MotoRequestHandler):
    def log_request(self, *_: object) -> None:
        """Keep silent: a line for each request would hide what matters."""


def _application(service: Any) -> Any:  # noqa: ANN401  # moto's types
    """Make the application of a service, which names the operation that moto does not have."""
    application = werkzeug_app.create_backend_app(service)

    def refuse(missing: NotImplementedError) -> tuple[str, int, dict[str, str]]:
        message = f"{service} on this machine does not have this operation: {missing}"
        said = {"__type": "UnknownOperationException", "message": message}
        return json.dumps(said), 400, {"Content-Type": "application/x-amz-json-1.1"}

    application.register_error_handler(NotImplementedError, refuse)
    return application


# --- EC2-VPC ---------------------------------------------------------------------------------


def place_default_vpcs(range_of: Callable[[Place], str]) -> None:
    """Give each default VPC the address range of the network that plays it.

    Args:
        range_of: Gives the range of a place, such as ``172.31.0.0/16``, when it is first used.
    """

    def create_default_vpc(self: Any) -> Any:  # noqa: ANN401  # moto's types
        place = Place(self.account_id, self.region_name)
        vpc = self.create_vpc(cidr_block=range_of(place), is_default=True)
        for zone in self.describe_availability_zones():
            self.create_default_subnet(zone.name)
        return vpc

    EC2Backend.create_default_vpc = create_default_vpc  # type: ignore[method-assign]


def subnet_of(place: Place, subnet_id: str) -> Json | None:
    """Describe a subnet: its zone, range and VPC, and that VPC's range."""
    backend = ec2_backends[place.account][place.region]
    for by_id in backend.subnets.values():
        if found := by_id.get(subnet_id):
            vpc = backend.vpcs[found.vpc_id]
            return {
                "zone": found.availability_zone,
                "range": found.cidr_block,
                "vpc": found.vpc_id,
                "vpc_range": vpc.cidr_block,
                "is_default": bool(vpc.is_default),
            }
    return None


def subnets_of(place: Place, vpc: str) -> list[Json] | None:
    """Describe the subnets of a VPC, each by its id, zone and range; nothing if it is not there."""
    backend = ec2_backends[place.account][place.region]
    if vpc not in backend.vpcs:
        return None
    return [
        {"id": subnet.id, "zone": subnet.availability_zone, "range": subnet.cidr_block}
        for by_id in backend.subnets.values()
        for subnet in by_id.values()
        if subnet.vpc_id == vpc
    ]


def instance_of(place: Place, instance_id: str) -> Json | None:
    """Describe an instance: its state, zone and VPC; nothing if it is not there."""
    found = ec2_backends[place.account][place.region].get_instance_by_id(instance_id)
    if found is None:
        return None
    subnet = subnet_of(place, found.subnet_id) if found.subnet_id else None
    return {
        "state": found.state,
        "zone": subnet["zone"] if subnet else found.placement.zone,
        "vpc": found.vpc_id,
    }


def security_groups_of(place: Place, vpc: str) -> dict[str, str]:
    """Name the security groups of a VPC by their ids."""
    groups = ec2_backends[place.account][place.region].groups.get(vpc, {})
    return {group.id: group.name for group in groups.values()}


def attach_interface(place: Place, subnet_id: str, groups: list[str], address: str) -> Json:
    """Make the network interface of a task, and give its id, MAC address and private DNS name."""
    backend = ec2_backends[place.account][place.region]
    made = backend.create_network_interface(
        subnet=subnet_id,
        private_ip_address=address,
        group_ids=groups,
        description="of a task of ECS",
    )
    made.status = "in-use"
    return {"id": made.id, "mac": made.mac_address, "dns": made.private_dns_name}


def detach_interface(place: Place, interface_id: str) -> None:
    """Take the network interface of a task away."""
    ec2_backends[place.account][place.region].enis.pop(interface_id, None)
