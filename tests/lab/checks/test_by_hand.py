"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.checks.by_hand import inject
from lab.checks.rooms import OPTIONS, open_room, wait_for_program

from .proof import CheckProof, Wrong

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.engine

ROOT = """
mount --bind /handmade /handmade
cd /handmade
mount -t proc proc proc
pivot_root . old
"""


def start(lab: Lab, number: str, *command: str, script: str = "exec sleep 600") -> Any:  # noqa: ANN401
    """Start a program in an exercise's room, and wait until it is there."""
    room = open_room(lab, f"room-{number[-1]}", files=number == "03.4")
    room.exec_run([*command, "sh", "-ec", script], detach=True)
    wait_for_program(room, "sleep")
    return room


def name_changed_for_the_room(lab: Lab) -> None:
    start(lab, "03.1", script="hostname handmade; exec sleep 600")


def name_left_as_it_was(lab: Lab) -> None:
    start(lab, "03.1", "unshare", "--uts")


def namespace_forgotten(lab: Lab) -> None:
    start(lab, "03.1")


def list_without_proc(lab: Lab) -> None:
    start(lab, "03.2", "unshare", "--pid", "--fork")


def shell_stays_process_1(lab: Lab) -> None:
    script = "mount -t proc proc /proc; sleep 600; true"
    start(lab, "03.2", "unshare", "--mount", "--pid", "--fork", script=script)


def proc_mounted_for_the_room(lab: Lab) -> None:
    room = open_room(lab, "room-2")
    script = "mount -t proc proc /proc; exec sleep 600"
    room.exec_run(["unshare", "--pid", "--fork", "sh", "-ec", script], detach=True)


def proc_without_list(lab: Lab) -> None:
    script = "mount -t proc proc /proc; exec sleep 600"
    start(lab, "03.2", "unshare", "--mount", script=script)


def nobody_in_the_group(lab: Lab) -> None:
    script = "mkdir /limits/mine; echo 8 > /limits/mine/pids.max; exec sleep 600"
    start(lab, "03.3", script=script)


def group_without_limit(lab: Lab) -> None:
    script = "mkdir /limits/mine; echo $$ > /limits/mine/cgroup.procs; exec sleep 600"
    start(lab, "03.3", script=script)


def limit_on_the_room(lab: Lab) -> None:
    # No wait in the room: under this limit, whoever enters it may be one too many.
    room = open_room(lab, "room-3")
    room.exec_run(["sh", "-ec", "echo 8 > /limits/pids.max; exec sleep 600"], detach=True)


def only_chroot(lab: Lab) -> None:
    start(lab, "03.4", "unshare", "--mount", script="exec chroot /handmade sleep 600")


def old_root_stays(lab: Lab) -> None:
    start(
        lab,
        "03.4",
        "unshare", "--mount", "--pid", "--fork",
        script=ROOT + "exec sleep 600",
    )  # fmt: skip


def proc_of_the_room(lab: Lab) -> None:
    start(lab, "03.4", "unshare", "--mount", script=ROOT + "umount -l old; exec sleep 600")


def nothing_done_about_the_root(lab: Lab) -> None:
    start(lab, "03.4")


def mounts_without_root(lab: Lab) -> None:
    start(lab, "03.4", "unshare", "--mount")


def only_started_again(lab: Lab) -> None:
    room = inject(lab, "limit")
    room.exec_run("killall -9 httpd")
    room.exec_run("sh /make.sh", detach=True)
    wait_for_program(room, "httpd")


def broken_one_left_beside(lab: Lab) -> None:
    room = inject(lab, "pid")
    room.exec_run("unshare --uts httpd -f -p 8081", detach=True)


def network_shared(lab: Lab) -> None:
    room = inject(lab, "limit")
    room.exec_run("killall -9 httpd")
    room.exec_run(["sh", "-c", "sed -i 's/ --net//; /ip link/d' /make.sh"])
    room.exec_run("sh /make.sh", detach=True)
    wait_for_program(room, "httpd")


def server_ended(lab: Lab) -> None:
    inject(lab, "limit").exec_run("killall -9 httpd")


def room_was_stopped(lab: Lab) -> None:
    open_room(lab, "room-1").kill()


FAULT_HINTS = {
    "limit": "is in the room's own group, which has no limit. The group handmade has the limit",
    "root": "paths begin at /handmade, but the room's root is still the root of its mounts",
    "proc": "its /proc shows another list",
    "pid": "is in the same list of processes as the room's programs",
    "old": "it is mounted at /old",
    "capabilities": "capabilities: with them it can tear the walls down",
}


class TestByHand(CheckProof):
    chapter = "03-by-hand"
    untouched = {
        "03.1": "No process of the name sleep runs in",
        "03.2": "No process of the name sleep runs in",
        "03.3": "No process of the name sleep runs in",
        "03.4": "No process of the name sleep runs in",
        "03.5": "httpd is in the room's own group",
    }
    wrong = (
        Wrong("03.1", name_changed_for_the_room, "Now the room itself is called handmade"),
        Wrong("03.1", name_left_as_it_was, "A new namespace begins as a copy."),
        Wrong("03.1", namespace_forgotten, "their UTS namespace is one"),
        Wrong("03.1", room_was_stopped, "room-1 should run, but it has exited with 137"),
        Wrong("03.2", list_without_proc, "its /proc shows another list"),
        Wrong("03.2", shell_stays_process_1, "which process came before, and is it still needed?"),
        Wrong("03.2", proc_mounted_for_the_room, "the whole room"),
        Wrong("03.2", proc_without_list, "is in the same list of processes"),
        Wrong("03.3", nobody_in_the_group, "The group mine has the limit, and nobody in it."),
        Wrong("03.3", group_without_limit, "in the group mine, whose pids.max is max, not 8"),
        Wrong("03.3", limit_on_the_room, "the whole room"),
        Wrong("03.4", only_chroot, "paths begin at /handmade, but the room's root"),
        Wrong("03.4", old_root_stays, "it is mounted at /old"),
        Wrong("03.4", proc_of_the_room, "/proc/1/root leads to the room's root"),
        Wrong("03.4", nothing_done_about_the_root, "has the room's root and the room's mounts"),
        Wrong("03.4", mounts_without_root, "but its root is still the room's"),
        Wrong("03.5", only_started_again, "and nobody in it"),
        Wrong("03.5", broken_one_left_beside, "2 servers of the name httpd run"),
        Wrong("03.5", network_shared, "shares a namespace with the room: net"),
        Wrong("03.5", server_ended, "No process of the name httpd runs in"),
    )
    repair = "03.5"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault)

    def scene(self, lab: Lab) -> bytes:
        room = lab.docker.containers.get(lab.name("room-5"))
        return bytes(room.exec_run("cat /make.sh").output)

    def test_a_limit_is_found_from_outside_of_a_cgroup_namespace(
        self, exercises: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if exercises.docker.info().get("CgroupVersion") != "1":
            pytest.skip("in version 2 a room without a namespace does not see its own group only")
        monkeypatch.setitem(OPTIONS, "cgroupns", "host")
        script = "mkdir /limits/mine; echo {} > /limits/mine/pids.max; "
        script += "echo $$ > /limits/mine/cgroup.procs; exec sleep 600"
        start(exercises, "03.3", script=script.format(8))
        assert exercises.check("03.3")
        start(exercises, "03.3", script=script.format(9))
        result = exercises.check("03.3")
        assert "in the group mine, whose pids.max is 9, not 8" in str(result.hint)
