"""A check that cannot fail proves nothing: each gate is shown a page made wrong on purpose."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator

pytestmark = pytest.mark.browser

PAGE = "chapters/setup.html"
WIDGET = (
    '<div class="course-widget" data-anywidget="tampered"><button type="button">Go</button>'
    '<script type="application/json">{}</script></div>'
    '<script type="module" src="../_static/host.js"></script>'
)
Tamper = Callable[..., str]


@pytest.fixture
def tamper(site: Path, tmp_path: Path, serve: Callable[[Path], str]) -> Tamper:
    def add(markup: str, module: str = "") -> str:
        wrong = tmp_path / "site"
        shutil.copytree(site, wrong)
        file = wrong / PAGE
        text = file.read_text("utf-8")
        assert "</article>" in text
        file.write_text(text.replace("</article>", f"{markup}</article>"), "utf-8")
        if module:
            (wrong / "_static" / "tampered.js").write_text(module, "utf-8")
        return serve(wrong) + PAGE

    return add


Look = Callable[..., Any]


def test_a_foreign_picture_is_noticed(tamper: Tamper, look_again: Look) -> None:
    url = tamper('<img alt="" src="https://example.org/pixel.svg">')
    assert look_again(url).foreign == ["https://example.org/pixel.svg"]


def test_a_script_error_is_noticed(tamper: Tamper, look_again: Look) -> None:
    assert look_again(tamper("<script>undefinedName()</script>")).errors


def test_a_missing_file_is_noticed(tamper: Tamper, look_again: Look) -> None:
    assert look_again(tamper('<img alt="" src="gone.svg">')).errors


def test_a_field_without_a_name_is_noticed(tamper: Tamper, look_again: Look) -> None:
    assert look_again(tamper('<input type="text">'), with_axe=True).violations


def test_pale_text_is_noticed_in_the_dark_mode_alone(tamper: Tamper, look_again: Look) -> None:
    url = tamper('<p style="color: #4b5b66">Made for a white page.</p>')
    assert look_again(url, with_axe=True).violations == []
    assert look_again(url, "dark", with_axe=True).violations


def test_a_page_too_wide_for_a_phone_is_noticed(tamper: Tamper, look_again: Look) -> None:
    assert look_again(tamper('<div style="width: 600px">wide</div>'), "light", 390).too_wide_px


def test_heavy_and_slow_scripts_are_noticed(tamper: Tamper, look_again: Look) -> None:
    noise = "const noise = [...Array(90000)].map((_, i) => Math.sin(i)).join();"
    busy = "const end = performance.now() + 300; while (performance.now() < end);"
    seen = look_again(tamper(f"<script>addEventListener('load', () => {{{noise}{busy}}})</script>"))
    assert seen.blocking_ms > 50


def test_a_late_banner_is_noticed(tamper: Tamper, look_again: Look) -> None:
    banner = "document.querySelector('article').style.paddingTop = '300px'"
    late = f"addEventListener('load', () => setTimeout(() => {banner}, 100))"
    assert look_again(tamper(f"<script>{late}</script>")).layout_shift > 0.002


def test_a_widget_whose_module_is_missing_is_noticed(tamper: Tamper, look_again: Look) -> None:
    assert look_again(tamper(WIDGET)).widgets == [("tampered", "failed")]


def test_a_widget_that_fails_to_start_is_noticed(tamper: Tamper, look_again: Look) -> None:
    module = "export default { render() { throw new Error('no'); } };"
    assert look_again(tamper(WIDGET, module)).not_ready == ["tampered"]


def test_a_widget_that_never_starts_is_noticed(tamper: Tamper, look_again: Look) -> None:
    without_host = WIDGET.partition('<script type="module"')[0]
    seen = look_again(tamper(without_host), patience_ms=1500)
    assert seen.widgets == [("tampered", "never")]


@pytest.mark.parametrize(
    ("module", "alive"),
    [
        ("export default { render() {} };", False),
        (
            "export default { render({ el }) { el.onclick = () => { el.prepend('Gone'); }; } };",
            True,
        ),
    ],
    ids=["dead", "alive"],
)
def test_a_widget_that_is_ready_and_deaf_is_noticed(
    tamper: Tamper,
    context: BrowserContext,
    answers: Callable[[Locator], bool],
    module: str,
    *,
    alive: bool,
) -> None:
    tab = context.new_page()
    tab.goto(tamper(WIDGET, module))
    widget = tab.locator("[data-anywidget][data-ready=yes]")
    widget.wait_for()
    context.set_offline(True)
    assert answers(widget) is alive
