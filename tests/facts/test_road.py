from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import facts
from facts import FactsError, load_facts
from facts.road import load_road

ROOT = Path(facts.__file__).parents[1]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
PARTS = {part["caption"]: part for part in TOC["parts"] if "caption" in part}


def test_the_chapters_that_exist_are_in_the_order_of_the_book() -> None:
    for caption, part in PARTS.items():
        stems = [Path(entry["file"]).stem for entry in part["chapters"]]
        planned = next(part for part in load_road().parts if part.caption == caption)
        assert [stem for stem in stems if stem[0].isdigit()] == [
            stem for stem in planned.chapters if (ROOT / "chapters" / f"{stem}.ipynb").exists()
        ]


def test_the_title_of_a_chapter_that_exists_is_its_own() -> None:
    for stem, title in load_road().titles.items():
        path = ROOT / "chapters" / f"{stem}.ipynb"
        if path.exists():
            assert f'"# {title}\\n"' in path.read_text("utf-8"), stem


def test_every_chapter_carries_a_claim() -> None:
    carried = {stem for claim in load_facts().claims.rows.values() for stem in claim.chapters}
    assert set(load_road().titles) <= carried


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("chapters: [04-images]", "chapters: [04-dreams]", "unknown chapter 04-dreams"),
        (', beyond: "Not in this course."', "", "no chapter, and 'beyond' does not say so"),
        ("caption: Docker", "title: Docker", "is not complete"),
    ],
)
def test_a_faulty_table_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (ROOT / "facts" / "road.yaml").read_text("utf-8")
    assert old in text
    table = tmp_path / "road.yaml"
    table.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(FactsError, match=said):
        load_road(table)
