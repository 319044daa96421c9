"""The networks of tasks on EC2 instances: the modes ``bridge`` and ``host``.

On AWS each instance is a machine with an engine of its own. Here one engine runs the containers of
all instances, so that a port of "the host" can't be a port of this machine: two instances would
have the same one, and it would be open to others. Therefore:

- In ``bridge`` each container has an address of its own in the network of the instance's VPC. The
  ports of the host are only written down: ``Ecs.address_of`` leads a load balancer from instance
  and port to the container. On AWS the ports are open at the instance's private address.
- In ``host`` the containers of an instance share one network, which has the private address of
  the instance: they meet each other's ports on ``localhost``, and are reached there, as on AWS.

In both, names of containers that ``links`` does not give are not found.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking.html
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import docker

    from lab.aws.agent.networks import Networks
    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.state import Container, Task
    from lab.naming import Naming

    Json = dict[str, Any]

__all__ = ["HostNetworks"]

HOST_IMAGE: Final = "course/base:1"


class HostNetworks:
    """The networks of the tasks on instances; its methods block.

    Args:
        api: docker-py's low-level client.
        naming: Whose names and labels its containers get.
        networks: The networks of the VPCs.
        name_of: Names a container of a task on the engine.
    """

    def __init__(
        self,
        api: docker.APIClient,
        naming: Naming,
        networks: Networks,
        name_of: Callable[[Task, str], str],
    ) -> None:
        self._api = api
        self._naming = naming
        self._networks = networks
        self._name_of = name_of
        self._by_host: dict[Host, str] = {}
        self._addresses: dict[Task, dict[str, str]] = {}
        # Several tasks may come to an instance at once.
        self._making = threading.Lock()

    def options_of(self, task: Task, container: Container) -> tuple[str, Json | None]:
        """Give the network mode of a container, and the ``networking_config`` if it needs one."""
        host = _host_of(task)
        if task.definition.network_mode == "host":
            return f"container:{self._network_of(host)}", None
        network = self._networks.network_of(host.vpc_range)
        address = self._networks.take_address(host.subnet_range)
        self._addresses.setdefault(task, {})[container.name] = address
        links = [link.partition(":") for link in container.definition.get("links") or []]
        endpoint = self._api.create_endpoint_config(
            ipv4_address=address,
            links=[(self._name_of(task, name), alias or name) for name, _, alias in links],
        )
        config = self._api.create_networking_config({network: endpoint})  # type: ignore[arg-type]
        return network, config

    def bind(self, task: Task, container: Container) -> None:
        """Give a container that has started its ports of the instance."""
        host = _host_of(task)
        address = self._addresses.get(task, {}).get(container.name, host.address)
        container.bindings = host.bind(task, container, address)

    def leave(self, task: Task) -> None:
        """Give back the addresses of a task that has ended."""
        for address in self._addresses.pop(task, {}).values():
            self._networks.free_address(address)

    def take_from(self, host: Host) -> str | None:
        """Forget the container that has an instance's network, and name it for its removal."""
        with self._making:
            return self._by_host.pop(host, None)

    def _network_of(self, host: Host) -> str:
        """Have a container with the network that all tasks in ``host`` of an instance share."""
        with self._making:
            if host not in self._by_host:
                network = self._networks.network_of(host.vpc_range)
                endpoint = self._api.create_endpoint_config(ipv4_address=host.address)
                made = self._api.create_container(
                    HOST_IMAGE,
                    ["sleep", "infinity"],
                    name=self._naming.full_name(f"{host.instance_id}-network"),
                    labels=dict(self._naming.labels),
                    host_config=self._api.create_host_config(network_mode=network),
                    networking_config=self._api.create_networking_config(
                        {network: endpoint}  # type: ignore[arg-type]
                    ),
                )
                self._api.start(made["Id"])
                self._by_host[host] = str(made["Id"])
            return self._by_host[host]


def _host_of(task: Task) -> Host:
    if task.host is None:
        raise TypeError(f"{task.arn} is on no instance")
    return task.host
