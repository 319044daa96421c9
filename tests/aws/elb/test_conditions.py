"""Which conditions a rule can have, and which requests meet them."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from lab.aws.elb.conditions import Asked, are_met, checked
from lab.aws.errors import AwsError

Json = dict[str, Any]


def asked(**said: Any) -> Asked:  # noqa: ANN401
    headers = CIMultiDictProxy(CIMultiDict(said.pop("headers", {})))
    form = {"method": "GET", "host": "a.example.com", "path": "/", "query": ""}
    return Asked(**(form | {"source": "127.0.0.1"} | said), headers=headers)


def condition(field: str, *values: Any, **config: Any) -> Json:  # noqa: ANN401
    words = "".join(word.capitalize() for word in field.split("-"))
    member = f"{words}Config".replace("Http", "Http")
    return {"Field": field, member: {"Values": list(values)} | config}


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ([], "A condition must be specified"),
        ([{"Field": "colour", "Values": ["red"]}], "must be one of"),
        ([{"Field": "path-pattern"}], "must be specified with 'path-pattern'"),
        ([{"Field": "source-ip", "Values": ["10.0.0.0/8"]}], "not compatible"),
        ([{"Field": "path-pattern", "Values": ["/a", "/b"]}], "too many values"),
        (
            [{"Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": {"Values": ["/b"]}}],
            "both",
        ),
        ([condition("path-pattern")], "must be specified"),
        ([condition("path-pattern", "/" + "a" * 128)], "too long; the limit is '128'"),
        ([condition("path-pattern", "/a"), condition("path-pattern", "/b")], "only have one"),
        ([condition("path-pattern", *"abcdef")], "'5' condition values"),
        ([condition("path-pattern", RegexValues=["("])], "not valid"),
        ([condition("host-header", "localhost")], "at least one '.'"),
        ([condition("http-header", "a")], "'HttpHeaderName' must be specified"),
        ([condition("http-header", "a", HttpHeaderName="x" * 41)], "the limit is '40'"),
        ([condition("http-header", "a", HttpHeaderName="Host")], "use 'host-header'"),
        ([condition("http-request-method", "get")], "A-Z"),
        ([condition("source-ip", "10.0.0.1")], "not a valid CIDR"),
        ([condition("source-ip", "10.0.0.1/8")], "not a valid CIDR"),
        ([condition("query-string", {"Key": "a"})], "'Value' must be specified"),
    ],
)
def test_bad_conditions_are_refused(conditions: list[Json], says: str) -> None:
    with pytest.raises(AwsError, match=says) as refusal:
        checked(conditions)
    assert refusal.value.code == "ValidationError"


@pytest.mark.parametrize(
    ("given", "request_", "is_met"),
    [
        (condition("path-pattern", "/img/*"), {"path": "/img/a/b.png"}, True),
        (condition("path-pattern", "/img/*"), {"path": "/IMG/a"}, False),
        (condition("path-pattern", "/img/*"), {"path": "/img"}, False),
        (condition("path-pattern", "/?"), {"path": "/ab"}, False),
        (condition("path-pattern", "/a.c"), {"path": "/abc"}, False),
        (condition("path-pattern", "/x", "/y"), {"path": "/y"}, True),
        (condition("path-pattern", RegexValues=["/v[0-9]+/.*"]), {"path": "/v12/a"}, True),
        (condition("path-pattern", RegexValues=["/v[0-9]+/.*"]), {"path": "/vx/a"}, False),
        (condition("host-header", "*.Example.com"), {"host": "a.exAMPLE.com"}, True),
        (condition("host-header", "*.example.com"), {"host": "example.com"}, False),
        (
            condition("http-header", "*chrome*", HttpHeaderName="User-Agent"),
            {"headers": {"user-agent": "A Chrome 1"}},
            True,
        ),
        (condition("http-header", "*", HttpHeaderName="User-Agent"), {}, False),
        (condition("http-request-method", "POST"), {"method": "POST"}, True),
        (condition("http-request-method", "POST"), {}, False),
        (condition("source-ip", "127.0.0.0/8"), {}, True),
        (condition("source-ip", "::1/128", "10.0.0.0/8"), {}, False),
        (condition("query-string", {"Key": "v", "Value": "2"}), {"query": "a=1&V=2"}, True),
        (condition("query-string", {"Key": "v", "Value": "2"}), {"query": "a=2"}, False),
        (condition("query-string", {"Value": "be*"}), {"query": "a=beta"}, True),
        (condition("query-string", {"Value": r"\*"}), {"query": "a=beta"}, False),
        (condition("query-string", {"Value": r"\*"}), {"query": "a=*"}, True),
    ],
)
def test_request_meets_a_condition(given: Json, request_: Json, is_met: bool) -> None:  # noqa: FBT001
    assert are_met(checked([given]), asked(**request_)) is is_met


def test_all_conditions_must_be_met() -> None:
    both = checked([condition("path-pattern", "/a"), condition("http-request-method", "POST")])
    assert are_met(both, asked(path="/a", method="POST"))
    assert not are_met(both, asked(path="/a"))


def test_short_form_is_written_out() -> None:
    [found] = checked([{"Field": "path-pattern", "Values": ["/a"]}])
    assert found["PathPatternConfig"] == {"Values": ["/a"]}
    [found] = checked([condition("path-pattern", "/a")])
    assert found["Values"] == ["/a"]
