"""The agent: makes a task's containers out of what was asked for, and tells how they are.

It does what the container agent of ECS does on each host: it brings each task from PROVISIONING to
RUNNING, starts containers when those that they depend on are so far, and takes everything away in
the reverse order. It learns from the engine's events what becomes of the containers, and asks
for nothing again and again.
https://github.com/aws/amazon-ecs-agent/tree/master/agent/engine
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from typing import TYPE_CHECKING, Any, Final

import docker
import docker.errors
import docker.utils
import requests

from lab.aws.agent.containers import create_options, runtime_name, stop_seconds
from lab.aws.agent.events import EngineEvents
from lab.aws.agent.host_folders import HostFolders
from lab.aws.agent.host_networks import HostNetworks
from lab.aws.agent.log_driver import LogDriver
from lab.aws.agent.metadata import ecs_labels
from lab.aws.ecs.state import now
from lab.aws.errors import AwsError
from lab.aws.place import new_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lab.aws.agent.metadata_endpoint import MetadataEndpoint
    from lab.aws.agent.networks import Networks
    from lab.aws.cloud import Cloud
    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.state import Container, Task
    from lab.aws.sources import Sources
    from lab.naming import Naming

    Json = dict[str, Any]

__all__ = ["Agent"]

log = logging.getLogger(__name__)

PAUSE_IMAGE: Final = "course/base:1"
PAUSE: Final = "pause"
ENGINE_ERRORS: Final = (docker.errors.DockerException, requests.RequestException, OSError)
# What keeps an engine busy that has just come back, before a container is given up.
PATIENCE_SECONDS: Final = 60
KILLED: Final = 137


class StartError(Exception):
    """Says why a task did not start, in AWS's words."""

    def __init__(self, reason: str, container: Container | None = None) -> None:
        super().__init__(reason)
        self.container = container


