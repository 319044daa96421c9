from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

from lab.engine import UsualSocket, find_engine, on_binder, quirks_of, usual_sockets
from lab.errors import (
    EngineNotRunningError,
    EngineTooOldError,
    NoEngineError,
    PermissionDeniedError,
)

from .stand_in import (
    DOCKER_20_10,
    PODMAN_4_3,
    TOO_NEW,
    TOO_OLD,
    USUAL,
    answering,
    answering_tls,
    dribbling,
    silent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOBODY = 65534
AT_MOST = 3.0


@pytest.fixture
def short_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The path of a socket has at most 107 bytes.
    folder = tmp_path_factory.mktemp("s")
    assert len(str(folder)) < 80
    return folder


@pytest.fixture
def stale(short_folder: Path) -> Path:
    path = short_folder / "stale.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return path


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": str(home), **more}


def usual(path: Path, product: str = "Docker Engine") -> UsualSocket:
    return UsualSocket(product, path, "type `start-the-engine`")


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    # Root may use any socket, so that only another user sees a refusal.
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def make_context(
    folder: Path, name: str, endpoint: Mapping[str, object], *, current: bool = True
) -> Path:
    """Write what `docker context create` and `docker context use` write."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / key
    meta.mkdir(parents=True)
    content = {"Name": name, "Metadata": {}, "Endpoints": {"docker": dict(endpoint)}}
    (meta / "meta.json").write_text(json.dumps(content))
    if current:
        (folder / "config.json").write_text(json.dumps({"currentContext": name}))
    return folder / "contexts/tls" / key / "docker"


@pytest.mark.engine
def test_the_engine_of_this_machine_is_found_and_described() -> None:
    engine = find_engine()
    assert engine.client.ping()
    assert engine.tried[-1].outcome == "answers"
    assert engine.describe().startswith(f"{engine.product} {engine.version} at {engine.host} (")
    assert "+" not in engine.version
    assert engine.quirks() == quirks_of(engine.client.info())
    engine.client.close()


@pytest.mark.engine
def test_a_client_has_the_class_that_was_asked_for() -> None:
    class Own(docker.APIClient):
        pass

    engine = find_engine()
    client = engine.connect(Own)
    assert type(client.api) is Own
    assert client.ping()
    assert client.api.api_version == engine.api_version == engine.client.api.api_version
    client.close()
    engine.client.close()


@pytest.mark.engine
def test_the_version_of_the_api_is_one_that_both_speak() -> None:
    engine = find_engine()
    numbers = tuple(map(int, engine.api_version.split(".")))
    assert (1, 24) <= numbers <= (1, 45)
    engine.client.close()


@pytest.mark.engine
def test_what_is_named_comes_before_what_is_usual(tmp_path: Path, stale: Path) -> None:
    real = find_engine()
    real.client.close()
    config = tmp_path / "config"
    make_context(config, "mine", {"Host": real.host, "SkipTLSVerify": False})
    environ = environment(tmp_path, DOCKER_CONFIG=str(config))
    by_context = find_engine(environ, sockets=[usual(stale)])
    by_context.client.close()
    assert by_context.source == "Docker context mine"
    assert [attempt.source for attempt in by_context.tried] == [
        "DOCKER_HOST",
        "Docker context mine",
    ]
    by_host = find_engine({**environ, "DOCKER_HOST": real.host}, sockets=[])
    by_host.client.close()
    assert by_host.source == "DOCKER_HOST"
    assert [attempt.source for attempt in by_host.tried] == ["DOCKER_HOST"]


@pytest.mark.engine
def test_a_usual_socket_that_answers_wins_over_one_that_does_not(
    tmp_path: Path, stale: Path
) -> None:
    real = find_engine()
    real.client.close()
    if not real.host.startswith("unix://"):
        pytest.skip("the engine under test has no socket")
    good = Path(real.host.removeprefix("unix://"))
    found = find_engine(
        environment(tmp_path),
        sockets=[usual(tmp_path / "none", "Colima"), usual(stale, "OrbStack"), usual(good)],
    )
    found.client.close()
    assert [(attempt.source, attempt.outcome) for attempt in found.tried] == [
        ("DOCKER_HOST", "not set"),
        ("Docker context", "the default one, which names no address"),
        ("Colima", "there is no such file"),
        ("OrbStack", "nobody listens there (connection refused)"),
        ("Docker Engine", "answers"),
    ]


def test_no_engine_lists_what_was_tried(tmp_path: Path) -> None:
    with pytest.raises(NoEngineError) as caught:
        find_engine(environment(tmp_path), sockets=[usual(tmp_path / "none", "Colima")])
    assert caught.value.what == (
        "There is no container engine on this machine. What was tried:"
        "\n  DOCKER_HOST: not set"
        "\n  Docker context: the default one, which names no address"
        f"\n  Colima at unix://{tmp_path}/none: there is no such file"
    )
    assert "https://docs.docker.com/engine/install/" in caught.value.next_step


def test_a_client_without_an_engine_says_how_to_start_one(tmp_path: Path) -> None:
    command = tmp_path / "docker"
    command.touch(mode=0o755)
    with pytest.raises(EngineNotRunningError) as caught:
        find_engine(environment(tmp_path), sockets=[])
    assert caught.value.what == ("The command `docker` is installed, but no container engine runs.")
    assert "docker start" in caught.value.next_step or "start docker" in caught.value.next_step


def test_a_socket_that_nobody_listens_on_is_an_engine_that_does_not_run(
    tmp_path: Path, stale: Path
) -> None:
    with pytest.raises(EngineNotRunningError) as caught:
        find_engine(environment(tmp_path), sockets=[usual(stale)])
    assert caught.value.what == (
        f"No engine to use at Docker Engine at unix://{stale}: "
        "nobody listens there (connection refused)."
    )
    assert caught.value.next_step == "Type `start-the-engine`."


@pytest.mark.parametrize("there", [True, False])
def test_a_named_engine_that_is_dead_is_an_error_and_no_fallback(
    tmp_path: Path, stale: Path, short_folder: Path, *, there: bool
) -> None:
    path = stale if there else tmp_path / "none.sock"
    with (
        answering(short_folder / "e.sock", USUAL),
        pytest.raises(EngineNotRunningError) as caught,
    ):
        find_engine(
            environment(tmp_path, DOCKER_HOST=f"unix://{path}"),
            sockets=[usual(short_folder / "e.sock")],
        )
    reason = "nobody listens there (connection refused)" if there else "there is no such file"
    assert caught.value.what == (
        f"No engine to use at unix://{path} (named by DOCKER_HOST): {reason}."
    )
    assert caught.value.next_step == (
        "Start that engine; or type `unset DOCKER_HOST` to let the course look for another one."
    )


def test_a_dead_engine_of_a_known_product_has_that_product_s_command(tmp_path: Path) -> None:
    with pytest.raises(EngineNotRunningError) as caught:
        find_engine(
            environment(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/.colima/default/docker.sock")
        )
    assert caught.value.next_step.startswith("Type `colima start`; or ")


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("tcp://", "this is no address of an engine"),
        ("nonsense://here", "this is no address of an engine"),
        ("tcp://127.0.0.1:99999", "this is no address of an engine"),
        ("tcp://nowhere.invalid:2375", "the name nowhere.invalid leads to no machine"),
        ("ssh://ada@there", "the course does not use engines over ssh"),
        ("unix:///" + 200 * "x", "nobody listens there (af_unix path too long)"),
    ],
)
def test_an_address_that_can_not_be_used_says_why(tmp_path: Path, host: str, reason: str) -> None:
    with pytest.raises(EngineNotRunningError) as caught:
        find_engine(environment(tmp_path, DOCKER_HOST=host))
    assert f"{host} (named by DOCKER_HOST): {reason}" in caught.value.what
    assert "unset DOCKER_HOST" in caught.value.next_step


def test_a_socket_that_refuses_permission_names_the_group(
    tmp_path: Path, short_folder: Path
) -> None:
    path = short_folder / "closed.sock"
    with silent(socket.AF_UNIX, str(path)):
        path.chmod(0)
        with as_nobody(), pytest.raises(PermissionDeniedError) as caught:
            find_engine(environment(tmp_path), sockets=[usual(path)])
    assert caught.value.what == (
        "The engine is there, but you may not use it: "
        f"Docker Engine at unix://{path}: permission denied."
    )
    assert caught.value.next_step.startswith("Type `sudo usermod -aG docker $USER`, then log out")


def test_podman_s_system_socket_that_refuses_leads_to_a_podman_of_one_s_own(
    tmp_path: Path, short_folder: Path
) -> None:
    path = short_folder / "podman.sock"
    with silent(socket.AF_UNIX, str(path)):
        path.chmod(0)
        with as_nobody(), pytest.raises(PermissionDeniedError) as caught:
            find_engine(environment(tmp_path), sockets=[usual(path, "Podman service")])
    assert "`systemctl --user enable --now podman.socket`" in caught.value.next_step


def test_an_engine_that_is_too_new_says_both_versions_and_what_to_update(
    tmp_path: Path, short_folder: Path
) -> None:
    with (
        answering(short_folder / "e.sock", TOO_NEW) as host,
        pytest.raises(EngineTooOldError) as caught,
    ):
        find_engine(environment(tmp_path, DOCKER_HOST=host))
    assert "it speaks versions 1.90 to 1.99 of the Docker API" in caught.value.what
    assert f"Docker SDK {docker.__version__} speaks 1.24 to 1.45" in caught.value.what
    assert "update the course (`git pull`, then `make lab`)" in caught.value.next_step


def test_an_engine_that_is_too_old_is_the_one_to_update(tmp_path: Path, short_folder: Path) -> None:
    with (
        answering(short_folder / "e.sock", TOO_OLD) as host,
        pytest.raises(EngineTooOldError) as caught,
    ):
        find_engine(environment(tmp_path, DOCKER_HOST=host))
    assert "it speaks versions 1.12 to 1.18 of the Docker API" in caught.value.what
    assert caught.value.next_step.startswith("The engine is the older one: update it")


def test_what_answers_but_is_no_engine_is_said_so(tmp_path: Path, short_folder: Path) -> None:
    with (
        answering(short_folder / "e.sock", None) as host,
        pytest.raises(EngineNotRunningError) as caught,
    ):
        find_engine(environment(tmp_path, DOCKER_HOST=host))
    assert "what answers there is no container engine" in caught.value.what


def test_a_server_that_never_answers_costs_two_seconds(tmp_path: Path, short_folder: Path) -> None:
    path = short_folder / "silent.sock"
    started = time.monotonic()
    with silent(socket.AF_UNIX, str(path)), pytest.raises(EngineNotRunningError) as caught:
        find_engine(environment(tmp_path), sockets=[usual(path)])
    assert time.monotonic() - started < AT_MOST
    assert "it does not answer within 2 seconds" in caught.value.what


def test_a_host_that_swallows_packets_costs_two_seconds(tmp_path: Path) -> None:
    # A listener whose queue is full drops what comes, as a firewall does.
    with socket.socket() as listener, contextlib.ExitStack() as queue:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        started = time.monotonic()
        host = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(EngineNotRunningError) as caught:
            find_engine(environment(tmp_path, DOCKER_HOST=host))
    assert time.monotonic() - started < AT_MOST
    assert "it does not answer within 2 seconds" in caught.value.what


def test_a_server_that_answers_a_byte_at_a_time_costs_no_more(tmp_path: Path) -> None:
    started = time.monotonic()
    with dribbling() as host, pytest.raises(EngineNotRunningError) as caught:
        find_engine(environment(tmp_path, DOCKER_HOST=host))
    assert time.monotonic() - started < AT_MOST + 1
    assert "it does not answer within 2 seconds" in caught.value.what


def test_an_engine_that_answers_may_be_slow_to_say_its_version(
    tmp_path: Path, short_folder: Path
) -> None:
    # As Podman on Debian is, on a busy machine.
    with answering(short_folder / "e.sock", USUAL, version_seconds=AT_MOST) as host:
        engine = find_engine(environment(tmp_path, DOCKER_HOST=host))
    engine.client.close()
    assert engine.version == "20.10.24"


def test_an_engine_that_never_says_its_version_is_not_waited_for(
    tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.engine._VERSION_SECONDS", 2.0)
    with (
        answering(short_folder / "e.sock", USUAL, version_seconds=AT_MOST) as host,
        pytest.raises(EngineNotRunningError) as caught,
    ):
        find_engine(environment(tmp_path, DOCKER_HOST=host))
    assert "it answers, but does not say its version within 2 seconds" in caught.value.what


def test_a_context_that_is_dead_or_missing_says_how_to_leave_it(tmp_path: Path) -> None:
    config = tmp_path / ".docker"
    make_context(config, "gone", {"Host": f"unix://{tmp_path}/none", "SkipTLSVerify": False})
    with pytest.raises(EngineNotRunningError) as caught:
        find_engine(environment(tmp_path), sockets=[])
    assert f"unix://{tmp_path}/none (named by the Docker context 'gone')" in caught.value.what
    assert "`docker context use default`" in caught.value.next_step
    with pytest.raises(EngineNotRunningError) as caught:
        find_engine(environment(tmp_path, DOCKER_CONTEXT="typo"), sockets=[])
    assert caught.value.what == (
        "The current Docker context is 'typo', and there is no such context."
    )
    assert "`docker context ls`" in caught.value.next_step
    assert "`unset DOCKER_CONTEXT`" in caught.value.next_step


def test_the_default_context_and_a_damaged_configuration_name_nothing(tmp_path: Path) -> None:
    environ = environment(tmp_path, DOCKER_CONTEXT="default")
    with pytest.raises(NoEngineError):
        find_engine(environ, sockets=[])
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "mi')
    with pytest.raises(NoEngineError, match="Docker context: its settings can't be read"):
        find_engine(environment(tmp_path), sockets=[])


def test_a_context_with_tls_is_used_with_its_certificates(
    tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    ca, certificate, key = make_certificates(short_folder)
    config = tmp_path / "config"
    with answering_tls(certificate, key, ca) as host:
        files = make_context(config, "safe", {"Host": host, "SkipTLSVerify": False})
        environ = environment(tmp_path, DOCKER_CONFIG=str(config))
        with pytest.raises(EngineNotRunningError, match="closes the connection without an answer"):
            find_engine(environ)
        files.mkdir(parents=True)
        for name, source in (("ca.pem", ca), ("cert.pem", certificate), ("key.pem", key)):
            (files / name).write_bytes(source.read_bytes())
        engine = find_engine(environ)
        engine.client.close()
        assert engine.version == "20.10.24"
        by_environment = find_engine(
            environment(
                tmp_path, DOCKER_HOST=host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(files)
            )
        )
        by_environment.client.close()
        (files / "ca.pem").write_bytes((short_folder / "other.pem").read_bytes())
        with pytest.raises(EngineNotRunningError, match="TLS fails: certificate verify failed"):
            find_engine(environ)
    with pytest.raises(EngineNotRunningError, match="its TLS files can't be used") as caught:
        find_engine(
            environment(tmp_path, DOCKER_HOST=host, DOCKER_CERT_PATH=str(tmp_path / "none"))
        )
    assert "DOCKER_CERT_PATH" in caught.value.next_step


def make_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority and one certificate of it, for the server and the client alike."""
    ca, ca_key = folder / "ca.pem", folder / "ca-key.pem"
    certificate, key, request = folder / "cert.pem", folder / "key.pem", folder / "request.pem"
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
    by = f"-CA {ca} -CAkey {ca_key} -CAcreateserial"
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj"
    for command in (
        f"{new} /CN=authority -x509 -days 2 -keyout {ca_key} -out {ca}",
        f"{new} /CN=other -x509 -days 2 -keyout {key} -out {folder}/other.pem",
        f"{new} /CN=localhost -keyout {key} -out {request}",
        f"openssl x509 -req -in {request} -days 2 -out {certificate} -extfile {extensions} {by}",
    ):
        subprocess.run(command.split(), check=True, capture_output=True)
    return ca, certificate, key


def test_quirks_are_what_the_engine_says_of_itself() -> None:
    assert quirks_of(DOCKER_20_10) == []
    assert quirks_of({}) == []
    assert quirks_of(PODMAN_4_3) == [
        "It is Podman: some messages and details differ from Docker's."
    ]


def test_memory_without_a_limit_on_swap_is_a_quirk() -> None:
    assert quirks_of({**DOCKER_20_10, "SwapLimit": False}) == [
        "It limits memory but not swap: a container over its limit may swap first."
    ]


def test_usual_sockets_follow_the_environment(tmp_path: Path) -> None:
    found = usual_sockets({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": "/run/user/4711"})
    paths = [str(usual.path) for usual in found]
    assert paths[:2] == ["/var/run/docker.sock", "/run/user/4711/docker.sock"]
    assert f"{tmp_path}/.orbstack/run/docker.sock" in paths
    assert len(paths) == len(set(paths))


def test_binder_is_known_by_what_its_hub_sets() -> None:
    assert on_binder({"BINDER_LAUNCH_HOST": "https://mybinder.org/"})
    assert not on_binder({})
