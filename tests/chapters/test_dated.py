"""Whatever the prose dates, a reader can look up.

A sentence with a year links to where that is written, or is made from `facts/` when the site is
built, or stands in `TRACED` with the fact that it rests on.
"""

from __future__ import annotations

import re

import pytest

from facts import load_facts

from .prose import ROOT, chapters, prose, sentences

TRACED = {
    "along the arc of a talk from 2019": "sources.talk",
    "that this course grows from said in 2019": "claims.T04",
    "in June 2019, control groups meant version 1": "claims.T06",
    "a talk, given on 22 June 2019": "sources.talk",
}
"""Words of a sentence, and the fact that they rest on."""

_YEAR = re.compile(r"\b20[12]\d\b")
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\]\(https://[^)]+\)")


def untraced(text: str) -> list[str]:
    """The sentences that date something and do not say where that can be looked up."""
    return [
        line
        for line in sentences(text)
        if _YEAR.search(_LINK.sub("]", _CODE.sub("", line)))
        and not _LINK.search(line)
        and not any(words in line for words in TRACED)
    ]


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in chapters()])
def test_a_sentence_with_a_year_can_be_looked_up(page: str) -> None:
    found = untraced(prose(ROOT / page))
    assert not found, (
        "These sentences date something. Link each to where that is written, draw it from facts/ "
        "with the directive `facts`, or add its words and its fact to TRACED:\n" + "\n".join(found)
    )


@pytest.mark.parametrize(("words", "fact"), TRACED.items())
def test_what_is_traced_by_hand_is_there_and_rests_on_a_fact(words: str, fact: str) -> None:
    assert load_facts().find(fact), f"there is no fact {fact}"
    assert any(words in prose(path) for path in chapters()), f"no page says {words!r} any more"


@pytest.mark.parametrize(
    ("text", "is_traced"),
    [
        ("It ended in 2021.", False),
        ("| ECS Exec | since 2021 |", False),
        ("It ended [in 2021](https://example.com/end).", True),
        ("It ended in 2021, [as we saw](#ch-images).", False),
        ("See [its page](https://example.com/2021/end).", True),
        ("`echo 2021` prints a number.", True),
        ("It took 2000 tries, and 12020 more.", True),
        ("The course keeps along the arc of a talk from 2019.", True),
    ],
)
def test_a_date_is_seen(text: str, is_traced: bool) -> None:  # noqa: FBT001  # a table's column
    assert (not untraced(text)) is is_traced
