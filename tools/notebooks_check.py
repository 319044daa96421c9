"""Proves that the notebooks keep the house's rules; needs no engine and runs no cell."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import nbformat
import yaml
from notebooks_form import (
    code_cells,
    find_drawings,
    find_notebooks,
    normalise,
    read_notebook,
    text_of,
    to_bytes,
)
from notebooks_measure import CELL, before_you_start
from notebooks_plain import Pages, directives_left, plain_markdown

from facts import load_chapters, load_measured
from lab import LabError, checks
from widgets import drawings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbformat import NotebookNode

__all__ = ["Finding", "Report", "check_all"]

TAGS = frozenset(
    {
        "alone",
        "hide-output",
        "nbval-ignore-output",
        "needs-isolation",
        "needs-swarm",
        "raises-exception",
        "scroll-output",
        "solution",
    }
)
LONG_CELL, LONGEST_CELL = 10, 15
MOST_CODE_CELLS = 30
MOST_LINES, MOST_TEXT, MOST_HTML, MOST_NOTEBOOK = 20, 4_000, 40_000, 150_000
MOST_WITHOUT_OUTPUT = 0.35
SHORTEST_ALT = 40
OBJECTIVES = range(3, 6)
SECTIONS = range(3, 7)
FRAME = (
    "Objectives",
    "Before you start",
    "What can go wrong",
    "Summary",
    "Exercises",
    "Clean up",
)

_RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f-]+)?")
_READABLE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_BANNED = (
    (
        re.compile(r"^\s*[!%]", re.MULTILINE),
        "has a line that begins with ! or %",
        "write it in Python",
    ),
    (re.compile(r"\bsys\.path\b"), "changes sys.path", "import from the installed package"),
    (
        re.compile(r"#\s*(NBVAL|PYTEST_VALIDATE)"),
        "has a comment for nbval, which readers see",
        "use a tag",
    ),
)
_SENTENCE_END = re.compile(r"[a-z0-9`*_)\"'][.?!][*_)\"']* +[A-Z`*_\"]")
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|vs|cf|etc|approx)\. ", re.IGNORECASE)
# Lists, tables, quotations, headings, asides in parentheses, options of directives.
_NO_PARAGRAPH = re.compile(r"\s*([-*+|>#(:]|\d+\.)(\s|\S)")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_EXERCISE = re.compile(
    r"^## (\d+\.\d+) +(.*?) *\n+`{3,}\{exercise-start\} *\n:label: *ex-(\d+-\d+)\n:nonumber:",
    re.MULTILINE,
)
_MINUTES = re.compile(r"About (\d+) minutes?")
_CHECKED = re.compile(r"lab\.check\(\"([^\"]+)\"\)")


@dataclass(frozen=True)
class Finding:
    """One thing that breaks a rule.

    Attributes:
        file: The file, from the root.
        cell: The cell's id; empty for the whole file.
        what: What was found.
        remedy: What to do about it.
    """

    file: str
    cell: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return " · ".join((self.file, self.cell or "-", self.what, self.remedy))


@dataclass
class Report:
    """What was looked at.

    Attributes:
        findings: What has to be mended.
        notebooks: How many notebooks there are.
        cells: How many code cells.
        long: Cells that are allowed and longer than they should be.
        ignored: Cells whose output is not compared.
    """

    findings: list[Finding] = field(default_factory=list)
    notebooks: int = 0
    cells: int = 0
    long: int = 0
    ignored: int = 0


@dataclass(frozen=True)
class _Page:
    """A notebook and what every check needs of it."""

    name: str
    stem: str
    is_chapter: bool
    notebook: NotebookNode

    def says(self, what: str, remedy: str, cell: NotebookNode | None = None) -> Finding:
        return Finding(self.name, cell.id if cell is not None else "", what, remedy)


def check_all(root: Path, only: str | None = None) -> Report:
    """Check every notebook, and that each has the files that belong to it.

    Args:
        root: The repository.
        only: A chapter's digits or stem, to check only its notebooks.
    """
    report = Report()
    pages = Pages.of(root)
    order = _order(root)
    report.findings += _check_order(order)
    report.findings += _check_drawings(root, only)
    for path in find_notebooks(root, only):
        name = path.relative_to(root).as_posix()
        content = path.read_bytes()
        try:
            notebook = read_notebook(path)
        except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
            reason = str(error).split("\n")[0]
            report.findings.append(
                Finding(name, "", f"is no notebook: {reason}", "repair the file by hand")
            )
            continue
        page = _Page(name, path.stem, path.parent.name == "chapters", notebook)
        cells = code_cells(notebook)
        report.notebooks += 1
        report.cells += len(cells)
        report.long += sum(LONG_CELL < _length(cell) <= LONGEST_CELL for cell in cells)
        report.ignored += sum("nbval-ignore-output" in _tags(cell) for cell in cells)
        report.findings += _check_form(page, content)
        report.findings += _check_cells(page)
        report.findings += _check_outputs(page)
        report.findings += _check_prose(page, pages)
        report.findings += _check_frame(page)
        report.findings += _check_pairs(page, root, order)
        if page.is_chapter:
            report.findings += _check_figures(page, root)
        else:
            report.findings += _check_exercises(page)
    return report


def _check_drawings(root: Path, only: str | None) -> Iterator[Finding]:
    stems = {path.stem for path in find_notebooks(root, only)}
    for path in find_drawings(root):
        name = path.relative_to(root).as_posix()
        digits, _, what = path.stem.partition("_")
        chapters = [stem for stem in stems if stem.partition("-")[0] == digits]
        if not chapters:
            if only is None:
                yield Finding(name, "", "belongs to no chapter", "name it NN_what.svg")
            continue
        source = (root / "chapters" / f"{chapters[0]}.ipynb").read_text("utf-8")
        shown = re.search(rf"!\[([^\]]*)\]\({re.escape(path.name)}\)", source)
        if not what or not shown:
            yield Finding(name, "", f"{chapters[0]} does not show it", "show it, or delete it")
        elif len(shown[1]) < SHORTEST_ALT:
            yield Finding(name, "", "its alternative text is short", "say what the drawing says")
        for fault in drawings.faults(path.read_text("utf-8")):
            yield Finding(name, "", fault, "mend the drawing")
    for stem in stems:
        digits = stem.partition("-")[0]
        mine = [path for path in find_drawings(root) if path.stem.startswith(f"{digits}_")]
        if len(mine) > 1:
            yield Finding(mine[1].name, "", "is the chapter's second drawing", "keep the best one")


def _check_form(page: _Page, content: bytes) -> Iterator[Finding]:
    if to_bytes(normalise(page.notebook)) != content:
        yield page.says("is not in normal form", _rerun(page))
    if len(content) > MOST_NOTEBOOK:
        yield page.says(f"has {len(content)} bytes (at most {MOST_NOTEBOOK})", "show less")
    counts = [cell.execution_count for cell in code_cells(page.notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield page.says("its execution counts are not 1, 2, 3 and so on", _rerun(page))


def _check_cells(page: _Page) -> Iterator[Finding]:
    for cell in page.notebook.cells:
        if not _READABLE_ID.fullmatch(cell.id) or _RANDOM_ID.fullmatch(cell.id):
            yield page.says(
                "has an id that says nothing", "name the cell in words-with-hyphens", cell
            )
        yield from _check_tags(page, cell)
        if cell.cell_type not in ("code", "markdown"):
            yield page.says(f"is a {cell.cell_type} cell", "make it code or Markdown", cell)
    cells = code_cells(page.notebook)
    if len(cells) > MOST_CODE_CELLS:
        yield page.says(f"has {len(cells)} code cells (at most {MOST_CODE_CELLS})", "split it")
    for cell in cells:
        if _length(cell) > LONGEST_CELL:
            yield page.says(
                f"has {_length(cell)} lines of code (at most {LONGEST_CELL})",
                "split the cell, or move code into lab/",
                cell,
            )
        for pattern, what, remedy in _BANNED:
            if pattern.search(cell.source):
                yield page.says(what, remedy, cell)


def _check_tags(page: _Page, cell: NotebookNode) -> Iterator[Finding]:
    for tag in sorted(_tags(cell) - TAGS):
        yield page.says(f"unknown tag {tag}", f"use only {', '.join(sorted(TAGS))}", cell)
    asks = cell.cell_type == "code" and "lab.swarm(" in cell.source
    if asks and "needs-swarm" not in _tags(cell):
        yield page.says(
            "asks for a swarm, which some engines can't have",
            "tag it, and each cell that uses the swarm, needs-swarm",
            cell,
        )


def _check_outputs(page: _Page) -> Iterator[Finding]:
    cells = code_cells(page.notebook)
    for cell in cells:
        failed = any(output.output_type == "error" for output in cell.outputs)
        if failed and "raises-exception" not in _tags(cell):
            yield page.says("stores an error", "repair it, or tag it raises-exception", cell)
        if not failed and "raises-exception" in _tags(cell):
            yield page.says("is tagged raises-exception and stores no error", _rerun(page), cell)
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                yield page.says("stores a warning (stderr)", "mend what warns", cell)
            for mime, text in text_of(output):
                yield from _check_size(page, cell, mime, text)
    empty = sum(not cell.outputs for cell in cells)
    if empty > MOST_WITHOUT_OUTPUT * len(cells):
        yield page.says(
            f"{empty} of {len(cells)} code cells show nothing "
            f"(at most {MOST_WITHOUT_OUTPUT:.0%}), so nothing of them is compared",
            f"{_rerun(page)}, or let cells end with a value",
        )


def _check_size(page: _Page, cell: NotebookNode, mime: str, text: str) -> Iterator[Finding]:
    size = len(text.encode())
    if mime in ("image/png", "image/jpeg"):
        yield page.says(f"stores {mime}, which nbval can't compare", "show text or SVG", cell)
    elif mime == "text/plain":
        lines = text.rstrip("\n").count("\n") + 1
        if lines > MOST_LINES:
            yield page.says(f"shows {lines} lines (at most {MOST_LINES})", "choose rows", cell)
        if size > MOST_TEXT:
            yield page.says(f"shows {size} bytes of text (at most {MOST_TEXT})", "show less", cell)
    elif mime == "text/html" and size > MOST_HTML:
        yield page.says(f"stores {size} bytes of HTML (at most {MOST_HTML})", "show less", cell)


def _check_prose(page: _Page, pages: Pages) -> Iterator[Finding]:
    before: NotebookNode | None = None
    for cell in page.notebook.cells:
        if cell.cell_type == "markdown":
            if cell.get("attachments"):
                yield page.says("has an attached picture", "draw it as an SVG file", cell)
            for line in _paragraph_lines(cell.source):
                if _SENTENCE_END.search(_ABBREVIATION.sub("", line)):
                    yield page.says(
                        f"two sentences on one line: {line[:50]!r}",
                        "begin each sentence on a line of its own",
                        cell,
                    )
            for name in directives_left(plain_markdown(cell.source, page.name, pages)):
                yield page.says(
                    f"learners would see the directive {name} as raw text",
                    "use one that tools/notebooks_plain.py knows",
                    cell,
                )
        elif "nbval-ignore-output" in _tags(cell) and (
            before is None or "not compared" not in before.source
        ):
            yield page.says(
                "its output is ignored for no stated reason",
                "say in the Markdown cell before why it is not compared, in these words",
                cell,
            )
        before = cell if cell.cell_type == "markdown" else None


def _check_frame(page: _Page) -> Iterator[Finding]:
    kind = "ch" if page.is_chapter else "ex"
    label = f"({kind}-{page.stem.partition('-')[2]})="
    first = page.notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith(f"{label}\n# "):
        yield page.says(f"does not begin with {label} and the title", "write them first", first)
    titles = [heading for level, heading, _ in _headings(page) if level == 1]
    if len(titles) != 1:
        yield page.says(f"has {len(titles)} titles (#)", "have exactly one")
    cells = code_cells(page.notebook)
    exercises = "" if page.is_chapter else ", exercises=True"
    setup = f'from lab import open_lab\nlab = open_lab("{page.stem}"{exercises})'
    if not cells or cells[0].source != setup:
        yield page.says(
            f"its first code cell is not {setup!r}",
            "let it open the lab, in these two lines",
            cells[0] if cells else None,
        )
    last = page.notebook.cells[-1]
    if last.cell_type != "code" or last.source != "lab.close()":
        yield page.says("does not end with lab.close()", "let the last cell clean up", last)
    if page.is_chapter:
        yield from _check_sections(page)


def _check_sections(page: _Page) -> Iterator[Finding]:
    sections = [(heading, cell) for level, heading, cell in _headings(page) if level == 2]  # noqa: PLR2004  # ## is level 2
    names = [heading for heading, _ in sections]
    frame = [name for name in names if name in FRAME]
    for name in FRAME:
        if name not in frame:
            yield page.says(f"has no section '{name}'", f"add '## {name}'")
    if sorted(frame) == sorted(FRAME) and frame != list(FRAME):
        yield page.says(f"its frame is in another order: {', '.join(frame)}", "keep the order")
    own = [name for name in names if name not in (*FRAME, "Then and now")]
    if len(own) not in SECTIONS:
        yield page.says(
            f"has {len(own)} sections of its own",
            f"have {SECTIONS[0]} to {SECTIONS[-1]}",
        )
    for name, cell in sections:
        bullets = len(re.findall(r"^- ", cell.source, re.MULTILINE))
        if name == "Objectives" and bullets not in OBJECTIVES:
            yield page.says(
                f"has {bullets} objectives",
                f"have {OBJECTIVES[0]} to {OBJECTIVES[-1]}, each a list item",
                cell,
            )
        link = f"(../exercises/{page.stem}.ipynb)"
        if name == "Exercises" and link not in cell.source:
            yield page.says("does not link its exercises", f"link {link}", cell)
    if not any(f'SelfCheck("{page.stem}")' in cell.source for cell in code_cells(page.notebook)):
        yield page.says("has no self-check", f'show SelfCheck("{page.stem}") in the summary')


def _check_pairs(page: _Page, root: Path, order: list[tuple[str, str]]) -> Iterator[Finding]:
    chapter, exercises = f"chapters/{page.stem}", f"exercises/{page.stem}"
    other = exercises if page.is_chapter else chapter
    if not (root / f"{other}.ipynb").exists():
        yield page.says(f"{other}.ipynb is missing", "a chapter and its exercises are a pair")
    if not page.is_chapter:
        return
    questions = f"widgets/questions/{page.stem}.yaml"
    if not (root / questions).exists():
        yield page.says(f"{questions} is missing", "write its self-check questions")
    try:
        checks.exercises_of(page.stem)
    except LabError:
        module = page.stem.partition("-")[2].replace("-", "_")
        yield page.says(f"lab/checks/{module}.py is missing", "write the exercises' checks")
    if (chapter, exercises) not in order:
        yield page.says(
            f"_toc.yml does not list {chapter} with {exercises} beneath it", "add both there"
        )


def _check_figures(page: _Page, root: Path) -> Iterator[Finding]:
    chapters = load_chapters(root / "facts" / "chapters.yaml")
    measured = load_measured(root / "facts" / "measured.yaml")
    cell = next((cell for cell in page.notebook.cells if cell.id == CELL), None)
    if page.stem not in chapters:
        yield page.says("facts/chapters.yaml has no row for it", "write one")
    elif page.stem not in measured:
        yield page.says("facts/measured.yaml has no row for it", _remeasure(page))
    elif cell is None or cell.source != before_you_start(chapters[page.stem], measured[page.stem]):
        yield page.says("its cell is not what the tables in facts/ give", _remeasure(page), cell)


def _check_exercises(page: _Page) -> Iterator[Finding]:
    declared = checks.exercises_of(page.stem) if page.stem in checks.chapters() else {}
    prose = "\n".join(cell.source for cell in page.notebook.cells if cell.cell_type == "markdown")
    told: dict[str, tuple[str, str]] = {}
    for mark in _EXERCISE.finditer(prose):
        number, title = mark[1], mark[2]
        if mark[3] != number.replace(".", "-"):
            yield page.says(
                f"exercise {number} has the label ex-{mark[3]}", "let heading and label agree"
            )
        told[number] = (title, prose[mark.end() :].partition("{exercise-end}")[0])
    checked = Counter(
        number for cell in code_cells(page.notebook) for number in _CHECKED.findall(cell.source)
    )
    for number in sorted(set(told) ^ set(declared)):
        where = "the notebook" if number in declared else "lab/checks"
        yield page.says(f"exercise {number} is missing in {where}", "have it in both")
    for number in sorted(set(told) & set(declared)):
        title, text = told[number]
        exercise = declared[number]
        if title != exercise.title:
            yield page.says(
                f"exercise {number} is called {title!r} here and {exercise.title!r} in lab/checks",
                "give it one name",
            )
        if (minutes := _MINUTES.search(text)) and int(minutes[1]) != exercise.minutes:
            yield page.says(
                f"exercise {number} takes {minutes[1]} minutes here and {exercise.minutes} in "
                "lab/checks",
                "say the same in both",
            )
        if not checked[number]:
            yield page.says(
                f"exercise {number} is never checked", f'add a cell lab.check("{number}")'
            )
    yield from _check_solutions(page)


def _check_solutions(page: _Page) -> Iterator[Finding]:
    solving = False
    for cell in page.notebook.cells:
        if cell.cell_type == "markdown":
            for mark in re.findall(r"\{solution-(start|end)\}", cell.source):
                if solving == (mark == "start"):
                    yield page.says(f"solution-{mark} has no partner", "pair start and end", cell)
                solving = mark == "start"
        elif solving and "solution" not in _tags(cell):
            yield page.says("is part of a solution", "tag it solution", cell)
        elif not solving and "solution" in _tags(cell):
            yield page.says(
                "is tagged solution and stands outside the marks",
                "put it between solution-start and solution-end",
                cell,
            )
    if solving:
        yield page.says("its last solution does not end", "add solution-end")


def _order(root: Path) -> list[tuple[str, str]]:
    """Read from _toc.yml each numbered chapter, with the exercises beneath it."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [
        (entry["file"], "".join(inner["file"] for inner in entry.get("sections", [])))
        for part in toc.get("parts", [])
        for entry in part["chapters"]
        if re.match(r"chapters/\d", entry["file"])
    ]


