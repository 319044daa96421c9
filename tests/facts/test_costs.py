from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import botocore.session
import pytest

import facts
from facts import FactsError, load_facts
from facts.costs import Service, crossings, load_costs, monthly_cost, prices_used

TABLE = Path(facts.__file__).parent / "costs.yaml"
PAST_ITS_HOST = {"vcpu": 4, "memory": 20}


def sums(**inputs: float | str) -> dict[str, int]:
    return {way: cost.total for way, cost in monthly_cost(**inputs).items()}


def test_a_sum_is_its_lines() -> None:
    fargate = monthly_cost(tasks=1, vcpu=1, memory=4, logs=10)["fargate"]
    # 730 hours of 0.04048 + 4 * 0.004445; 0.0225 + 0.008 + 2 * 0.005; 2 * 0.05 and 10 GB of logs.
    assert fargate.lines == {
        "compute": 4253,
        "fee": 0,
        "disk": 0,
        "balancer": 2957,
        "network": 7300 + 45,
        "logs": 530,
    }
    assert fargate.total == sum(fargate.lines.values())


def test_only_what_runs_follows_the_hours() -> None:
    day, half = monthly_cost(hours=24, network="public"), monthly_cost(hours=12, network="public")
    for way in ("ec2", "managed-instances", "fargate"):
        for line in ("compute", "fee", "disk", "network"):
            assert abs(day[way].lines[line] - 2 * half[way].lines[line]) <= 1
        for line in ("balancer", "logs"):
            assert day[way].lines[line] == half[way].lines[line]
    assert day["ec2-plan"].lines["compute"] == half["ec2-plan"].lines["compute"]


@pytest.mark.parametrize(
    ("inputs", "hosts"),
    [
        ({"tasks": 1}, 1),
        ({"tasks": 2}, 2),  # a zone each
        ({"tasks": 16, "vcpu": 1, "memory": 2, "full": 100}, 2),
        ({"tasks": 17, "vcpu": 1, "memory": 2, "full": 100}, 3),
        ({"tasks": 16, "vcpu": 1, "memory": 2, "full": 50}, 4),
        ({"tasks": 4, "vcpu": 1, "memory": 8, "full": 100}, 2),  # memory is full first
        ({"tasks": 3, "vcpu": 2, "memory": 9, "full": 100}, 3),  # a task can't be cut in two
    ],
)
def test_hosts_hold_the_tasks(inputs: dict[str, float], hosts: int) -> None:
    assert monthly_cost(**inputs)["ec2"].hosts == hosts


def test_a_task_larger_than_a_host_leaves_fargate() -> None:
    costs = monthly_cost(**PAST_ITS_HOST)
    assert costs["ec2"].out == "One task is larger than a c6a.2xlarge."
    assert {way for way, cost in costs.items() if not cost.out} == {
        "fargate",
        "fargate-plan",
        "fargate-spot",
    }
    assert {
        found.at for found in crossings(Service(**PAST_ITS_HOST)) if found.than == "fargate"
    } == {
        None,
        1,
    }


def test_without_a_list_price_there_is_a_room_and_not_a_sum() -> None:
    for cost in monthly_cost().values():
        assert cost.has_price == (cost.total == cost.total_at_most)
        assert set(cost.lines) == set(load_costs().lines)


@pytest.mark.parametrize("inputs", [{}, {"tasks": 30, "vcpu": 2, "memory": 4, "full": 80}])
def test_a_crossing_is_where_it_crosses(inputs: dict[str, float]) -> None:
    service = Service(**inputs)
    for found in crossings(service):
        if found.by == "discount" or found.at is None:
            continue
        span = load_costs().inputs[found.by]
        cheaper = []
        for value in range(span.least, span.most + 1):
            tried = sums(**{**vars(service), found.by: value})
            cheaper.append(tried[found.way] < tried[found.than])
        assert all(cheaper[found.at - span.least :])
        assert found.at == span.least or not cheaper[found.at - span.least - 1]


def test_fuller_hosts_never_cost_more() -> None:
    totals = [sums(full=full)["ec2"] for full in range(10, 101)]
    assert all(before >= after for before, after in pairwise(totals))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"tasks": 0}, "Tasks: a whole number from 1 to 200."),
        ({"tasks": 2.5}, "Tasks: a whole number from 1 to 200."),
        ({"tasks": True}, "Tasks: a whole number from 1 to 200."),
        ({"hours": 25}, "Hours a day: a whole number from 1 to 24."),
        ({"full": 5}, "Hosts filled, in %: a whole number from 10 to 100."),
        ({"logs": -1}, "GB of logs a month: a whole number from 0 to 5000."),
        ({"vcpu": 3}, "vCPU of a task: one of 0.25, 0.5, 1, 2, 4, 8."),
        ({"vcpu": 0.25, "memory": 8}, "no task of 0.25 vCPU and 8 GB. With 0.25 vCPU it has 0.5"),
        ({"network": "vpn"}, "The way out: one of nat, public."),
    ],
)
def test_what_cannot_be_asked_for_is_said(inputs: dict[str, float | str], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        monthly_cost(**inputs)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("discount: ec2-spot", "discount: ec2-spit", "no limit ec2-spit with a value"),
        ("discount: ec2-spot", "discount: ecs-exec", "no limit ecs-exec with a value"),
        ("price: ec2-c6a-2xlarge-hour", "price: ec2-hour", "unknown price ec2-hour"),
        ("zones: 2\n", "", "zones"),
    ],
)
def test_a_faulty_table_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = TABLE.read_text("utf-8")
    assert old in text
    (tmp_path / "costs.yaml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(FactsError, match=re.escape(said)):
        load_costs(tmp_path / "costs.yaml")


def test_all_prices_are_of_one_region() -> None:
    rows = load_facts().prices.rows
    assert {rows[name].region for name in prices_used()} == {"us-east-1"}


def test_fargate_s_sizes_are_those_of_the_api_model() -> None:
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    told = re.sub(r"<[^>]+>", " ", shape.members["memory"].documentation)
    found: dict[float, set[float]] = {}
    for words, vcpu in re.findall(
        r"([^-]*?) - Available\s+cpu\s+values: \d+ \(([.\d]+) vCPU\)", told
    ):
        sizes = [float(size) for size in re.findall(r"([.\d]+) ?GB", words)]
        if "etween" in words:
            least, most, step = (round(size) for size in sizes)
            sizes = [float(size) for size in range(least, most + 1, step)]
        found[float(vcpu)] = set(sizes)
    table = {vcpu: set(memory) for vcpu, memory in load_costs().sizes.items()}
    assert table == {vcpu: sizes for vcpu, sizes in found.items() if vcpu <= 8}


def test_the_fact_of_the_chooser_is_what_the_sums_say() -> None:
    fact = load_facts().limits.rows["ec2-undercuts-fargate"]
    found = {at.way: at.at for at in crossings(Service()) if at.by == "full"}
    assert found == {"ec2": fact.value, "managed-instances": None}
    service = Service()
    assert f"{service.tasks} tasks of {service.vcpu:g} vCPU and {service.memory:g} GB" in fact.says
