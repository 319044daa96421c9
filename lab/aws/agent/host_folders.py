"""The folders of EC2 instances that tasks mount by ``sourcePath``.

All tasks of an instance share such a folder, and what is in it stays when they end, as on AWS. Here
it is a volume of the engine, empty at first, and no folder of this machine: what an instance has by
itself, such as ``/proc`` or the socket of its engine, is not in it.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import docker

    from lab.aws.ecs.hosts import Host
    from lab.naming import Naming

__all__ = ["HostFolders"]


class HostFolders:
    """The volumes that play folders of instances.

    Args:
        client: The engine, by a client that labels what it makes.
        naming: Whose names the volumes get.
    """

    def __init__(self, client: docker.DockerClient, naming: Naming) -> None:
        self._client = client
        self._naming = naming
        self._by_host: dict[Host, dict[str, str]] = {}

    def volume_of(self, host: Host, path: str) -> str:
        """Name the volume that plays a folder, which is made when first asked for; this blocks."""
        folders = self._by_host.setdefault(host, {})
        if path not in folders:
            name = f"{host.instance_id}-{zlib.crc32(path.encode()):08x}"
            made = self._client.volumes.create(self._naming.full_name(name))
            folders[path] = str(made.name)
        return folders[path]

    def have(self, host: Host | None, volume: str) -> bool:
        """Tell whether a volume is a folder of an instance."""
        return host is not None and volume in self._by_host.get(host, {}).values()

    def take_from(self, host: Host) -> list[str]:
        """Forget the folders of an instance, and name their volumes for their removal."""
        return list(self._by_host.pop(host, {}).values())
