from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from lab import checks, images, open_lab
from lab.abilities import Ability, missing_in
from lab.naming import COURSE

from .stand_in import DOCKER_20_10, PODMAN_4_3, ROOTLESS, USUAL, answering

if TYPE_CHECKING:
    from pathlib import Path

CHAPTER = "02-limits-and-privileges"


def test_a_usual_engine_lacks_nothing() -> None:
    assert missing_in(DOCKER_20_10) == []
    assert missing_in(PODMAN_4_3) == []


def test_what_an_engine_does_not_mention_is_taken_as_usual() -> None:
    assert missing_in({}) == []


def test_a_rootless_engine_without_control_groups_lacks_all() -> None:
    assert missing_in(ROOTLESS) == list(Ability)


@pytest.mark.parametrize("options", [[], ["name=seccomp,profile=unconfined"], None])
def test_an_engine_that_filters_no_system_calls_says_so(options: list[str] | None) -> None:
    assert missing_in({**DOCKER_20_10, "SecurityOptions": options}) == [Ability.SECCOMP]


def test_podman_without_root_says_so_in_a_word_of_its_own() -> None:
    assert missing_in({**PODMAN_4_3, "Rootless": True}) == [Ability.ROOT]


def test_each_ability_is_needed_by_a_chapter() -> None:
    assert {need for chapter in checks.chapters() for need in checks.needs_of(chapter)} == set(
        Ability
    )


def opened_on(
    info: dict[str, object],
    chapter: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> list[str]:
    """Open a lab on a stand-in for an engine, and give what was said before any cell."""
    answers: dict[str, object] = {
        "/info": info,
        "/containers/json": [],
        "/networks": [],
        "/volumes": {"Volumes": []},
        "/images/json": [],
    }
    for image in images.IMAGES:
        labels = {"course": COURSE, "course.key": image.key()}
        answers[f"/images/{image.name}/json"] = {"Config": {"Labels": labels}}
    with answering(folder / "e.sock", USUAL, answers) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        monkeypatch.setenv("COURSE_LEARNER", f"test-{uuid.uuid4().hex[:8]}")
        monkeypatch.setenv("COURSE_STATE_DIR", str(folder / "state"))
        open_lab(chapter).close()
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def short_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The path of a socket has at most 107 bytes.
    return tmp_path_factory.mktemp("s")


def test_a_chapter_says_what_it_needs_and_the_engine_lacks(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = opened_on(ROOTLESS, CHAPTER, short_folder, monkeypatch, capsys)
    assert said == [
        *(f"Some cells show other outputs on your engine. {ability.value}" for ability in Ability),
        "The lab of chapter 02 is open. lab.close() removes what you start here.",
    ]


def test_a_chapter_says_nothing_of_what_it_does_not_need(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = opened_on(ROOTLESS, "05-life-cycle", short_folder, monkeypatch, capsys)
    assert said == [
        f"Some cells show other outputs on your engine. {Ability.MEMORY_LIMIT.value}",
        "The lab of chapter 05 is open. lab.close() removes what you start here.",
    ]


def test_an_engine_that_can_do_all_is_not_talked_about(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert opened_on(DOCKER_20_10, CHAPTER, short_folder, monkeypatch, capsys) == [
        "The lab of chapter 02 is open. lab.close() removes what you start here."
    ]