def _check_order(order: list[tuple[str, str]]) -> Iterator[Finding]:
    chapters = [chapter for chapter, _ in order]
    digits = [chapter.partition("/")[2].partition("-")[0] for chapter in chapters]
    for before, after, chapter in zip(digits, digits[1:], chapters[1:], strict=False):
        if before >= after:
            yield Finding(
                "_toc.yml", "", f"{chapter} stands after {before}", "let digits and order agree"
            )


def _headings(page: _Page) -> Iterator[tuple[int, str, NotebookNode]]:
    for cell in page.notebook.cells:
        if cell.cell_type == "markdown":
            for line in _outside_fences(cell.source):
                if found := re.match(r"(#+) +(.*)", line):
                    yield len(found[1]), found[2].strip(), cell


def _paragraph_lines(text: str) -> Iterator[str]:
    for line in _outside_fences(text):
        if line and not line.startswith("  ") and not _NO_PARAGRAPH.match(line):
            yield line


def _outside_fences(text: str) -> Iterator[str]:
    fence = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and found[1] == fence:
            fence = ""
        elif not fence:
            yield line


def _length(cell: NotebookNode) -> int:
    return sum(bool(line.strip()) for line in cell.source.split("\n"))


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _rerun(page: _Page) -> str:
    return f"run `make notebooks ONLY={page.stem.partition('-')[0]}`"


def _remeasure(page: _Page) -> str:
    return (
        f"run `make test ONLY={page.stem.partition('-')[0]} WORKERS=0`, "
        "then `.venv/bin/python tools/notebooks.py measure`"
    )
