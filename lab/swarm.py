"""The lab's swarm: an engine has at most one, so labs take turns, and a foreign one is let be.

Whoever has the turn holds a lock on a file of this machine until its lab closes. A process that
dies loses the lock with it, and the swarm that it leaves behind is removed by whoever is next.
The swarm's own labels say whose it is, so that it can be found and removed from outside.

When Docker ends a swarm, it forgets the names of all running containers on all networks of the
engine, also of those that had nothing to do with it: they find each other no more until they are
started anew. So a swarm is ended only when no such container is there. Else it stays, empty and
nobody's, for the next lab that wants one, and is ended by the first lab that can.
https://github.com/moby/moby/blob/v20.10.24/vendor/github.com/docker/libnetwork/controller.go
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import filelock
import tenacity

from lab.errors import NoSwarmError, SwarmTakenError
from lab.naming import COURSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from docker.models.networks import Network
    from docker.models.swarm import Swarm

    from lab.naming import Naming

__all__ = [
    "BRIDGE",
    "SERVICE",
    "WAITING",
    "end",
    "end_if_free",
    "foreign_services",
    "give_back",
    "labels_of_swarm",
    "leave",
    "listed",
    "open_swarm",
    "remove_container",
    "wait_for_networks_to_go",
    "why_not",
    "why_not_now",
]

_WHOSE = ("chapter", "learner")
LOOPBACK = "127.0.0.1"
BRIDGE = "docker_gwbridge"
_WITHOUT_NAMES = ("bridge", "host", "none", BRIDGE)
# Of each replica, the last few tasks that ended stay to be looked at.
HISTORY = 5
# What the engine writes on the container of a service's task.
SERVICE = "com.docker.swarm.service.id"
# What an engine answers that manages no swarm, or no more.
GONE = (HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.SERVICE_UNAVAILABLE)
# Within the first seconds nobody is told: most labs have the swarm for a moment only.
PATIENCE_SECONDS = 10
# Eight learners may stand in line.
WAIT_SECONDS = 900
SETTLE_SECONDS = 3
# Who has the turn and finds a swarm that was left takes about a second to remove it.
LEAVING_SECONDS = 5
WAITING = "has the swarm: waiting for it."
WITHOUT = "the cells that use no swarm work all the same, and the others have stored outputs"


@dataclass
class _Turn:
    """The turn that this process has on one engine."""

    lock: filelock.FileLock
    naming: Naming
    owner: object


_turns: dict[Path, _Turn] = {}


def why_not(info: Mapping[str, Any]) -> str:
    """Say why the course can have no swarm on an engine; nothing if it can.

    Args:
        info: The answer of ``docker_client.info()``.

    Example:
        >>> why_not({"Swarm": {"LocalNodeState": "inactive"}})
        ''
        >>> why_not({"Swarm": {"LocalNodeState": "active"}})
        'This engine is part of a swarm that the course did not make, and never touches.'
    """
    if "BuildahVersion" in info:
        return "This engine is Podman, which has no Swarm."
    if "Swarm" not in info:
        return "This engine has no Swarm."
    if info["Swarm"].get("LocalNodeState", "inactive") in ("", "inactive"):
        return ""
    if labels_of_swarm(info).get("course") != COURSE:
        return "This engine is part of a swarm that the course did not make, and never touches."
    return ""


def why_not_now(client: docker.DockerClient) -> str:
    """Say why the course can have no swarm on an engine, once a swarm that begins has begun.

    Until then, and while it ends, nobody can see whose it is.

    Args:
        client: The engine.
    """
    settled = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool),
        wait=tenacity.wait_fixed(0.2),
        stop=tenacity.stop_after_delay(SETTLE_SECONDS),
        retry_error_callback=lambda _state: why_not(client.info()),
    )
    return settled(lambda: why_not(client.info()))


def labels_of_swarm(info: Mapping[str, Any]) -> dict[str, str]:
    """Read the labels of the swarm that an engine manages; none if it manages none.

    Args:
        info: The answer of ``docker_client.info()``.

    Example:
        >>> labels_of_swarm({"Swarm": {"Cluster": {"Spec": {"Labels": {"learner": "ada"}}}}})
        {'learner': 'ada'}
    """
    cluster = (info.get("Swarm") or {}).get("Cluster") or {}
    return (cluster.get("Spec") or {}).get("Labels") or {}


def foreign_services(client: docker.DockerClient) -> list[str]:
    """List the services of the engine's swarm that no lab has made, by name."""
    return sorted(
        str(service.name)
        for service in listed(client.services)
        if not _is_of_a_lab(service.attrs["Spec"].get("Labels") or {})
    )


