from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

import pytest
from docker.types import IPAMConfig, IPAMPool

from lab.aws.agent.metadata_endpoint import MetadataEndpoint
from lab.aws.ecs.state import Ecs
from lab.checks.evidence import within
from lab.client import connect_labelled
from lab.engine import find_engine

from .records import PLACE, SUBNET, task_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container
    from docker.models.networks import Network

    from lab import Lab
    from lab.aws.cloud import Cloud
    from lab.aws.ecs.state import Task

pytestmark = pytest.mark.engine

ASK = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=10)
except urllib.error.HTTPError as error:
    answer = error
except urllib.error.URLError as error:
    print(0, "null")
    sys.exit()
print(answer.status, answer.read().decode())
"""


@pytest.fixture
def endpoint(lab: Lab, cloud: Cloud) -> Iterator[MetadataEndpoint]:
    engine = find_engine()
    made = MetadataEndpoint(
        cloud,
        lambda: connect_labelled(engine, lab.naming),
        lab.naming,
        lambda _place, _subnet: SUBNET,
    )
    yield made
    cloud.call(made.close())
    engine.client.close()


@pytest.fixture
def network(lab: Lab) -> Network:
    free = lab.docker.networks.create(lab.name("free"))
    # Only where the range was asked for may an address be.
    pool = IPAMPool(subnet=range_of(free))
    free.remove()
    return lab.docker.networks.create(lab.name("vpc"), ipam=IPAMConfig(pool_configs=[pool]))


@pytest.fixture
def box(lab: Lab, network: Network) -> Container:
    return lab.docker.containers.run(
        "course/base:1", ["sleep", "600"], name=lab.name("box"), network=network.id, detach=True
    )


@pytest.fixture
def task(box: Container) -> Task:
    made = task_in(Ecs(PLACE), subnet="subnet-1")
    made.containers[0].runtime_id = str(box.id)
    return made


def range_of(network: Network) -> str:
    network.reload()
    return str(network.attrs["IPAM"]["Config"][0]["Subnet"])


def uri_of(endpoint: MetadataEndpoint, task: Task) -> str:
    return endpoint.variables(task.containers[0])["ECS_CONTAINER_METADATA_URI_V4"]


def ask(box: Container, uri: str) -> tuple[int, Any]:
    status, _, body = box.exec_run(["python3", "-c", ASK, uri]).output.decode().partition(" ")
    return int(status), json.loads(body)


def gateways(network: Network) -> list[Container]:
    network.reload()
    return [one for one in network.containers if "metadata" in str(one.name)]


def test_who_is_not_known_gets_no_document(
    cloud: Cloud, endpoint: MetadataEndpoint, network: Network, box: Container, task: Task
) -> None:
    cloud.call(endpoint.open(task, str(network.id)))
    uri = uri_of(endpoint, task)
    base = uri.rpartition("/")[0]
    assert ask(box, f"{uri}/nothing") == (404, "404 page not found")
    assert ask(box, base) == (404, "404 page not found")
    for what in ("container", "task"):
        path = "" if what == "container" else "/task"
        status, said = ask(box, f"{base}/nobody{path}")
        assert status == 404
        assert said.startswith(f"V4 {what} metadata handler: ")
        assert said.endswith("v3 endpoint ID: nobody")


def test_a_task_that_has_ended_is_forgotten(
    cloud: Cloud, endpoint: MetadataEndpoint, network: Network, box: Container, task: Task
) -> None:
    cloud.call(endpoint.open(task, str(network.id)))
    uri = uri_of(endpoint, task)
    endpoint.forget(task)
    assert ask(box, uri)[0] == 404
    assert endpoint.variables(task.containers[0]) == {}


def test_a_container_that_the_engine_lost_has_no_statistics(
    cloud: Cloud, endpoint: MetadataEndpoint, network: Network, box: Container, task: Task
) -> None:
    task.containers[0].runtime_id = "nobody"
    cloud.call(endpoint.open(task, str(network.id)))
    uri = uri_of(endpoint, task)
    assert ask(box, f"{uri}/stats")[0] == 500
    assert ask(box, f"{uri}/task/stats") == (200, {"nobody": {}})


def test_documents_and_statistics_come_from_within_the_network(
    cloud: Cloud, endpoint: MetadataEndpoint, network: Network, box: Container, task: Task
) -> None:
    task.tags = [{"key": "team", "value": "blue"}]
    cloud.call(endpoint.open(task, str(network.id)))
    uri = uri_of(endpoint, task)
    status, container = ask(box, uri)
    assert (status, container["Name"], container["DockerId"]) == (200, "app", box.id)
    assert ask(box, f"{uri}/task")[1]["Containers"] == [container]
    assert "TaskTags" not in ask(box, f"{uri}/task")[1]
    assert ask(box, f"{uri}/taskWithTags")[1]["TaskTags"] == {"team": "blue"}
    stats = ask(box, f"{uri}/stats")[1]
    assert stats["memory_stats"]["usage"] > 0
    used = [stats[name]["cpu_usage"]["total_usage"] for name in ("precpu_stats", "cpu_stats")]
    assert 0 < used[0] <= used[1]
    assert set(stats["network_rate_stats"]) == {"rx_bytes_per_sec", "tx_bytes_per_sec"}
    assert [*ask(box, f"{uri}/task/stats")[1]] == [box.id]


def test_one_gateway_serves_all_tasks_of_a_network_and_goes_with_the_endpoint(
    cloud: Cloud, endpoint: MetadataEndpoint, network: Network, box: Container, task: Task
) -> None:
    other = task_in(Ecs(PLACE), subnet="subnet-1")
    for one in (task, other):
        cloud.call(endpoint.open(one, str(network.id)))
    assert uri_of(endpoint, task) != uri_of(endpoint, other)
    assert ask(box, uri_of(endpoint, other))[0] == 200
    assert len(gateways(network)) == 1
    cloud.call(endpoint.close())
    assert within(5)(lambda: gateways(network) == [])()


def test_a_gateway_that_is_lost_is_started_again(
    cloud: Cloud, endpoint: MetadataEndpoint, network: Network, box: Container, task: Task
) -> None:
    address = str(ipaddress.ip_network(range_of(network))[200])
    cloud.call(endpoint.open(task, str(network.id), address))
    [gateway] = gateways(network)
    gateway.kill()
    assert within(10)(lambda: ask(box, uri_of(endpoint, task))[0] == 200)()
    assert gateway not in gateways(network)
