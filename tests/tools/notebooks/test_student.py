from __future__ import annotations

import re
from typing import TYPE_CHECKING

import nbformat
import pytest
from notebooks_form import ROOT, find_notebooks
from notebooks_plain import Pages, plain_markdown
from notebooks_student import give_copies

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nbformat import NotebookNode

    from tests.tools.notebooks.conftest import House

EXERCISES = "exercises/05-life-cycle.ipynb"
CHAPTER = "chapters/05-life-cycle.ipynb"


def read(path: Path) -> NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def cells(path: Path, kind: str) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == kind]


def test_no_solution_and_no_output_survives(house: House, tmp_path: Path) -> None:
    give_copies(house.root, tmp_path / "learn")
    copy = tmp_path / "learn" / EXERCISES
    assert "secret" not in copy.read_text()
    assert "solution-start" not in copy.read_text()
    for cell in read(copy).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_course_s_own_solutions_do_not_survive(tmp_path: Path) -> None:
    give_copies(ROOT, tmp_path)
    for path in find_notebooks(ROOT):
        if path.parent.name != "exercises":
            continue
        copy = read(tmp_path / "exercises" / path.name)
        assert not any(cell.get("outputs") for cell in copy.cells)
        code = [cell for cell in read(path).cells if cell.cell_type == "code"]
        solves = [cell for cell in code if "solution" in cell.metadata.get("tags", [])]
        # What the problem gives, a solution may say again.
        secret = lines_of(solves) - lines_of(cell for cell in code if cell not in solves)
        assert solves
        assert not secret & lines_of(copy.cells)


def lines_of(cells: Iterable[NotebookNode]) -> set[str]:
    return {line.strip() for cell in cells for line in cell.source.split("\n")} - {""}


def test_one_empty_cell_stands_in_the_place_of_each_solution(house: House, tmp_path: Path) -> None:
    give_copies(house.root, tmp_path / "learn")
    code = cells(tmp_path / "learn" / EXERCISES, "code")
    assert code.count("# Your turn") == 5
    assert code[1:3] == ["# Your turn", 'lab.check("05.1")']


def test_the_problems_are_read_as_plain_markdown(house: House, tmp_path: Path) -> None:
    give_copies(house.root, tmp_path / "learn")
    prose = cells(tmp_path / "learn" / EXERCISES, "markdown")
    assert prose[0] == "# Exercises: life cycle"
    assert prose[1] == (
        "## 05.1 Four containers, four states\n\n*About 5 minutes.*\nThe problem of 05.1."
    )


def test_a_widget_that_sleeps_says_how_to_wake_it(tmp_path: Path) -> None:
    give_copies(ROOT, tmp_path)
    outputs = [
        output.data
        for cell in read(tmp_path / CHAPTER).cells
        for output in cell.get("outputs", [])
        if "SelfCheck(" in cell.source
    ]
    assert outputs
    for data in outputs:
        assert list(data) == ["text/plain"]
        assert data["text/plain"].startswith("Run this cell: what it shows comes alive then.")


def test_a_chapter_keeps_its_outputs(house: House, tmp_path: Path) -> None:
    give_copies(house.root, tmp_path / "learn")
    chapter = read(tmp_path / "learn" / CHAPTER)
    assert next(cell for cell in chapter.cells if cell.id == "one").outputs
    assert "{note}" not in "\n".join(cell.source for cell in chapter.cells)


def test_the_copies_of_the_course_show_no_raw_directive_or_role(tmp_path: Path) -> None:
    give_copies(ROOT, tmp_path)
    for path in [*tmp_path.rglob("*.ipynb"), *tmp_path.rglob("*.md")]:
        prose = path.read_text() if path.suffix == ".md" else "\n".join(cells(path, "markdown"))
        assert not re.search(r"^(```|:::)\{|\{[\w:-]+\}`|^\([\w-]+\)=", prose, re.MULTILINE)


def test_a_changed_copy_is_never_overwritten(house: House, tmp_path: Path) -> None:
    learn = tmp_path / "learn"
    assert sorted(give_copies(house.root, learn).made) == [CHAPTER, "chapters/setup.md", EXERCISES]
    mine = (learn / EXERCISES).read_text().replace("# Your turn", "my_own_work = 1")
    (learn / EXERCISES).write_text(mine)

    again = give_copies(house.root, learn)
    assert (again.made, again.renewed, again.kept) == ([], [], [])

    house.edit_cell("one", lambda cell: cell.__setitem__("source", "1 + 1  # new"))
    house.edit_cell("title", lambda cell: cell.__setitem__("source", cell.source + "\n\nNew."))
    house.edit(
        house.exercises, lambda notebook: notebook.cells[0].__setitem__("source", "# New edition")
    )
    updated = give_copies(house.root, learn)
    assert (updated.renewed, updated.kept) == ([CHAPTER], [EXERCISES])
    assert (learn / EXERCISES).read_text() == mine
    assert "1 + 1  # new" in (learn / CHAPTER).read_text()