def listed(collection: Any, **options: Any) -> list[Any]:  # noqa: ANN401  # docker-py's collections
    """List services, secrets or configs; none where the engine manages no swarm, or no more.

    Whoever asks while a swarm ends may be told that "the client connection is closing", an error
    of the server that says neither yes nor no: then the question is asked again.

    Args:
        collection: ``client.services``, ``client.secrets`` or ``client.configs``.
        options: What its ``list`` takes.

    Raises:
        docker.errors.APIError: The engine did not answer, also when asked again.
    """
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_of_the_server),
        wait=tenacity.wait_fixed(0.2),
        stop=tenacity.stop_after_delay(SETTLE_SECONDS),
        reraise=True,
    ):
        with attempt:
            try:
                return list(collection.list(**options))
            except docker.errors.APIError as refusal:
                if refusal.status_code not in GONE:
                    raise
    return []


def _is_of_the_server(error: BaseException) -> bool:
    return (
        isinstance(error, docker.errors.APIError)
        and error.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    )


def open_swarm(client: docker.DockerClient, naming: Naming, owner: object) -> Swarm:
    """Wait for the turn, and make a swarm of this one engine, unless the lab has it already.

    Args:
        client: The lab's engine.
        naming: Whose labels the swarm gets.
        owner: The lab, which gives the turn back.

    Returns:
        docker-py's own swarm.

    Raises:
        NoSwarmError: The engine can have no swarm.
        SwarmTakenError: It is part of a swarm that the course did not make, or another lab has
            the turn, and did not give it back in time.
    """
    info = client.info()
    if "BuildahVersion" in info or "Swarm" not in info:
        raise NoSwarmError(why_not(info), next_step=f"go on without it: {WITHOUT}.")
    path = _path_of(info)
    _take_turn(path, naming, owner)
    try:
        # Only now: while another lab makes its swarm or ends it, it looks like a foreign one.
        _refuse_foreign(client)
        _make(client, naming)
    except BaseException:
        _release(path)
        raise
    return client.swarm


def give_back(*, naming: Naming | None = None, owner: object = None) -> None:
    """Let the next one have the turn, if this process has it for a lab.

    Args:
        naming: Whose turn it has to be.
        owner: Which lab must have taken it.
    """
    for path, turn in list(_turns.items()):
        if turn.naming == naming or turn.owner is owner:
            _release(path)


def leave(client: docker.DockerClient, labels: Mapping[str, str]) -> bool:
    """End the swarm of these labels, unless somebody's service runs in it that no lab has made.

    Args:
        client: The engine.
        labels: The labels that the swarm had when it was found.

    Returns:
        Whether there is no such swarm any more.
    """
    lock = None
    path = _path_of(client.info())
    if path not in _turns:
        lock = _lock_of(path, naming=None)
        try:
            lock.acquire(timeout=LEAVING_SECONDS)
        except filelock.Timeout:
            # Either who has the turn ends that swarm, or it is a live notebook's, as it says.
            lock = None
    try:
        if labels_of_swarm(client.info()) != labels:
            return True
        if foreign_services(client):
            return False
        end(client.api, labels)
    finally:
        if lock is not None:
            lock.release()
    return True


def end_if_free(client: docker.DockerClient) -> None:
    """End a swarm that stayed when its lab closed, if nobody has it and it harms nobody any more.

    Args:
        client: The engine.
    """
    info = client.info()
    labels = labels_of_swarm(info)
    if not _is_free(labels):
        return
    path = _path_of(info)
    if path in _turns:
        return
    with contextlib.suppress(filelock.Timeout), _lock_of(path, naming=None).acquire(timeout=0):
        if labels_of_swarm(client.info()) == labels and not foreign_services(client):
            end(client.api, labels)


def _is_free(labels: Mapping[str, str]) -> bool:
    return labels.get("course") == COURSE and "learner" not in labels