class Agent:
    """The agent of one local AWS.

    Args:
        cloud: The loop in which it lives.
        connect: Makes a client of the engine, which labels what it makes.
        naming: Whose names the containers get.
        networks: The networks of the VPCs.
        sources: The other services.
        metadata: The endpoint where containers ask about themselves.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # all that an agent works with
        self,
        cloud: Cloud,
        connect: Callable[[], docker.DockerClient],
        naming: Naming,
        networks: Networks,
        sources: Sources,
        metadata: MetadataEndpoint,
    ) -> None:
        self._cloud = cloud
        self._client = connect()
        self._naming = naming
        self._networks = networks
        self._sources = sources
        self._metadata = metadata
        self._label = naming.aws or new_id(8)
        self._by_runtime_id: dict[str, tuple[Task, Container]] = {}
        self._pauses: dict[Task, str] = {}
        self._host_folders = HostFolders(self._client, naming)
        self._host_networks = HostNetworks(self.api, naming, networks, self._name)
        self._volumes: dict[Task, dict[str, str]] = {}
        self._logs = LogDriver(cloud, connect, sources.put_log_events)
        self.activate: Callable[[Task], Awaitable[None]] = _nothing
        self.deactivate: Callable[[Task], Awaitable[None]] = _nothing
        self._events = EngineEvents(
            connect,
            f"aws={self._label}",
            heard=lambda event: cloud.tell(self._heard, event),
            found_again=lambda: cloud.tell(self._catch_up),
        )

    @property
    def api(self) -> docker.APIClient:
        """docker-py's low-level client."""
        return self._client.api

    def run(self, task: Task) -> None:
        """Bring a task to life; it goes on by itself from here."""
        self._cloud.spawn(self._live(task))

    async def cut_off(self, task: Task) -> None:
        """Kill the containers of a task under which its instance has gone."""
        running = [one for one in task.containers if one.runtime_id and not one.ended.is_set()]
        await asyncio.gather(*(self._signal(container, "SIGKILL") for container in running))

    async def leave_host(self, host: Host, *, for_good: bool) -> None:
        """Remove what an instance had on the engine; its folders go only with it for good."""
        if network := self._host_networks.take_from(host):
            await self._remove(self.api.remove_container, network, v=True, force=True)
        for volume in self._host_folders.take_from(host) if for_good else ():
            await self._remove(self.api.remove_volume, volume)

    def close(self) -> None:
        """Listen to the engine no more."""
        self._events.close()
        self._client.close()

    # --- a task's life -----------------------------------------------------------------------

    async def _live(self, task: Task) -> None:
        try:
            await self._provision(task)
            task.move("PENDING")
            environments = await self._prepare(task)
            await self._start_all(task, environments)
            if not task.stop_asked.is_set():
                task.move("ACTIVATING")
                await self.activate(task)
            if not task.stop_asked.is_set():
                task.move("RUNNING")
            await task.stop_asked.wait()
        except StartError as error:
            if error.container:
                error.container.reason = str(error)
            task.stop("TaskFailedToStart", str(error))
        except Exception as error:
            log.exception("task %s", task.arn)
            task.stop("TaskFailedToStart", f"ResourceInitializationError: {error!r}")
        # Where the loop ends, nothing is taken away here: who owns the labels does that.
        await self._end(task)

    async def _provision(self, task: Task) -> None:
        """Give the task its network interface, and the container that keeps its network."""
        if task.definition.network_mode != "awsvpc":
            await self._open_metadata(task)
            return
        settings = (task.network or {})["awsvpcConfiguration"]
        subnet_id = task.subnet or settings["subnets"][0]
        subnet = self._sources.subnet_of(task.place, subnet_id)
        if subnet is None:
            raise StartError(f"ResourceInitializationError: the subnet {subnet_id} is gone")
        address = self._networks.take_address(subnet["range"])
        interface = self._sources.attach_interface(
            task.place, subnet_id, settings.get("securityGroups") or [], address
        )
        values = {
            "subnetId": subnet_id,
            "networkInterfaceId": interface["id"],
            "macAddress": interface["mac"],
            "privateDnsName": interface["dns"],
            "privateIPv4Address": address,
        }
        task.attachments.append(
            {
                "id": new_id(),
                "type": "ElasticNetworkInterface",
                "status": "ATTACHING",
                "details": [{"name": name, "value": value} for name, value in values.items()],
            }
        )
        task.touch()
        try:
            network = await self._cloud.beside(self._networks.network_of, subnet["vpc_range"])
            both = await asyncio.gather(
                self._metadata.open(task, network, _metadata_address(subnet["vpc_range"])),
                self._cloud.beside(self._pause, task, network, address),
                # What one of them has made is only known when it is done.
                return_exceptions=True,
            )
            for error in both:
                if error:
                    raise error
        except (*ENGINE_ERRORS, AwsError) as error:
            raise StartError(f"ResourceInitializationError: {_said(error)}") from None
        task.attachments[0]["status"] = "ATTACHED"
        task.times["connectivityAt"] = now()

    async def _open_metadata(self, task: Task) -> None:
        """Let the containers of a task without a network interface ask about themselves."""
        network = self._network_mode(task)
        if network == "none":
            return
        try:
            await self._metadata.open(task, network)
        except ENGINE_ERRORS as error:
            raise StartError(f"ResourceInitializationError: {_said(error)}") from None

    def _pause(self, task: Task, network: str, address: str) -> None:
        """Start the container whose network all containers of the task share."""
        made = self.api.create_container(
            PAUSE_IMAGE,
            ["sleep", "infinity"],
            name=self._name(task, PAUSE),
            labels=self._labels(task, PAUSE),
            host_config=self.api.create_host_config(network_mode=network),
            networking_config=self.api.create_networking_config(
                {network: self.api.create_endpoint_config(ipv4_address=address)}  # type: ignore[arg-type]
            ),
        )
        self._pauses[task] = made["Id"]
        self.api.start(made["Id"])

    async def _prepare(self, task: Task) -> dict[str, dict[str, str]]:
        """Get all that the containers need: images, volumes, secrets, log groups.

        Returns:
            The environment of each container, by its name.
        """
        task.times["pullStartedAt"] = now()
        await asyncio.gather(*(self._fetch(container) for container in task.containers))
        task.times["pullStoppedAt"] = now()
        try:
            self._volumes[task] = await self._cloud.beside(self._make_volumes, task)
            return {
                container.name: await self._cloud.beside(self._environment, task, container)
                for container in task.containers
            }
        except (*ENGINE_ERRORS, AwsError) as error:
            raise StartError(f"ResourceInitializationError: {_said(error)}") from None

    async def _fetch(self, container: Container) -> None:
        """Have the image on the engine: a local one as it is, else it is pulled."""
        image = container.definition["image"]
        try:
            found = await self._cloud.beside(self._inspect_or_pull, image)
        except ENGINE_ERRORS as error:
            reason = f"CannotPullContainerError: pull image manifest has failed: {_said(error)}"
            raise StartError(reason, container) from None
        digests = found.get("RepoDigests") or []
        container.image_digest = digests[0].partition("@")[2] if digests else None
        container.image_id = found["Id"]
        container.stop_signal = (found.get("Config") or {}).get("StopSignal") or "SIGTERM"

    def _inspect_or_pull(self, image: str) -> Json:
        with contextlib.suppress(docker.errors.ImageNotFound):
            return self._inspect_image(image)
        repository, tag = docker.utils.parse_repository_tag(image)
        self._client.images.pull(
            repository, tag or "latest", auth_config=self._sources.login_of(image)
        )
        return self._inspect_image(image)

    def _inspect_image(self, image: str) -> Json:
        found: Json = self.api.inspect_image(image)  # type: ignore[no-untyped-call]
        return found

    def _make_volumes(self, task: Task) -> dict[str, str]:
        found = {}
        for volume in task.definition.form.get("volumes") or []:
            name = volume["name"]
            path = (volume.get("host") or {}).get("sourcePath")
            if "efsVolumeConfiguration" in volume:
                raise AwsError("ServerException", "there is no EFS on this machine")
            if path and task.host:
                found[name] = self._host_folders.volume_of(task.host, path)
                continue
            found[name] = str(
                self._client.volumes.create(
                    self._name(task, name), labels=self._labels(task, name)
                ).name
            )
        return found

    def _environment(self, task: Task, container: Container) -> dict[str, str]:
        definition, place = container.definition, task.place
        variables: dict[str, str] = {
            "AWS_REGION": place.region,
            "AWS_DEFAULT_REGION": place.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_EC2" if task.host else "AWS_ECS_FARGATE",
            **self._metadata.variables(container),
        }
        for file in definition.get("environmentFiles") or []:
            variables |= self._sources.variables(place, file["value"])
        variables |= {one["name"]: one["value"] for one in definition.get("environment") or []}
        for secret in definition.get("secrets") or []:
            variables[secret["name"]] = self._sources.secret(place, secret["valueFrom"])
        settings = definition.get("logConfiguration") or {}
        if settings.get("logDriver") == "awslogs":
            options = settings["options"]
            wanted = options.get("awslogs-create-group", "false") == "true"
            self._sources.log_group(place, options["awslogs-group"], create=wanted)
        return variables

    async def _start_all(self, task: Task, environments: Mapping[str, dict[str, str]]) -> None:
        """Start each container as soon as those that it depends on are so far."""
        under_way: dict[str, asyncio.Task[None]] = {}
        while not task.stop_asked.is_set():
            for start in under_way.values():
                if start.done() and (error := start.exception()):
                    raise error
            for container in task.containers:
                if container.name not in under_way and _may_start(task, container):
                    start = self._cloud.spawn(
                        self._start(task, container, environments[container.name]), awaited=True
                    )
                    start.add_done_callback(lambda _start: task.touch())
                    under_way[container.name] = start
            if all(start.done() for start in under_way.values()) and not any(
                container.status == "PENDING" for container in task.containers
            ):
                return
            await task.change()
        await asyncio.gather(*under_way.values(), return_exceptions=True)

    async def _start(self, task: Task, container: Container, environment: dict[str, str]) -> None:
        if task.stop_asked.is_set():
            return
        try:
            made = await self._cloud.beside(self._create, task, container, environment)
        except (*ENGINE_ERRORS, AwsError, KeyError) as error:
            reason = f"CannotCreateContainerError: {_said(error)}"
            raise StartError(reason, container) from None
        container.runtime_id = made
        container.created_at = now()
        self._by_runtime_id[made] = (task, container)
        try:
            await self._cloud.beside(self.api.start, made)
        except ENGINE_ERRORS as error:
            container.status = "STOPPED"
            reason = f"CannotStartContainerError: {_said(error)}"
            raise StartError(reason, container) from None
        container.started_at = now()
        if _is_bound(task):
            self._host_networks.bind(task, container)
        self._logs.follow(task, container)
        if container.finished_at is None:
            container.status = "RUNNING"
            _start_agents(container)
        task.times.setdefault("startedAt", now())
        task.touch()

    def _create(self, task: Task, container: Container, environment: dict[str, str]) -> str:
        mode, config = self._network_mode(task), None
        if _is_bound(task):
            mode, config = self._host_networks.options_of(task, container)
        options = create_options(
            self.api,
            task,
            container,
            network=mode,
            environment=environment,
            volumes=self._volumes[task],
            volumes_from=[
                task.container(one["sourceContainer"]).runtime_id
                + (":ro" if one.get("readOnly") else "")
                for one in container.definition.get("volumesFrom") or []
            ],
            labels=self._labels(task, container.name),
            published={},
        )
        made = self.api.create_container(
            name=self._name(task, container.name), networking_config=config, **options
        )
        return str(made["Id"])

    def _network_mode(self, task: Task) -> str:
        if task in self._pauses:
            return f"container:{self._pauses[task]}"
        return "none" if task.definition.network_mode == "none" else "bridge"

    # --- the end of a task -------------------------------------------------------------------

    async def _end(self, task: Task) -> None:
        if task.status in ("RUNNING", "ACTIVATING"):
            task.move("DEACTIVATING")
            await self.deactivate(task)
        task.move("STOPPING")
        await self._stop_all(task)
        task.times["executionStoppedAt"] = now()
        task.move("DEPROVISIONING")
        await self._take_away(task)
        for container in task.containers:
            container.status = "STOPPED"
            _stop_agents(container)
        for attachment in task.attachments:
            attachment["status"] = "DELETED"
        task.move("STOPPED")

    async def _stop_all(self, task: Task) -> None:
        """Stop each container as soon as those that depend on it have stopped."""
        asked: dict[str, asyncio.Task[None]] = {}
        while True:
            left = [one for one in task.containers if one.runtime_id and one.status != "STOPPED"]
            if not left:
                return
            for container in left:
                if container.name not in asked and _may_stop(container, left):
                    asked[container.name] = self._cloud.spawn(self._stop(container))
            await task.change()

    async def _stop(self, container: Container) -> None:
        """Ask a container to end, and kill it when its time is up; an event says that it ended."""
        await self._signal(container, container.stop_signal)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(container.ended.wait(), stop_seconds(container))
            return
        await self._signal(container, "SIGKILL")

    async def _signal(self, container: Container, signal: str) -> None:
        try:
            await self._cloud.beside(self.api.kill, container.runtime_id, signal)
        except docker.errors.APIError:
            # It has ended by itself, and its event is on its way, or it is gone.
            await self._look_at(container)
        except ENGINE_ERRORS:
            log.warning("the engine is gone while %s stops", container.name)

    async def _take_away(self, task: Task) -> None:
        """Remove what the task had on the engine; what is gone already is no error."""
        self._metadata.forget(task)
        await self._logs.end(task)
        ids = [container.runtime_id for container in task.containers if container.runtime_id]
        removals = [self._remove(self.api.remove_container, one, v=True, force=True) for one in ids]
        await asyncio.gather(*removals)
        if pause := self._pauses.pop(task, None):
            await self._remove(self.api.remove_container, pause, v=True, force=True)
        named = {volume["name"] for volume in task.definition.form.get("volumes") or []}
        for name, volume in self._volumes.pop(task, {}).items():
            if name in named and not self._host_folders.have(task.host, volume):
                await self._remove(self.api.remove_volume, volume)
        self._host_networks.leave(task)
        for container in task.containers:
            self._by_runtime_id.pop(container.runtime_id, None)
        for attachment in task.attachments:
            details = {detail["name"]: detail["value"] for detail in attachment["details"]}
            self._sources.detach_interface(task.place, details["networkInterfaceId"])
            self._networks.free_address(details["privateIPv4Address"])

    async def _remove(self, remove: Callable[..., object], what: str, **options: Any) -> None:  # noqa: ANN401
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                await self._cloud.beside(remove, what, **options)
            except docker.errors.NotFound:
                return
            except ENGINE_ERRORS as error:
                if asyncio.get_running_loop().time() > deadline:
                    log.warning("%s stays: %s", what, _said(error))
                    return
                await asyncio.sleep(0.5)
            else:
                return

    # --- what the engine says ----------------------------------------------------------------

    def _heard(self, event: Json) -> None:
        action, _, said = event["Action"].partition(": ")
        known = self._by_runtime_id.get(event["Actor"]["ID"])
        if known is None:
            if action == "die":
                self._stop_task_of_pause(event["Actor"]["ID"])
            return
        task, container = known
        if action == "health_status":
            if container.has_health_check:
                container.health = said.upper()
                task.touch()
        elif action == "die":
            self._cloud.spawn(self._look_at(container))

    def _stop_task_of_pause(self, pause: str) -> None:
        """Stop a task whose network has gone with its pause container; none if it is no such."""
        for task in [task for task, its_own in self._pauses.items() if its_own == pause]:
            task.stop("EssentialContainerExited", "Essential container in task exited")

    async def _look_at(self, container: Container) -> None:
        """Ask once how a container ended, and go on from there."""
        task, _ = self._by_runtime_id[container.runtime_id]
        try:
            found = await self._cloud.beside(self.api.inspect_container, container.runtime_id)
        except docker.errors.NotFound:
            found = {"State": {"Running": False, "ExitCode": KILLED, "OOMKilled": False}}
        except ENGINE_ERRORS:
            return  # it is asked again when the engine is back
        state = found["State"]
        if state["Running"] or container.ended.is_set():
            return
        if self._is_restarted(task, container, state["ExitCode"]):
            container.restarts += 1
            container.started_at = now()
            with contextlib.suppress(*ENGINE_ERRORS):
                await self._cloud.beside(self.api.start, container.runtime_id)
                self._logs.follow(task, container)
                task.touch()
                return
        container.exit_code = state["ExitCode"]
        container.finished_at = now()
        container.status = "STOPPED"
        _stop_agents(container)
        if state.get("OOMKilled"):
            container.reason = "OutOfMemoryError: Container killed due to memory usage"
        container.ended.set()
        if container.is_essential:
            task.stop("EssentialContainerExited", "Essential container in task exited")
        task.touch()

    def _is_restarted(self, task: Task, container: Container, code: int) -> bool:
        policy = container.definition.get("restartPolicy") or {}
        if not policy.get("enabled") or task.stop_asked.is_set():
            return False
        if code in (policy.get("ignoredExitCodes") or []):
            return False
        ran = (now() - (container.started_at or now())).total_seconds()
        return ran >= (policy.get("restartAttemptPeriod") or 300)

    def _catch_up(self) -> None:
        """Look at all containers after the engine was away: nobody has heard how they are."""
        for _, container in [*self._by_runtime_id.values()]:
            if container.status == "RUNNING":
                self._cloud.spawn(self._look_at(container))

    # --- names -------------------------------------------------------------------------------

    def _name(self, task: Task, what: str) -> str:
        return runtime_name(self._naming, task, what)

    def _labels(self, task: Task, what: str) -> dict[str, str]:
        """What the agent of ECS writes on containers, and what tells this AWS's from another's."""
        return {**self._naming.labels, "aws": self._label, **ecs_labels(task, what)}


