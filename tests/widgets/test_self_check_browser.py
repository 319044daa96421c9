from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from site_visit import violations

from widgets import SelfCheck
from widgets.self_check import load_questions

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CHAPTER = "05-life-cycle"
QUESTIONS = load_questions(CHAPTER)


def answer(page: Page, question: int, option: int) -> str:
    form = page.locator("form").nth(question)
    form.locator("input").nth(option).check()
    form.locator("button").click()
    return str(form.locator("[data-feedback]").inner_text())


def words(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def test_every_option_has_its_own_feedback(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(SelfCheck(CHAPTER))
    for number, question in enumerate(QUESTIONS):
        for place, option in enumerate(question.options):
            verdict = "Right." if option.correct else "Not yet."
            assert answer(page, number, place) == f"{verdict} {words(option.feedback)}"
    assert said == []


def test_the_keyboard_is_enough(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(SelfCheck(CHAPTER))
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    first = page.locator("form").first
    assert first.locator("[data-feedback]").inner_text().startswith("Right.")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the button
    assert first.locator("[data-feedback]").inner_text().startswith("Not yet.")
    assert said == []


def test_the_score_counts_first_tries(open_page: Callable[..., Page]) -> None:
    page = open_page(SelfCheck(CHAPTER))
    score = page.locator("[data-score]")
    assert score.inner_text().startswith(f"{len(QUESTIONS)} questions.")
    answer(page, 0, QUESTIONS[0].answer)
    assert score.inner_text() == f"1 of {len(QUESTIONS)} right, 1 of them at the first try."
    wrong = (QUESTIONS[1].answer + 1) % len(QUESTIONS[1].options)
    answer(page, 1, wrong)
    answer(page, 1, QUESTIONS[1].answer)
    assert score.inner_text() == f"2 of {len(QUESTIONS)} right, 1 of them at the first try."
    marks = page.locator("form").nth(1).locator("label[data-result]")
    assert sorted(mark.get_attribute("data-result") for mark in marks.all()) == ["right", "wrong"]


def test_checking_without_a_choice_asks_for_one(open_page: Callable[..., Page]) -> None:
    page = open_page(SelfCheck(CHAPTER))
    page.locator("form button").first.click()
    assert page.locator("[data-feedback]").first.inner_text() == "Choose an answer first."


def test_feedback_is_announced(open_page: Callable[..., Page]) -> None:
    page = open_page(SelfCheck(CHAPTER))
    answer(page, 0, 0)
    assert page.get_by_role("status").filter(has_text="Not yet.").count() == 1
    group = page.get_by_role("group", name=words(QUESTIONS[0].question))
    assert group.get_by_role("radio").count() == len(QUESTIONS[0].options)


def test_it_works_with_the_network_cut(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(SelfCheck(CHAPTER))
    page.context.set_offline(offline=True)
    assert answer(page, 0, QUESTIONS[0].answer).startswith("Right.")
    assert said == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(theme: str, open_page: Callable[..., Page]) -> None:
    page = open_page(SelfCheck(CHAPTER), theme=theme)
    for place in range(len(QUESTIONS[0].options)):
        answer(page, 0, place)
    for fold in page.locator("details").all():
        fold.evaluate("element => { element.open = true; }")
    assert violations(page) == []


@pytest.mark.parametrize("width", [320, 1350])
def test_it_fits_the_screen(width: int, open_page: Callable[..., Page]) -> None:
    page = open_page(SelfCheck(CHAPTER), width=width)
    answer(page, 0, 0)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_without_a_script_the_answers_can_be_unfolded(open_page: Callable[..., Page]) -> None:
    page = open_page(SelfCheck(CHAPTER), java_script_enabled=False)
    assert page.locator("button:visible").count() == 0
    page.locator("summary").first.click()
    for option in QUESTIONS[0].options:
        assert page.get_by_text(words(option.feedback)[:60]).is_visible()