def end(api: docker.APIClient, labels: Mapping[str, str]) -> None:
    """End a swarm, or empty it and leave it to whoever is next, where its end would do harm.

    Args:
        api: The engine.
        labels: The labels of its swarm, which a lab has made.
    """
    if not _names_are_in_use(api):
        _leave(api)
        _remove_left_tasks(api)
        _remove_bridge(api, labels)
    elif not _is_free(labels):
        for service in api.services():  # type: ignore[no-untyped-call]
            if _is_of_a_lab(service["Spec"].get("Labels") or {}):
                with contextlib.suppress(docker.errors.NotFound):
                    api.remove_service(service["ID"])  # type: ignore[no-untyped-call]
        _relabel(api, {name: labels[name] for name in labels if name not in _WHOSE})
        _remove_left_tasks(api)


def _names_are_in_use(api: docker.APIClient) -> bool:
    """Tell whether a container runs on a network of which the end of a swarm takes the names."""
    named = {
        network["Name"]
        for network in api.networks()
        if network["Scope"] == "local" and network["Name"] not in _WITHOUT_NAMES
    }
    return any(
        named & set((found.get("NetworkSettings") or {}).get("Networks") or ())
        for found in api.containers()
    )


def _relabel(api: docker.APIClient, labels: Mapping[str, str]) -> None:
    """Write other labels into the swarm, and nothing else."""
    found = api.inspect_swarm()
    spec = {**found["Spec"], "Labels": dict(labels)}
    api.update_swarm(version=found["Version"]["Index"], swarm_spec=spec)


@tenacity.retry(
    retry=tenacity.retry_if_exception(_is_of_the_server),
    wait=tenacity.wait_fixed(0.5),
    stop=tenacity.stop_after_delay(60),
    reraise=True,
)
def _leave(api: docker.APIClient) -> None:
    """Leave the swarm, and once more where a busy engine has given up in the middle.

    It then says "context deadline exceeded", and is in no swarm and not out of it either, until
    it is asked again.

    Args:
        api: The engine.
    """
    docker.APIClient.leave_swarm(api, force=True)


def _remove_left_tasks(api: docker.APIClient) -> None:
    """Remove the containers of labs' services that are gone; the engine takes its time for them."""
    left = api.containers(all=True, filters={"label": [SERVICE, f"course={COURSE}", "learner"]})
    for container in left:
        remove_container(api, container["Id"])


@tenacity.retry(
    retry=tenacity.retry_if_exception_message(match=".*is already in progress.*"),
    wait=tenacity.wait_fixed(0.1),
    stop=tenacity.stop_after_delay(30),
    reraise=True,
)
def remove_container(api: docker.APIClient, container: str) -> None:
    """Remove a container, running or not, with the volumes that have no name.

    That the engine removes it already, or has, is no error.

    Args:
        api: The engine.
        container: The container's id.
    """
    # v=True takes along the anonymous volumes that the image asked for; named ones stay.
    with contextlib.suppress(docker.errors.NotFound):
        api.remove_container(container, force=True, v=True)


def wait_for_networks_to_go(client: docker.DockerClient, networks: Iterable[Network]) -> None:
    """Wait until the engine lists networks of a swarm no more, which it has removed already.

    A node gives up its end of such a network only after the swarm has.

    Args:
        client: The engine.
        networks: What was removed; those that are of no swarm go at once.
    """
    left = [network.id for network in networks if network.attrs.get("Scope") == "swarm"]
    gone = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool),
        wait=tenacity.wait_fixed(0.1),
        stop=tenacity.stop_after_delay(LEAVING_SECONDS),
        retry_error_callback=lambda _state: None,
    )
    if left:
        gone(client.networks.list, ids=left)


def _remove_bridge(api: docker.APIClient, labels: Mapping[str, str]) -> None:
    """Remove the network that came with a swarm and stays when it has ended.

    Args:
        api: The engine.
        labels: The labels of the swarm, which say whether that network was there before.
    """
    if labels.get(BRIDGE) != "made":
        return
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception_message(match=".*has active endpoints.*"),
        wait=tenacity.wait_fixed(0.1),
        stop=tenacity.stop_after_delay(LEAVING_SECONDS),
        reraise=True,
    ):
        with attempt:
            try:
                api.remove_network(BRIDGE)
            except docker.errors.NotFound:
                return


