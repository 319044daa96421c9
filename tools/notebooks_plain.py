"""Turns the book's MyST Markdown into what JupyterLab shows as it is meant."""

from __future__ import annotations

import datetime as dt
import html
import itertools
import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import nbformat
from notebooks_form import find_notebooks

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Pages", "directives_left", "plain_markdown"]

# Shown as a quotation that begins with its own name, or folded.
ADMONITIONS = ("admonition", "dropdown", "hint", "important", "note", "seealso", "tip", "warning")

_LABEL = re.compile(r"^\(([\w-]+)\)=\s*$")
_HEADING = re.compile(r"^#+ +(.*?)\s*$")
_OPENING = re.compile(r"^(`{3,}|:{3,})\{([\w-]+)\}\s*(.*?)\s*$")
_OPTION = re.compile(r"^:([\w-]+):\s*(.*?)\s*$")
_ROLE = re.compile(r"\{[\w:-]+\}`([^`<]*?)\s*(?:<([^>`]+)>)?`")
_EMPTY_LINK = re.compile(r"\[\]\(([^)\s]+)\)")
_LABEL_LINK = re.compile(r"\[([^\]]+)\]\((#[\w-]+)\)")


@dataclass(frozen=True)
class Pages:
    """What the pages of the book are called, so that a reference can say it.

    Attributes:
        titles: Each page's first heading, by its path from the root.
        labels: The page and the heading of each label.
    """

    titles: dict[str, str] = field(default_factory=dict)
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Pages:
        """Read the headings and labels of all pages of the book."""
        pages = cls()
        for path in [*find_notebooks(root), *sorted((root / "chapters").glob("*.md"))]:
            pages._add(path.relative_to(root).as_posix(), _markdown_of(path))
        return pages

    def link(self, target: str, text: str, page: str) -> str:
        """Write a reference as a relative link, or as plain text where its target is unknown.

        Args:
            target: A label, or a page as it is written on the referring page.
            text: What to show; the target's heading when empty.
            page: The referring page's path from the root.
        """
        folder = PurePosixPath(page).parent
        label = target.removeprefix("#")
        if label in self.labels:
            where, heading = self.labels[label]
            return f"[{text or heading}]({os.path.relpath(where, folder)})"
        for ending in ("", ".ipynb", ".md"):
            where = os.path.normpath(folder / (target + ending))
            if where in self.titles:
                return f"[{text or self.titles[where]}]({target}{ending})"
        return text or target

    def table(self, asked: str, page: str) -> list[str]:
        """Draw a table of `facts/` as lines of HTML, which JupyterLab's Markdown may hold.

        One that tells how old each fact is today is none for a copy that stays as it is.

        Args:
            asked: The table's name and rows, as the directive ``facts`` gets them.
            page: The path from the root of the page that it stands on.
        """
        # Plotly and all facts come with it: only who needs them waits for them.
        from widgets.fact_tables import Book, make_table  # noqa: PLC0415

        name, *rows = asked.split()
        if name == "ages":
            return ["*A table here tells how old each fact is today: `make site` builds it.*"]
        chapters = {
            PurePosixPath(path).stem: path for path in self.titles if path.startswith("chapters/")
        }
        folder = PurePosixPath(page).parent
        book = Book(
            # No other table depends on the day.
            today=dt.date.min,
            titles={stem: self.titles[path] for stem, path in chapters.items()},
            addresses={stem: os.path.relpath(path, folder) for stem, path in chapters.items()},
        )
        # An empty line would end the HTML.
        return ["", *filter(str.strip, make_table(name, rows, book).split("\n")), ""]

    def _add(self, page: str, markdown: str) -> None:
        label = None
        for line in markdown.split("\n"):
            if found := _LABEL.match(line):
                label = found[1]
            elif found := _HEADING.match(line):
                self.titles.setdefault(page, found[1])
                if label:
                    self.labels[label] = (page, found[1])
                label = None


def plain_markdown(text: str, page: str, pages: Pages) -> str:
    """Turn labels, directives and roles into headings, quotations and links.

    Args:
        text: MyST Markdown.
        page: The path from the root of the page that it stands on.
        pages: The pages that it may refer to.
    """
    lines: list[str] = []
    source = iter(text.split("\n"))
    fence = None
    for line in source:
        if fence is not None:
            lines.append(line)
            fence = None if line.strip() == fence else fence
        elif opening := _OPENING.match(line):
            lines += _directive(opening, _body(source, opening[1]), page, pages)
        elif line.startswith("```"):
            fence = line[: len(line) - len(line.lstrip("`"))]
            lines.append(line)
        elif not _LABEL.match(line):
            lines.append(_inline(line, page, pages))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def directives_left(text: str) -> list[str]:
    """List the directives in a text that JupyterLab would show as raw source."""
    return [found[2] for line in text.split("\n") if (found := _OPENING.match(line))]


def _inline(line: str, page: str, pages: Pages) -> str:
    def role(found: re.Match[str]) -> str:
        text, target = found[1], found[2]
        return pages.link(target or text, text if target else "", page)

    line = _ROLE.sub(role, line)
    line = _LABEL_LINK.sub(lambda found: pages.link(found[2], found[1], page), line)
    return _EMPTY_LINK.sub(lambda found: pages.link(found[1], "", page), line)


def _body(rest: Iterator[str], fence: str) -> list[str]:
    return list(itertools.takewhile(lambda line: line.strip() != fence, rest))


def _directive(opening: re.Match[str], body: list[str], page: str, pages: Pages) -> list[str]:
    name, title = opening[2], opening[3]
    options: dict[str, str] = {}
    while body and (option := _OPTION.match(body[0])):
        options[option[1]] = option[2]
        body = body[1:]
    inside = plain_markdown("\n".join(body), page, pages).split("\n")
    if name in ("exercise-start", "exercise-end", "solution-start", "solution-end"):
        return []
    if name in ADMONITIONS:
        is_folded = "dropdown" in (name, *options.get("class", "").split())
        return (_folded if is_folded else _quoted)(title or name.capitalize(), inside)
    if name in ("code-block", "code"):
        return [f"```{title}", *body, "```"]
    if name == "glossary":
        return [f"**{line}**  " if line[:1].strip() else line.strip() for line in inside]
    if name == "facts":
        return pages.table(title, page)
    return [opening[0], *body, opening[1]]


def _folded(heading: str, inside: list[str]) -> list[str]:
    summary = f"<summary><b>{html.escape(heading)}</b></summary>"
    return ["<details>", summary, "", *inside, "", "</details>"]


def _quoted(heading: str, inside: list[str]) -> list[str]:
    return [f"> **{heading}**", ">", *(f"> {line}".rstrip() for line in inside)]


def _markdown_of(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except nbformat.reader.NotJSONError:
        # It has no headings to refer to; what is wrong with it, `check` says.
        return ""
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
