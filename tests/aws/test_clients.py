from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.aws.clients import client_of, keys_there
from lab.aws.shell import settings

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINT = "http://127.0.0.1:1"


class StoppedError(Exception):
    """Ends a request before it is sent."""


def sent_by(client: Any) -> Any:  # noqa: ANN401
    """Catch the request that a client is about to send."""
    caught = []

    def stop(request: Any, **_: object) -> None:  # noqa: ANN401
        caught.append(request)
        raise StoppedError

    client.meta.events.register("before-send", stop)
    with pytest.raises(StoppedError):
        client.list_clusters()
    return caught[0]


def test_own_keys_and_settings_are_never_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = eu-west-1\nendpoint_url = https://elsewhere\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "https://elsewhere")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid")
    request = sent_by(client_of("ecs", ENDPOINT))
    assert request.url == f"{ENDPOINT}/"
    assert b"Credential=local/" in request.headers["Authorization"]
    assert b"/us-east-1/ecs/" in request.headers["Authorization"]
    assert "X-Amz-Security-Token" not in request.headers


def test_profile_that_is_not_there_is_nobody_s_concern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert sent_by(client_of("ecs", ENDPOINT)).url == f"{ENDPOINT}/"


def test_keys_are_found_by_their_places_alone(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert keys_there(environ) == []
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text("")
    (folder / "credentials").chmod(0)
    assert keys_there(environ) == ["~/.aws/credentials"]
    environ |= {"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_SESSION_TOKEN": "x"}
    assert keys_there(environ) == ["AWS_SESSION_TOKEN"]


@pytest.mark.parametrize(
    ("shell", "put", "forget"),
    [
        ("/bin/bash", "export AWS_REGION=us-east-1", "unset AWS_PROFILE"),
        ("/usr/bin/fish", "set -gx AWS_REGION us-east-1", "set -e AWS_PROFILE"),
        ("/bin/tcsh", "setenv AWS_REGION us-east-1", "unsetenv AWS_PROFILE"),
        ("", "export AWS_REGION=us-east-1", "unset AWS_PROFILE"),
    ],
)
def test_settings_are_in_the_shell_s_own_form(shell: str, put: str, forget: str) -> None:
    lines = settings(ENDPOINT, {"SHELL": shell, "AWS_PROFILE": "work", "AWS_ENDPOINT_URL_S3": "x"})
    assert put in lines
    assert forget in lines
    assert lines[-1].endswith(" AWS_ENDPOINT_URL_S3")
    assert sum("AWS_PROFILE" in line for line in lines) == 1


def test_nothing_is_forgotten_that_is_not_set() -> None:
    lines = settings(ENDPOINT, {"SHELL": "/bin/sh"})
    assert all(line.startswith("export AWS_") for line in lines)
    assert lines[0] == f"export AWS_ENDPOINT_URL={ENDPOINT}"
