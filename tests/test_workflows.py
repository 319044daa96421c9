"""GitHub's workflows call make and decide nothing; `make lint` proves their form by its schema."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


@pytest.fixture(params=WORKFLOWS, ids=lambda file: file.name)
def workflow(request: pytest.FixtureRequest) -> Path:
    return request.param  # type: ignore[no-any-return]


def jobs(workflow: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(workflow.read_text("utf-8"))["jobs"]  # type: ignore[no-any-return]


def commands(workflow: Path) -> Iterator[str]:
    for job in jobs(workflow).values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


def test_every_workflow_is_there_and_does_its_part() -> None:
    assert {file.name: list(commands(file)) for file in WORKFLOWS} == {
        "nightly.yml": ["make links", "make test"],
        "site.yml": ["make site"],
        "test.yml": ["make test"],
    }
    assert (ROOT / ".ci" / "run").read_text() == "make test\n"


def test_commands_are_doors(workflow: Path) -> None:
    doors = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert doors
    assert {command.partition(" ")[2] for command in commands(workflow)} <= set(doors[1].split())


def test_actions_are_pinned(workflow: Path) -> None:
    used = re.findall(r"uses: .*", workflow.read_text("utf-8"))
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_same_action_has_the_same_pin_everywhere() -> None:
    used = {line for file in WORKFLOWS for line in re.findall(r"uses: (.*)", file.read_text())}
    assert len({line.partition("@")[0] for line in used}) == len(used)


def test_job_ends_and_may_no_more_than_it_must(workflow: Path) -> None:
    text = yaml.safe_load(workflow.read_text("utf-8"))
    assert text["permissions"] == {"contents": "read"}
    assert "concurrency" in text
    for job in jobs(workflow).values():
        assert job["timeout-minutes"] <= 90


def test_site_is_published_under_the_repository_s_own_addresses() -> None:
    (build,) = (step for step in jobs(WORKFLOWS[1])["build"]["steps"] if "run" in step)
    assert WORKFLOWS[1].name == "site.yml"
    assert build["env"] == {
        "SITE_URL": "${{ steps.pages.outputs.base_url }}",
        "REPOSITORY": "${{ github.server_url }}/${{ github.repository }}",
    }
    uploaded = [step["with"]["path"] for step in jobs(WORKFLOWS[1])["build"]["steps"][-1:]]
    assert uploaded == ["_build/html"]