def test_the_new_edition_is_to_be_had_beside_the_changed_copy(house: House, tmp_path: Path) -> None:
    learn = tmp_path / "learn"
    give_copies(house.root, learn)
    (learn / EXERCISES).write_text("mine")
    given = give_copies(house.root, learn, fresh=True)
    assert given.beside == ["exercises/05-life-cycle.new.ipynb"]
    assert (learn / EXERCISES).read_text() == "mine"
    assert cells(learn / "exercises" / "05-life-cycle.new.ipynb", "code")


def test_a_lost_list_of_what_was_given_overwrites_nothing(house: House, tmp_path: Path) -> None:
    learn = tmp_path / "learn"
    give_copies(house.root, learn)
    (learn / ".given.json").unlink()
    (learn / EXERCISES).write_text("mine")
    give_copies(house.root, learn)
    assert (learn / EXERCISES).read_text() == "mine"


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("(ch-x)=\n# Title", "# Title"),
        ("{ref}`the start <setup>`", "[the start](setup.md)"),
        ("{ref}`setup`", "[Set-up](setup.md)"),
        ("{doc}`setup`", "[Set-up](setup.md)"),
        ("{doc}`there <setup>`", "[there](setup.md)"),
        ("{doc}`../exercises/05-life-cycle`", "[Exercises](../exercises/05-life-cycle.ipynb)"),
        ("[](#ex-life-cycle)", "[Exercises](../exercises/05-life-cycle.ipynb)"),
        ("[](setup.md)", "[Set-up](setup.md)"),
        ("[here](setup.md)", "[here](setup.md)"),
        ("a {term}`volume`", "a volume"),
        ("{term}`volumes <volume>`", "volumes"),
        ("{ref}`nowhere`", "nowhere"),
        ("`{ref}` is code", "`{ref}` is code"),
        ("```{note}\nTake care.\n```", "> **Note**\n>\n> Take care."),
        (
            ":::{admonition} On a Mac\n:class: dropdown\n\nIt is {ref}`setup`.\n:::",
            (
                "<details>\n<summary><b>On a Mac</b></summary>\n\nIt is [Set-up](setup.md).\n\n"
                "</details>"
            ),
        ),
        ("```{code-block} python\n:caption: x\n1 + 1\n```", "```python\n1 + 1\n```"),
        ("```python\n(x)=\n```", "```python\n(x)=\n```"),
        (
            "```{facts} ages\n```",
            "*A table here tells how old each fact is today: `make site` builds it.*",
        ),
        (
            "```{glossary}\n:sorted:\n\nhost\n  A machine, see {ref}`setup`.\n```",
            "**host**  \nA machine, see [Set-up](setup.md).",
        ),
        ("[the pages](#setup) and [more](#nowhere)", "[the pages](setup.md) and more"),
        ("[a page](setup.md) and [elsewhere](https://example.com/#setup)",) * 2,
        ("````{note}\n```\ncode\n```\n````", "> **Note**\n>\n> ```\n> code\n> ```"),
    ],
)
def test_myst_becomes_plain_markdown(myst: str, plain: str) -> None:
    pages = Pages(
        titles={"chapters/setup.md": "Set-up", "exercises/05-life-cycle.ipynb": "Exercises"},
        labels={
            "setup": ("chapters/setup.md", "Set-up"),
            "ex-life-cycle": ("exercises/05-life-cycle.ipynb", "Exercises"),
        },
    )
    assert plain_markdown(myst, "chapters/05-life-cycle.ipynb", pages) == plain


def test_a_table_of_facts_is_drawn_in_the_copy() -> None:
    pages = Pages(titles={"chapters/05-life-cycle.ipynb": "Life cycle"})
    table = plain_markdown("```{facts} claims T09\n```\nOn.", "exercises/01-x.ipynb", pages)
    assert table.startswith('<table class="table stacked facts">\n<thead>')
    assert table.endswith("\n</table>\n\nOn.")
    assert table.count("\n\n") == 1
    assert '<a href="../chapters/05-life-cycle.ipynb">05 Life cycle</a>' in table
