"""A Docker daemon of one's own, in a network that has a loopback and no way out.

Whatever is broken, tagged, filled or cut off in it, the machine's own engine never sees it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import tenacity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["NO_FIREWALL", "Engine", "NoEngineOfOneSOwnError", "dead_end", "own_engine"]

# A machine without iptables will do, where networks need no walls.
NO_FIREWALL = ("--iptables=false", "--ip-masq=false", "--ip-forward=false")
START_SECONDS = 60
STOP_SECONDS = 30

# Holds a network of its own, with a loopback, until its standard input closes.
_NETWORK = """
import fcntl, socket, struct, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
print("ready", flush=True)
sys.stdin.read()
"""


class NoEngineOfOneSOwnError(Exception):
    """Says why there can be no such daemon on this machine."""


@dataclass(frozen=True)
class Engine:
    """The daemon while it runs.

    Attributes:
        client: A client of it.
        host: Where it listens, as ``DOCKER_HOST`` names it.
        inside: What, before a command, lets it run in the daemon's network.
        restart: Ends the daemon and starts it again, as a reboot of its host would.
    """

    client: docker.DockerClient
    host: str
    inside: Sequence[str]
    restart: Callable[[], None]


@contextmanager
def own_engine(folder: Path, options: Sequence[str] = ()) -> Iterator[Engine]:
    """Start a daemon, and end it in any case.

    Args:
        folder: Where it keeps its images and containers.
        options: Further options of ``dockerd``, such as `NO_FIREWALL`.

    Raises:
        NoEngineOfOneSOwnError: It needs root, or a program that is missing, or did not start.
    """
    if os.geteuid() != 0:
        raise NoEngineOfOneSOwnError("only root may start a second Docker daemon")
    for program in ("dockerd", "nsenter", "unshare"):
        if shutil.which(program) is None:
            raise NoEngineOfOneSOwnError(f"there is no program {program}")
    # A socket's path has 107 characters at most, and folders of tests are long.
    with tempfile.TemporaryDirectory(prefix="engine-") as short, _network() as inside:
        host = f"unix://{short}/docker.sock"
        command = [
            *inside,
            "dockerd",
            f"--host={host}",
            f"--data-root={folder}",
            f"--exec-root={short}/exec",
            f"--pidfile={short}/pid",
            f"--containerd-namespace=own-{os.getpid()}",
            f"--containerd-plugins-namespace=own-{os.getpid()}-plugins",
            *options,
        ]
        daemon = _Daemon(command, f"{short}/docker.sock", Path(short) / "log")
        try:
            daemon.start()
            client = docker.DockerClient(host, timeout=60)
            yield Engine(client, host, inside, daemon.restart)
            client.close()
        finally:
            daemon.stop()


def dead_end(inside: Sequence[str]) -> Callable[[], int]:
    """Give such a network a way out that leads nowhere, and count the packets that take it.

    Where there is no way out at all, nothing can be seen to look for one. What processes send is
    counted, and what containers send through their bridges.

    Args:
        inside: What, before a command, lets it run in that network.

    Returns:
        How many packets have set out so far, by iptables' own counters.

    Raises:
        NoEngineOfOneSOwnError: A program is missing, or the kernel refuses.
    """
    for command in (
        # Addresses that are set apart for documentation: nobody has them.
        "ip link add name out type bridge",
        "ip link set out multicast off",
        "ip address add 192.0.2.10/24 dev out",
        "ip link set out up",
        "ip route add default via 192.0.2.1",
        # Docker writes its rules into other tables than this. By IGMP the kernel itself tells the
        # neighbours of an interface that it is there.
        "iptables --table mangle --append OUTPUT --out-interface out ! --protocol igmp",
        "iptables --table mangle --append FORWARD --out-interface out ! --protocol igmp",
    ):
        _said([*inside, *command.split()])

    def count() -> int:
        rows = [
            row.split()
            for chain in ("OUTPUT", "FORWARD")
            for row in _said(
                [*inside, *f"iptables --table mangle --exact --numeric -v --list {chain}".split()]
            ).splitlines()
        ]
        return sum(int(row[0]) for row in rows if "out" in row and row[0].isdecimal())

    return count


def _said(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except subprocess.CalledProcessError as failure:
        raise NoEngineOfOneSOwnError(f"{shlex.join(command)}: {failure.stderr.strip()}") from None


class _Daemon:
    def __init__(self, command: Sequence[str], address: str, log: Path) -> None:
        self._command, self._address, self._log = command, address, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as stream:
            process = subprocess.Popen(
                self._command, stdout=stream, stderr=stream, start_new_session=True
            )
        self._process = process
        listening = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda listens: not listens and process.poll() is None),
            wait=tenacity.wait_fixed(0.05),
            stop=tenacity.stop_after_delay(START_SECONDS),
            retry_error_callback=lambda _state: False,
        )
        if not listening(_listens, self._address):
            said = self._log.read_text(errors="replace").splitlines()[-5:]
            raise NoEngineOfOneSOwnError(
                "\n".join(["a second Docker daemon did not start:", *said])
            )

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()


@contextmanager
def _network() -> Iterator[list[str]]:
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", _NETWORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as holder:
        assert holder.stdout  # noqa: S101  # a pipe, as ordered
        assert holder.stderr  # noqa: S101
        if holder.stdout.readline() != b"ready\n":
            said = holder.stderr.read().decode(errors="replace").strip()
            raise NoEngineOfOneSOwnError(f"there can be no network of its own here: {said}")
        yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]


def _listens(address: str) -> bool:
    # Before docker-py asks: it leaves a socket open when nobody is there.
    with socket.socket(socket.AF_UNIX) as knock:
        return knock.connect_ex(address) == 0
