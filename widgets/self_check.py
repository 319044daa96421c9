"""Self-check questions at the end of a chapter, with feedback for every answer."""

from pathlib import Path
from typing import Annotated

import traitlets
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from widgets.base import CourseWidget

__all__ = ["Option", "Question", "QuestionsError", "SelfCheck", "load_questions"]

QUESTIONS = Path(__file__).parent / "questions"

_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class QuestionsError(ValueError):
    """Says which file and which question is wrong, and what its author can do about it."""


class Option(BaseModel):
    """One answer that a reader can choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: _Words
    feedback: _Words
    correct: bool = False


class Question(BaseModel):
    """One question; exactly one of its options is correct."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    question: _Words
    options: Annotated[tuple[Option, ...], Field(min_length=2, max_length=6)]

    @field_validator("options")
    @classmethod
    def _one_is_correct(cls, options: tuple[Option, ...]) -> tuple[Option, ...]:
        count = sum(option.correct for option in options)
        if count != 1:
            raise ValueError(f"{count} options are correct; mark exactly one with 'correct: true'")
        return options

    @property
    def answer(self) -> int:
        """Tells which option is correct, counted from 0."""
        return next(index for index, option in enumerate(self.options) if option.correct)


def load_questions(chapter: str, folder: Path = QUESTIONS) -> list[Question]:
    """Reads the questions of a chapter and proves that they are complete.

    Args:
        chapter: The chapter's stem, like "05-life-cycle".
        folder: Where the files are.

    Raises:
        QuestionsError: There is no such file, or something in it is missing, unknown or twice.
    """
    path = folder / f"{chapter}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise QuestionsError(
            f"There are no questions for {chapter!r}. Chapters that have: {known}."
        )
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise QuestionsError(f"{path.name} is no YAML. Mend this place: {error}") from error
    try:
        questions = TypeAdapter(list[Question]).validate_python(data)
    except ValidationError as error:
        raise QuestionsError(_explain(path.name, data, error)) from error
    ids = [question.id for question in questions]
    for name in ids:
        if ids.count(name) > 1:
            raise QuestionsError(f"{path.name}: two questions have the id {name!r}. Rename one.")
    return questions


class SelfCheck(CourseWidget):
    """Asks the self-check questions of a chapter and answers each choice with feedback.

    Args:
        chapter: The chapter's stem; its questions stand in `widgets/questions/<chapter>.yaml`.

    Raises:
        QuestionsError: The chapter has no questions, or they are not complete.

    Example:
        >>> SelfCheck("05-life-cycle")  # doctest: +SKIP
    """

    answers = traitlets.Dict(help="the correct option of each question").tag(sync=True, page=True)
    tries = traitlets.Dict(help="the options that were tried, by question").tag(
        sync=True, page=True
    )

    def __init__(self, chapter: str, **options: object) -> None:
        self._chapter = chapter
        self._questions = load_questions(chapter)
        super().__init__(**options)
        self.answers = {question.id: question.answer for question in self._questions}

    def _context(self) -> dict[str, object]:
        return {"chapter": self._chapter, "questions": self._questions}

    def _text(self) -> str:
        lines = [f"Self-check of chapter {self._chapter}: {len(self._questions)} questions"]
        return "\n".join([*lines, *(f"- {question.question}" for question in self._questions)])


def _explain(file: str, data: object, error: ValidationError) -> str:
    lines = [f"{file} has questions that are not complete:"]
    for fault in error.errors():
        first, *rest = fault["loc"] or ("",)
        where = ""
        if isinstance(data, list) and isinstance(first, int):
            name = data[first].get("id") if isinstance(data[first], dict) else None
            where = f"question {first + 1}{f' ({name})' if name else ''}: "
        at = " ".join(str(part + 1) if isinstance(part, int) else part for part in rest)
        lines.append(f"- {where}{at + ': ' if at else ''}{fault['msg']}")
    lines.append(
        "A question has id, question and options; an option has text and feedback, and one option "
        "of each question has 'correct: true'."
    )
    return "\n".join(lines)
