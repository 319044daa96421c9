from __future__ import annotations

import pytest

from lab.aws.logs.patterns import PatternError, matcher


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("?Status: timeout", "Invalid character(s) in term ':'"),
        ("foo-bar", "Invalid character(s) in term '-'"),
        ("a.b", "Invalid character(s) in term '.'"),
        ('"not closed', "Invalid character(s) in term '\"'"),
        ("- disk", "Invalid character(s) in term '-'"),
        ("%[%", "Invalid regular expression '['"),
        ("[ip, user, ...]", "in brackets"),
        ("{ $.status = 500", "a brace is not closed"),
        ("{ }", "Invalid character(s) in term ''"),
        ("{ status = 500 }", "Invalid character(s) in term 'status = 500'"),
        ("{ $.status }", "Invalid character(s) in term ''"),
        ("{ $.status = }", "Invalid character(s) in term ''"),
        ('{ $.status > "x" }', "Invalid character(s) in term"),
        ("{ $.status > x }", "Invalid character(s) in term"),
        ("{ ($.status = 500 }", "Invalid character(s) in term"),
        ("{ $.status = 500 $.path = x }", "Invalid character(s) in term '$.path = x'"),
        ("{ $.path = /api/* }", "Invalid character(s) in term '/api/*'"),
        ("{ $.status = 500 && }", "Invalid character(s) in term"),
        ('{ $."detail-type" = x }', "Invalid character(s) in term"),
    ],
)
def test_pattern_that_can_not_be_read_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(PatternError) as refusal:
        matcher(pattern)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("pattern", "message", "is_found"),
    [
        ("", "anything", True),
        ('" "', "anything", True),
        ("ERROR", "ERROR: no disk", True),
        ("ERROR", "error: no disk", False),
        ("ERROR disk", "no disk, ERROR", True),
        ("ERROR disk", "ERROR: no memory", False),
        ("ERROR -disk", "ERROR: no disk", False),
        ("-ERROR", "all is well", True),
        ("?ERROR ?WARN", "WARN: hot", True),
        ("?ERROR ?WARN", "INFO: fine", False),
        ('?"no disk" ?WARN', "there is no disk", True),
        # With another term beside them, those with a question mark have no effect.
        ("?ERROR ?WARN INFO", "INFO: fine", True),
        ('"SERVER ERROR"', "INTERNAL SERVER ERROR", True),
        ('"SERVER ERROR"', "SERVER had no ERROR", False),
        (r'"say \"no\""', 'they say "no" again', True),
        ('"[ERROR]"', "[ERROR] 400", True),
        (r"%4\d\d%", "status 404", True),
        (r"%^4\d\d%", "status 404", False),
    ],
)
def test_terms(pattern: str, message: str, *, is_found: bool) -> None:
    assert matcher(pattern)(message) is is_found


EVENT = """{"status": 500, "path": "/api/users", "ok": false, "none": null, "ratio": 0.5,
    "user": {"id": 1, "name": "Ada"}, "users": [{"id": 2}, {"id": 3}], "a.b": "c", "text": "500"}"""


@pytest.mark.parametrize(
    ("pattern", "is_found"),
    [
        ("{ $.status = 500 }", True),
        ("{$.status=500}", True),
        ("{ $.status = 5e+2 }", True),
        ("{ $.status != 500 }", False),
        ("{ $.status = 5* }", True),
        ("{ $.status >= 500 }", True),
        ("{ $.status > 500 }", False),
        ("{ $.ratio < 1 }", True),
        ("{ $.text = 500 }", False),
        ('{ $.text = "500" }', True),
        ('{ $.path = "/api/*" }', True),
        ('{ $.path != "/api/*" }', False),
        ("{ $.path = %users$% }", True),
        ("{ $.user.id = 1 }", True),
        ('{ $.user = "Ada" }', False),
        ("{ $.users[1].id = 3 }", True),
        ("{ $.users[*].id = 3 }", True),
        ("{ $.users[7].id = 3 }", False),
        ("{ $.user.* = Ada }", True),
        ("{ $.['a.b'] = c }", True),
        ("{ $.none IS NULL }", True),
        ("{ $.ok IS FALSE }", True),
        ("{ $.ok IS TRUE }", False),
        ("{ $.ok = 0 }", False),
        ("{ $.nobody NOT EXISTS }", True),
        ("{ $.none NOT EXISTS }", False),
        ("{ $.nobody != x }", False),
        ("{ $.status = 500 && $.user.id = 2 }", False),
        ("{ $.user.id = 1 || $.status = 1 && $.user.id = 2 }", True),
        ("{ ($.user.id = 1 || $.status = 1) && $.user.id = 2 }", False),
    ],
)
def test_members_of_json(pattern: str, *, is_found: bool) -> None:
    assert matcher(pattern)(EVENT) is is_found


@pytest.mark.parametrize("message", ["no JSON", "500", '"status"', "{", "null"])
def test_what_is_no_object_is_not_found(message: str) -> None:
    assert not matcher("{ $.status = 500 }")(message)