def _refuse_foreign(client: docker.DockerClient) -> None:
    if reason := why_not_now(client):
        raise SwarmTakenError(
            reason,
            next_step=f"go on without it: {WITHOUT}. If that swarm is yours and you do not need "
            "it, `docker swarm leave --force` ends it.",
        )


def _make(client: docker.DockerClient, naming: Naming) -> None:
    info = client.info()
    found = labels_of_swarm(info)
    if found:
        if found.items() >= naming.labels.items():
            return
        whose = f"chapter {found.get('chapter')} of the learner {found.get('learner')}"
        if "learner" in found and found.get("machine") != platform.node():
            raise SwarmTakenError(
                f"The swarm of this engine belongs to {whose}, on the machine "
                f"{found.get('machine')}.",
                next_step="run this cell again when it is free: lab.close() in that notebook "
                "gives it back.",
            )
        # Who had it has lost the turn, so nobody uses it any more.
        if "learner" in found and not leave(client, found):
            raise SwarmTakenError(
                f"The swarm of this engine was left by {whose}, and services run in it that the "
                f"course did not make: {', '.join(foreign_services(client))}.",
                next_step="remove those services, if they are yours, then run this cell again.",
            )
    if free := labels_of_swarm(client.info()):
        _relabel(client.api, {**free, **naming.labels, "machine": platform.node()})
        return
    before = client.networks.list(names=[BRIDGE])
    labels = {
        **naming.labels,
        "machine": platform.node(),
        BRIDGE: "found" if any(network.name == BRIDGE for network in before) else "made",
    }
    try:
        client.swarm.init(
            advertise_addr=LOOPBACK,
            listen_addr=LOOPBACK,
            labels=labels,
            task_history_retention_limit=HISTORY,
        )
    except docker.errors.APIError as refusal:
        raise NoSwarmError(
            f"This engine makes no swarm: {refusal.explanation}",
            next_step=f"go on without it: {WITHOUT}.",
        ) from None


def _take_turn(path: Path, naming: Naming, owner: object) -> None:
    if path in _turns:
        turn = _turns[path]
        if turn.naming != naming:
            raise SwarmTakenError(
                f"This notebook has the swarm already, for chapter {turn.naming.chapter_label}.",
                next_step="close that lab first, with lab.close().",
            )
        turn.owner = owner
        return
    lock = _lock_of(path, naming)
    try:
        lock.acquire(timeout=PATIENCE_SECONDS)
    except filelock.Timeout:
        learner, chapter = _holder(path)
        if learner == naming.learner:
            raise SwarmTakenError(
                f"Another notebook of yours has the swarm: that of chapter {chapter}.",
                next_step="run lab.close() there, or shut its kernel down in JupyterLab's "
                "'Running' panel; then run this cell again.",
            ) from None
        print(  # noqa: T201
            f"Chapter {chapter} of the learner {learner} {WAITING}",
            file=sys.stderr,
        )
        try:
            lock.acquire(timeout=WAIT_SECONDS)
        except filelock.Timeout:
            learner, chapter = _holder(path)
            raise SwarmTakenError(
                f"Chapter {chapter} of the learner {learner} has the swarm, and did not give it "
                f"back within {WAIT_SECONDS // 60} minutes.",
                next_step="run this cell again later; lab.close() in that notebook gives it back.",
            ) from None
    _turns[path] = _Turn(lock, naming, owner)


def _release(path: Path) -> None:
    _turns.pop(path).lock.release()


def _path_of(info: Mapping[str, Any]) -> Path:
    # The same for all learners of this machine, whatever folder each has for its own state.
    digest = hashlib.sha256(str(info["ID"]).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir(), f"containers-on-aws-swarm-{digest}.lock")


def _lock_of(path: Path, naming: Naming | None) -> filelock.FileLock:
    said = f"{naming.learner}\n{naming.chapter_label}" if naming else "\n"

    def tell(descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, said.encode(), 0)

    # Everybody on this machine may take it, from whichever thread.
    return filelock.FileLock(path, mode=0o666, thread_local=False, on_acquired=tell)


def _holder(path: Path) -> tuple[str, str]:
    learner, _, chapter = path.read_text(encoding="utf-8").partition("\n")
    return learner or "(unknown)", chapter or "(unknown)"


def _is_of_a_lab(labels: Mapping[str, str]) -> bool:
    return labels.get("course") == COURSE and "learner" in labels
