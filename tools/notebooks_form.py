"""The one form in which notebooks are stored, and when two outputs count as the same."""

from __future__ import annotations

import copy
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbformat import NotebookNode

__all__ = [
    "ROOT",
    "code_cells",
    "find_drawings",
    "find_notebooks",
    "keep_equal_outputs",
    "load_rules",
    "normalise",
    "normalise_outputs",
    "read_notebook",
    "text_of",
    "to_bytes",
    "write_atomically",
]

ROOT = Path(__file__).parent.parent
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# A live widget's random id: without the kernel it shows nothing, and nbval does not compare it.
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# What JupyterLab draws live. The same spec stands in the chart's HTML, where it is compared.
PLOTLY_VIEW = "application/vnd.plotly.v1+json"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)
_RULE = re.compile(r"^regex: (.*)$\n^replace: (.*)$", re.MULTILINE)


def find_notebooks(root: Path, only: str | None = None) -> list[Path]:
    """List the notebooks of the course: chapters first, each folder in the order of the book.

    Args:
        root: The repository.
        only: A chapter's digits or stem, to take only its notebooks.
    """
    return [
        path
        for folder in ("chapters", "exercises")
        for path in sorted((root / folder).glob("*.ipynb"))
        if only is None or only in (path.stem, path.stem.partition("-")[0])
    ]


def find_drawings(root: Path) -> list[Path]:
    """List the drawings that chapters show."""
    return sorted((root / "chapters").glob("*.svg"))


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook and make sure that it is one.

    Raises:
        nbformat.reader.NotJSONError: It is no JSON.
        nbformat.ValidationError: It is no notebook.
    """
    notebook: NotebookNode = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    nbformat.validate(notebook)
    return notebook


def to_bytes(notebook: NotebookNode) -> bytes:
    """Write a notebook as the bytes of its file: one source line a line, a newline at the end."""
    text: str = nbformat.writes(notebook)
    return f"{text}\n".encode()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file in one step, so that stopping the program leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files for the owner only; a notebook is for everybody.
        temporary.chmod(path.stat().st_mode if path.exists() else 0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Bring a notebook into the stored form, execution counts apart.

    Args:
        notebook: The notebook, which is left as it is.

    Returns:
        A copy with the one kernel specification, no metadata but tags, and outputs that
        hold only what is shown.
    """
    notebook = copy.deepcopy(notebook)
    notebook.nbformat_minor = 5
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").split("\n"))
        if cell.cell_type == "code":
            cell.outputs = normalise_outputs(cell.outputs)
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = cell.execution_count
    return notebook


def normalise_outputs(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Merge streams of the same name, cut tracebacks, and drop what belongs to a live kernel."""
    kept: list[NotebookNode] = []
    streams: dict[str, NotebookNode] = {}
    for output in copy.deepcopy(list(outputs)):
        if output.output_type == "stream":
            if output.name in streams:
                streams[output.name].text += output.text
                continue
            streams[output.name] = output
        elif output.output_type == "error":
            output.traceback = _last_words(output)
        else:
            output.metadata = nbformat.from_dict({})
            output.data.pop(WIDGET_VIEW, None)
            output.data.pop(PLOTLY_VIEW, None)
            output.pop("transient", None)
            if not output.data:
                continue
        kept.append(output)
    for stream in streams.values():
        # As nbval does it: what a carriage return has overwritten was not meant to stay.
        stream.text = _OVERWRITTEN.sub("", stream.text)
    return kept


def load_rules(path: Path) -> list[tuple[str, str]]:
    """Read nbval's file of shapes that may differ, as nbval reads it.

    Returns:
        Pairs of a regular expression and its replacement, in the file's order.
    """
    return _RULE.findall(path.read_text(encoding="utf-8"))


def keep_equal_outputs(
    old: list[NotebookNode], new: list[NotebookNode], rules: list[tuple[str, str]]
) -> list[NotebookNode]:
    """Take the old output wherever the new one differs only in shapes that may differ.

    So a run without a real change is an empty diff.

    Args:
        old: A cell's stored outputs.
        new: The outputs of this run.
        rules: What ``load_rules`` has read.
    """
    if len(old) != len(new):
        return new
    return [
        before if _sanitise(before, rules) == _sanitise(after, rules) else after
        for before, after in zip(old, new, strict=True)
    ]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """List a notebook's code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(output: NotebookNode) -> Iterator[tuple[str, str]]:
    """Give the parts of an output that a reader sees.

    Yields:
        A mime type (``text/plain`` for streams and errors) and the text.
    """
    if output.output_type == "stream":
        yield "text/plain", output.text
    elif output.output_type == "error":
        yield "text/plain", "\n".join(output.traceback)
    else:
        for mime, value in output.data.items():
            yield mime, value if isinstance(value, str) else str(value)


def _last_words(error: NotebookNode) -> list[str]:
    """Keep of a traceback what begins with the error's name: the message, whatever its length."""
    lines = _COLOURS.sub("", "\n".join(error.traceback)).rstrip().split("\n")
    start = max(
        (number for number, line in enumerate(lines) if line.startswith(error.ename)),
        default=len(lines) - 1,
    )
    return [line.rstrip() for line in lines[start:]]


def _sanitise(value: Any, rules: list[tuple[str, str]]) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(value, dict):
        return {
            key: _sanitise(inner, rules) for key, inner in value.items() if key != "execution_count"
        }
    if isinstance(value, list):
        return [_sanitise(inner, rules) for inner in value]
    if isinstance(value, str):
        for regex, replace in rules:
            value = re.sub(regex, replace, value)
    return value
