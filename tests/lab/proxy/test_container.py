from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from lab import images
from lab.checks.deployments_and_scheduling import RULES
from lab.checks.evidence import within

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker.models.containers import Container

    from lab import Lab

    Start = Callable[..., Container]

pytestmark = pytest.mark.engine

COURSE_IMAGE = next(image for image in images.IMAGES if image.folder == "proxy")
RELOAD = "proxy reload"
BOTH = f"""{RULES}
backend green
    option httpchk GET /health
    server-template copy 4 green:8080 check resolvers engine
"""


@pytest.fixture
def web(lab: Lab) -> Callable[..., Container]:
    front = lab.docker.networks.create(lab.name("front"))

    def start(short: str, alias: str = "web", **environment: str) -> Container:
        role = lab.docker.api.create_endpoint_config(aliases=[alias])
        return lab.docker.containers.run(
            "course/app:1",
            name=lab.name(short),
            network=front.name,
            networking_config={front.name: role},
            environment=environment,
            detach=True,
        )

    return start


@pytest.fixture
def proxy(lab: Lab, web: Callable[..., Container]) -> Callable[..., Container]:  # noqa: ARG001 - it makes the network
    def start(rules: str = RULES, **options: Any) -> Container:  # noqa: ANN401
        return lab.docker.containers.run(
            COURSE_IMAGE.name,
            name=lab.name("proxy"),
            network=lab.name("front"),
            environment={"RULES": rules},
            ports={"8080/tcp": ("127.0.0.1", None)},
            detach=True,
            **options,
        )

    return start


def hosts(url: str, requests_sent: int = 8) -> list[str]:
    return [requests.get(url, timeout=5).json()["host"] for _ in range(requests_sent)]


def test_it_shares_requests_out_among_all_who_have_the_name(
    lab: Lab, web: Start, proxy: Start
) -> None:
    for short in ("web-1", "web-2"):
        lab.wait_ready(web(short))
    found = hosts(lab.wait_ready(proxy()))
    assert len(set(found)) == 2
    assert {found.count(host) for host in found} == {4}


def test_it_starts_before_any_server_and_finds_those_that_come_later(
    lab: Lab, web: Start, proxy: Start
) -> None:
    started = proxy()
    lab.wait_for(started, "status", "running")
    lab.wait_ready(web("web-1"))
    assert len(set(hosts(lab.wait_ready(started)))) == 1
    lab.wait_ready(web("web-2"))
    url = lab.wait_ready(started)
    assert eventually(lambda: len(set(hosts(url))) == 2)


def test_whoever_is_stopped_or_killed_costs_no_request(lab: Lab, web: Start, proxy: Start) -> None:
    copies = [web(f"web-{number}") for number in (1, 2, 3)]
    for copy in copies:
        lab.wait_ready(copy)
    url = lab.wait_ready(proxy())
    assert eventually(lambda: len(set(hosts(url))) == 3)
    load = lab.load(url, per_second=50)
    copies[0].stop()
    copies[1].kill()
    assert eventually(lambda: len(set(hosts(url))) == 1)
    assert eventually(lambda: load.sent > 50)
    assert load.stop().lost == 0


def test_who_fails_its_health_check_gets_no_request(lab: Lab, web: Start, proxy: Start) -> None:
    sound, sick = web("web-1"), web("web-2")
    for copy in (sound, sick):
        lab.wait_ready(copy)
    url = lab.wait_ready(proxy())
    ask = "from urllib.request import *; urlopen(Request('http://127.0.0.1:8080/unhealthy', b''))"
    assert sick.exec_run(["python3", "-c", ask]).exit_code == 0
    assert eventually(lambda: set(hosts(url)) == {sound.id[:12]})


def test_new_rules_come_into_force_at_once_and_cost_no_request(
    lab: Lab, web: Start, proxy: Start
) -> None:
    for short, alias, version in (("blue", "web", "1"), ("green", "green", "2")):
        lab.wait_ready(web(short, alias, VERSION=version))
    started = proxy(BOTH)
    url = lab.wait_ready(started)
    assert eventually(lambda: "Server green/copy1" in logs(started))
    load = lab.load(url, per_second=50)
    for _ in range(3):
        for backend, version in (("green", "2"), ("web", "1")):
            rules = BOTH.replace("default_backend web", f"default_backend {backend}")
            done = started.exec_run(RELOAD, environment={"RULES": rules})
            assert done.exit_code == 0, done.output
            assert requests.get(url, timeout=5).json()["version"] == version
    assert load.stop().lost == 0
    assert load.versions == ["1", "2"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("", "give the rules in the variable RULES"),
        (RULES.replace("bind", "bend"), "unknown keyword 'bend'"),
        (RULES.replace("default_backend web", "default_backend wob"), "unable to find"),
    ],
)
def test_rules_with_a_mistake_change_nothing_and_are_explained(
    lab: Lab, web: Start, proxy: Start, rules: str, said: str
) -> None:
    lab.wait_ready(web("web-1"))
    started = proxy()
    url = lab.wait_ready(started)
    done = started.exec_run(RELOAD, environment={"RULES": rules})
    assert done.exit_code == 1
    assert said in done.output.decode()
    assert len(hosts(url, 1)) == 1
    refused = proxy(rules)
    assert refused.wait()["StatusCode"] == 1
    assert said in logs(refused)


def test_asked_to_end_it_ends_by_itself(lab: Lab, web: Start, proxy: Start) -> None:
    lab.wait_ready(web("web-1"))
    started = proxy()
    lab.wait_ready(started)
    # The engine's own patience is ten seconds, after which it kills: exit code 137.
    started.stop(timeout=60)
    started.reload()
    assert started.attrs["State"]["ExitCode"] == 0


def test_its_program_needs_no_root_and_it_stands_on_the_course_s_base(lab: Lab) -> None:
    base, proxy = (
        lab.docker.images.get(name).attrs for name in ("course/base:1", COURSE_IMAGE.name)
    )
    assert proxy["RootFS"]["Layers"][: len(base["RootFS"]["Layers"])] == base["RootFS"]["Layers"]
    assert proxy["Config"]["User"] == "1000:1000"


def logs(container: Container) -> str:
    return str(container.logs().decode())


def eventually(holds: Callable[[], bool]) -> bool:
    return bool(within(15)(holds)())
