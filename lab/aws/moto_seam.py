"""The one place that touches moto: its server, its protocols, and the services that it plays.

moto answers EC2, IAM, STS and what else the course's own services need, and parses and serialises
for all. Its internals are no public API, so its version is pinned, and a new one is judged by the
suite of AWS's documented behaviour. Where moto has an operation that the course's own service
lacks, it is not asked: an empty answer that looks true is worse than a refusal.
https://docs.getmoto.org/en/latest/docs/server_mode.html
"""

from __future__ import annotations

import base64
import binascii
import functools
import importlib
import json
import socket
from typing import TYPE_CHECKING, Any, Final

from moto import settings
from moto.core.exceptions import ServiceException
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance
from moto.ec2.models.subnets import Subnet
from moto.moto_server import werkzeug_app
from moto.utilities.utils import load_resource
from werkzeug.serving import BaseWSGIServer, make_server

from lab.aws.constraints import mistyped
from lab.aws.errors import AwsError
from lab.aws.gate import guarded
from lab.aws.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from botocore.model import Shape

    Json = dict[str, Any]
    Told = Callable[[Place, str, str], None]
    Answer = Callable[[Place, str, Json], Json]

__all__ = [
    "agent_of_image",
    "attach_interface",
    "begin_to_run",
    "detach_interface",
    "instance_of",
    "own_service",
    "place_default_vpcs",
    "place_instances",
    "serve",
    "show_tags",
    "size_of",
    "subnet_of",
    "watch_instances",
]

# An instance of a type that AWS does not have would have no capacity.
settings.EC2_ENABLE_INSTANCE_TYPE_VALIDATION = True
LOOPBACK = "127.0.0.1"
JSON = "application/x-amz-json-1.1"
# How many clients may knock at once: 1,000 requests do, in the tests.
BACKLOG = 2048


def own_service(name: str, answer: Answer) -> None:
    """Answer a service by the course's own code, and never by moto's.

    Args:
        name: The service, as boto3 names it.
        answer: Gets place, operation and request, and gives the response or raises `AwsError`.
    """

    class Refusal(ServiceException):
        # moto finds the model of the service, with its exceptions, by the module of the class.
        __module__ = f"moto.{name}.exceptions"

    class Response(_Response):
        def __init__(self) -> None:
            super().__init__(name, answer, Refusal)

    urls: Any = importlib.import_module(f"moto.{name}.urls")
    urls.url_paths = {"{0}/$": Response.dispatch}
    if name == "elbv2":
        # It shares an address with the classic load balancers, whose module tells them apart.
        shared: Any = importlib.import_module("moto.elb.urls")
        shared.ELBV2Response = Response


class _Response(BaseResponse):
    """Reads one request of a service of the course's own, and writes what is answered.

    Args:
        name: The service.
        answer: As of `own_service`.
        refusal: The class of the service's errors.
    """

    def __init__(self, name: str, answer: Answer, refusal: type[ServiceException]) -> None:
        super().__init__(service_name=name)
        self.automated_parameter_parsing = True
        self._answer, self._refusal = answer, refusal
        self._model = get_service_model(name)
        self._is_query = self._model.protocol == "query"
        self._malformed = "MalformedInput" if self._is_query else "SerializationException"

    def _dispatch(self, *request: Any, **options: Any) -> Any:  # noqa: ANN401  # moto's types
        try:
            return super()._dispatch(*request, **options)
        except UnicodeDecodeError as wrong:
            said = {"__type": self._malformed, "message": str(wrong)}
            return 400, {"Content-Type": JSON}, json.dumps(said)

    def parse_parameters(self, request: object) -> None:
        """Do nothing yet: before `call_action` nothing can be refused."""

    def call_action(self) -> Any:  # noqa: ANN401  # moto's type
        """Have the service answer, or refuse."""
        operation = str(self._get_action())
        place = Place(self.current_account, self.region)
        try:
            result = self._answer(place, operation, self._read(operation))
            return self.serialized(ActionResult(result))
        except AwsError as refused:
            error = ActionResult(self._refusal(refused.code, refused.message))
            status, headers, body = self.serialized(error)
            return status, {**headers, "status": str(status)}, body

    def _read(self, operation: str) -> Json:
        """Read the parameters; of an operation that the model lacks there are none."""
        if operation not in self._model.operation_names:
            return {}
        shape = self._model.operation_model(operation).input_shape
        try:
            if shape is not None and self.body and not self._is_query:
                _refuse_wrong_types(shape, json.loads(self.body), self._malformed)
            super().parse_parameters(self.normalized_request)
        except ValueError as wrong:
            raise AwsError(self._malformed, str(wrong)) from None
        return dict(self.params)


