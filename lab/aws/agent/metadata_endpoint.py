"""The task metadata endpoint, version 4: answers what a container asks about itself and its task.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from lab.aws.agent.agent import ENGINE_ERRORS
from lab.aws.agent.containers import runtime_name
from lab.aws.agent.gateways import Gateway
from lab.aws.agent.metadata import container_document, interface_of, task_document

if TYPE_CHECKING:
    from collections.abc import Callable

    import docker

    from lab.aws.cloud import Cloud
    from lab.aws.ecs.state import Container, Task
    from lab.aws.place import Place
    from lab.naming import Naming

    Json = dict[str, Any]

__all__ = ["MetadataEndpoint"]

log = logging.getLogger(__name__)

PATH: Final = re.compile(r"/v4/([^/]+)(|/task|/taskWithTags|/stats|/task/stats)/?")
# How the real agent begins when it does not know who asks, and what it was looking for.
CONTAINER_ID: Final = (
    "unable to get container ID from request: unable to get docker ID from v3 endpoint ID"
)
TASK_ARN: Final = "unable to get task arn from request: unable to get task Arn from v3 endpoint ID"
UNKNOWN: Final = {
    "": f"V4 container metadata handler: {CONTAINER_ID}",
    "/task": f"V4 task metadata handler: {TASK_ARN}",
    "/taskWithTags": f"V4 task metadata handler: {TASK_ARN}",
    "/stats": f"V4 container stats handler: {TASK_ARN}",
    "/task/stats": f"V4 task stats handler: {TASK_ARN}",
}
# A container may ask before the engine has told us that it runs.
START_SECONDS: Final = 5
# Between the two looks that a rate is made of.
SAMPLE_SECONDS: Final = 0.5
OK: Final = 200
NOT_FOUND: Final = 404
FAILED: Final = 500


class MetadataEndpoint:
    """The endpoint of all tasks of one local AWS.

    Args:
        cloud: The loop in which it lives.
        connect: Makes a client of the engine, which labels what it makes.
        naming: Whose names its containers get.
        subnet_of: Describes a subnet.
    """

    def __init__(
        self,
        cloud: Cloud,
        connect: Callable[[], docker.DockerClient],
        naming: Naming,
        subnet_of: Callable[[Place, str], Json | None],
    ) -> None:
        self._cloud = cloud
        self._client = connect()
        self._naming = naming
        self._subnet_of = subnet_of
        self._gateways: dict[str, asyncio.Task[Gateway]] = {}
        self._known: dict[str, tuple[Task, Container]] = {}
        self._networks: dict[Task, tuple[str, str | None]] = {}
        self._uris: dict[str, str] = {}
        self._is_over = False

    async def open(self, task: Task, network: str, address: str | None = None) -> None:
        """Have the endpoint answer in the network of a task, before its containers start.

        Args:
            task: The task.
            network: The engine's network that its containers are in.
            address: Where the endpoint shall answer there; without it the engine chooses.

        Raises:
            docker.errors.DockerException: The engine does not start what it takes.
        """
        self._networks[task] = (network, address)
        gateway = await self._gateway(network, address)
        if task not in self._networks:
            return  # it has ended meanwhile
        for container in task.containers:
            # The task's id and ten digits, as on Fargate; nobody else can guess them.
            endpoint = f"{task.id}-{secrets.randbelow(10**10):010}"
            self._known[endpoint] = (task, container)
            self._uris[container.arn] = f"http://{gateway.address}/v4/{endpoint}"

    def variables(self, container: Container) -> dict[str, str]:
        """Give the variable by which a container finds the endpoint."""
        uri = self._uris.get(container.arn)
        return {"ECS_CONTAINER_METADATA_URI_V4": uri} if uri else {}

    def forget(self, task: Task) -> None:
        """Answer no more for a task, which has ended."""
        self._networks.pop(task, None)
        for container in task.containers:
            uri = self._uris.pop(container.arn, "")
            self._known.pop(uri.rpartition("/")[2], None)

    async def close(self) -> None:
        """Remove what it has on the engine."""
        self._is_over = True
        found = await asyncio.gather(*self._gateways.values(), return_exceptions=True)
        started = [gateway for gateway in found if isinstance(gateway, Gateway)]
        await asyncio.gather(*(self._cloud.beside(gateway.close) for gateway in started))
        self._client.close()

    # --- the gateways ------------------------------------------------------------------------

    async def _gateway(self, network: str, address: str | None) -> Gateway:
        """Give the gateway of a network, started when first asked for."""
        if network not in self._gateways:
            start = self._start(network, address)
            self._gateways[network] = asyncio.get_running_loop().create_task(start)
        try:
            # One of several who wait may be given up; the others go on.
            return await asyncio.shield(self._gateways[network])
        except ENGINE_ERRORS:
            self._gateways.pop(network, None)
            raise

    async def _start(self, network: str, address: str | None) -> Gateway:
        return await self._cloud.beside(
            Gateway,
            self._client,
            self._naming,
            network,
            address,
            asked=lambda gateway, said: self._cloud.tell(self._asked, gateway, said),
            lost=lambda gateway: self._cloud.tell(self._lost, network, gateway),
        )

    def _lost(self, network: str, gateway: Gateway) -> None:
        if not self._is_over:
            self._gateways.pop(network, None)
            self._cloud.spawn(self._start_again(network, gateway))

    async def _start_again(self, network: str, gateway: Gateway) -> None:
        """Start another gateway where one was lost, if tasks are left that need it."""
        await self._cloud.beside(gateway.close)
        needed = [wanted for wanted in self._networks.values() if wanted[0] == network]
        try:
            if needed:
                await self._gateway(*needed[0])
        except ENGINE_ERRORS as error:
            log.warning("no metadata before the next task starts: %s", str(error))

    def _asked(self, gateway: Gateway, said: Json) -> None:
        self._cloud.spawn(self._answer(gateway, said["number"], said["path"]))

    async def _answer(self, gateway: Gateway, number: int, path: str) -> None:
        try:
            status, document = await self._find(path)
        except ENGINE_ERRORS as error:
            status, document = FAILED, f"failed to get metadata: {error}"
        await self._cloud.beside(gateway.answer, number, status, document)

    # --- the documents -----------------------------------------------------------------------

    async def _find(self, path: str) -> tuple[int, object]:
        """Find the document of a path, with its status of HTTP."""
        found = PATH.fullmatch(path)
        if found is None:
            return NOT_FOUND, "404 page not found"
        endpoint, what = found.groups()
        if endpoint not in self._known:
            return NOT_FOUND, f"{UNKNOWN[what]}: {endpoint}"
        task, container = self._known[endpoint]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_started(task, container), START_SECONDS)
        if what == "":
            return OK, await self._container(task, container)
        if what == "/stats":
            return OK, await self._sample(container.runtime_id)
        if what == "/task/stats":
            return OK, await self._task_stats(task)
        return OK, await self._task(task, with_tags=what == "/taskWithTags")

    async def _container(self, task: Task, container: Container) -> Json:
        name = container.name
        return container_document(
            task,
            container,
            docker_name=runtime_name(self._naming, task, name) if task.host else name,
            networks=await self._networks_of(task, container),
        )

    async def _task(self, task: Task, *, with_tags: bool) -> Json:
        containers = [await self._container(task, container) for container in task.containers]
        subnet = self._subnet_of(task.place, task.subnet) if task.subnet else None
        vpc = subnet["vpc"] if subnet and task.host else None
        document = task_document(task, containers, vpc=vpc)
        if with_tags:
            document["TaskTags"] = {tag["key"]: tag["value"] for tag in task.tags}
        return document

    async def _networks_of(self, task: Task, container: Container) -> list[Json]:
        if task.definition.network_mode == "awsvpc":
            subnet = self._subnet_of(task.place, task.subnet or "")
            return [interface_of(task, subnet)] if subnet else []
        if not container.runtime_id:
            return []
        found = await self._cloud.beside(self._client.api.inspect_container, container.runtime_id)
        return [
            {
                "NetworkMode": task.definition.network_mode,
                "IPv4Addresses": [network["IPAddress"]],
            }
            for network in found["NetworkSettings"]["Networks"].values()
        ]

    async def _task_stats(self, task: Task) -> Json:
        ids = [container.runtime_id for container in task.containers if container.runtime_id]
        samples = await asyncio.gather(*(self._sample(one) for one in ids), return_exceptions=True)
        return {
            one: {} if isinstance(sample, BaseException) else sample
            for one, sample in zip(ids, samples, strict=True)
        }

    async def _sample(self, runtime_id: str) -> Json:
        """Get Docker's statistics of a container, with those of its network.

        In ``awsvpc`` the network belongs to the task's pause container. The engine would take a
        second or two for its own two looks at the CPU; these two do for the network, too.
        """
        found = await self._cloud.beside(self._client.api.inspect_container, runtime_id)
        mode = found["HostConfig"]["NetworkMode"]
        owner = mode.removeprefix("container:") if mode.startswith("container:") else runtime_id
        (first, before), begin = await self._look(runtime_id, owner), time.monotonic()
        await asyncio.sleep(SAMPLE_SECONDS)
        last, after = await self._look(runtime_id, owner)
        seconds = time.monotonic() - begin
        received, sent = (
            now - then for now, then in zip(_bytes(after), _bytes(before), strict=True)
        )
        return {
            **last,
            "preread": first["read"],
            "precpu_stats": first["cpu_stats"],
            "networks": after.get("networks") or {},
            "network_rate_stats": {
                "rx_bytes_per_sec": received / seconds,
                "tx_bytes_per_sec": sent / seconds,
            },
        }

    async def _look(self, *runtime_ids: str) -> list[Json]:
        stats: Callable[..., Json] = self._client.api.stats
        looks = (self._cloud.beside(stats, one, stream=False, one_shot=True) for one in runtime_ids)
        return await asyncio.gather(*looks)


def _bytes(stats: Json) -> tuple[int, int]:
    """Add up what came in and what went out, over all interfaces."""
    interfaces = (stats.get("networks") or {}).values()
    return sum(one["rx_bytes"] for one in interfaces), sum(one["tx_bytes"] for one in interfaces)


async def _started(task: Task, container: Container) -> None:
    while container.status == "PENDING":
        await task.change()
