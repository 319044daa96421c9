"""Runs the gateway of a network: the container that passes on what tasks ask of the metadata.

Our end of it is the container's own input and output, by the engine's API. So nothing of this
process listens for it, and it works in the same way with an engine in a virtual machine.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import threading
from typing import TYPE_CHECKING, Any, Final

from docker.types import LogConfig

from lab.aws.agent import gateway
from lab.aws.agent.agent import ENGINE_ERRORS
from lab.aws.agent.engine_stream import EngineStream
from lab.aws.place import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker

    from lab.naming import Naming

    Json = dict[str, Any]

__all__ = ["Gateway"]

IMAGE: Final = "course/base:1"
PORT: Final = 80
NOBODY: Final = "65534:65534"
MEMORY: Final = "64m"
END_SECONDS: Final = 2


class Gateway:
    """A gateway that has started; the call returns when it answers.

    It ends with this process, whatever happens to that: its input ends then.

    Args:
        client: The engine, by a client that labels what it makes.
        naming: Whose name the container gets.
        network: The network of the engine.
        address: Its address there; without one the engine chooses.
        asked: Is called in a thread with each question, a ``number`` and a ``path``.
        lost: Is called in that thread when no question can come any more.

    Raises:
        docker.errors.DockerException: The engine does not start it.
        OSError: It ended at once.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # all that it needs
        self,
        client: docker.DockerClient,
        naming: Naming,
        network: str,
        address: str | None,
        asked: Callable[[Gateway, Json], object],
        lost: Callable[[Gateway], object],
    ) -> None:
        self._api = client.api
        self._asked = asked
        self._lost = lost
        self._listening = threading.Thread(
            target=self._listen, name="metadata gateway", daemon=True
        )
        self._id = self._create(naming, network, address)
        try:
            self._lines = self._start()
            self.address = address or self._find_address()
        except BaseException:
            self.close()
            raise
        self._listening.start()

    def _create(self, naming: Naming, network: str, address: str | None) -> str:
        wanted: Any = {network: self._api.create_endpoint_config(ipv4_address=address)}
        made = self._api.create_container(
            IMAGE,
            # It listens in its own network namespace, which only the tasks' network leads to.
            ["python3", "-c", inspect.getsource(gateway), "0.0.0.0", str(PORT)],  # noqa: S104
            name=naming.full_name(f"metadata-{new_id(8)}"),
            user=NOBODY,
            stdin_open=True,
            host_config=self._api.create_host_config(
                network_mode=network,
                auto_remove=True,
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit=MEMORY,
                sysctls={"net.ipv4.ip_unprivileged_port_start": "0"},
                log_config=LogConfig(type="none"),
            ),
            networking_config=self._api.create_networking_config(wanted) if address else None,
        )
        return str(made["Id"])

    def _start(self) -> Iterator[bytes]:
        """Start it, and wait for its first line, which says that it listens."""
        self._stream = EngineStream(
            self._api.attach_socket(self._id, {"stdin": 1, "stdout": 1, "stream": 1})
        )
        self._api.start(self._id)
        lines = self._stream.lines()
        if next(lines, None) is None:
            raise OSError("The gateway of the metadata endpoint ended at once.")
        return lines

    def _find_address(self) -> str:
        networks = self._api.inspect_container(self._id)["NetworkSettings"]["Networks"]
        [network] = networks.values()
        return str(network["IPAddress"])

    def _listen(self) -> None:
        for line in self._lines:
            self._asked(self, json.loads(line))
        self._lost(self)

    def answer(self, number: int, status: int, document: object) -> None:
        """Answer a question with a status of HTTP and a document."""
        said = {"number": number, "status": status, "body": json.dumps(document)}
        with contextlib.suppress(OSError):
            self._stream.write(json.dumps(said).encode() + b"\n")

    def close(self) -> None:
        """Remove it, and listen no more."""
        with contextlib.suppress(*ENGINE_ERRORS):
            self._api.remove_container(self._id, v=True, force=True)
        if self._listening.is_alive():
            self._listening.join(END_SECONDS)