def _is_bound(task: Task) -> bool:
    """Tell whether a task has ports of an instance, instead of an interface of its own."""
    return task.host is not None and task.definition.network_mode in ("bridge", "host")


def _may_start(task: Task, container: Container) -> bool:
    """Tell whether the containers that one depends on are so far.

    Raises:
        StartError: They never will be.
    """
    for dependency in container.definition.get("dependsOn") or []:
        other, condition = task.container(dependency["containerName"]), dependency["condition"]
        has_ended = other.status == "STOPPED"
        if condition == "START" and (other.status == "RUNNING" or has_ended):
            continue
        if condition == "COMPLETE" and has_ended:
            continue
        if condition == "SUCCESS" and has_ended and other.exit_code == 0:
            continue
        if condition == "HEALTHY" and other.health == "HEALTHY":
            continue
        failed = condition == "SUCCESS" and has_ended
        failed |= condition == "HEALTHY" and (has_ended or other.health == "UNHEALTHY")
        if failed:
            raise StartError(
                f"dependency graph: container {container.name} depends on {other.name}, which "
                f"will not be {condition}",
                container,
            )
        return False
    return True


def _may_stop(container: Container, left: list[Container]) -> bool:
    """Tell whether nothing runs any more that depends on a container."""
    return not any(
        dependency["containerName"] == container.name
        for other in left
        for dependency in other.definition.get("dependsOn") or []
    )


def _metadata_address(vpc_range: str) -> str:
    """Choose where the metadata endpoint answers: an address that AWS keeps for future use.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    """
    return str(ipaddress.ip_network(vpc_range)[3])


def _start_agents(container: Container) -> None:
    """Have the agent of ECS Exec run, which has to write into the container's own files."""
    can_write = not container.definition.get("readonlyRootFilesystem")
    for agent in container.agents:
        agent["lastStatus"] = "RUNNING" if can_write else "STOPPED"
        if can_write:
            agent["lastStartedAt"] = now()


def _stop_agents(container: Container) -> None:
    for agent in container.agents:
        agent["lastStatus"] = "STOPPED"


def _said(error: Exception) -> str:
    if isinstance(error, docker.errors.APIError):
        return str(error.explanation)
    return error.message if isinstance(error, AwsError) else str(error)


async def _nothing(_task: Task) -> None:
    """Stand in where nothing has to be done."""
