"""The Docker SDK's own client, which labels what it creates so that it can be found again."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.errors

from lab.cleaning import label_filters
from lab.dockerfile import LabelledDockerfile
from lab.errors import NameTakenError
from lab.naming import Naming, short_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.engine import Engine

__all__ = ["LabelledAPIClient", "connect_labelled"]


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


class LabelledAPIClient(docker.APIClient):
    """docker-py's low-level client with two habits added, for use inside a ``DockerClient``.

    It puts the course's labels on each container, network, volume and built image, and on what
    a build leaves in between; the containers of a build go with it, as with ``docker build``.
    And it lets a cell run again: where the learner's *own* earlier container or network
    holds the name, that one is removed first. Docker alone would refuse (container) or
    make a second one of the same name (network).

    Every method keeps docker-py's name, arguments and result.
    """

    naming: Naming

    def create_container_from_config(
        self, config: dict[str, Any], name: str | None = None, platform: str | None = None
    ) -> dict[str, Any]:
        """See ``docker.APIClient.create_container_from_config``.

        Raises:
            NameTakenError: The name belongs to a container that the learner did not make here.
        """
        config["Labels"] = self._labelled(config.get("Labels"))
        try:
            return self._create(config, name, platform)
        except docker.errors.APIError as refusal:
            if name is None or "already in use by container" not in str(refusal.explanation):
                raise
            self._remove_own_container(name)
        return self._create(config, name, platform)

    def create_network(self, name: str, *args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """See ``docker.APIClient.create_network``."""
        options["labels"] = self._labelled(options.get("labels"))
        mine = label_filters(chapter=self.naming.chapter_label, learner=self.naming.learner)
        for own in self.networks(names=[name], filters=mine):
            if own["Name"] == name:
                self._disconnect_all(own["Id"])
                self.remove_network(own["Id"])
        return super().create_network(name, *args, **options)

    def create_volume(self, *args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """See ``docker.APIClient.create_volume``."""
        options["labels"] = self._labelled(options.get("labels"))
        return super().create_volume(*args, **options)

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

    def _with_labels(self, text: str) -> LabelledDockerfile:
        return LabelledDockerfile(text, self.naming.labels)

    def _labelled(self, labels: dict[str, str] | None) -> dict[str, str]:
        return {**(labels or {}), **self.naming.labels}

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
        labels = found["Config"]["Labels"] or {}
        if any(labels.get(key) != value for key, value in self.naming.labels.items()):
            raise NameTakenError(
                f"A container named {name} is already there, and this lab did not make it.",
                next_step="The course never touches it: choose another name here, "
                f"as in lab.name('{short_name(name, self.naming.labels)}-2'), "
                "or rename the other one yourself.",
            )
        self.remove_container(found["Id"], force=True, v=True)

    def _disconnect_all(self, network: str) -> None:
        for container in self.inspect_network(network)["Containers"] or {}:
            self.disconnect_container_from_network(container, network, force=True)


def _is_folder(path: str | None) -> bool:
    return path is not None and Path(path).is_dir()


def _as_written(said: Iterator[Any], dockerfile: LabelledDockerfile) -> Iterator[Any]:
    """Hand on what the engine says of a build, speaking of the lines as the learner wrote them."""
    try:
        yield from said
    except docker.errors.APIError as refusal:
        refusal.explanation = dockerfile.as_written(str(refusal.explanation))
        raise
