"""The glossary's words are used, and each is met first where the glossary says so."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from .prose import ROOT, chapters, label, prose

_ENTRY = re.compile(r"((?:^\w.*\n)+)((?: +.*\n)+)", re.MULTILINE)
_FIRST = re.compile(r"Met first in \[\]\(#([\w-]+)\)")
_ROLE = re.compile(r"\{term\}`(?:[^`<]*<([^>]+)>|([^`<]+))`")
_NOT_WORDS = re.compile(r"^!\[.*$|`[^`]*`|\]\([^)]*\)", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    names: tuple[str, ...]
    first: str

    def __str__(self) -> str:
        return self.names[0]

    def used_in(self, text: str) -> str:
        """How a text names it, code and addresses apart; empty if it does not."""
        for name in self.names:
            stem = re.escape(name.removesuffix("y"))
            found = re.search(rf"\b{stem}(y|ies|s)?\b", _NOT_WORDS.sub("", text), re.IGNORECASE)
            if found:
                return found[0]
        return ""


def entries() -> list[Entry]:
    body = (ROOT / "chapters/glossary.md").read_text("utf-8").partition(":sorted:\n")[2]
    found = []
    for names, definition in _ENTRY.findall(body):
        first = _FIRST.search(definition)
        assert first, f"the glossary does not say where {names.strip()!r} is met first"
        found.append(Entry(tuple(names.strip().split("\n")), first[1]))
    return found


def linked(text: str) -> set[str]:
    return {aim or shown for aim, shown in _ROLE.findall(text)}


ENTRIES = entries()
PAGES = {label(path): prose(path) for path in chapters() if path.stem != "glossary"}


def test_every_link_to_the_glossary_finds_its_entry() -> None:
    named = {name for entry in ENTRIES for name in entry.names}
    assert {term for text in PAGES.values() for term in linked(text)} <= named
    assert len(named) > 40


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_a_term_is_linked_first_where_the_glossary_says(entry: Entry) -> None:
    pages = [page for page, text in PAGES.items() if linked(text) & set(entry.names)]
    assert pages, f"no page links {entry}: link it where it is met first, or take it out"
    assert pages[0] == entry.first, f"{pages[0]} links {entry}, said to be met in {entry.first}"


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_no_earlier_chapter_uses_a_term(entry: Entry) -> None:
    for page, text in PAGES.items():
        if page == entry.first:
            return
        # The pages before the first chapter use a few words that they can't explain yet.
        used = entry.used_in(text) if page.startswith("ch-") else ""
        assert not used, f"{page} uses {used!r} first: link it there, and say so in the glossary"
    pytest.fail(f"{entry} is said to be met in {entry.first}, which is no page")
