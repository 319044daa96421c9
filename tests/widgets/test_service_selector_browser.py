from __future__ import annotations

import hashlib
import json
import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from site_visit import violations

from facts.chooser import load_chooser, recommend
from widgets import ServiceSelector
from widgets.service_selector import _View

from .conftest import in_jupyterlab

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from facts.chooser import Year

pytestmark = pytest.mark.browser

CHOOSER = load_chooser()
RULES = [rule.id for rule in CHOOSER.rules]
ANSWERS = {name: list(question.answers) for name, question in CHOOSER.questions.items()}
COMBINATIONS = math.prod(len(answers) for answers in ANSWERS.values())
RANKED = 100_000
FLIPPED = 500
SHOWN = 150
CHUNK = 1000
SEED = 20190622
NOTHING = "#selector=where:own,kubernetes:yes,system:windows"
DECODE = """
  const { decode, rank, flips, view, html } = await import("./service_selector.js");
  const book = decode(table);
  const answersOf = (code) => Object.fromEntries(Object.entries(book.answers).map(
    ([name, answers]) => {
      const answer = answers[code % answers.length];
      code = Math.floor(code / answers.length);
      return [name, answer];
    }));
"""
RANK = (
    "async ([table, codes, year, chunk]) => {"
    + DECODE
    + """
  const holds = (when, answers) => when.every(([name, wanted]) => wanted.includes(answers[name]));
  const line = (code) => {
    const answers = answersOf(code);
    const said = book.contradictions.map(([when], i) => holds(when, answers) ? i : -1);
    return rank(book, answers, year).map(({ option, points, pro, con, out }) =>
      [book.options[option].id, points, pro.join(), con.join(), out.join()].join(":")).join(" ") +
      " / " + said.filter((i) => i >= 0).join();
  };
  if (!chunk) return codes.map(line);
  const hashes = [];
  for (let i = 0; i < codes.length; i += chunk) {
    const text = codes.slice(i, i + chunk).map(line).join("\\n");
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    hashes.push([...new Uint8Array(hash)].map((b) => b.toString(16).padStart(2, "0")).join(""));
  }
  return hashes;
}"""
)
FLIPS = (
    "async ([table, codes]) => {"
    + DECODE
    + """
  return codes.map((code) => flips(book, answersOf(code), 2026).map(({ answers, option }) =>
    [JSON.stringify(answers), book.options[option].id].join(" ")));
}"""
)
VIEWS = (
    "async ([table, words, codes]) => {"
    + DECODE
    + """
  return codes.map((code) => {
    const seen = view(book, words, answersOf(code));
    return [JSON.stringify(seen), html(seen)];
  });
}"""
)
# What a parser makes of both: the same signs escaped, no space between elements.
PARSED = """(pieces) => pieces.map((piece) => {
  const box = document.createElement("template");
  box.innerHTML = piece;
  box.content.querySelectorAll("fieldset").forEach((part) => { part.disabled = false; });
  return box.innerHTML.replace(/>\\s+</g, "><").trim();
})"""


def answers_of(code: int) -> dict[str, str]:
    answers = {}
    for name, known in ANSWERS.items():
        code, which = divmod(code, len(known))
        answers[name] = known[which]
    return answers


def draw(count: int) -> list[int]:
    return random.Random(SEED).sample(range(COMBINATIONS), count)  # noqa: S311


def line_of(code: int, year: Year) -> str:
    answers = answers_of(code)

    def numbers(ids: tuple[str, ...]) -> str:
        return ",".join(str(PLACE[name]) for name in ids)

    ranked = " ".join(
        f"{r.option}:{r.points}:{numbers(r.pro)}:{numbers(r.con)}:{numbers(r.out)}"
        for r in CHOOSER.rank(answers, year)
    )
    said = CHOOSER.contradicts(answers)
    told = [str(i) for i, found in enumerate(CHOOSER.contradictions) if found.says in said]
    return f"{ranked} / {','.join(told)}"