def _refuse_wrong_types(shape: Shape, request: Any, code: str) -> None:  # noqa: ANN401  # JSON
    for part, value, path in mistyped(shape, request):
        where = f"at '{path}'" if path else "as the request"
        # The code is AWS's; the words are ours.
        raise AwsError(code, f"Expected {part.type_name} {where}, and got {json.dumps(value)}.")


def show_tags(
    service: str, place: Place, tagged: Callable[[], Iterable[tuple[str, str, dict[str, str]]]]
) -> None:
    """Have the Resource Groups Tagging API find what a service of the course's own has at a place.

    Args:
        service: The service, as boto3 names it.
        place: The place.
        tagged: Lists resources: ARN, type such as ``ecs:cluster``, and tags.
    """
    models = importlib.import_module(f"moto.{service}.models")
    backend = getattr(models, f"{service}_backends")[place.account][place.region]
    backend.iter_tagged_resources = lambda: (
        TaggedResource(arn, tags, kind) for arn, kind, tags in tagged()
    )


def serve(port: int) -> BaseWSGIServer:
    """Make the server of all services on this machine's loopback; ``serve_forever`` runs it.

    Args:
        port: The port; 0 for one that the system chooses.

    Raises:
        OSError: The port is taken.
    """
    application = guarded(werkzeug_app.DomainDispatcherApplication(_application))
    # With a socket of ours: where the port is taken, werkzeug would print that and end the process.
    with socket.create_server((LOOPBACK, port), backlog=BACKLOG) as listening:
        return make_server(
            LOOPBACK,
            port,
            application,
            threaded=True,
            request_handler=_Handler,
            fd=listening.fileno(),
        )


class _Handler(werkzeug_app.MotoRequestHandler):
    def log_request(self, *_: object) -> None:
        """Keep silent: a line for each request would hide what matters."""


def _application(service: Any) -> Any:  # noqa: ANN401  # moto's types
    """Make the application of a service, which names the operation that moto does not have."""
    application = werkzeug_app.create_backend_app(service)

    def refuse(missing: NotImplementedError) -> tuple[str, int, dict[str, str]]:
        message = f"{service} on this machine does not have this operation: {missing}"
        said = {"__type": "UnknownOperationException", "message": message}
        return json.dumps(said), 400, {"Content-Type": JSON}

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


# --- EC2 instances ---------------------------------------------------------------------------

STATES: Final = {"pending": 0, "running": 16}
_run_instances = EC2Backend.run_instances
# moto's own, which change an instance and give the state that it was in; how that is told; and
# from which states it is a change.
CHANGES: Final = {
    "start": (Instance.start, "started", ("stopped",)),
    "stop": (Instance.stop, "stopped", ("pending", "running")),
    "terminate": (Instance.terminate, "terminated", ("pending", "running", "stopped")),
}


def place_instances(take_address: Callable[[str], str]) -> None:
    """Give each instance a private address that nothing else in its subnet's network has.

    Args:
        take_address: Gives the next free address of a subnet's range.
    """

    def get_available_subnet_ip(self: Any, instance: Any) -> str:  # noqa: ANN401, ARG001  # moto's
        return take_address(self.cidr_block)

    Subnet.get_available_subnet_ip = get_available_subnet_ip  # type: ignore[method-assign]


