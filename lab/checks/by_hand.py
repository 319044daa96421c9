"""The exercises of chapter 03, a container by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.checks import evidence, rooms
from lab.checks.exercise import Exercise, NotYet

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker.models.containers import Container

    from lab.checks.rooms import Process
    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "inject"]

CHAPTER = "03-by-hand"

NAME = "handmade"
MOST = 8
WALLS = {"uts": "host name", "ipc": "IPC", "net": "network", "mnt": "mounts", "pid": "processes"}

# What stands in /make.sh of the last exercise's room, without a fault.
RECIPE = """\
mkdir -p /limits/handmade
echo 8 > /limits/handmade/pids.max
exec unshare --uts --ipc --net --mount --pid --fork sh -ec '
    echo $$ > /limits/handmade/cgroup.procs
    hostname handmade
    ip link set lo up
    mount --bind /handmade /handmade
    cd /handmade
    mount -t proc proc proc
    pivot_root . old
    umount -l old
    exec chroot . python3 /drop.py httpd -f -p 8080
'
"""
DROP = """\
import ctypes, os, sys
for capability in range(64):
    ctypes.CDLL(None).prctl(24, capability)
os.execvp(sys.argv[1], sys.argv[1:])
"""
# For each fault what is replaced in the recipe. The seed picks one, so the order must not change
# within a course.
FAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "limit": (("    echo $$ > /limits/handmade/cgroup.procs\n", ""),),
    "root": (("    pivot_root . old\n    umount -l old\n", ""),),
    "proc": (("mount -t proc proc proc", "mount --rbind /proc proc"),),
    "pid": ((" --pid --fork", ""),),
    "old": (("    umount -l old\n", ""),),
    "capabilities": (("python3 /drop.py httpd", "httpd"),),
}


def inject(lab: Lab, fault: str) -> Container:
    """Start the room of the last exercise, with a handmade container that has a fault.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.
    """
    recipe = RECIPE
    for sound, broken in FAULTS[fault]:
        recipe = recipe.replace(sound, broken)
    room = rooms.open_room(lab, "room-5", files=True)
    rooms.write(room, "/make.sh", recipe)
    rooms.write(room, "/handmade/drop.py", DROP)
    room.exec_run("sh /make.sh", detach=True)
    # Its last line is exec: once there is a process of that name, all before is done.
    rooms.wait_for_program(room, "httpd")
    return room


def _check_name(lab: Lab) -> None:
    room = rooms.room(lab, "room-1")
    around, found = rooms.programs(room, "sleep")
    if around.host_name == NAME:
        raise NotYet(
            "Now the room itself is called handmade: the name was changed in the room's own "
            "namespace, not in a new one."
        )
    mine = [process for process in found if process.ns["uts"] != around.ns["uts"]]
    if not mine:
        raise NotYet("sleep runs, but it shares the room's host name: their UTS namespace is one.")
    names = [process.host_name for process in mine]
    if NAME not in names:
        raise NotYet(
            f"sleep has a UTS namespace of its own, and in it the name {names[0]!r}. "
            "A new namespace begins as a copy."
        )


def _check_alone(lab: Lab) -> None:
    room = rooms.room(lab, "room-2")
    around, found = rooms.programs(room, "sleep")
    _best(found, lambda process: _has_own_list(process, around))


def _has_own_list(process: Process, around: Process) -> None:
    if process.ns["pid"] == around.ns["pid"]:
        raise NotYet(f"{process.program} is in the same list of processes as the room's programs.")
    if process.inner_pid != 1:
        raise NotYet(
            f"{process.program} has its own list, but is number {process.inner_pid} in it: "
            "which process came before, and is it still needed?"
        )
    if not process.sees_own:
        raise NotYet(
            f"{process.program} is process 1 of its own list, but its /proc shows another list: "
            "ps in there would see the room's programs."
        )


def _check_limit(lab: Lab) -> None:
    room = rooms.room(lab, "room-3")
    around, found = rooms.programs(room, "sleep")
    if str(MOST) in (around.limit, around.groups["."]):
        raise NotYet(
            "The limit stands in the group of the whole room: the room's own programs count, "
            "too. It belongs into a group below."
        )
    _best(found, lambda process: _is_limited(process, around))


def _is_limited(process: Process, around: Process) -> None:
    if process.group == around.group:
        empty = [name for name, limit in around.groups.items() if limit == str(MOST)]
        there = f" The group {empty[0]} has the limit, and nobody in it." if empty else ""
        raise NotYet(f"{process.program} is in the room's own group, which has no limit.{there}")
    if process.limit != str(MOST):
        raise NotYet(
            f"{process.program} is in the group {process.group.strip('/')}, "
            f"whose pids.max is {process.limit}, not {MOST}."
        )


def _check_root(lab: Lab) -> None:
    room = rooms.room(lab, "room-4")
    around, found = rooms.programs(room, "sleep")
    if around.root_of_mount.endswith("/handmade"):
        raise NotYet("The room's own root was exchanged. Prepare the exercise again.")
    _best(found, lambda process: _has_own_root(process, around))


def _has_own_root(process: Process, around: Process) -> None:
    if process.ns["mnt"] == around.ns["mnt"] and process.root == "/":
        raise NotYet(f"{process.program} has the room's root and the room's mounts.")
    if process.root != "/":
        raise NotYet(
            f"For {process.program} paths begin at {process.root}, but the room's root is still "
            "the root of its mounts: a process with root's power climbs out."
        )
    if (process.device, process.root_of_mount) == (around.device, around.root_of_mount):
        raise NotYet(
            f"{process.program} has a mount table of its own, but its root is still the room's."
        )
    old = process.mounted_at(around.device, around.root_of_mount)
    if old:
        raise NotYet(f"The room's root is still to be reached: it is mounted at {old}.")
    if process.proc_shown == around.ns["pid"]:
        raise NotYet(
            f"{process.program} sees the room's processes in its /proc, "
            "and /proc/1/root leads to the room's root."
        )


def _prepare_fault(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_walls(lab: Lab) -> None:
    room = rooms.room(lab, "room-5")
    around, found = rooms.programs(room, "httpd")
    if len(found) > 1:
        raise NotYet(
            f"{len(found)} servers of the name httpd run in room-5. End those that have a fault."
        )
    server = found[0]
    for kind, what in WALLS.items():
        if kind != "pid" and server.ns[kind] == around.ns[kind]:
            raise NotYet(f"httpd shares a namespace with the room: {kind} ({what}).")
    _has_own_list(server, around)
    _has_own_root(server, around)
    _is_limited(server, around)
    if server.capabilities:
        raise NotYet(
            f"httpd has all its walls, and {server.capabilities} capabilities: "
            "with them it can tear the walls down."
        )


def _best(found: list[Process], judge: Callable[[Process], None]) -> None:
    """Pass if one process is as it should be; otherwise say what the last one lacks."""
    verdicts = []
    for process in found:
        try:
            judge(process)
        except NotYet as not_yet:
            verdicts.append(not_yet)
        else:
            return
    raise verdicts[-1]


def _open(short: str, *, files: bool = False) -> Callable[[Lab], None]:
    def prepare(lab: Lab) -> None:
        rooms.open_room(lab, short, files=files)

    return prepare


EXERCISES = {
    "03.1": Exercise(
        title="A name of its own",
        minutes=5,
        nudge="A namespace is made when a program is started, and lives as long as a process in "
        "it. So name, program and namespace come from one call.",
        check=rooms.settled(_check_name),
        prepare=_open("room-1"),
    ),
    "03.2": Exercise(
        title="Alone",
        minutes=6,
        nudge="Three things are new: the list, the mount table, and what is mounted at /proc. "
        "And the shell that mounts must not stay: what puts a program in a shell's place?",
        check=rooms.settled(_check_alone),
        prepare=_open("room-2"),
    ),
    "03.3": Exercise(
        title="At most eight",
        minutes=6,
        nudge="A group is a folder below /limits. Two files in it are written: one says how many, "
        "the other says who. A process can name itself.",
        check=rooms.settled(_check_limit),
        prepare=_open("room-3"),
    ),
    "03.4": Exercise(
        title="No way back",
        minutes=8,
        nudge="Only a mount can become a root, and the old root goes somewhere: where, and how do "
        "you take it away? If you mount /proc, whose processes does it show?",
        check=rooms.settled(_check_root),
        prepare=_open("room-4", files=True),
    ),
    "03.5": Exercise(
        title="Find the missing wall",
        minutes=10,
        nudge="What does the kernel say about the process? In its folder under /proc, look at ns, "
        "mounts, cgroup and status, and compare with process 1 of the room.",
        check=rooms.settled(_check_walls),
        prepare=_prepare_fault,
    ),
}
