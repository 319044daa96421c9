"""Runs the behaviour suite against an endpoint, and prints what it found by service.

    .venv/bin/pytest tests/aws/suite --endpoint http://127.0.0.1:4566 [--table table.json]

Without ``--endpoint`` the folder ``suite`` is not collected. ``make test`` runs it once against the
course's own AWS, in more workers than the rest (``test_ours.py``). What the suite is made of is
tested by the other files beside this one.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from .suite import table
from .suite.account import Account, container, exit_code, shell

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SUITE = Path(__file__).parent / "suite"
OUTCOME = "aws outcome"
PROBE_SECONDS = 30
EXIT = 7


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("the behaviour suite of the local AWS")
    group.addoption("--endpoint", help="where an AWS answers, such as http://127.0.0.1:4566")
    group.addoption("--table", type=Path, help="write the table by service to this file, as JSON")
    group.addoption("--of", default="", help="what answers at the endpoint, for the table")
    group.addoption("--patience", type=float, default=20, help="seconds to wait for a change")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path == SUITE and not _endpoint(config) else None


@pytest.fixture
def aws(request: pytest.FixtureRequest) -> Iterator[Account]:
    account = _account(request.config)
    account.in_vain = request.getfixturevalue("answers")
    needs = request.function.behaviour.runs
    if needs in {"tasks", "hosts"} and not account.in_vain:
        account.in_vain = request.getfixturevalue("tasks_run")
    if needs == "hosts" and not account.in_vain:
        account.in_vain = request.getfixturevalue("hosts_join")
    yield account
    account.close()


@pytest.fixture(scope="session")
def answers(request: pytest.FixtureRequest) -> str:
    """Say why nothing answers here, once for all checks."""
    try:
        _account(request.config).ecs.list_clusters()
    except ClientError:
        return ""  # an answer, too
    except BotoCoreError as error:
        return f"nothing answers here: {error}"
    return ""


@pytest.fixture(scope="session")
def tasks_run(request: pytest.FixtureRequest) -> str:
    """Say why no task runs here, once for all checks: each would wait in vain by itself."""
    account = _account(request.config)
    try:
        leave = container(command=shell(f"exit {EXIT}"))
        task = account.finished(leave, seconds=PROBE_SECONDS)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # whatever it is, no task ran
        return f"no task runs here: {error}"
    finally:
        account.close()
    code = exit_code(task)
    return "" if code == EXIT else f"no task runs here: a command's exit code {EXIT} came as {code}"


@pytest.fixture(scope="session")
def hosts_join(request: pytest.FixtureRequest) -> str:
    """Say why no instance joins a cluster here, once for all checks."""
    account = _account(request.config)
    try:
        account.hosts(account.cluster())
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # whatever it is, none joined
        return f"no instance joins a cluster here: {error}"
    finally:
        account.close()
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    account = getattr(item, "funcargs", {}).get("aws")
    if isinstance(account, Account) and account.in_vain:
        # Counted as failed: what is left out would not be missed in the table.
        pytest.fail(account.in_vain, pytrace=False)
    result = yield
    if isinstance(account, Account) and account.faults:
        raise AnswerError(account.faults)
    return result


class AnswerError(AssertionError):
    """Says what in the answers does not fit botocore's model, although the check held."""

    def __init__(self, faults: list[str]) -> None:
        few = list(dict.fromkeys(faults))[:5]
        super().__init__("; ".join(few))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    behaviour = getattr(getattr(item, "function", None), "behaviour", None)
    # A check that could not be set up did not hold; what its clean-up met is no verdict on AWS.
    if behaviour and (report.when == "call" or (report.when == "setup" and report.failed)):
        verdict: table.Verdict = "held"
        reason = ""
        if call.excinfo:
            verdict = "answer" if call.excinfo.errisinstance(AnswerError) else "failed"
            reason = _plain(call.excinfo.exconly())
        name = f"{item.path.stem.removeprefix('test_')}/{item.name.removeprefix('test_')}"
        outcome = (name, behaviour.service, behaviour.runs, verdict, reason)
        report.user_properties.append((OUTCOME, outcome))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    endpoint = _endpoint(config)
    if not endpoint:
        return
    reports = [report for several in terminalreporter.stats.values() for report in several]
    found = {
        value[0]: table.Outcome(*value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == OUTCOME
    }
    if not found:
        return
    terminalreporter.section("AWS's documented behaviour")
    for line in table.lines(found.values()):
        terminalreporter.line(line)
    if path := config.getoption("--table"):
        about = {
            "of": config.getoption("--of") or endpoint,
            "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
            "botocore": botocore.__version__,
        }
        table.write(path, about, found.values())


def _endpoint(config: pytest.Config) -> str | None:
    return config.getoption("--endpoint", None)


def _account(config: pytest.Config) -> Account:
    return Account(config.getoption("--endpoint"), config.getoption("--patience"))


def _plain(text: str) -> str:
    """Take out of an error what differs from run to run."""
    first = text.strip().splitlines()[0] if text.strip() else ""
    text = re.sub(r"\x1b\[[0-9;]*m", "", first)
    text = re.sub(r"\b[0-9a-f]{10,}\b", "…", text)
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:…", text)
