from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE_MS = 20_000  # a busy machine is no fault of the page
BUDGET = "page budget"
COVERAGE = "coverage"
AWS = "aws table"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # One for all tests of a worker: Playwright refuses to be started twice in a process.
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # Here, because a controller of workers reads no conftest.py of a deeper folder.
    if claims := _recorded(terminalreporter, COVERAGE):
        terminalreporter.section("claims of the talk, and what carries each")
        for claim in claims:
            terminalreporter.line(claim)
    if rows := _recorded(terminalreporter, AWS):
        terminalreporter.section("AWS's documented behaviour: checks held with every answer, in %")
        for row in rows:
            terminalreporter.line(row)
    if rows := _recorded(terminalreporter, BUDGET):
        terminalreporter.section("site, per page, gzip")
        terminalreporter.line(
            f"{'':<40} {'all':>9} {'scripts':>9} {'blocked':>8} {'shift':>8} {'largest paint':>14}"
        )
        for row in rows:
            terminalreporter.line(row)
        terminalreporter.line(
            f"{'at most':<40} {150:6.1f} KB {50:6.1f} KB {50:5.0f} ms   0.0020  not judged"
        )


def _recorded(terminalreporter: pytest.TerminalReporter, name: str) -> list[str]:
    """What tests have recorded under a name, each test once."""
    reports = [report for several in terminalreporter.stats.values() for report in several]
    return [
        row
        for report in reports
        for recorded, row in getattr(report, "user_properties", ())
        if recorded == name and report.when == "call"
    ]