def watch_instances(told: Told) -> None:
    """Have it told what becomes of EC2 instances; a new one is pending until `begin_to_run`.

    Args:
        told: Gets the place, ``launched``, ``started``, ``stopped`` or ``terminated``, and the
            instance's id, in the thread of the request.
    """

    def run_instances(self: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  # moto's
        if not options.get("subnet_id") and not options.get("nics"):
            # As on AWS: without a subnet it is the default one, and moto's address is nowhere.
            zone = options.get("placement") or f"{self.region_name}a"
            if subnet := self.get_default_subnets().get(zone):
                options["subnet_id"] = subnet.id
        reservation = _run_instances(self, *arguments, **options)
        for instance in reservation.instances:
            _set_state(instance, "pending")
            told(_place_of(instance), "launched", instance.id)
        return reservation

    EC2Backend.run_instances = run_instances  # type: ignore[method-assign]
    for name, (change, what, states) in CHANGES.items():
        setattr(Instance, name, _watched(change, what, states, told))


def _watched(
    change: Callable[[Any], Any], what: str, states: tuple[str, ...], told: Told
) -> Callable[[Any], Any]:
    """Have a change of an instance told, if it was in one of the states that it changes."""

    def changed(instance: Any) -> Any:  # noqa: ANN401  # moto's
        before = change(instance)
        if before.name in states:
            if what == "started":
                _set_state(instance, "pending")
            told(_place_of(instance), what, instance.id)
        return before

    return changed


def begin_to_run(place: Place, instance_id: str) -> bool:
    """Have a pending instance run, and tell whether it was still there to do so."""
    instance = ec2_backends[place.account][place.region].get_instance_by_id(instance_id)
    if instance is None or instance.state != "pending":
        return False
    _set_state(instance, "running")
    return True


def instance_of(place: Place, instance_id: str) -> Json | None:
    """Describe an instance: its state, what it was launched from, where it is, its user data."""
    instance = ec2_backends[place.account][place.region].get_instance_by_id(instance_id)
    if instance is None:
        return None
    subnet = subnet_of(place, instance.subnet_id) if instance.subnet_id else None
    return {
        "state": instance.state,
        "zone": subnet["zone"] if subnet else instance.placement.zone,
        "vpc": instance.vpc_id,
        "image": instance.image_id,
        "type": instance.instance_type,
        "subnet": instance.subnet_id,
        "address": instance.private_ip,
        "user_data": _text(str(instance.user_data or "")),
    }


def size_of(instance_type: str) -> Json:
    """Tell the vCPUs, MiB, network interfaces and architecture of an instance type."""
    found = INSTANCE_TYPES[instance_type]
    return {
        "cpus": found["VCpuInfo"]["DefaultVCpus"],
        "memory": found["MemoryInfo"]["SizeInMiB"],
        "interfaces": found["NetworkInfo"]["MaximumNetworkInterfaces"],
        "architecture": found["ProcessorInfo"]["SupportedArchitectures"][-1],
    }


def agent_of_image(region: str, image: str) -> Json | None:
    """Tell the agent and the engine of an ECS-optimised image; nothing of another image.

    The images are those that the public parameters of Systems Manager name.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html
    """
    return _ecs_images(region).get(image)


@functools.cache
def _ecs_images(region: str) -> dict[str, Json]:
    try:
        parameters = load_resource(f"ssm/resources/ecs/optimized_amis/{region}.json")
    except FileNotFoundError:
        return {}
    return {
        about["image_id"]: {
            "agent": about.get("ecs_agent_version", ""),
            "engine": about.get("ecs_runtime_version", "").removeprefix("Docker version "),
        }
        for about in _values(parameters)
    }


def _values(parameters: Json) -> Iterator[Json]:
    """Find the descriptions of images in the tree of parameters."""
    about = parameters.get("Value")
    if isinstance(about, dict) and "image_id" in about:
        yield about
    for below in parameters.values():
        if isinstance(below, dict):
            yield from _values(below)


def _text(user_data: str) -> str:
    """Read user data: in Base64, as clients send it, or as a template has it."""
    try:
        return base64.b64decode(user_data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return user_data


def _place_of(instance: Any) -> Place:  # noqa: ANN401  # moto's
    backend = instance.ec2_backend
    return Place(backend.account_id, backend.region_name)


def _set_state(instance: Any, name: str) -> None:  # noqa: ANN401  # moto's
    state = instance._state  # noqa: SLF001  # moto has no other way
    state.name, state.code = name, STATES[name]
