from __future__ import annotations

import datetime as dt
import json
import threading
from typing import TYPE_CHECKING

import pytest

from lab import progress
from lab.errors import LabError
from lab.progress import Attempted, Progress

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2026, 11, 24)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))
    return tmp_path


def test_nothing_is_recorded_at_first() -> None:
    assert progress.load() == Progress()


def test_checks_are_counted_and_what_passed_stays_passed() -> None:
    for passed in (False, True, False):
        progress.record("ada", "05.1", passed=passed)
    progress.record("ada", "05.2", passed=False)
    progress.record("bob", "05.1", passed=False)
    of_ada = progress.load().of("ada")
    assert of_ada["05.1"].checks == 3
    assert of_ada["05.1"].passed_on is not None
    assert of_ada["05.2"] == Attempted(checks=1)
    assert progress.load().of("bob") == {"05.1": Attempted(checks=1)}
    assert progress.load().of("eve") == {}


def test_the_first_day_on_which_it_passed_is_kept(folder: Path) -> None:
    content = {"format": 1, "learners": {"ada": {"05.1": "2026-01-02/1"}}}
    (folder / "progress.json").write_text(json.dumps(content))
    progress.record("ada", "05.1", passed=True)
    assert progress.load().of("ada") == {"05.1": Attempted(2, dt.date(2026, 1, 2))}


def test_two_kernels_at_once_lose_nothing() -> None:
    def record(exercise: str) -> None:
        for _ in range(10):
            progress.record("ada", exercise, passed=True)

    threads = [threading.Thread(target=record, args=(f"05.{n}",)) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: done.checks for number, done in progress.load().of("ada").items()} == {
        "05.1": 10,
        "05.2": 10,
        "05.3": 10,
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"format": 2, "learners": {}}',
        b'{"format": 1}',
        b'{"format": 1, "learners": {"ada": {"05.1": "soon/1"}}}',
        b'{"format": 1, "learners": {"ada": {"05.1": 7}}}',
        b'{"format": 1, "learners": {"ada": ["05.1"]}}',
    ],
)
def test_a_damaged_file_is_set_aside_and_said(
    content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "progress.json").write_bytes(content)
    progress.record("ada", "05.1", passed=True)
    (aside,) = folder.glob("progress.json.damaged-*")
    assert aside.read_bytes() == content
    assert capsys.readouterr().err == (
        f"The file of your progress is damaged; it is kept as {aside}, and a new one begins.\n"
    )
    assert progress.load().of("ada")["05.1"].checks == 1


def test_a_file_cut_short_while_writing_is_not_the_one_that_is_read(folder: Path) -> None:
    progress.record("ada", "05.1", passed=True)
    (folder / "progress.new").write_text('{"form')
    progress.record("ada", "05.2", passed=True)
    assert sorted(progress.load().of("ada")) == ["05.1", "05.2"]


def test_a_place_that_can_not_be_written_costs_no_result(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("COURSE_STATE_DIR", str(folder / "file" / "state"))
    progress.record("ada", "05.1", passed=True)
    assert "Your progress could not be saved: " in capsys.readouterr().err
    with pytest.raises(LabError, match="Your progress can't be read: ") as caught:
        progress.load()
    assert "COURSE_STATE_DIR" in caught.value.next_step


def test_what_is_exported_is_read_back_however_a_mail_breaks_it() -> None:
    kept = Progress({"ada": {"05.2": Attempted(4), "05.1": Attempted(2, DAY)}})
    line = progress.export("ada", kept)
    assert line.startswith("containers-on-aws/1 ada 05.1=2026-11-24/2 05.2=open/4 sum=")
    for text in (line, f"  {line}\n", line.replace(" ", "\n> ").replace("> ", "")):
        handed_in = progress.read_export(text)
        assert handed_in.learner == "ada"
        assert handed_in.exercises == kept.of("ada")


def test_every_change_of_one_character_is_noticed() -> None:
    line = progress.export("ada", Progress({"ada": {"05.1": Attempted(2, DAY)}}))
    for place, character in enumerate(line):
        changed = line[:place] + ("7" if character != "7" else "8") + line[place + 1 :]
        with pytest.raises(LabError):
            progress.read_export(changed)


@pytest.mark.parametrize("text", ["", "hello", "containers-on-aws/1 ada", "05.1=open/1 sum=0 x"])
def test_what_is_no_export_says_how_to_get_one(text: str) -> None:
    with pytest.raises(LabError, match="This is no exported progress") as caught:
        progress.read_export(text)
    assert "`lab progress --export`" in caught.value.next_step


def test_a_line_with_a_right_sum_and_wrong_words_is_refused() -> None:
    body = "containers-on-aws/1 ada 05.1=someday/2"
    with pytest.raises(LabError, match="a piece is missing or was changed"):
        progress.read_export(f"{body} {progress._checksum(body)}")
