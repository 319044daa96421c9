from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from widgets import SelfCheck
from widgets.self_check import QUESTIONS, QuestionsError, load_questions

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
- id: first
  question: Which?
  options:
    - {text: This, correct: true, feedback: Yes.}
    - {text: That, feedback: No.}
"""
BAD = {
    "no correct option": (
        GOOD.replace(", correct: true", ""),
        "question 1 (first): options: Value error, 0 options are correct; mark exactly one",
    ),
    "two correct options": (
        GOOD.replace("That,", "That, correct: true,"),
        "question 1 (first): options: Value error, 2 options are correct; mark exactly one",
    ),
    "empty feedback": (
        GOOD.replace("No.", '" "'),
        "question 1 (first): options 2 feedback: String should have at least 1 character",
    ),
    "no feedback": (
        GOOD.replace(", feedback: No.", ""),
        "question 1 (first): options 2 feedback: Field required",
    ),
    "unknown key": (
        GOOD.replace("question:", "hint: x\n  question:"),
        "question 1 (first): hint: Extra inputs are not permitted",
    ),
    "one option": (
        GOOD.rpartition("    -")[0],
        "question 1 (first): options: Tuple should have at least 2 items",
    ),
    "no id": (GOOD.replace("id: first\n  ", ""), "question 1: id: Field required"),
    "same id": (GOOD + GOOD, "two questions have the id 'first'. Rename one."),
    "no list": ("questions: []", "Input should be a valid list"),
    "a word for a question": ("- why", "question 1: Input should be a valid dictionary"),
    "no YAML": ("- [", "is no YAML. Mend this place"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_fault_names_the_file_and_the_question(fault: str, tmp_path: Path) -> None:
    text, message = BAD[fault]
    (tmp_path / "07-x.yaml").write_text(text, "utf-8")
    with pytest.raises(QuestionsError) as raised:
        load_questions("07-x", tmp_path)
    assert "07-x.yaml" in str(raised.value)
    assert message in str(raised.value)


def test_good_questions_are_read(tmp_path: Path) -> None:
    (tmp_path / "07-x.yaml").write_text(GOOD, "utf-8")
    (question,) = load_questions("07-x", tmp_path)
    assert (question.id, question.answer) == ("first", 0)


def test_an_unknown_chapter_names_the_known_ones() -> None:
    with pytest.raises(QuestionsError, match=r"Chapters that have: .*05-life-cycle"):
        SelfCheck("05-lifecycle")


@pytest.mark.parametrize("file", sorted(QUESTIONS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_chapter_has_three_to_five_questions(file: Path) -> None:
    questions = load_questions(file.stem)
    assert 3 <= len(questions) <= 5
    # A reader who always takes the same place must not be right.
    assert len({question.answer for question in questions}) > 1


def test_every_feedback_can_be_read_without_a_script() -> None:
    markup = SelfCheck("05-life-cycle").markup
    options = [option for q in load_questions("05-life-cycle") for option in q.options]
    assert markup.count("data-option=") == len(options)
    assert "<code>web.stop()</code> takes ten seconds" in markup
