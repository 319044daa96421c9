from __future__ import annotations

import json
from pathlib import Path

import pytest

import facts
from facts import FactsError
from facts.comparison import Seen, load_comparison

ROOT = Path(facts.__file__).parents[1]
COMPARISON = load_comparison()
SEEN = {
    f"{name}-{column}": seen
    for name, row in COMPARISON.rows.items()
    for column, seen in row.measured.items()
}


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_what_was_measured_stands_under_its_cell(seen: Seen) -> None:
    notebook = json.loads((ROOT / f"chapters/{seen.chapter}.ipynb").read_text("utf-8"))
    (cell,) = [cell for cell in notebook["cells"] if cell["id"] == seen.cell]
    outputs = [output.get("text") or output["data"]["text/plain"] for output in cell["outputs"]]
    assert any(seen.shows in "".join(output) for output in outputs)


def test_a_chapter_that_exists_is_not_waited_for() -> None:
    waited = {chapter for row in COMPARISON.rows.values() for chapter in row.waits.values()}
    there = {path.stem for path in (ROOT / "chapters").glob("*.ipynb")}
    assert not waited & there, "these chapters exist: let their rows say what they measured"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "waits: {eb: 11-elastic-beanstalk, eks: 15-eks}",
            "waits: {eb: 11-elastic-beanstalk}",
            "crash: give each of docker, eb, ecs, eks once",
        ),
        ("chapter: 04-images", "chapter: 04-image", "image: unknown chapter '04-image'"),
        ("waits: {eb: 11", "waits: {ebb: 11", "crash: give each of"),
        ("{heal_loop}", "{heal_lop}", "heal, docker: no figure 'heal_lop'; there are heal_loop, "),
        ("shows: ", "show: ", "rows.crash.measured.docker.shows"),
    ],
)
def test_a_table_that_is_not_complete_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = (ROOT / "facts/comparison.yaml").read_text("utf-8")
    assert old in text
    broken = tmp_path / "comparison.yaml"
    broken.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(FactsError) as caught:
        load_comparison(broken)
    assert said in str(caught.value)
