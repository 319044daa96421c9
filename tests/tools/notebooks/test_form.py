from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat.v4
import pytest
from nbval.plugin import coalesce_streams
from notebooks_form import (
    ROOT,
    find_notebooks,
    keep_equal_outputs,
    load_rules,
    normalise,
    normalise_outputs,
    to_bytes,
    write_atomically,
)

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

RULES = load_rules(ROOT / "nbval.cfg")
COLOURED = [
    "\x1b[0;31m-----------\x1b[0m",
    "\x1b[0;31mValueError\x1b[0m      Traceback (most recent call last)",
    "Cell 1 line 1\n----> 1 int('x')",
    "\x1b[0;31mValueError\x1b[0m: invalid literal",
]


def shown(text: str) -> NotebookNode:
    return nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=1)


def stream(text: str, name: str = "stdout") -> NotebookNode:
    return nbformat.v4.new_output("stream", name=name, text=text)


def error(name: str, traceback: list[str]) -> NotebookNode:
    return nbformat.v4.new_output("error", ename=name, evalue="…", traceback=traceback)


def test_metadata_is_reduced_to_tags_and_the_one_kernel() -> None:
    cell = nbformat.v4.new_code_cell(
        "1 ", id="one", metadata={"tags": ["hide-output"], "trusted": True, "execution": {}}
    )
    other = nbformat.v4.new_markdown_cell("a  \nb\n", id="two", metadata={"tags": []})
    notebook = nbformat.v4.new_notebook(cells=[cell, other], metadata={"widgets": {"x": 1}})
    notebook.metadata["kernelspec"] = {"name": "mine"}
    normal = normalise(notebook)
    assert set(normal.metadata) == {"kernelspec"}
    assert normal.metadata.kernelspec.name == "python3"
    assert [dict(cell.metadata) for cell in normal.cells] == [{"tags": ["hide-output"]}, {}]
    assert [cell.source for cell in normal.cells] == ["1", "a\nb"]
    assert [cell.id for cell in normal.cells] == ["one", "two"]
    assert "trusted" in notebook.cells[0].metadata  # the original is left alone


def test_bytes_have_one_source_line_a_line_and_a_newline_at_the_end() -> None:
    cells = [nbformat.v4.new_code_cell("a\nb", id="one")]
    text = to_bytes(normalise(nbformat.v4.new_notebook(cells=cells))).decode()
    assert '    "a\\n",\n    "b"\n' in text
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    assert not any(line != line.rstrip() for line in text.split("\n"))


def test_normal_form_is_stable() -> None:
    cells = [nbformat.v4.new_code_cell("a", id="one", outputs=[shown("1"), stream("x")])]
    once = to_bytes(normalise(nbformat.v4.new_notebook(cells=cells)))
    assert to_bytes(normalise(nbformat.reads(once.decode(), as_version=4))) == once


def test_streams_of_one_name_become_one_as_nbval_has_it() -> None:
    outputs = [stream("a\n"), stream("b\n"), shown("1"), stream("50 %\rdone\n")]
    merged = normalise_outputs(outputs)
    assert merged == coalesce_streams(outputs)
    assert [output.get("text") for output in merged] == ["a\nb\ndone\n", None]


def test_a_widget_view_is_dropped_and_the_rest_of_the_output_stays() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "0f3c"}}
    both = nbformat.v4.new_output("display_data", {**view, "text/html": "<b>1</b>"})
    alone = nbformat.v4.new_output("display_data", view)
    (left,) = normalise_outputs([both, alone])
    assert dict(left.data) == {"text/html": "<b>1</b>"}


@pytest.mark.parametrize(
    ("name", "traceback", "kept"),
    [
        ("ValueError", COLOURED, ["ValueError: invalid literal"]),
        (
            "LabError",
            ["LabError: No kettle.", "Next: buy one."],
            ["LabError: No kettle.", "Next: buy one."],
        ),
        ("KeyError", ["nothing that names it", "last"], ["last"]),
    ],
)
def test_a_traceback_is_cut_to_the_error_s_own_words(
    name: str, traceback: list[str], kept: list[str]
) -> None:
    (output,) = normalise_outputs([error(name, traceback)])
    assert output.traceback == kept


def test_an_output_that_is_equal_after_sanitising_keeps_its_old_bytes() -> None:
    old = [shown("4242 (varies)"), shown("web")]
    new = [shown("7 (varies)"), shown("db")]
    kept = keep_equal_outputs(old, new, RULES)
    assert kept == [old[0], new[1]]


def test_a_changed_number_of_outputs_is_a_change() -> None:
    old, new = [shown("1")], [shown("1"), shown("2")]
    assert keep_equal_outputs(old, new, RULES) == new


def test_a_new_unit_is_a_change() -> None:
    new = [shown("1 ms (varies)")]
    assert keep_equal_outputs([shown("1 s (varies)")], new, RULES) == new


def test_only_takes_digits_or_a_stem(tmp_path: Path) -> None:
    for name in ("chapters/05-a.ipynb", "chapters/06-b.ipynb", "exercises/05-a.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in find_notebooks(tmp_path, "05")]
    assert names == ["chapters/05-a.ipynb", "exercises/05-a.ipynb"]
    assert find_notebooks(tmp_path, "06-b") == [tmp_path / "chapters" / "06-b.ipynb"]
    assert find_notebooks(tmp_path, "0") == []


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notebook.ipynb"
    path.write_text("old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("notebook.ipynb", "old")
    ]
