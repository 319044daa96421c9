from __future__ import annotations

import time

import pytest

from lab.aws.ecr.front import RefusalError, Rules, link_signature, token

KEY = "secret"  # no password


def rules(mutability: str, *exclusions: str) -> Rules:
    made = Rules("123456789012")
    made.by_name["app"] = {"mutability": mutability, "exclusions": list(exclusions)}
    return made


@pytest.mark.parametrize(
    ("mutability", "exclusions", "immutable"),
    [
        ("MUTABLE", [], []),
        ("IMMUTABLE", [], ["1", "dev-1", "latest"]),
        ("IMMUTABLE_WITH_EXCLUSION", ["latest", "dev-*"], ["1"]),
        ("MUTABLE_WITH_EXCLUSION", ["dev-*"], ["dev-1"]),
    ],
)
def test_tags_that_stay(mutability: str, exclusions: list[str], immutable: list[str]) -> None:
    made = rules(mutability, *exclusions)
    found = [tag for tag in ("1", "dev-1", "latest") if made.is_immutable("app", tag)]
    assert found == immutable


def test_repository_that_was_not_created_is_refused_in_ecr_s_words() -> None:
    with pytest.raises(RefusalError) as refusal:
        rules("MUTABLE").check_name("app/other")
    assert (refusal.value.status, refusal.value.code) == (404, "NAME_UNKNOWN")
    assert str(refusal.value) == (
        "The repository with name 'app/other' does not exist in the registry with id '123456789012'"
    )


def test_token_and_link_hold_for_their_time_key_and_path_only() -> None:
    later = int(time.time()) + 60
    assert token(KEY, later) == token(KEY, later)
    assert len({token(KEY, later), token(KEY, later + 1), token("other", later)}) == 3
    links = [link_signature(KEY, path, later) for path in ("/v2/a/blobs/x", "/v2/b/blobs/x")]
    assert len({*links, token(KEY, later).partition("-")[2]}) == 3
