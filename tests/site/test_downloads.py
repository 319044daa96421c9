import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def solutions() -> Iterator[str]:
    for notebook in sorted((ROOT / "exercises").glob("*.ipynb")):
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
            if "solution" in cell["metadata"].get("tags", []):
                yield "".join(cell["source"])


def downloads(site: Path) -> dict[str, Path]:
    found = {}
    for page in sorted(site.rglob("*.html")):
        for link in re.findall(r'href="([^"]+)"[^>]*\bdownload\b', page.read_text("utf-8")):
            found[page.relative_to(site).as_posix()] = (page.parent / link).resolve()
    return found


def leaks(site: Path) -> list[str]:
    """Names what a reader can download that holds the source of a solution."""
    looked_for = [squeezed(source) for source in solutions()]
    files = [file for file in site.rglob("*") if file.is_file() and file.suffix != ".html"]
    texts = {file: squeezed(_text(file)) for file in files}
    return [
        file.relative_to(site).as_posix()
        for file, text in texts.items()
        if any(source in text for source in looked_for)
    ]


def _text(file: Path) -> str:
    text = file.read_text("utf-8", errors="ignore")
    if file.suffix != ".ipynb":
        return text
    return "\n".join(code_of(file))


def code_of(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_every_notebook_page_offers_its_notebook(site: Path) -> None:
    notebooks = {
        file.relative_to(ROOT).with_suffix(".html").as_posix(): site
        / "notebooks"
        / file.relative_to(ROOT)
        for folder in ("chapters", "exercises")
        for file in (ROOT / folder).glob("*.ipynb")
    }
    assert downloads(site) == notebooks
    assert all(file.is_file() for file in notebooks.values())


def test_chapter_to_download_has_the_code_of_the_page(site: Path) -> None:
    for source in (ROOT / "chapters").glob("*.ipynb"):
        offered = site / "notebooks" / "chapters" / source.name
        assert code_of(offered) == code_of(source)


def test_nothing_to_download_holds_a_solution(site: Path) -> None:
    assert list(solutions()), "no cell is tagged as a solution: this would prove nothing"
    assert leaks(site) == []


def test_a_leaked_solution_would_be_found(tmp_path: Path) -> None:
    source = next((ROOT / "exercises").glob("*.ipynb"))
    (tmp_path / "leak.ipynb").write_bytes(source.read_bytes())
    assert leaks(tmp_path) == ["leak.ipynb"]


def test_student_copy_keeps_no_output(site: Path) -> None:
    for notebook in (site / "notebooks" / "exercises").glob("*.ipynb"):
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        assert not any(cell.get("outputs") for cell in cells)


@pytest.mark.parametrize("name", ["_sources", "_static/vendor", "_static/scripts/fontawesome.js"])
def test_site_holds_no_source_and_nothing_that_no_page_asks_for(site: Path, name: str) -> None:
    assert not (site / name).exists()
