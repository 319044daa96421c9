from __future__ import annotations

from pathlib import Path

import pytest

import facts
from facts import FactsError
from facts.times import TIMES, load_times

TEXT = TIMES.read_text("utf-8")


def test_what_was_measured_can_be() -> None:
    times = load_times()
    heal = times.rows["heal"]
    # Whoever waits for five seconds first is slower than who does not.
    assert heal["swarm"].least > heal["swarm-at-once"].median
    assert heal["swarm"].median > 5


def test_the_chapter_shows_what_was_measured_last() -> None:
    chapter = Path(facts.__file__).parents[1] / "chapters/08-desired-state.ipynb"
    assert f"measured on {load_times().date}" in chapter.read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    swarm-at-once:\n", "    swarm-at-last:\n", "give each of loop, swarm, swarm-at-once"),
        ("  scale: Two", "  scales: Two", "give each of heal, scales once"),
        ("      n: 10", "      n: 9", "9 runs are too few (at least 10)"),
        ("      median: ", "      median: 99", "is not between least and most"),
        ("      least: ", "      least: -", "greater than 0"),
    ],
)
def test_a_table_that_is_not_complete_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in TEXT
    broken = tmp_path / "times.yaml"
    broken.write_text(TEXT.replace(old, new, 1), "utf-8")
    with pytest.raises(FactsError) as caught:
        load_times(broken)
    assert said in str(caught.value)
