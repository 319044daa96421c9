"""The networks of the engine that play VPCs, and the addresses in them."""

from __future__ import annotations

import ipaddress
import platform
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import docker
import docker.errors
from docker.types import IPAMConfig, IPAMPool

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.aws.place import Place
    from lab.naming import Naming

__all__ = ["Networks"]

# AWS's own range of default VPCs first. The others lie outside of those that the engine gives to
# its networks, of which it has some thirty: the chapters before need them.
RANGES: Final = ("172.31.0.0/16", *(f"10.{second}.0.0/16" for second in range(254, 200, -1)))
# Of each subnet AWS keeps the first four addresses and the last one for itself.
# https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
RESERVED: Final = 4
ROUTES: Final = Path("/proc/net/route")


class Networks:
    """The networks of one local AWS.

    Args:
        client: The engine, by a client that labels what it makes.
        naming: Whose names the networks get.
    """

    def __init__(self, client: docker.DockerClient, naming: Naming) -> None:
        self._client = client
        self._naming = naming
        self._by_range: dict[str, str] = {}
        self._default: dict[Place, str] = {}
        self._taken: set[str] = set()
        # Several clients may ask for the first time at once, and EC2 asks in threads of its own.
        self._making = threading.Lock()
        self._giving = threading.Lock()

    def default_range(self, place: Place) -> str:
        """Give the range of a place's default VPC, whose network is made when first asked for.

        Raises:
            AwsError: No range is free on this machine.
        """
        with self._making:
            if place not in self._default:
                self._default[place] = self._make_somewhere(place)
            return self._default[place]

    def network_of(self, vpc_range: str) -> str:
        """Give the id of the network that plays the VPC of a range, made when first asked for.

        Raises:
            AwsError: The range is taken on this machine.
        """
        with self._making:
            if vpc_range not in self._by_range:
                self._by_range[vpc_range] = self._make(vpc_range)
            return self._by_range[vpc_range]

    def take_address(self, subnet_range: str) -> str:
        """Take the next free address of a subnet.

        Raises:
            AwsError: The subnet is full.
        """
        subnet = ipaddress.ip_network(subnet_range)
        with self._giving:
            for number in range(RESERVED, subnet.num_addresses - 1):
                address = str(subnet[number])
                if address not in self._taken:
                    self._taken.add(address)
                    return address
        raise AwsError("InvalidParameterException", f"The subnet {subnet_range} is full.")

    def free_address(self, address: str) -> None:
        """Give an address back."""
        self._taken.discard(address)

    def _make_somewhere(self, place: Place) -> str:
        routed = [*_routed()]
        refusal: AwsError | None = None
        for candidate in RANGES:
            network = ipaddress.IPv4Network(candidate)
            if candidate in self._by_range or any(network.overlaps(one) for one in routed):
                continue
            try:
                self._by_range[candidate] = self._make(candidate)
            except AwsError as taken:
                refusal = taken
            else:
                return candidate
        raise AwsError(
            "ServerException", f"No range is free for the VPC of {place.region}: {refusal}"
        )

    def _make(self, vpc_range: str) -> str:
        gateway = str(ipaddress.ip_network(vpc_range)[1])
        pool = IPAMPool(subnet=vpc_range, gateway=gateway)
        name = self._naming.full_name(f"vpc-{vpc_range.partition('/')[0]}")
        try:
            made = self._client.networks.create(
                name, driver="bridge", ipam=IPAMConfig(pool_configs=[pool])
            )
        except docker.errors.APIError as refusal:
            raise AwsError(
                "ServerException", f"The engine makes no network {vpc_range}: {refusal.explanation}"
            ) from None
        return str(made.id)


def _routed() -> Iterator[ipaddress.IPv4Network]:
    """List the networks that this machine has a way to: a VPC must not hide them."""
    if platform.system() != "Linux" or not ROUTES.exists():
        return
    for line in ROUTES.read_text().splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[n])[::-1]) for n in (1, 7))
        if mask:
            yield ipaddress.IPv4Network((address, mask.bit_count()))
