"""What every chapter's checks have to prove; the chapter's test names the states and the hints."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import nbformat

from lab.checks import exercises_of
from lab.checks.evidence import choose_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Sequence

    import pytest

    from lab import Lab

ROOT = Path(__file__).parents[3]
NEIGHBOURS = 2
SEED = "0"  # the stored solutions speak of the fault that it chooses
BASE, APP = "course/base:1", "course/app:1"
PORT: dict[str, Any] = {"8080/tcp": ("127.0.0.1", None)}


def run(lab: Lab, short: str, command: object = "sleep 600", **options: Any) -> Any:  # noqa: ANN401
    """Start a container of the learner's; by default one that ends at once when it is stopped."""
    options = {"image": BASE, "init": True, **options}
    return lab.docker.containers.run(command=command, name=lab.name(short), detach=True, **options)


@dataclass(frozen=True)
class Wrong:
    """A typical wrong answer: what the learner did, and a part of the hint that it must get."""

    exercise: str
    answer: Callable[[Lab], object]
    hint: str


class CheckProof:
    """Each check fails untouched, fails on two wrong answers with its hint, passes on the solution.

    A chapter's test is a subclass with these attributes and two methods; conftest.py makes one
    test of each exercise, each wrong answer and each fault.

    Attributes:
        chapter: The chapter's stem.
        untouched: For each exercise, a part of the hint for who has done nothing yet.
        wrong: The wrong answers, at least two for each exercise.
        repair: The exercise in which the lab breaks something.
        faults: For each fault, a part of the hint that it must get.
        swarm: The exercises that need a swarm.
    """

    chapter: ClassVar[str]
    untouched: ClassVar[dict[str, str]]
    wrong: ClassVar[Sequence[Wrong]]
    repair: ClassVar[str]
    faults: ClassVar[dict[str, str]]
    swarm: ClassVar[Collection[str]] = ()

    def break_it(self, lab: Lab, fault: str) -> None:
        """Inject a fault, and wait until it shows."""
        raise NotImplementedError

    def scene(self, lab: Lab) -> Hashable:
        """Describe what the lab has set up, so that two faults can be told apart."""
        raise NotImplementedError

    def test_untouched_it_fails(
        self, exercises: Lab, number: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COURSE_SEED", SEED)
        if exercises_of(self.chapter)[number].prepare:
            exercises.prepare(number)
        result = exercises.check(number)
        assert not result
        assert self.untouched[number] in str(result.hint)
        keep(number, "untouched", result.hint)

    def test_a_wrong_answer_gets_its_hint(self, exercises: Lab, wrong: Wrong) -> None:
        wrong.answer(exercises)
        result = exercises.check(wrong.exercise)
        assert not result
        assert wrong.hint in str(result.hint), result.hint
        keep(wrong.exercise, f"wrong: {wrong.answer.__name__.replace('_', ' ')}", result.hint)

    def test_the_solution_passes_twice(
        self, exercises: Lab, number: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COURSE_SEED", SEED)
        for _ in range(2):
            solve(exercises, self.chapter, number)
            for _ in range(2):
                result = exercises.check(number)
                assert result, result.hint
        keep(number, "solution, twice", None)

    def test_each_fault_is_there_and_its_hint_leads_to_it(self, exercises: Lab, fault: str) -> None:
        self.break_it(exercises, fault)
        result = exercises.check(self.repair)
        assert not result
        assert self.faults[fault] in str(result.hint), result.hint
        keep(self.repair, f"fault: {fault}", result.hint)

    def test_neighbours_get_different_faults(
        self, exercises: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scenes, chosen = set(), []
        for seed in range(len(faults_of(self.chapter))):
            monkeypatch.setenv("COURSE_SEED", str(seed))
            chosen.append(choose_fault(exercises, faults_of(self.chapter)))
            # Each fault has a test that looks at what it does: two of them are enough here.
            if seed < NEIGHBOURS:
                exercises.prepare(self.repair)
                scenes.add(self.scene(exercises))
        assert sorted(chosen) == sorted(faults_of(self.chapter))
        assert len(scenes) == NEIGHBOURS

    def test_each_exercise_has_two_wrong_answers(self) -> None:
        wrong = [case.exercise for case in self.wrong]
        assert all(wrong.count(number) > 1 for number in exercises_of(self.chapter))

    def test_no_hint_holds_the_command(self, number: str) -> None:
        nudge = exercises_of(self.chapter)[number].nudge
        assert not any(word in nudge for word in ("containers.", "docker run"))


def faults_of(chapter: str) -> Collection[str]:
    """Name the faults that the chapter's checks can inject."""
    module = chapter.partition("-")[2].replace("-", "_")
    faults: Collection[str] = importlib.import_module(f"lab.checks.{module}").FAULTS
    return faults


def solve(lab: Lab, chapter: str, number: str) -> None:
    """Run the cells of one exercise as the notebook has them, and of no other exercise."""
    notebook = nbformat.read(ROOT / "exercises" / f"{chapter}.ipynb", as_version=4)
    names: dict[str, object] = {"lab": lab}
    heading = ""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^## (\S+)", cell.source, re.MULTILINE) or [heading])[-1]
        elif heading == number and "lab.check(" not in cell.source:
            cells.append(cell.source)
    assert cells, f"{chapter} has no cells under the heading {number}"
    for source in cells:
        exec(source, names)  # noqa: S102  # the course's own cells


def keep(number: str, state: str, hint: str | None) -> None:
    """Note what a check said, for the table of `make prove`."""
    folder = ROOT / "_build/checks"
    folder.mkdir(parents=True, exist_ok=True)
    row = {"exercise": number, "state": state, "answer": hint or "passed"}
    name = re.sub(r"[^a-z0-9]+", "-", f"{number} {state}".lower())
    (folder / f"{name}.json").write_text(json.dumps(row))
