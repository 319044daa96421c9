from __future__ import annotations

import pytest

from lab.aws.pages import page_of


@pytest.mark.parametrize("token", ["x", "-1", "4"])
def test_token_of_no_page_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        page_of("abc", token, 2)


def test_pages_follow_each_other_to_the_end() -> None:
    token, seen = None, []
    while True:
        some, token = page_of("abcde", token, 2)
        seen.append(some)
        if token is None:
            break
    assert seen == [["a", "b"], ["c", "d"], ["e"]]


def test_full_last_page_has_no_token() -> None:
    assert page_of("ab", None, 2) == (["a", "b"], None)


def test_what_is_deleted_between_two_pages_hides_no_other() -> None:
    first, token = page_of("dbca", None, 2, str)
    assert first == ["a", "b"]
    assert page_of("dc", token, 2, str) == (["c", "d"], None)
    with pytest.raises(ValueError, match=r".*"):
        page_of("dc", "x", 2, str)
