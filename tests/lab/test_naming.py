from __future__ import annotations

import pytest

from lab.errors import LabError
from lab.naming import Naming, current_learner, fault_seed, short_name, short_tag


@pytest.mark.parametrize(
    ("raw", "slug"),
    [("Ada", "ada"), ("Ada L.", "ada-l"), ("--x--", "x"), ("a" * 40, "a" * 24)],
)
def test_a_learner_becomes_a_word_fit_for_names(
    monkeypatch: pytest.MonkeyPatch, raw: str, slug: str
) -> None:
    monkeypatch.setenv("COURSE_LEARNER", raw)
    assert current_learner() == slug


def test_learners_named_in_another_script_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    for raw in ("さくら", "花子"):
        monkeypatch.setenv("COURSE_LEARNER", raw)
        seen.add(current_learner())
    assert len(seen) == 2
    assert all(name.startswith("learner-") for name in seen)


def test_the_seed_follows_from_the_learner_unless_it_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COURSE_SEED", raising=False)
    monkeypatch.setenv("COURSE_LEARNER", "ada")
    first = fault_seed()
    assert fault_seed() == first
    monkeypatch.setenv("COURSE_LEARNER", "grace")
    assert fault_seed() != first
    monkeypatch.setenv("COURSE_SEED", "7")
    assert fault_seed() == 7


def test_a_seed_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_SEED", "seven")
    with pytest.raises(LabError, match="not a whole number") as caught:
        fault_seed()
    assert "unset" in caught.value.next_step


def test_names_are_short_only_for_what_the_course_made() -> None:
    naming = Naming(chapter="05-life-cycle", learner="ada", exercises=True)
    assert short_name(naming.full_name("web"), naming.labels) == "web"
    assert short_name(naming.full_name("web"), {}) == naming.full_name("web")


@pytest.mark.parametrize("bad", ["", "a b", "-web", "a/b"])
def test_a_name_that_docker_would_refuse_is_refused_with_an_example(bad: str) -> None:
    with pytest.raises(LabError, match="can't be part") as caught:
        Naming(chapter="05-life-cycle", learner="ada").full_name(bad)
    assert "lab.name('web')" in caught.value.next_step


@pytest.mark.parametrize(
    ("tag", "short"),
    [
        ("course-ada-04-greeter:1", "greeter:1"),
        ("127.0.0.1:49153/course-ada-04-greeter:1", "greeter:1"),
        ("docker.io/library/course-ada-04-greeter:1", "greeter:1"),
        ("docker.io/course/app:1", "course/app:1"),
        ("library/app:1", "library/app:1"),
    ],
)
def test_a_tag_is_short_on_both_engines(tag: str, short: str) -> None:
    assert short_tag(tag, Naming(chapter="04-images", learner="ada").labels) == short
