from __future__ import annotations

import ast
import collections
import importlib.util
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .suite import account
from .suite.documented import SERVICES, Behaviour, documented, is_known

if TYPE_CHECKING:
    from types import ModuleType

SUITE = Path(__file__).parent / "suite"
FILES = sorted(SUITE.glob("test_*.py"))


def load(path: Path) -> ModuleType:
    """Load a file of the suite, which pytest does not collect here."""
    name = f"{account.__name__.rpartition('.')[0]}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checks() -> dict[str, Any]:
    return {
        f"{path.stem}::{name}": check
        for path in FILES
        for name, check in inspect.getmembers(load(path), inspect.isfunction)
        if name.startswith("test_")
    }


def test_there_are_at_least_150_checks_and_15_of_each_service(checks: dict[str, Any]) -> None:
    counts = collections.Counter(check.behaviour.service for check in checks.values())
    assert set(counts) == set(SERVICES.values())
    assert counts.total() >= 150
    assert min(counts.values()) >= 15


def test_no_check_hides_another_of_its_name() -> None:
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert len(names) == len(set(names)), path.name


def test_each_check_says_a_behaviour_in_a_sentence(checks: dict[str, Any]) -> None:
    for name, check in checks.items():
        says = check.behaviour.says
        assert says.endswith("."), name
        assert 20 <= len(says) <= 120, name
    assert len({check.behaviour.says for check in checks.values()}) > len(checks) * 0.95


def test_each_check_rests_on_a_document_or_a_shape(checks: dict[str, Any]) -> None:
    unknown = {n: c.behaviour.source for n, c in checks.items() if not is_known(c.behaviour.source)}
    assert unknown == {}


def test_checks_that_need_a_run_say_so(checks: dict[str, Any]) -> None:
    # What waits for a task, or for an instance, waits in vain where none runs.
    waits = {"tasks": ("aws.reached(", "aws.finished(", "aws.steady(", "aws.code("), "hosts": ()}
    for name, check in checks.items():
        source = inspect.getsource(check)
        if any(call in source for call in waits["tasks"]):
            assert check.behaviour.runs in {"tasks", "hosts"}, name
        if "aws.hosts(" in source:
            assert check.behaviour.runs == "hosts", name


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("ecs/API_RunTask", "AmazonECS/latest/APIReference/API_RunTask.html"),
        ("ecs-guide/ecs-exec", "AmazonECS/latest/developerguide/ecs-exec.html"),
        ("ecr-guide/a#b", "AmazonECR/latest/userguide/a.html#b"),
    ],
)
def test_source_is_an_address(source: str, address: str) -> None:
    assert Behaviour("", source, "api").address == f"https://docs.aws.amazon.com/{address}"


@pytest.mark.parametrize(
    "source",
    [
        "ecs/API_MakeTea",
        "ecs/RunTask",
        "nowhere/API_RunTask",
        "shape:ecs.Tea",
        "shape:ecs.Task.colour",
        "shape:ecs.Task.cpu.colour",
        "ecs-guide/two words",
    ],
)
def test_source_that_is_not_there_is_found_out(source: str) -> None:
    assert not is_known(source)


def test_shape_of_a_list_is_looked_into() -> None:
    assert is_known("shape:ecs.Task.containers.exitCode")


def test_sentence_is_the_docstring() -> None:
    @documented("elbv2-guide/x-forwarded-headers", runs="listener")
    def check() -> None:
        """Say one
        thing.
        """

    assert check.behaviour == Behaviour(
        "Say one thing.", "elbv2-guide/x-forwarded-headers", "listener"
    )
    assert check.behaviour.service == "ELBv2"
