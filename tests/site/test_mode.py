import re
from pathlib import Path

import pytest

from facts import load_measured
from widgets.site_mode import mode


def line(page: Path) -> str:
    (found,) = re.findall(r'<p class="site-mode">(.*?)</p>', page.read_text("utf-8"))
    return re.sub("<[^>]+>", "", found)


@pytest.mark.parametrize("stem", load_measured())
def test_chapter_says_how_it_runs_and_its_exercises_how_long(site: Path, stem: str) -> None:
    measured = load_measured()[stem]
    assert line(site / "chapters" / f"{stem}.html") == mode(measured)
    exercises = site / "exercises" / f"{stem}.html"
    if exercises.exists():
        minutes = f"about {measured.exercise_minutes} minutes (estimate)"
        assert line(exercises) == f"{mode(measured)} {minutes}"


def test_what_starts_nothing_runs_without_docker() -> None:
    measured = next(iter(load_measured().values()))
    assert mode(measured) == "Runs on your Docker"
    nothing = measured.model_copy(update={"containers": 0})
    assert mode(nothing) == "Runs without Docker: it starts nothing"
