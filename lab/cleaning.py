"""Finds and removes what the course made, by label, and touches nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import docker
import docker.errors

from lab import swarm
from lab.naming import AWS, COURSE, UNTAGGED, labels_of, short_name, short_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from docker.models.configs import Config
    from docker.models.containers import Container
    from docker.models.images import Image
    from docker.models.networks import Network
    from docker.models.secrets import Secret
    from docker.models.services import Service
    from docker.models.volumes import Volume

__all__ = ["Found", "Removed", "find", "images_of", "is_still_used", "label_filters", "sweep"]


@dataclass(frozen=True)
class Found:
    """What carries the labels that were asked for, sorted by name.

    Attributes:
        containers: Without those of the services, which go with them, or have begun to.
        swarm: The labels of the engine's swarm; none if it is not among what was asked for.
    """

    containers: tuple[Container, ...] = ()
    services: tuple[Service, ...] = ()
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    images: tuple[Image, ...] = ()
    secrets: tuple[Secret, ...] = ()
    configs: tuple[Config, ...] = ()
    swarm: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Removed:
    """What a sweep removed (or would remove), as the short names that a learner knows.

    Example:
        >>> Removed(containers=("web", "worker"), networks=("back",))
        Removed containers web and worker, network back.
        >>> Removed()
        Nothing to remove.

    Attributes:
        aws: Whether something was among it that a local AWS had made; its names are no learner's.
        still_used: What had to stay, because something that the course did not make uses it.
    """

    containers: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    swarm: bool = False
    aws: bool = False
    dry_run: bool = False
    still_used: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        others = self.swarm or self.aws or self.still_used
        return bool(others or any(names for _, names in self._kinds()))

    def __repr__(self) -> str:
        if not self:
            return "Nothing to remove."
        stays = (
            f"Not removed, because a container that the course did not make uses it: "
            f"{', '.join(self.still_used)}. Remove that container, then type `lab clean` "
            "in a terminal."
        )
        return " ".join(
            part for part in (self._in_words(), stays if self.still_used else "") if part
        )

    def _kinds(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (
            ("container", self.containers),
            ("service", self.services),
            ("network", self.networks),
            ("volume", self.volumes),
            ("image", self.images),
            ("secret", self.secrets),
            ("config", self.configs),
        )

    def _in_words(self) -> str:
        said = [_in_words(kind, names) for kind, names in self._kinds() if names]
        if self.swarm:
            said.append("the swarm")
        if self.aws:
            said.append("what ran in the local AWS")
        if not said:
            return ""
        return f"{'Would remove' if self.dry_run else 'Removed'} {', '.join(said)}."


def label_filters(
    *, chapter: str | None = None, learner: str | None = None, aws: str | None = None
) -> dict[str, Any]:
    """Build docker-py's ``filters`` for what the course made.

    Args:
        chapter: Only this chapter's; all chapters when left out.
        learner: Only this learner's; all learners when left out.
        aws: Only what this local AWS has made.

    Returns:
        A value for the ``filters`` of docker-py's ``list`` methods.

    Example:
        >>> label_filters(chapter="05-life-cycle")
        {'label': ['course=containers-on-aws', 'chapter=05-life-cycle', 'learner']}
    """
    # The label "learner" is what a lab puts on; "course" alone comes with the course's images,
    # so that somebody's plain `docker run course/base:1` has it too, and is not ours to touch.
    return {
        "label": [
            f"course={COURSE}",
            "chapter" if chapter is None else f"chapter={chapter}",
            "learner" if learner is None else f"learner={learner}",
            *([] if aws is None else [f"{AWS}={aws}"]),
        ]
    }


def is_still_used(explanation: str) -> bool:
    """Tell whether an engine refuses to remove a network or a volume that a container uses.

    Args:
        explanation: The engine's own words: Docker's, or Podman's ("is being used").

    Example:
        >>> is_still_used("remove data: volume is in use - [4f5b6c]")
        True
    """
    used = "has active endpoints|(volume|network) is (in use|being used)"
    return re.search(used, explanation) is not None


def find(
    client: docker.DockerClient,
    *,
    chapter: str | None = None,
    learner: str | None = None,
    aws: str | None = None,
) -> Found:
    """Find what the course made, running or not.

    The course's own images carry no learner and are never among what is found.

    Args:
        client: The engine to ask.
        chapter: Only this chapter's; all chapters when left out.
        learner: Only this learner's; all learners when left out.
        aws: Only what this local AWS has made.
    """
    filters = label_filters(chapter=chapter, learner=learner, aws=aws)
    containers = _containers_of(client, filters)
    networks, volumes = client.networks.list(filters=filters), client.volumes.list(filters=filters)
    wanted: list[str] = filters["label"]

    def those(things: list[Any]) -> Any:  # noqa: ANN401
        return _those_with(wanted, things, key=lambda found: str(found.name))

    # Only a manager of a swarm can be asked for the rest.
    swarm_labels = swarm.labels_of_swarm(client.info())
    services = those(swarm.listed(client.services, filters=filters)) if swarm_labels else ()
    return Found(
        containers=those(
            # What a swarm has left behind when it ended goes with nothing any more.
            [one for one in containers if not swarm_labels or swarm.SERVICE not in one.labels]
        ),
        services=services,
        networks=those(networks),
        volumes=those(volumes),
        images=tuple(sorted(images_of(client, filters), key=_by_name)),
        secrets=those(swarm.listed(client.secrets, filters=filters)) if swarm_labels else (),
        configs=those(swarm.listed(client.configs, filters=filters)) if swarm_labels else (),
        swarm=swarm_labels if _carries(swarm_labels, wanted) else {},
    )


def images_of(client: docker.DockerClient, filters: dict[str, Any]) -> list[Image]:
    """List the images that carry all the labels of ``label_filters``.

    Podman 4.3 finds no image at all where several labels are asked for. So one is asked for, and
    the others are looked for in the answer.
    """
    wanted: list[str] = filters["label"]
    found = client.images.list(filters={"label": wanted[-1:]})
    return [image for image in found if _carries(labels_of(image), wanted)]


def _containers_of(client: docker.DockerClient, filters: dict[str, Any]) -> list[Container]:
    return client.containers.list(all=True, filters=filters, ignore_removed=True)


def _those_with(wanted: list[str], found: list[Any], *, key: Callable[[Any], str]) -> Any:  # noqa: ANN401
    """Look at the labels once more: Podman 4.3 finds a volume by any of several labels."""
    return tuple(sorted((one for one in found if _carries(labels_of(one), wanted)), key=key))


def _carries(labels: dict[str, str], wanted: list[str]) -> bool:
    parts = [label.partition("=") for label in wanted]
    return all(
        key in labels and (not between or labels[key] == value) for key, between, value in parts
    )


def sweep(
    client: docker.DockerClient,
    *,
    chapter: str | None,
    learner: str | None,
    aws: str | None = None,
    dry_run: bool = False,
) -> Removed:
    """Remove what the course made for a chapter or a learner, by label only.

    Something that disappears by itself meanwhile is no error.

    Args:
        client: The engine to clean.
        chapter: Only this chapter's; ``None`` for all chapters.
        learner: Only this learner's; ``None`` for all learners.
        aws: Only what this local AWS has made.
        dry_run: Only say what would be removed.

    Returns:
        What was removed.

    Raises:
        docker.errors.APIError: The engine refuses; what was not reached stays labelled,
            so that the next sweep finds it.
    """
    found = find(client, chapter=chapter, learner=learner, aws=aws)
    networks, volumes = list(found.networks), list(found.volumes)
    ended = bool(found.swarm)
    if not dry_run:
        # First of all: a swarm would replace the containers of a service.
        for service in found.services:
            _unless_gone(service.remove)
        for secret in found.secrets:
            _unless_gone(secret.remove)
        for config in found.configs:
            _unless_gone(config.remove)
        _remove_containers(client, found.containers)
        ended = bool(found.swarm) and swarm.leave(client, found.swarm)
        # The engine would come to them only later, and their networks and volumes must go now.
        filters = label_filters(chapter=chapter, learner=learner, aws=aws)
        tasks = [one for one in _containers_of(client, filters) if swarm.SERVICE in one.labels]
        _remove_containers(client, tuple(tasks))
        networks = [network for network in networks if _remove_unless_used(network.remove)]
        swarm.wait_for_networks_to_go(client, networks)
        volumes = [volume for volume in volumes if _remove_unless_used(volume.remove, force=True)]
        _remove_images(client, found.images)
        swarm.end_if_free(client)
    return Removed(
        containers=_short_names(found.containers),
        services=_short_names(found.services),
        networks=_short_names(networks),
        volumes=_short_names(volumes),
        images=_image_names(found.images),
        secrets=_short_names(found.secrets),
        configs=_short_names(found.configs),
        swarm=ended,
        aws=any(AWS in labels_of(thing) for thing in (*found.containers, *networks, *volumes)),
        dry_run=dry_run,
        still_used=(
            *(("the swarm",) if found.swarm and not ended else ()),
            *(f"network {n.name}" for n in found.networks if n not in networks),
            *(f"volume {v.name}" for v in found.volumes if v not in volumes),
        ),
    )


def _remove_unless_used(remove: Any, **options: Any) -> bool:  # noqa: ANN401
    """Remove a network or a volume; somebody else's container on it is let be."""
    try:
        _unless_gone(remove, **options)
    except docker.errors.APIError as refusal:
        if not is_still_used(str(refusal.explanation)):
            raise
        return False
    return True


