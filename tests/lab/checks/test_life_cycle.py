"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests

from lab.checks.life_cycle import inject

from .proof import APP, BASE, PORT, CheckProof, Wrong, run

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.engine


def done_was_killed(lab: Lab) -> None:
    lab.docker.containers.create(BASE, name=lab.name("fresh"))
    run(lab, "busy")
    run(lab, "frozen").pause()
    run(lab, "done").kill()


def fresh_was_started(lab: Lab) -> None:
    run(lab, "fresh")


def own_is_one(lab: Lab) -> None:
    run(lab, "own", "false").wait()


def asked_is_deaf(lab: Lab) -> None:
    run(lab, "own", "sh -c 'exit 3'").wait()
    run(lab, "killed").kill()
    run(lab, "asked", init=False).stop(timeout=1)


def asked_tells_a_lie(lab: Lab) -> None:
    run(lab, "own", "sh -c 'exit 3'").wait()
    run(lab, "killed").kill()
    run(lab, "asked", "sh -c 'exit 143'").wait()


def tidy_waits_for_sleep(lab: Lab) -> None:
    program = "trap 'echo goodbye; exit 0' TERM; echo ready; sleep 600"
    tidy = run(lab, "tidy", ["sh", "-c", program], init=False)
    lab.wait_log(tidy, "ready")
    tidy.stop(timeout=1)


def tidy_is_deaf(lab: Lab) -> None:
    run(lab, "tidy", ["sh", "-c", "sleep 600"], init=False).stop(timeout=1)


def tidy_is_silent(lab: Lab) -> None:
    tidy = run(lab, "tidy", "sh -c 'echo ready; sleep 600'")
    # A signal that comes before the program does is lost.
    while not tidy.logs():
        pass
    tidy.stop()


def phoenix_without_policy(lab: Lab) -> None:
    phoenix = run(lab, "phoenix", None, image=APP, ports=PORT)
    requests.post(lab.wait_ready(phoenix) + "/crash?code=1", timeout=5)
    phoenix.wait()


def phoenix_restarted_by_hand(lab: Lab) -> None:
    phoenix = run(lab, "phoenix", None, image=APP, ports=PORT, restart_policy={"Name": "always"})
    lab.wait_ready(phoenix)
    phoenix.restart()


def shop_only_started_again(lab: Lab) -> None:
    shop = inject(lab, "environment")
    shop.wait()
    shop.start()
    shop.wait()


def shop_without_greeting(lab: Lab) -> None:
    run(lab, "shop", None, image=APP, ports=PORT)


FAULT_HINTS = {
    "environment": "it has exited with 3. Its log says why.",
    "command": "it has exited with 2. Its log says why.",
    "health": "its health is unhealthy. Who asks, and what?",
    "port": "which port does the application listen on inside?",
    "memory": "How much memory may it use?",
}


class TestLifeCycle(CheckProof):
    chapter = "05-life-cycle"
    untouched = {
        "05.1": "You have no containers here yet.",
        "05.2": "You have no containers here yet.",
        "05.3": "You have no containers here yet.",
        "05.4": "You have no containers here yet.",
        "05.5": "it has exited with 3. Its log says why.",
    }
    wrong = (
        Wrong("05.1", done_was_killed, "done should have ended by itself and well, but it has"),
        Wrong("05.1", fresh_was_started, "fresh should be created, but it is running."),
        Wrong("05.2", own_is_one, "own should have ended with 3, but it has exited with 1."),
        Wrong("05.2", asked_is_deaf, "Did process 1 of the container take notice of SIGTERM?"),
        Wrong("05.2", asked_tells_a_lie, "asked has ended with 143, and nobody has sent it"),
        Wrong("05.3", tidy_waits_for_sleep, "what was the shell busy with when the signal came?"),
        Wrong("05.3", tidy_is_deaf, "the grace period ran out and it was killed"),
        Wrong("05.3", tidy_is_silent, "Its log has no 'goodbye': it has exited with 143"),
        Wrong("05.4", phoenix_without_policy, "no restart policy, so nobody starts it again"),
        Wrong("05.4", phoenix_restarted_by_hand, "the engine never had to use it"),
        Wrong("05.5", shop_only_started_again, "it has exited with 3. Its log says why."),
        Wrong("05.5", shop_without_greeting, "shop answers 'hello', but should say 'open'."),
    )
    repair = "05.5"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        shop = inject(lab, fault)
        if fault not in ("health", "port"):
            lab.wait_for(shop, "status", "exited")
        if fault == "port":
            lab.wait_for(shop, "State.Health.Status", "healthy")

    def scene(self, lab: Lab) -> str:
        config = lab.docker.containers.get(lab.name("shop")).attrs
        return json.dumps([config["Config"], config["HostConfig"]], sort_keys=True)
