from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat.v4
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbformat import NotebookNode

    from tests.tools.notebooks.conftest import House

SOLUTION = "solution-05-1"


def show(text: str, mime: str = "text/plain") -> Callable[[NotebookNode], None]:
    def change(cell: NotebookNode) -> None:
        cell.outputs = [nbformat.v4.new_output("display_data", {mime: text})]

    return change


def write(source: str) -> Callable[[NotebookNode], None]:
    return lambda cell: cell.__setitem__("source", source)


def tag(*tags: str) -> Callable[[NotebookNode], None]:
    return lambda cell: cell.metadata.__setitem__("tags", list(tags))


def test_a_good_chapter_has_no_findings(house: House) -> None:
    assert house.findings() == []


@pytest.mark.parametrize(
    ("cell", "change", "said"),
    [
        ("one", lambda cell: cell.__setitem__("execution_count", None), "counts are not 1, 2, 3"),
        ("one", lambda cell: cell.__setitem__("execution_count", 9), "counts are not 1, 2, 3"),
        ("one", tag("remove-cell"), "one · unknown tag remove-cell"),
        (
            "one",
            lambda cell: cell.__setitem__("source", "swarm = lab.swarm()"),
            "one · asks for a swarm, which some engines can't have",
        ),
        ("one", tag("raises-exception"), "one · is tagged raises-exception and stores no error"),
        (
            "one",
            lambda cell: cell.outputs.append(
                nbformat.v4.new_output("error", ename="E", evalue="", traceback=["E"])
            ),
            "one · stores an error",
        ),
        (
            "one",
            lambda cell: cell.outputs.append(
                nbformat.v4.new_output("stream", name="stderr", text="DeprecationWarning")
            ),
            "one · stores a warning",
        ),
        ("one", write("\n".join(["x = 1"] * 16)), "one · has 16 lines of code"),
        ("one", write("!docker ps"), "one · has a line that begins with ! or %"),
        ("one", write("%matplotlib inline"), "one · has a line that begins with ! or %"),
        ("one", write("import sys\nsys.path.append('..')"), "one · changes sys.path"),
        ("one", write("# NBVAL_IGNORE_OUTPUT\n1"), "one · has a comment for nbval"),
        ("one", show("line\n" * 21), "one · shows 21 lines"),
        ("one", show("x" * 4001), "one · shows 4001 bytes"),
        ("one", show("x" * 40_001, "text/html"), "one · stores 40001 bytes of HTML"),
        ("one", show("iVBOR", "image/png"), "one · stores image/png"),
        ("one", lambda cell: cell.__setitem__("id", "0f3c9a1b"), "0f3c9a1b · has an id"),
        ("one", tag("nbval-ignore-output"), "one · its output is ignored for no stated reason"),
        ("title", write("# Life cycle"), "title · does not begin with (ch-life-cycle)="),
        ("second", write("# Two"), "has 2 titles"),
        ("first", write("One.\nTwo of them. Three."), "first · two sentences on one line"),
        ("first", write("```{figure} a.png\n```"), "first · learners would see the directive"),
        ("objectives", write("## Objectives\n\n- start"), "objectives · has 1 objectives"),
        ("summary", write("In short."), "has no section 'Summary'"),
        ("summary", write("## Exercises"), "has no section 'Summary'"),
        ("third", write("Three."), "has 2 sections of its own"),
        ("exercises", write("## Exercises"), "exercises · does not link its exercises"),
        ("before-you-start", write("## Before you start"), "not what the tables in facts/ give"),
        ("setup", write('from lab import open_lab\n\nlab = open_lab("05-life-cycle")'), "setup"),
        ("self-check", write("1"), "has no self-check"),
        ("close", write("lab.close() "), None),
        ("close", write("lab.close(now=True)"), "close · does not end with lab.close()"),
        ("exercise-05-1", write("Do it."), "exercise 05.1 is missing in the notebook"),
        ("check-05-1", write("1"), "exercise 05.1 is never checked"),
        (SOLUTION, tag(), f"{SOLUTION} · is part of a solution"),
        ("check-05-1", tag("solution"), "check-05-1 · is tagged solution and stands outside"),
        ("solution-05-1-end", write("So."), "solution-start has no partner"),
        ("solution-05-5-end", write("So."), "its last solution does not end"),
    ],
)
def test_a_broken_rule_is_found(
    house: House, cell: str, change: Callable[[NotebookNode], object], said: str | None
) -> None:
    house.edit_cell(cell, change)
    findings = house.findings()
    if said is None:
        assert findings == []
    else:
        assert any(said in finding for finding in findings), findings


