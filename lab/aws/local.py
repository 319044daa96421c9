"""The local AWS as a whole: its services, put together, and served on this machine's loopback."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from lab.aws import moto_seam, tagged
from lab.aws.agent.agent import Agent
from lab.aws.agent.metadata_endpoint import MetadataEndpoint
from lab.aws.agent.networks import Networks
from lab.aws.cloud import Cloud
from lab.aws.ecr import api as ecr_api
from lab.aws.ecr.registry import Registry
from lab.aws.ecr.state import Ecr
from lab.aws.ecs import api as ecs_api
from lab.aws.ecs.instances import Instances
from lab.aws.ecs.scheduler import Scheduler
from lab.aws.ecs.state import Ecs
from lab.aws.elb import api as elb_api
from lab.aws.elb.balancing import Balancing
from lab.aws.elb.state import Elb
from lab.aws.logs import api as logs_api
from lab.aws.logs.state import Logs
from lab.aws.sources import Sources
from lab.client import connect_labelled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lab.aws.agent.sessions import Sessions
    from lab.aws.place import Place
    from lab.aws.tagged import Tagged
    from lab.engine import Engine
    from lab.naming import Naming

    Json = dict[str, Any]
    Answer = Callable[[Any, str, Json], Awaitable[Json]]

__all__ = ["LocalAws"]


class LocalAws:
    """An AWS on this machine, whose tasks are containers of its engine.

    Args:
        engine: The container engine.
        naming: Whose names and labels its containers get.
        port: The port of the endpoint; 0 for one that the system chooses.
        instance_seconds: How long a launched EC2 instance takes until its agent has joined the
            cluster: long enough to see that tasks wait for it. On AWS that is more like a minute
            or more; AWS names no figure, but advises to reckon with over 60 seconds.
            https://docs.aws.amazon.com/AmazonECS/latest/developerguide/capacity-cluster-speed-up-ec2.html

    Raises:
        OSError: The port is taken.

    Example:
        >>> aws = LocalAws(find_engine(), naming)  # doctest: +SKIP
        >>> aws.endpoint  # doctest: +SKIP
        'http://127.0.0.1:49153'
        >>> aws.close()  # doctest: +SKIP
    """

    def __init__(
        self, engine: Engine, naming: Naming, *, port: int = 0, instance_seconds: float = 2
    ) -> None:
        self._server = moto_seam.serve(port)
        self._cloud = Cloud()
        self._places: dict[Place, Ecs] = {}
        self._logs: dict[Place, Logs] = {}
        self._ecrs: dict[Place, Ecr] = {}
        self._elbs: dict[Place, Elb] = {}
        self._naming = naming
        self._connect = functools.partial(connect_labelled, engine, naming)
        self._client = self._connect()
        self._networks = Networks(self._client, naming)
        self._sources = Sources()
        self._metadata = MetadataEndpoint(
            self._cloud,
            self._connect,
            naming,
            self._sources.subnet_of,
        )
        self._agent = Agent(
            self._cloud,
            self._connect,
            naming,
            self._networks,
            self._sources,
            self._metadata,
        )
        self._agent.activate = lambda task: self._ecs(task.place).scheduler.activate(task)
        self._agent.deactivate = lambda task: self._ecs(task.place).scheduler.deactivate(task)
        instances = Instances(self._cloud, self._ecs, self._agent, self._networks, instance_seconds)
        moto_seam.place_default_vpcs(self._networks.default_range)
        moto_seam.place_instances(self._networks.take_address)
        moto_seam.watch_instances(instances.told)
        self._own("ecs", ecs_api.answer, self._ecs)
        self._own("logs", logs_api.answer, self._log)
        self._own("ecr", ecr_api.answer, self._ecr)
        self._own("elbv2", elb_api.answer, self._elb)
        self._sources.endpoint = self.endpoint
        self._serving = threading.Thread(
            target=self._server.serve_forever, name="endpoint", daemon=True
        )
        self._serving.start()

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def _own(self, service: str, answer: Answer, state_of: Callable[[Place], Any]) -> None:
        """Have a service answered by the course's own code, from the state of each place."""

        def in_the_loop(place: Place, operation: str, request: Json) -> Json:
            async def work() -> Json:
                # Here: what belongs to a place is made once, however many ask for it first.
                return await answer(state_of(place), operation, request)

            return self._cloud.call(work())

        moto_seam.own_service(service, in_the_loop)

    @functools.cached_property
    def _sessions(self) -> Sessions:
        # Most labs never open one, and aiohttp takes a quarter of a second to import.
        from lab.aws.agent.sessions import Sessions  # noqa: PLC0415

        return Sessions(self._cloud, self._connect)

    def _ecs(self, place: Place) -> Ecs:
        if place not in self._places:
            ecs = Ecs(place)
            ecs.sources = self._sources
            ecs.balancing = Balancing(self._elb(place))
            ecs.run = self._agent.run
            ecs.sessions = lambda: self._sessions
            ecs.scheduler = Scheduler(ecs, self._cloud)
            self._elb(place).changed = ecs.scheduler.look_at_all
            self._elb(place).address_of = ecs.address_of
            self._places[place] = ecs
            self._show_tags("ecs", place, lambda: tagged.of_ecs(ecs))
        return self._places[place]

    def _elb(self, place: Place) -> Elb:
        if place not in self._elbs:
            elb = self._elbs[place] = Elb(place, self._cloud, self._sources)
            self._show_tags("elbv2", place, lambda: tagged.of_elb(elb))
        return self._elbs[place]

    def _log(self, place: Place) -> Logs:
        if place not in self._logs:
            logs = self._logs[place] = Logs(place)
            self._show_tags("logs", place, lambda: tagged.of_logs(logs))
        return self._logs[place]

    def _ecr(self, place: Place) -> Ecr:
        if place not in self._ecrs:
            registry = Registry(self._client, self._naming, place)
            self._sources.registries.append(registry)
            ecr = self._ecrs[place] = Ecr(place, registry, self._cloud.beside)
            self._show_tags("ecr", place, lambda: tagged.of_ecr(ecr))
        return self._ecrs[place]

    def _show_tags(self, service: str, place: Place, look: Callable[[], list[Tagged]]) -> None:
        async def listed() -> list[Tagged]:
            return look()

        moto_seam.show_tags(service, place, lambda: self._cloud.call(listed()))

    def close(self) -> None:
        """Stop to answer; what runs on the engine is removed by who owns its labels."""
        self._server.shutdown()
        self._server.server_close()
        self._serving.join()
        if "_sessions" in vars(self):
            self._cloud.call(self._sessions.close())
        for elb in self._elbs.values():
            self._cloud.call(elb.close())
        self._agent.close()
        self._cloud.call(self._metadata.close())
        self._cloud.close()
        self._client.close()