PLACE = {name: i for i, name in enumerate(RULES)}


@pytest.mark.timeout(1200)  # as many draws as it takes; a busy machine is slow at them
@pytest.mark.parametrize("year", [2026, 2019])
def test_python_and_the_module_rank_alike(
    year: Year, open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    page = open_page(ServiceSelector())
    table, codes = ServiceSelector().table, draw(RANKED)
    live = page.evaluate(RANK, [table, codes, year, CHUNK])
    compared = 0
    chunks = [codes[start : start + CHUNK] for start in range(0, RANKED, CHUNK)]
    for chunk, hashed in zip(chunks, live, strict=True):
        lines = [line_of(code, year) for code in chunk]
        if hashlib.sha256("\n".join(lines).encode()).hexdigest() != hashed:
            theirs = page.evaluate(RANK, [table, chunk, year, 0])
            for code, mine, other in zip(chunk, lines, theirs, strict=True):
                assert mine == other, answers_of(code)
        compared += len(lines)
    assert compared == RANKED
    record_count(f"{compared} rankings of {year}, of {COMBINATIONS} combinations of answers")


def test_python_and_the_module_find_the_same_flips(
    open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    codes = draw(FLIPPED)
    live = open_page(ServiceSelector()).evaluate(FLIPS, [ServiceSelector().table, codes])
    changes = {0: 0, 1: 0, 2: 0}
    for code, theirs in zip(codes, live, strict=True):
        flips = CHOOSER.flips(answers_of(code), 2026)
        mine = [
            f"{json.dumps(flip.answers, separators=(',', ':'))} {flip.option}" for flip in flips
        ]
        assert mine == theirs, answers_of(code)
        changes[len(flips[0].answers) if flips else 0] += 1
    assert changes[1]
    assert changes[2]
    record_count(f"{len(live)} searches for what would flip the answer: {changes}")


def test_python_and_the_module_show_the_same(
    open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    codes = [0, *draw(SHOWN - 1)]
    words = {name: question.answers for name, question in CHOOSER.questions.items()}
    page = open_page(ServiceSelector())
    live = page.evaluate(VIEWS, [ServiceSelector().table, words, codes])
    markups = [ServiceSelector(answers=answers_of(code)).markup for code in codes]
    made = [
        markup.partition('<div data-slot="result">')[2].rpartition("</div>\n</div>\n</form>")[0]
        for markup in markups
    ]
    for code, (seen, _) in zip(codes, live, strict=True):
        mine = json.loads(json.dumps(_View(answers_of(code)).as_dict()))
        assert json.loads(seen) == mine, answers_of(code)
    assert page.evaluate(PARSED, [html for _, html in live]) == page.evaluate(PARSED, made)
    record_count(f"{len(live)} results, word by word")


@pytest.mark.parametrize("answers", [{}, {"kind": "job", "zero": "yes"}, {"where": "own"}])
def test_coming_alive_changes_no_word(
    answers: dict[str, str], open_page: Callable[..., Page], said: list[str]
) -> None:
    widget = ServiceSelector(answers=answers)
    page = open_page(widget)
    live = page.locator(".service-selector").evaluate("root => root.outerHTML")
    assert page.evaluate(PARSED, [live]) == page.evaluate(PARSED, [widget.markup])
    assert said == []


def shown(page: Page) -> str:
    return page.locator('[data-slot="headline"]').inner_text()


def note(page: Page) -> str:
    return page.locator('[data-slot="note"]').inner_text()


def choose(page: Page, question: str, answer: str) -> None:
    page.locator(f'[data-question="{question}"]').evaluate(
        """(select, answer) => {
          select.value = answer;
          select.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        answer,
    )


def door(page: Page, name: str) -> Locator:
    return page.locator(f'[data-do="{name}"]')


def answered(page: Page) -> dict[str, Any]:
    chosen: dict[str, Any] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("[data-question]")].map(
          (select) => [select.dataset.question, select.value]))"""
    )
    return chosen


def visit(page: Page, fragment: str) -> None:
    """Opens the page anew, as a shared link does."""
    address = page.url.partition("#")[0]
    page.goto("about:blank")
    page.goto(address + fragment)
    expect(page.locator("[data-anywidget]").first).to_have_attribute("data-ready", "yes")


def test_keys_alone_lead_to_another_answer(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(ServiceSelector())
    page.locator('[data-question="kind"]').focus()
    page.keyboard.press("ArrowDown")
    assert shown(page).startswith("ECS on Fargate: first with")
    page.locator("summary", has_text="Who builds").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.locator('[data-question="skills"]').evaluate("e => e === document.activeElement")
    door(page, "reset").focus()
    page.keyboard.press("Enter")
    assert shown(page).startswith("ECS Express Mode")
    door(page, "back").focus()
    page.keyboard.press("Enter")
    expect(page.locator('[data-slot="headline"]')).to_contain_text("ECS on Fargate")
    page.locator("[data-sets]").first.focus()
    page.keyboard.press("Enter")
    assert not shown(page).startswith("ECS on Fargate")
    focused = page.locator('[data-slot="headline"]').evaluate("e => e === document.activeElement")
    assert focused
    assert said == []


def test_a_screen_reader_hears_the_first_option_and_how_many_reasons(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(ServiceSelector())
    choose(page, "kind", "ready")
    regions = page.get_by_role("status").all_inner_texts()
    assert regions == ["", "No containers: first with 9 points, for 1 reason."]
    assert page.locator("[aria-live]").count() == 0


def test_a_flip_does_what_it_says(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    flip = page.locator(".flips li", has_text="Lambda with an image").locator("button").first
    flip.click()
    assert shown(page).startswith("Lambda with an image: first")
    assert answered(page)["zero"] == "yes"


def test_the_address_holds_what_was_changed(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    assert "#" not in page.url
    choose(page, "zero", "yes")
    choose(page, "kind", "job")
    assert page.url.partition("#")[2] == "selector=kind:job,zero:yes"
    before = shown(page)
    visit(page, "#selector=kind:job,zero:yes")
    assert shown(page) == before
    assert answered(page) == recommend({"kind": "job", "zero": "yes"}).answers
    assert page.locator(".questions summary span").first.inner_text() == "2 changed"
    choose(page, "kind", "web")
    choose(page, "zero", "no")
    assert "#" not in page.url


def test_back_is_the_browser_s_back(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    expect(door(page, "back")).to_have_attribute("aria-disabled", "true")
    choose(page, "kind", "job")
    choose(page, "hardware", "yes")
    page.go_back()
    assert answered(page) == recommend({"kind": "job"}).answers
    page.go_forward()
    assert answered(page)["hardware"] == "yes"
    for left in ({"kind": "job"}, {}):
        door(page, "back").click()
        page.wait_for_function(
            "(count) => document.querySelectorAll('.questions summary span')[2].textContent "
            "=== 'as set at first' && (count || !location.hash)",
            arg=len(left),
        )
        assert answered(page) == recommend(left).answers
    expect(door(page, "back")).to_have_attribute("aria-disabled", "true")


def test_a_link_inside_the_page_sets_the_answers(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    choose(page, "system", "arm")
    page.evaluate("() => { location.hash = '#selector=kubernetes:yes'; }")
    expect(page.locator('[data-slot="headline"]')).to_contain_text("EKS Auto Mode")
    assert answered(page) == recommend({"kubernetes": "yes"}).answers
    door(page, "back").click()
    expect(page.locator('[data-question="system"]')).to_have_value("arm")
    page.evaluate("() => { location.hash = '#a-heading'; }")
    assert answered(page)["system"] == "arm"


@pytest.mark.parametrize(
    ("fragment", "used", "left_out"),
    [
        ("#selector=colour:blue,zero:yes", {"zero": "yes"}, "colour:blue"),
        ("#selector=kind:game,zero:yes,,", {"zero": "yes"}, "kind:game"),
        ("#selector=kind", {}, "kind"),
        ("#selector=constructor:name,__proto__:x", {}, "constructor:name, __proto__:x"),
        ("#selector=kind:job:job", {}, "kind:job:job"),
        ("#selector=<b>x</b>,kind:job", {"kind": "job"}, "<b>x</b>"),
        ("#selector=%E0%A4%A,kind:job", {"kind": "job"}, "%E0%A4%A"),
        ("#selector=" + "x" * 5000, {}, "x" * 40 + "…"),
    ],
)
def test_a_link_edited_by_hand_is_used_as_far_as_it_is_known(
    fragment: str,
    used: dict[str, str],
    left_out: str,
    open_page: Callable[..., Page],
    said: list[str],
) -> None:
    page = open_page(ServiceSelector())
    visit(page, fragment)
    assert answered(page) == recommend(used).answers
    assert note(page) == f"Not known here, and left out of the link: {left_out}. The rest was used."
    choose(page, "weight", "cost")
    assert note(page) == ""
    assert said == []


def test_a_known_link_says_nothing(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    for fragment in ("#selector=kind:job", "#selector=kind%3Ajob", "#another", "#selector="):
        visit(page, fragment)
        assert note(page) == ""


def test_nothing_possible_and_contradictions_are_said(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    visit(page, NOTHING)
    assert shown(page) == "None of the 14 options is possible with these answers."
    assert page.locator(".answer details[open] summary").all_inner_texts() == ["Out: 14"]
    assert page.locator(".warn li").all_inner_texts() == list(
        recommend({"where": "own"}).contradictions
    )
    assert page.locator(".flips button").count() > 0


def test_the_link_is_copied(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector(), permissions=["clipboard-read", "clipboard-write"])
    choose(page, "kind", "job")
    door(page, "copy").click()
    expect(page.locator('[data-slot="note"]')).to_have_text("The link is in your clipboard.")
    assert page.evaluate("() => navigator.clipboard.readText()") == page.url


def test_where_the_clipboard_is_closed_the_link_is_shown(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    choose(page, "kind", "job")
    door(page, "copy").click()
    expect(page.locator('[data-slot="note"]')).to_contain_text("#selector=kind:job")


def test_the_print_shows_the_answers_and_the_whole_result(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    page.evaluate("() => { window.print = () => window.dispatchEvent(new Event('beforeprint')); }")
    door(page, "print").click()
    page.emulate_media(media="print")
    assert not page.locator("h1").is_visible()
    assert page.locator("details:not([open])").count() == 0
    assert page.locator('[data-question="isolation"]').is_visible()
    assert page.locator(".facts li").last.is_visible()
    assert page.locator(".doors:visible, .bar:visible").count() == 0
    page.emulate_media(media="screen")
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("h1").is_visible()
    assert page.locator("details[open]").count() == 1


def test_folds_stay_as_the_reader_left_them(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector())
    page.locator("summary", has_text="Out:").click()
    choose(page, "load", "peaks")
    assert page.locator(".answer details[open] summary").count() == 1


def test_two_on_a_page_share_no_answer(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector(), ServiceSelector(answers={"kind": "job"}))
    heads = page.locator('[data-slot="headline"]')
    second = heads.nth(1).inner_text()
    page.locator('[data-question="zero"]').first.select_option("yes")
    assert heads.nth(0).inner_text().startswith("Lambda")
    assert heads.nth(1).inner_text() == second
    page.locator('[data-question="kind"]').nth(1).select_option("ready")
    assert page.url.endswith("#selector=zero:yes")
    door(page, "back").nth(1).click()
    assert heads.nth(1).inner_text() == second


def test_on_a_phone_the_answer_stays_in_sight(open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector(), width=390)
    page.set_viewport_size({"width": 390, "height": 640})
    page.locator('[data-question="kind"]').scroll_into_view_if_needed()
    bar = page.locator(".bar")
    expect(bar).to_be_in_viewport()
    page.locator('[data-question="kind"]').select_option("job")
    assert bar.inner_text().startswith("Answer: ECS on Fargate")
    bar.click()
    expect(page.locator('[data-slot="headline"]')).to_be_in_viewport()
    page.set_viewport_size({"width": 1350, "height": 900})
    assert not bar.is_visible()


@pytest.mark.parametrize("width", [320, 390, 768, 1350])
def test_it_fits_the_screen(width: int, open_page: Callable[..., Page]) -> None:
    page = open_page(ServiceSelector(), width=width)
    page.locator("details").evaluate_all("folds => folds.forEach(fold => { fold.open = true; })")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 1350])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("fragment", ["", NOTHING, "#selector=zero:yes,colour:blue"])
def test_axe_finds_nothing(
    fragment: str, theme: str, width: int, open_page: Callable[..., Page]
) -> None:
    page = open_page(ServiceSelector(), theme=theme, width=width)
    visit(page, fragment)
    page.locator("details").evaluate_all("folds => folds.forEach(fold => { fold.open = true; })")
    assert violations(page) == []


def test_it_works_with_the_network_cut(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(ServiceSelector())
    page.context.set_offline(offline=True)
    choose(page, "kubernetes", "yes")
    assert shown(page).startswith("EKS Auto Mode")
    assert said == []


def test_without_a_script_the_first_answers_and_their_result_can_be_read(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(ServiceSelector(), java_script_enabled=False)
    assert page.get_by_text("can be changed where scripts run").is_visible()
    assert page.locator('[data-question="kind"]').is_disabled()
    assert page.locator("button:enabled").count() == 0
    assert shown(page) == "ECS Express Mode: first with 7 points, for 3 reasons."
    page.locator("summary", has_text="The facts behind").click()
    assert page.locator(".facts li").first.is_visible()


@pytest.mark.parametrize("module", ["throw new Error('broken');", "not a module at all"])
def test_a_module_that_fails_leaves_the_page_readable(
    module: str, open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(ServiceSelector(), ready="failed", module=module)
    assert page.get_by_text("This widget did not start.").is_visible()
    assert shown(page).startswith("ECS Express Mode")
    assert page.locator('[data-question="kind"]').is_disabled()
    assert page.locator("button:enabled").count() == 0
    assert [line for line in said if "The widget service_selector did not start." in line]


def test_jupyterlab_gives_an_empty_box_and_a_model(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    widget = ServiceSelector(answers={"kind": "job"})
    page = open_page(ServiceSelector())
    seen = in_jupyterlab(
        page,
        widget,
        """
        const head = () => el.querySelector('[data-slot="headline"]').textContent;
        const heads = [head()];
        const select = el.querySelector('[data-question="kind"]');
        select.value = "ready";
        select.dispatchEvent(new Event("change", { bubbles: true }));
        heads.push(head());
        const answers = { ...model.get("answers") };
        model.set("answers", { ...answers, kind: "web" });  // from Python
        heads.push(head());
        el.querySelector('[data-do="back"]').click();
        heads.push(head());
        const doors = [...el.querySelectorAll(".doors button")].map((door) => door.hidden);
        return { heads, answers, doors, hash: location.hash };
        """,
    )
    told = seen["said"]
    firsts = [head.partition(":")[0] for head in told["heads"]]
    assert firsts == ["ECS on Fargate", "No containers", "ECS Express Mode", "ECS on Fargate"]
    assert told["answers"] == recommend({"kind": "ready"}).answers
    assert (told["doors"], told["hash"]) == ([False, False, True, True], "")
    assert (seen["calls"], seen["left"]) == (["saved", "saved"], 0)
    assert said == []
