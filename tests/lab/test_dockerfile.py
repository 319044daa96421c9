from __future__ import annotations

import pytest

from lab.dockerfile import LabelledDockerfile

LABELS = {"course": "c", "learner": "ada"}
LABEL = 'LABEL course="c" learner="ada"'


def labelled(*lines: str) -> list[str]:
    return LabelledDockerfile("\n".join(lines), LABELS).text.split("\n")


def test_each_stage_begins_with_the_labels() -> None:
    assert labelled("# why", "ARG BASE", "FROM $BASE AS made", "RUN make", "from scratch") == [
        "# why", "ARG BASE", "FROM $BASE AS made", LABEL, "RUN make", "from scratch", LABEL,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        ("RUN echo \\", "FROM here"),
        ("RUN echo \\", "# a word", "FROM here"),
        ("# FROM here",),
        ("COPY FROM /",),
    ],
)
def test_what_only_looks_like_a_stage_is_left_alone(lines: tuple[str, ...]) -> None:
    assert labelled(*lines) == list(lines)


def test_a_stage_may_begin_on_two_lines() -> None:
    assert labelled("FROM course/base:1 \\", "  AS made", "RUN make") == [
        "FROM course/base:1 \\", "  AS made", LABEL, "RUN make",
    ]  # fmt: skip


def test_messages_speak_of_the_lines_as_they_were_written() -> None:
    dockerfile = LabelledDockerfile("FROM a AS b\nRUN c\nFROM d\nBUILD e /\n", LABELS)
    said = "dockerfile parse error line 6: unknown instruction: BUILD"
    assert dockerfile.as_written(said) == said.replace("6", "4")
    assert dockerfile.as_written("parse error line 1: x") == "parse error line 1: x"
