"""The Docker SDK's own client, which labels what it creates so that it can be found again."""

from __future__ import annotations

import io
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import docker
import docker.errors
from docker.utils.socket import STDOUT, consume_socket_output

from lab.dockerfile import LabelledDockerfile
from lab.errors import NameTakenError, PortTakenError, SwarmTakenError
from lab.naming import COURSE, Naming, short_name
from lab.swarm import end, give_back, labels_of_swarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

    from lab.engine import Engine

__all__ = ["LabelledAPIClient", "connect_labelled", "frames", "is_name_taken", "taken_address"]

DEFAULT_STOP_SECONDS = 10
STOP_SECONDS = 30

# What docker-py calls the parts of a service, and what the engine does.
_SPEC = {
    "mode": "Mode",
    "update_config": "UpdateConfig",
    "rollback_config": "RollbackConfig",
    "endpoint_spec": "EndpointSpec",
}
_ADDRESS = re.compile(r"(?:(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:]*\]|::):\d+")


def connect_labelled(engine: Engine, naming: Naming) -> docker.DockerClient:
    """Connect to an engine with a client whose every creation carries a learner's labels.

    Args:
        engine: The engine that was found.
        naming: Whose labels, in which chapter.

    Example:
        >>> client = connect_labelled(find_engine(), naming)  # doctest: +SKIP
    """
    client = engine.connect(LabelledAPIClient)
    api = client.api
    # connect() makes a client of the class that it was given; this tells mypy so.
    assert isinstance(api, LabelledAPIClient)  # noqa: S101
    api.naming = naming
    return client


def taken_address(explanation: str) -> str | None:
    """Find in an engine's refusal the address whose port somebody has already.

    Args:
        explanation: The engine's own words, which differ from version to version.

    Returns:
        The address with its port; ``a port`` where the engine does not tell; nothing
        where the refusal is about something else.

    Example:
        >>> taken_address("Bind for 127.0.0.1:8080 failed: port is already allocated")
        '127.0.0.1:8080'
    """
    if not re.search("port is already allocated|address already in use", explanation):
        return None
    address = _ADDRESS.search(explanation)
    return address[0] if address else "a port"


def is_name_taken(explanation: str) -> bool:
    """Tell whether an engine refuses to make a container because another one has the name.

    Docker goes on with ``container "…"``, and Podman with the id alone.

    Args:
        explanation: The engine's own words.

    Example:
        >>> is_name_taken('Conflict. The container name "/web" is already in use by container "1"')
        True
    """
    return " is already in use by " in explanation


def frames(reader: io.BufferedReader, *, tty: bool) -> Iterator[tuple[int, bytes]]:
    r"""Read what a command writes, by the engine's protocol for a connection that is attached.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach

    Args:
        reader: What is left of the engine's answer once its head was read.
        tty: Whether the command has a terminal, which has but one stream and no frames.

    Returns:
        The number of the stream, 1 or 2, and a piece of what was written to it, until it ends.

    Example:
        >>> sent = io.BytesIO(b"\x02\0\0\0\0\0\0\x03no!")
        >>> list(frames(io.BufferedReader(sent), tty=False))
        [(2, b'no!')]
    """
    if tty:
        while data := reader.read1():
            yield STDOUT, data
        return
    while len(header := reader.read(8)) == 8:  # noqa: PLR2004  # as the engine's API has it
        yield header[0], reader.read(int.from_bytes(header[4:]))