def test_every_finding_is_one_line_with_file_cell_what_and_remedy(house: House) -> None:
    house.edit_cell("one", tag("remove-cell", "raises-exception"))
    findings = house.findings()
    assert len(findings) == 2
    for finding in findings:
        file, cell, *_ = finding.split(" · ")
        assert (file, cell) == ("chapters/05-life-cycle.ipynb", "one")
        assert len(finding.split(" · ")) == 4
        assert "\n" not in finding


def test_a_reason_for_an_ignored_output_is_accepted(house: House) -> None:
    house.edit_cell("one", tag("nbval-ignore-output"))
    house.edit_cell("first", write("## One\n\nIt is random, so it is not compared."))
    assert house.findings() == []


def test_an_exercise_that_differs_from_its_check_is_found(house: House) -> None:
    house.edit_cell(
        "exercise-05-2",
        lambda cell: cell.__setitem__(
            "source",
            cell.source.replace("Three ways to end", "Ends").replace("About 6", "About 60"),
        ),
    )
    said = "\n".join(house.findings())
    assert "is called 'Ends' here and 'Three ways to end' in lab/checks" in said
    assert "takes 60 minutes here and 6 in lab/checks" in said


def test_what_an_editor_saved_is_not_in_normal_form(house: House) -> None:
    for noise in (
        lambda text: text.replace('"python3"', '"python3-mine"'),
        lambda text: text + "\n",
        lambda text: text.replace('"metadata": {}', '"metadata": {"collapsed": true}', 1),
    ):
        good = house.chapter.read_text()
        house.chapter.write_text(noise(good))
        assert "is not in normal form" in "\n".join(house.findings())
        house.chapter.write_text(good)


def test_a_file_that_is_no_notebook_is_a_finding_not_a_crash(house: House) -> None:
    house.chapter.write_text("<<<<<<< HEAD")
    assert any("is no notebook" in finding for finding in house.findings())


def test_a_chapter_that_was_never_run_is_found(house: House) -> None:
    def forget(notebook: NotebookNode) -> None:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None

    house.edit(house.chapter, forget)
    said = "\n".join(house.findings())
    assert "5 of 5 code cells show nothing" in said
    assert "counts are not 1, 2, 3" in said


def test_too_many_cells_and_too_many_bytes_are_found(house: House) -> None:
    def grow(notebook: NotebookNode) -> None:
        for number in range(30):
            cell = nbformat.v4.new_code_cell("1", id=f"more-{number}", execution_count=number)
            cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": "x" * 5_000})]
            notebook.cells.insert(5, cell)

    house.edit(house.chapter, grow)
    said = "\n".join(house.findings())
    assert "has 35 code cells (at most 30)" in said
    assert "(at most 150000)" in said


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("exercises/05-life-cycle.ipynb", "exercises/05-life-cycle.ipynb is missing"),
        ("chapters/05-life-cycle.ipynb", "chapters/05-life-cycle.ipynb is missing"),
        ("widgets/questions/05-life-cycle.yaml", "widgets/questions/05-life-cycle.yaml is missing"),
    ],
)
def test_a_missing_partner_is_found(house: House, missing: str, said: str) -> None:
    (house.root / missing).unlink()
    assert any(said in finding for finding in house.findings())


def test_a_chapter_without_checks_is_found(house: House) -> None:
    house.chapter.rename(house.chapter.with_name("06-networks.ipynb"))
    said = "\n".join(house.findings())
    assert "lab/checks/networks.py is missing" in said
    assert "_toc.yml does not list chapters/06-networks" in said


def test_digits_that_disagree_with_the_order_are_found(house: House) -> None:
    toc = house.root / "_toc.yml"
    toc.write_text(toc.read_text() + "      - file: chapters/03-images\n")
    assert any("chapters/03-images stands after 05" in finding for finding in house.findings())


def test_exercises_that_stand_under_no_chapter_are_found(house: House) -> None:
    toc = house.root / "_toc.yml"
    toc.write_text(toc.read_text().replace("exercises/05-life-cycle", "exercises/06-networks"))
    assert any("_toc.yml does not list" in finding for finding in house.findings())


def test_a_chapter_that_was_not_measured_is_found(house: House) -> None:
    (house.root / "facts" / "measured.yaml").write_text("{}\n")
    assert any("facts/measured.yaml has no row" in finding for finding in house.findings())
