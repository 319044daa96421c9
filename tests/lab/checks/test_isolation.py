"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import docker.errors
import pytest

from lab.checks.isolation import GUARD, PAIRS, inject, start_pair

from .proof import CheckProof, Wrong, run

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.engine

SERVER = ["sh", "-c", "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]


def write(container: Any, name: str, words: object) -> None:  # noqa: ANN401
    assert container.exec_run(["sh", "-c", f"echo {words} > /tmp/{name}"]).exit_code == 0


def numbers(lab: Lab, words: str) -> None:
    """Write what ``words`` says, with {pid} for the host's number."""
    known = run(lab, "known", init=False)
    known.reload()
    write(known, "numbers", words.format(pid=known.attrs["State"]["Pid"]))


def the_number_of_who_looked(lab: Lab) -> None:
    numbers(lab, "7 {pid}")


def one_on_the_host_too(lab: Lab) -> None:
    numbers(lab, "1 1")


def the_other_way_round(lab: Lab) -> None:
    numbers(lab, "{pid} 1")


def the_number_from_before_the_start(lab: Lab) -> None:
    numbers(lab, "1 0")


def only_one_number(lab: Lab) -> None:
    numbers(lab, "{pid}")


def started_anew_since(lab: Lab) -> None:
    numbers(lab, "1 {pid}")
    lab.docker.containers.get(lab.name("known")).restart(timeout=0)


def predict(lab: Lab, words: str) -> None:
    start_pair(lab, ("net", "ipc"))
    write(lab.docker.containers.get(lab.name("left")), "shared", words)


def not_prepared(lab: Lab) -> None:
    assert not lab.docker.containers.list(all=True, filters=lab.filters)


def one_too_many(lab: Lab) -> None:
    predict(lab, "net ipc uts")


def one_forgotten(lab: Lab) -> None:
    predict(lab, "net")


def not_a_kind(lab: Lab) -> None:
    predict(lab, "network ipc")


def two_networks(lab: Lab) -> None:
    run(lab, "server", SERVER)
    run(lab, "client")


def a_server_of_its_own(lab: Lab) -> None:
    run(lab, "server", SERVER)
    run(lab, "client", SERVER)


def processes_shared_too(lab: Lab) -> None:
    server = run(lab, "server", SERVER)
    there = f"container:{server.id}"
    run(lab, "client", network_mode=there, pid_mode=there, init=False)


def server_has_no_page(lab: Lab) -> None:
    server = run(lab, "server", "httpd -f -p 8080 -h /tmp")
    run(lab, "client", network_mode=f"container:{server.id}")


def published_instead(lab: Lab) -> None:
    run(lab, "server", SERVER, ports={"8080/tcp": ("127.0.0.1", None)})
    run(lab, "client")


def short_name_as_the_target(lab: Lab) -> None:
    run(lab, "server", SERVER)
    nobody = lab.name("nobody")
    with pytest.raises(docker.errors.APIError):
        run(lab, "client", network_mode=f"container:{nobody}")


def vault_only_started_again(lab: Lab) -> None:
    inject(lab, "pid").restart(timeout=0)


def vault_without_its_program(lab: Lab) -> None:
    run(lab, "vault")


def one_wall_rebuilt_another_torn_down(lab: Lab) -> None:
    run(lab, "vault", GUARD, uts_mode="host")


FAULT_HINTS = {
    "pid": "processes, and only a few of them are its own.",
    "net": "vault has no network of its own",
    "uts": "Whose name is that?",
    "mnt": "/srv is a folder that lies outside of it",
    "ipc": "it shares memory and messages with others",
}


MODES = ("PidMode", "NetworkMode", "UTSMode", "IpcMode")
STILL_BROKEN = "This is still the broken vault, and a wall is missing."
SET_THE_SCENE = 'Run the cell that sets the scene first: lab.prepare("{}").'


def namespaces(found: Any) -> list[str]:  # noqa: ANN401
    """Read the links of the kinds that a fault can change; mounts are another matter."""
    read = "cd /proc/self/ns; for kind in pid net uts ipc; do readlink $kind; done"
    return list(found.exec_run(["sh", "-c", read]).output.decode().split())


class TestIsolation(CheckProof):
    chapter = "01-isolation"
    untouched = {
        "01.1": "You have no containers here yet.",
        "01.2": "There is no file /tmp/shared in left yet",
        "01.3": "You have no containers here yet.",
        "01.4": STILL_BROKEN,
    }
    wrong = (
        Wrong("01.1", the_number_of_who_looked, "That may be the process which looked"),
        Wrong("01.1", one_on_the_host_too, "There, 1 is the first program after the boot."),
        Wrong("01.1", the_other_way_round, "the number inside comes first."),
        Wrong("01.1", the_number_from_before_the_start, "a copy, which reload renews."),
        Wrong("01.1", only_one_number, "Wanted are two whole numbers"),
        Wrong("01.1", started_anew_since, "Has known been started anew since you looked?"),
        Wrong("01.2", not_prepared, SET_THE_SCENE.format("01.2")),
        Wrong("01.2", one_too_many, "You predict uts, but the kernel gives left and right each"),
        Wrong("01.2", one_forgotten, "is right, and 1 more is shared."),
        Wrong("01.2", not_a_kind, "'network' is none of the five kinds"),
        Wrong("01.3", two_networks, "Whose 127.0.0.1 does client ask?"),
        Wrong("01.3", a_server_of_its_own, "from a server of its own"),
        Wrong("01.3", processes_shared_too, "it also sees server's processes"),
        Wrong("01.3", server_has_no_page, "Not even server itself gets a page"),
        Wrong("01.3", published_instead, "server publishes a port on your machine"),
        Wrong("01.3", short_name_as_the_target, "client was created, but never started"),
        Wrong("01.4", not_prepared, SET_THE_SCENE.format("01.4")),
        Wrong("01.4", vault_only_started_again, STILL_BROKEN),
        Wrong("01.4", vault_without_its_program, "All walls stand, but vault gets no page"),
        Wrong("01.4", one_wall_rebuilt_another_torn_down, "Whose name is that?"),
    )
    repair = "01.4"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault, labels={})

    def scene(self, lab: Lab) -> tuple[object, ...]:
        vault = lab.docker.containers.get(lab.name("vault"))
        settings = vault.attrs["HostConfig"]
        modes = (str(settings[mode]).partition(":")[0] for mode in MODES)
        return (*modes, len(vault.attrs["Mounts"]))

    def test_the_broken_vault_does_not_give_its_fault_away(
        self, exercises: Lab, fault: str
    ) -> None:
        inject(exercises, fault)
        assert str(exercises.check("01.4").hint).startswith(STILL_BROKEN)

    def test_vault_has_the_neighbours_name_only_with_its_network(
        self, exercises: Lab, fault: str
    ) -> None:
        vault = inject(exercises, fault)
        neighbour = exercises.docker.containers.get(exercises.name("neighbour"))
        names = [found.exec_run("hostname").output for found in (vault, neighbour)]
        assert (names[0] == names[1]) == (fault == "net")
        common = set(namespaces(vault)) & set(namespaces(neighbour))
        assert {link.split(":")[0] for link in common} == ({"net"} & {fault})

    @pytest.mark.parametrize("kinds", PAIRS, ids="+".join)
    def test_each_pair_shares_what_it_should(self, exercises: Lab, kinds: tuple[str, ...]) -> None:
        start_pair(exercises, kinds)
        left = exercises.docker.containers.get(exercises.name("left"))
        write(left, "shared", " ".join(kinds))
        result = exercises.check("01.2")
        assert result, result.hint
