from __future__ import annotations

import re

import pytest
from nbval.plugin import get_sanitize_patterns
from notebooks_form import ROOT, load_rules

CONFIGURATION = ROOT / "nbval.cfg"
DIGEST = "0123456789abcdef" * 4
OTHER_DIGEST = "fedcba9876543210" * 4


def sanitised(text: str) -> str:
    for regex, replace in load_rules(CONFIGURATION):
        text = re.sub(regex, replace, text)
    return text


def test_the_tools_read_the_same_rules_as_nbval() -> None:
    rules = load_rules(CONFIGURATION)
    assert rules == get_sanitize_patterns(CONFIGURATION.read_text())
    assert len(rules) == CONFIGURATION.read_text().count("regex:") - 1  # the header names it too


def test_every_rule_has_a_named_section_and_a_comment() -> None:
    sections = re.split(r"^\[.+\]$", CONFIGURATION.read_text(), flags=re.MULTILINE)[1:]
    assert len(sections) == len(load_rules(CONFIGURATION))
    for section in sections:
        assert section.lstrip().startswith("# ")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"sha256:{DIGEST}", f"sha256:{OTHER_DIGEST}"),
        (f"course/app@sha256:{DIGEST}", f"course/app@sha256:{OTHER_DIGEST}"),
        (DIGEST, OTHER_DIGEST),
        ("<Container: 0123456789ab>", "<Container: 9876543210fe>"),
        ("sha256:0123456789ab", "sha256:9876543210fe"),
        (f"(task {DIGEST[:32]}).", f"(task {OTHER_DIGEST[:32]})."),
        ("(deployment ecs-svc/1346854514959845229)", "(deployment ecs-svc/9346854514959845220)"),
        ("2026-11-24T00:31:02.123456789Z", "2026-11-25T11:31:02Z"),
        ("at 2026-11-24T00:31:02+00:00,", "at 2026-12-01T07:00:00+09:00,"),
        ("172.17.0.2", "172.18.0.5"),
        ("http://192.168.65.3:8080/", "http://10.88.0.7:8080/"),
        ("It is 172.17.0.2.", "It is 172.17.0.3."),
        ("http://127.0.0.1:49153/health", "http://127.0.0.1:32768/health"),
        ("4242 (varies)", "7 (varies)"),
        ("0.41 s (varies)", "12 s (varies)"),
        ("-3.5 MB (varies)", "120 MB (varies)"),
        ("<td>97 % (varies)</td>", "<td>3 % (varies)</td>"),
    ],
)
def test_the_same_shape_is_the_same(one: str, other: str) -> None:
    assert sanitised(one) == sanitised(other)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        # What the rule for digests, and the rules for ids, must tell apart.
        (f"sha256:{DIGEST}", f"sha512:{DIGEST}"),
        (f"sha256:{DIGEST}", "sha256:"),
        (f"sha256:{DIGEST}", DIGEST),
        (DIGEST, DIGEST[:-1]),
        (DIGEST, DIGEST.upper()),
        ("0123456789ab", "0123456789a"),
        ("123456789012", "210987654321"),  # AWS accounts
        ("arn:aws:ecs:eu-west-1:123456789012:cluster/a", "arn:aws:ecs:eu-west-1:1:cluster/a"),
        ("effacedbadca", "deadbeefdead"),  # no digit: a word
        ("web-0123456789ab", "web-0123456789ac"),
        (f"task/shop/{DIGEST[:32]}", f"task/fair/{DIGEST[:32]}"),
        (f"task/shop/{DIGEST[:32]}", f"task/shop/{DIGEST[:31]}"),
        (f"task/shop/{DIGEST[:32]}", "task/shop/web"),
        ("ecs-svc/1346854514959845229", "ecs-svc/134685451495984522"),
        ("ecs-svc/1346854514959845229", "ecs-svc/web"),
        ("1346854514959845229", "1346854514959845228"),
        # Times.
        ("0001-01-01T00:00:00Z", "2026-11-24T00:31:02Z"),  # never, and once
        ("2026-11-24", "2019-11-01"),
        ("2026-11-24T00:31:02", "2026-11-24T00:31:03"),
        ("00:31:02", "00:31:03"),
        # Addresses.
        ("172.17.0.2", "172.32.0.2"),
        ("172.17.0.2", "8.8.8.8"),
        ("172.17.0.2", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104  # compared, not bound
        ("10.0.0.0/16", "10.1.0.0/16"),
        ("version 110.0.0.1", "version 110.0.0.2"),
        ("172.17.0.2", ""),
        # Ports.
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8081/"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:49153/"),
        ("http://127.0.0.1:49153/", "http://0.0.0.0:49153/"),
        ("http://127.0.0.1:49153/", "http://127.0.0.1:49153/health"),
        ("127.0.0.1:32767", "127.0.0.1:32766"),
        ("127.0.0.1:65536", "127.0.0.1:65537"),
        # Numbers.
        ("4242", "4243"),
        ("4242 (varies)", "4242"),
        ("4242 (varies)", "web (varies)"),
        ("4242 (varies)", "(varies)"),
        ("0.41 s (varies)", "0.41 ms (varies)"),
        ("0.41 s (varies)", "0.41 (varies)"),
        ("1 GB (varies)", "2 GB (varies)"),
        ("v2 (varies)", "v3 (varies)"),
        ("1, 2 (varies)", "2, 2 (varies)"),
        # No shape at all.
        ("137", "0"),
        ("exited (137)", "exited (0)"),
        ("web", "db"),
        ("running", "exited"),
        ("State.Pid 0", "State.Pid 1"),
        ("200", "503"),
        ("True", "False"),
    ],
)
def test_a_wrong_answer_stays_wrong(right: str, wrong: str) -> None:
    assert sanitised(right) != sanitised(wrong)