class LabelledAPIClient(docker.APIClient):
    """docker-py's low-level client with some habits added, for use inside a ``DockerClient``.

    It puts the course's labels on each container, network, volume and built image, on what a
    build leaves in between, and on a volume that comes to be only because a container mounts it
    by name. The containers of a build go with it, as with ``docker build``.
    It lets a cell run again: where the learner's *own* earlier container or network
    holds the name, that one is removed first. Docker alone would refuse (container) or
    make a second one of the same name (network). An own volume stays, as with Docker.
    And it uses nothing of the same name that somebody else made.

    Services, secrets and configs are labelled, too, and the containers of a service's tasks with
    them; an update of a service changes what it was told to, and nothing else.

    And it reads all that a command in a container writes.

    Every method keeps docker-py's name, arguments and result.
    """

    naming: Naming

    def create_container_from_config(
        self, config: dict[str, Any], name: str | None = None, platform: str | None = None
    ) -> dict[str, Any]:
        """See ``docker.APIClient.create_container_from_config``.

        Raises:
            NameTakenError: The name belongs to a container that the learner did not make here,
                or a volume that it mounts does.
        """
        config["Labels"] = self._labelled(config.get("Labels"))
        if config.get("StopTimeout") is None:
            # Docker's own default, said aloud: Podman 4.3 takes the empty value for no time at all.
            config["StopTimeout"] = DEFAULT_STOP_SECONDS
        self._make_volumes(config.get("HostConfig") or {})
        try:
            return self._create(config, name, platform)
        except docker.errors.APIError as refusal:
            if name is None or not is_name_taken(str(refusal.explanation)):
                raise
            self._remove_own_container(name)
        return self._create(config, name, platform)

    def create_network(self, name: str, *args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """See ``docker.APIClient.create_network``.

        Raises:
            NameTakenError: The name belongs to a network that the learner did not make here.
                Older versions of Docker would make a second one of the same name.
        """
        options["labels"] = self._labelled(options.get("labels"))
        # The engine's filter also finds names that only contain this one.
        for found in [found for found in self.networks(names=[name]) if found["Name"] == name]:
            if not self._is_own(found["Labels"]):
                raise self._name_taken("network", name)
            if found["Scope"] == "swarm":
                self._remove_own_services(found["Id"])
            self._disconnect_all(found["Id"])
            self.remove_network(found["Id"])
        return super().create_network(name, *args, **options)

    def create_volume(self, *args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """See ``docker.APIClient.create_volume``.

        Raises:
            NameTakenError: The name belongs to a volume that the learner did not make here.
        """
        options["labels"] = self._labelled(options.get("labels"))
        # Docker answers with the volume that has this name already, as if it had made it.
        made = super().create_volume(*args, **options)
        if not self._is_own(made.get("Labels")):
            raise self._name_taken("volume", made["Name"])
        return made

    def create_service(
        self,
        task_template: dict[str, Any],
        name: str | None = None,
        labels: dict[str, str] | None = None,
        *args: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """See ``docker.APIClient.create_service``.

        Raises:
            NameTakenError: The name belongs to a service that the learner did not make here.
        """
        self._make_way("service", name, self.services, self.remove_service)
        self._label_tasks(task_template)
        labels = self._labelled(labels)
        return super().create_service(task_template, name, labels, *args, **options)  # type: ignore[no-untyped-call]

    def update_service(
        self,
        service: Any,  # noqa: ANN401
        version: int,
        task_template: dict[str, Any] | None = None,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        *args: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """See ``docker.APIClient.update_service``."""
        if options.pop("fetch_current_spec", False):
            # docker-py would write the defaults of what was never set into the service. Its tasks
            # would no longer be what the service asks for, so all of them would be replaced.
            now = self.inspect_service(service)["Spec"]  # type: ignore[no-untyped-call]
            task_template = _merged(now["TaskTemplate"], task_template or {})
            name = name or now["Name"]
            labels = {**(now.get("Labels") or {}), **(labels or {})}
            for option, field in _SPEC.items():
                if options.get(option) is None:
                    options[option] = now.get(field)
        if task_template is not None:
            self._label_tasks(task_template)
        labels = self._labelled(labels)
        return super().update_service(
            service, version, task_template, name, labels, *args, **options
        )

    def create_secret(
        self,
        name: str,
        data: bytes,
        labels: dict[str, str] | None = None,
        *args: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """See ``docker.APIClient.create_secret``.

        Raises:
            NameTakenError: The name belongs to a secret that the learner did not make here.
        """
        self._make_way("secret", name, self.secrets, self.remove_secret)
        return super().create_secret(name, data, self._labelled(labels), *args, **options)

    def create_config(
        self,
        name: str,
        data: bytes,
        labels: dict[str, str] | None = None,
        *args: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """See ``docker.APIClient.create_config``.

        Raises:
            NameTakenError: The name belongs to a config that the learner did not make here.
        """
        self._make_way("config", name, self.configs, self.remove_config)
        return super().create_config(name, data, self._labelled(labels), *args, **options)

    def leave_swarm(self, force: bool = False) -> Literal[True]:  # noqa: FBT001, FBT002  # docker-py's
        """See ``docker.APIClient.leave_swarm``.

        Where the end of the swarm would take the names of other containers away, it stays, empty
        and nobody's.

        Raises:
            SwarmTakenError: The learner did not make the swarm here.
        """
        info = self.info()
        labels = labels_of_swarm(info)
        if info["Swarm"]["LocalNodeState"] != "inactive" and not self._is_own(labels):
            if labels.get("course") == COURSE:
                raise SwarmTakenError(
                    "Another lab has the swarm of this engine: you have none to leave.",
                    next_step="go on; whoever has it gives it back.",
                )
            raise SwarmTakenError(
                "This lab did not make the swarm that its engine is part of.",
                next_step="the course never touches it: if it is yours, and you do not need it, "
                "`docker swarm leave --force` in a terminal ends it.",
            )
        if force and self._is_own(labels):
            end(self, labels)
        else:
            super().leave_swarm(force)
        give_back(naming=self.naming)
        return True

    def _read_from_socket(
        self,
        response: requests.Response,
        stream: bool,  # noqa: FBT001  # docker-py's
        tty: bool = True,  # noqa: FBT001, FBT002
        demux: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:  # noqa: ANN401
        """Read what a command in a container writes, from its first byte on.

        docker-py reads past the buffer of its HTTP library. On a busy machine a short output comes
        together with the head of the engine's answer, lies in that buffer, and would be lost.
        https://github.com/docker/docker-py/issues/3332
        """
        raw: Any = response.raw  # as docker-py reaches it
        reader = raw._fp.fp  # noqa: SLF001
        if not isinstance(reader, io.BufferedReader):
            return super()._read_from_socket(response, stream, tty, demux)  # type: ignore[misc]
        connection = self._get_raw_response_socket(response)  # type: ignore[attr-defined]
        self._disable_socket_timeout(connection)  # type: ignore[attr-defined]

        def output() -> Iterator[Any]:
            with response:
                for number, data in frames(reader, tty=tty):
                    both = (data, None) if number == STDOUT else (None, data)
                    yield both if demux else data

        return output() if stream else consume_socket_output(output(), demux)  # type: ignore[call-overload]

    def start(self, container: Any, *args: Any, **options: Any) -> None:  # noqa: ANN401
        """See ``docker.APIClient.start``.

        Raises:
            PortTakenError: A port that it publishes is taken.
        """
        try:
            super().start(container, *args, **options)
        except docker.errors.APIError as refusal:
            address = taken_address(str(refusal.explanation))
            if address is None:
                raise
            name = self.inspect_container(container)["Name"].removeprefix("/")
            raise PortTakenError(
                f"{address} is taken already, "
                f"so {short_name(name, self.naming.labels)} was made, and not started.",
                next_step="Let the system choose, with None as the port on this machine; "
                "or find out who has it: `docker ps` shows the ports of containers.",
                refusal=refusal,
            ) from refusal

    def build(self, path: str | None = None, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """See ``docker.APIClient.build``."""
        options = {"rm": True, "forcerm": True, **options}
        if options.get("custom_context") or not (options.get("fileobj") or _is_folder(path)):
            # A context made elsewhere is not ours to change.
            options["labels"] = self._labelled(options.get("labels"))
            return super().build(path, *args, **options)
        if fileobj := options.get("fileobj"):
            text = fileobj.read()
            dockerfile = self._with_labels(text if isinstance(text, str) else text.decode())
            options["fileobj"] = io.BytesIO(dockerfile.text.encode())
            return _as_written(super().build(path, *args, **options), dockerfile)
        original = Path(str(path), options.get("dockerfile") or "Dockerfile")
        if not original.is_file():
            return super().build(path, *args, **options)  # the engine says that it is missing
        dockerfile = self._with_labels(original.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as elsewhere:
            options["dockerfile"] = str(Path(elsewhere, "Dockerfile"))
            Path(options["dockerfile"]).write_text(dockerfile.text, encoding="utf-8")
            return _as_written(super().build(path, *args, **options), dockerfile)

    def post(self, url: Any, *args: Any, **options: Any) -> requests.Response:  # noqa: ANN401
        """See ``requests.Session.post``."""
        # docker-py names a Dockerfile from outside of the folder twice: by its name in the
        # context, and by its whole text. Docker reads the first, Podman the last.
        params = options.get("params")
        if isinstance(params, dict) and isinstance(params.get("dockerfile"), tuple):
            options["params"] = {**params, "dockerfile": params["dockerfile"][0]}
        return super().post(url, *args, **options)

    def _with_labels(self, text: str) -> LabelledDockerfile:
        return LabelledDockerfile(text, self.naming.labels)

    def _labelled(self, labels: dict[str, str] | None) -> dict[str, str]:
        return {**(labels or {}), **self.naming.labels}

    def _label_tasks(self, task_template: dict[str, Any]) -> None:
        container = task_template.setdefault("ContainerSpec", {})
        container["Image"] = self._own_image(container.get("Image"))
        container["Labels"] = self._labelled(container.get("Labels"))
        for mount in container.get("Mounts") or ():
            if mount.get("Type") == "volume":
                told = mount.setdefault("VolumeOptions", {})
                told["Labels"] = self._labelled(told.get("Labels"))

    def _own_image(self, name: str | None) -> str | None:
        """Name an image of the course by its ID.

        By a name, Swarm would look for a newer one in a registry, where somebody else's might be.
        """
        try:
            found = self.inspect_image(name)  # type: ignore[no-untyped-call]
        except (docker.errors.ImageNotFound, docker.errors.NullResource):
            return name
        labels = found["Config"].get("Labels") or {}
        return str(found["Id"]) if labels.get("course") == COURSE else name

    def _make_way(
        self,
        kind: str,
        name: str | None,
        list_all: Callable[..., Any],
        remove: Callable[[str], Any],
    ) -> None:
        """Remove the learner's own service, secret or config of a name.

        Raises:
            NameTakenError: The name belongs to one that the learner did not make here.
        """
        # The engine's filter also finds names that only begin with this one.
        for found in list_all(filters={"name": name}) if name else ():
            if found["Spec"]["Name"] != name:
                continue
            if not self._is_own(found["Spec"].get("Labels")):
                raise self._name_taken(kind, str(name))
            remove(found["ID"])

    def _create(
        self, config: dict[str, Any], name: str | None, platform: str | None
    ) -> dict[str, Any]:
        # The types of docker-py leave this method out.
        create = super().create_container_from_config
        created: dict[str, Any] = create(config, name, platform)  # type: ignore[no-untyped-call]
        return created

    def _remove_own_container(self, name: str) -> None:
        try:
            found = self.inspect_container(name)
        except docker.errors.NotFound:
            return
        if not self._is_own(found["Config"]["Labels"]):
            raise self._name_taken("container", name)
        self.remove_container(found["Id"], force=True, v=True)

    def _make_volumes(self, host: dict[str, Any]) -> None:
        """Make the volumes that a container will mount by name, so that they carry the labels.

        Docker alone makes them without, and nobody would find them again.
        """
        for bind in host.get("Binds") or ():
            source, between, _ = bind.partition(":")
            # A path, of whichever system, is no volume; nor is a target that stands alone.
            if between and re.fullmatch(r"[a-zA-Z0-9][\w.-]+", source, re.ASCII):
                self.create_volume(source, driver=host.get("VolumeDriver") or None)
        for mount in host.get("Mounts") or ():
            if mount.get("Type") == "volume" and mount.get("Source"):
                told = mount.get("VolumeOptions") or {}
                driver = told.get("DriverConfig") or {}
                self.create_volume(
                    mount["Source"],
                    driver=driver.get("Name"),
                    driver_opts=driver.get("Options"),
                    labels=told.get("Labels"),
                )

    def _is_own(self, labels: dict[str, str] | None) -> bool:
        return (labels or {}).items() >= self.naming.labels.items()

    def _name_taken(self, kind: str, name: str) -> NameTakenError:
        return NameTakenError(
            f"A {kind} named {name} is already there, and this lab did not make it.",
            next_step="The course never touches it: choose another name here, "
            f"as in lab.name('{short_name(name, self.naming.labels)}-2'), "
            "or rename or remove the other one yourself.",
        )

    def _remove_own_services(self, network: str) -> None:
        """Remove the learner's services on a network, and wait until their containers are gone."""
        for found in self.services():  # type: ignore[no-untyped-call]
            on = [one["Target"] for one in found["Spec"]["TaskTemplate"].get("Networks") or ()]
            if network in on and self._is_own(found["Spec"].get("Labels")):
                self.remove_service(found["ID"])  # type: ignore[no-untyped-call]
                wanted = {"label": f"com.docker.swarm.service.id={found['ID']}"}
                deadline = time.monotonic() + STOP_SECONDS
                while time.monotonic() < deadline and self.containers(all=True, filters=wanted):
                    time.sleep(0.1)

    def _disconnect_all(self, network: str) -> None:
        for container in self.inspect_network(network)["Containers"] or {}:
            if container.startswith("lb-"):
                continue  # a swarm's own end of the network, which goes with it
            self.disconnect_container_from_network(container, network, force=True)


def _merged(now: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Change of a service's task template what is told; as docker-py does it."""
    told = {key: value for key, value in changes.items() if value is not None}
    container = {
        key: value for key, value in told.pop("ContainerSpec", {}).items() if value is not None
    }
    return {**now, **told, "ContainerSpec": {**now.get("ContainerSpec", {}), **container}}


def _is_folder(path: str | None) -> bool:
    return path is not None and Path(path).is_dir()


def _as_written(said: Iterator[Any], dockerfile: LabelledDockerfile) -> Iterator[Any]:
    """Hand on what the engine says of a build, speaking of the lines as the learner wrote them."""
    try:
        yield from said
    except docker.errors.APIError as refusal:
        refusal.explanation = dockerfile.as_written(str(refusal.explanation))
        raise