def _unless_gone(remove: Any, *args: Any, **options: Any) -> None:  # noqa: ANN401
    try:
        remove(*args, **options)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as refusal:
        # Of a network whose swarm has removed it already, Docker says so as an error of its own.
        if not str(refusal.explanation).endswith("not found"):
            raise


def _short_names(things: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Name things as a learner does; what a local AWS has made has names that nobody knows."""
    labelled = ((thing, labels_of(thing)) for thing in things)
    return tuple(
        short_name(str(thing.name), labels) for thing, labels in labelled if AWS not in labels
    )


def _remove_images(client: docker.DockerClient, images: tuple[Image, ...]) -> None:
    """Remove images, those first that stand on others: the engine refuses the other order."""
    _in_some_order(
        images,
        lambda image: _unless_gone(client.images.remove, image.id, force=True),
        lambda refusal: refusal.status_code == HTTPStatus.CONFLICT,
    )


def _remove_containers(client: docker.DockerClient, containers: tuple[Container, ...]) -> None:
    """Remove containers, those first that share a namespace of others: Podman wants it so."""
    _in_some_order(
        containers,
        lambda container: swarm.remove_container(client.api, container.id),
        lambda refusal: "has dependent containers" in str(refusal.explanation),
    )


def _in_some_order(
    things: Iterable[Any],
    remove: Callable[[Any], None],
    must_wait: Callable[[docker.errors.APIError], bool],
) -> None:
    left = list(things)
    while left:
        refused, refusal = [], None
        for thing in left:
            try:
                remove(thing)
            except docker.errors.APIError as why:
                if not must_wait(why):
                    raise
                refused.append(thing)
                refusal = why
        if refusal and len(refused) == len(left):
            raise refusal
        left = refused


def _by_name(image: Image) -> list[str]:
    return sorted(image.tags)


def _image_names(images: tuple[Image, ...]) -> tuple[str, ...]:
    """Name images as a learner does: by their short tags, without the registry's address."""
    names = {short_tag(tag, labels_of(image)) for image in images for tag in image.tags}
    # How many a build leaves in between, each engine decides for itself.
    untagged = [UNTAGGED] if any(not image.tags for image in images) else []
    return (*sorted(names), *untagged)


def _in_words(kind: str, names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return f"{kind} {names[0]}"
    return f"{kind}s {', '.join(names[:-1])} and {names[-1]}"
