"""Rooms: containers in which a learner makes containers by hand, and what is found in them."""

from __future__ import annotations

import functools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.checks import evidence
from lab.checks.exercise import NotYet
from lab.errors import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker.models.containers import Container

    from lab.session import Lab

__all__ = [
    "OPTIONS",
    "Process",
    "open_room",
    "programs",
    "room",
    "settled",
    "wait_for_program",
    "write",
]

START_SECONDS = 20
SETTLE_SECONDS = 2
POLL_SECONDS = 0.2

OPTIONS: dict[str, Any] = {
    "command": "tail -f /dev/null",
    "hostname": "room",
    "init": True,
    "cgroupns": "private",
    "cap_add": ["SYS_ADMIN", "NET_ADMIN"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "detach": True,
}

_FILES = """
mkdir -p /handmade/old /handmade/proc
cd /
for name in bin etc lib lib64 root sbin tmp usr var; do
    [ ! -e $name ] || cp -a $name /handmade/
done
"""
# In version 2 of cgroups a group whose children have limits holds no process itself, so the
# room's processes move down.
_LIMITS = """
cd /sys/fs/cgroup
[ ! -d pids ] || cd pids
mount -o remount,bind,rw $PWD
if [ -e cgroup.subtree_control ]; then
    mkdir -p room
    for process in $(cat cgroup.procs); do
        echo $process > room/cgroup.procs || true
    done
    echo +pids > cgroup.subtree_control
fi
ln -sfn $PWD /limits
"""

_LOOK = r"""
import json, os, re, subprocess

def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""

def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""

def group_of(text):
    groups = dict(reversed(line.split(":", 2)[1:]) for line in text.splitlines())
    by_kind = {kind: path for path, kinds in groups.items() for kind in kinds.split(",")}
    return by_kind.get("pids", by_kind.get("", "/"))

# Podman 4.3 gives a room on cgroup v1 no cgroup namespace, so that its processes see the whole
# path of their group; the mount at /limits tells which part of it is the room's.
mounts = [line.split()[3:5] for line in read("/proc/self/mountinfo").splitlines()]
around = dict(reversed(mount) for mount in mounts).get(os.path.realpath("/limits"), "/")

def look(number):
    at = f"/proc/{number}"
    status = dict(re.findall(r"^(\w+):\s*(.*)$", read(f"{at}/status"), re.M))
    group = group_of(read(f"{at}/cgroup"))
    if around != "/":
        group = group.removeprefix(around) or "/"
    return {
        "program": status.get("Name", ""),
        "ns": {kind: link(f"{at}/ns/{kind}") for kind in ("uts", "ipc", "net", "mnt", "pid")},
        "inner_pid": int(status.get("NSpid", "0").split()[-1]),
        "capabilities": int(status.get("CapEff", "0"), 16).bit_count(),
        "root": link(f"{at}/root"),
        "proc_shown": link(f"{at}/root/proc/1/ns/pid"),
        "mounts": [line.split()[2:5] for line in read(f"{at}/mountinfo").splitlines()],
        "group": group,
        "limit": read(f"/limits{group}/pids.max").strip() or "max",
        "host_name": subprocess.run(
            ["nsenter", "-t", str(number), "-u", "hostname"], capture_output=True, text=True
        ).stdout.strip(),
    }

groups = {
    name: read(f"/limits/{name}/pids.max").strip()
    for name in (".", *(sorted(os.listdir("/limits/")) if os.path.isdir("/limits/") else ()))
    if os.path.isdir(f"/limits/{name}")
}
numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
found = [look(number) for number in sorted(numbers) if number != os.getpid()]
print(json.dumps({"groups": groups, "processes": [one for one in found if one["root"]]}))
"""


@dataclass(frozen=True)
class Process:
    """What the kernel says about one process of a room.

    Attributes:
        program: Its name.
        ns: Its namespaces, as the kernel names them, by kind.
        inner_pid: Its number in its own list of processes.
        capabilities: How many it has.
        root: Where its paths begin, as the room sees it.
        proc_shown: The PID namespace that its ``/proc`` shows; empty with no ``/proc``.
        mounts: Device, root on the device and place of each of its mounts.
        group: Its cgroup, below the room's.
        limit: The ``pids.max`` of its cgroup.
        host_name: The host name that it sees.
        groups: The room's groups below ``/limits``, with their limits.
    """

    program: str
    ns: dict[str, str]
    inner_pid: int
    capabilities: int
    root: str
    proc_shown: str
    mounts: list[list[str]]
    group: str
    limit: str
    host_name: str
    groups: dict[str, str]

    @property
    def sees_own(self) -> bool:
        """Whether its ``/proc`` shows the list of processes that it is in."""
        return self.proc_shown == self.ns["pid"]

    @property
    def device(self) -> str:
        """The device that its root is on; empty if its root is no mount."""
        return next((device for device, _, place in self.mounts if place == "/"), "")

    @property
    def root_of_mount(self) -> str:
        """Which folder of its device is mounted as its root."""
        return next((root for _, root, place in self.mounts if place == "/"), "")

    def mounted_at(self, device: str, root: str) -> str:
        """Tell where a folder of a device is mounted; empty if nowhere."""
        places = [place for *what, place in self.mounts if what == [device, root]]
        return places[0] if places else ""


def open_room(lab: Lab, short: str, *, files: bool = False) -> Container:
    """Start a room: what the chapter calls a workshop, with its own cgroup open at ``/limits``.

    Args:
        lab: The learner's lab.
        short: The room's short name.
        files: Put the image's files into ``/handmade``.

    Raises:
        NotReadyError: The room can't be set up; the message has what was said.
    """
    made: Container = lab.docker.containers.run("course/base:1", name=lab.name(short), **OPTIONS)
    done = made.exec_run(["sh", "-ec", (_FILES if files else "") + _LIMITS])
    if done.exit_code != 0:
        raise NotReadyError(
            f"The room can't be set up on this engine: {_text(done.output).strip()}",
            next_step="See what the chapter says about its workshop: this engine may need "
            "another option, or may not be able to isolate.",
        )
    return made


def write(room: Container, path: str, text: str) -> None:
    """Write a file in a room."""
    room.exec_run(
        ["sh", "-c", 'printf %s "$TEXT" > "$FILE"'], environment={"TEXT": text, "FILE": path}
    )


def wait_for_program(room: Container, program: str) -> None:
    """Wait until a process of a room has a name.

    Raises:
        NotReadyError: There is none after all that time.
    """
    wait = f"until pidof {program}; do sleep 0.1; done"
    if room.exec_run(["timeout", str(START_SECONDS), "sh", "-c", wait]).exit_code != 0:
        raise NotReadyError(
            f"{program} has not started in the room.", next_step="Prepare the exercise again."
        )


def room(lab: Lab, short: str) -> Container:
    """Find a room of the learner's.

    Raises:
        NotYet: It is not there, or does not run.
    """
    return evidence.running(lab, short, then="Prepare the exercise again.")


def programs(room: Container, program: str) -> tuple[Process, list[Process]]:
    """Look at a room: process 1, and the processes of one program.

    Returns:
        The room's own process 1, and at least one process of the program.

    Raises:
        NotYet: The program does not run in the room.
    """
    looked = room.exec_run(["python3", "-c", _LOOK])
    if looked.exit_code != 0:
        raise NotYet(
            "The room can't be entered any more: something was changed for the whole room, such "
            "as its /proc, its root or its limit. Prepare the exercise again."
        )
    seen = json.loads(_text(looked.output))
    all_of_them = [Process(**each, groups=seen["groups"]) for each in seen["processes"]]
    if not all_of_them[0].sees_own:
        raise NotYet(
            "The /proc of the whole room was exchanged: the new one was mounted in the mount "
            "table that the room uses, too. Prepare the exercise again."
        )
    found = [process for process in all_of_them if process.program == program]
    if not found:
        raise NotYet(f"No process of the name {program} runs in {room.name}.")
    return all_of_them[0], found


def settled(check: Callable[[Lab], None]) -> Callable[[Lab], None]:
    """Let a check look again for a moment: what was started a moment ago takes its steps yet."""

    @functools.wraps(check)
    def patient(lab: Lab) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                check(lab)
            except NotYet:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return

    return patient


def _text(output: bytes | Iterator[bytes]) -> str:
    # docker-py says that it may be a stream; here none was asked for.
    return (output if isinstance(output, bytes) else b"".join(output)).decode()
