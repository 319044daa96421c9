"""What readers read of the chapters: the sentences of pages and notebooks, in the book's order."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# Proved equal to facts/measured.yaml and facts/chapters.yaml by `tools/notebooks.py check`.
GENERATED = "before-you-start"
_FENCE = re.compile(r"^(`{3,}|:{3,})(\{?[\w-]*\}?).*?^\1$", re.MULTILINE | re.DOTALL)
_SHOWN_AS_TEXT = ("{note}", "{admonition}", "{warning}", "{tip}", "{glossary}")


def chapters() -> list[Path]:
    """Every page in `chapters/`, in the order of the book."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    names = [toc["root"], *(entry["file"] for entry in entries)]
    return [
        next(path for end in (".ipynb", ".md") if (path := ROOT / f"{name}{end}").exists())
        for name in names
    ]


def prose(path: Path) -> str:
    """What stands on a page in Markdown, without its code and without what is generated."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["id"] != GENERATED)
    return _FENCE.sub(lambda block: block[0] if block[2] in _SHOWN_AS_TEXT else "", text)


def sentences(text: str) -> Iterator[str]:
    """The lines of a text: by the house's rule each is a sentence, or a row of a table."""
    return (line.strip() for line in text.split("\n") if line.strip())


def label(path: Path) -> str:
    """The label that a page begins with."""
    found = re.match(r"\(([\w-]+)\)=", prose(path))
    return found[1] if found else ""
