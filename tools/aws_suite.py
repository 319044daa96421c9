"""Runs the behaviour suite against the course's own AWS and other emulators, and keeps the tables.

    .venv/bin/python tools/aws_suite.py ours moto ministack

The tables lie in tests/aws/baseline, each a record of its day: what the course's own AWS has to
beat, and what it was when it was last recorded. `make test` runs the suite against the course's own
AWS anew, and records nothing. moto is in .venv and
answers on loopback. ministack is a tool in an environment of its own, below _build; it listens on
every address that it has, so it runs in a container, and what it starts there is removed with it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import requests
import tenacity
import typer

from lab.aws.process import AwsProcess
from lab.engine import find_engine
from lab.images import ensure
from lab.naming import Naming, current_learner

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker
    from docker.models.containers import Container

ROOT: Final = Path(__file__).resolve().parent.parent
BASELINE: Final = ROOT / "tests" / "aws" / "baseline"
BASE: Final = "course/base:1"
MINISTACK: Final = "1.5.33"
# docker: it starts tasks by it; without cryptography some of its services do not load.
MINISTACK_NEEDS: Final = (f"ministack=={MINISTACK}", "docker>=7", "cryptography")
MINISTACK_PORT: Final = 4566
START_SECONDS: Final = 60
WORKERS: Final = 8  # most of the time is waiting
NAMING: Final = Naming(chapter="12-ecs", learner=current_learner())


def main(
    emulators: Annotated[list[str], typer.Argument(help="ours, moto, ministack, or several")],
) -> None:
    """Run the suite against each emulator and write its table."""
    unknown = sorted(set(emulators) - set(EMULATORS))
    if unknown:
        raise typer.BadParameter(f"there is no {unknown[0]}; there are {', '.join(EMULATORS)}")
    for name in emulators:
        with EMULATORS[name]() as (endpoint, of):
            run_suite(endpoint, of, BASELINE / f"{name}.json")


def run_suite(endpoint: str, of: str, table: Path) -> None:
    """Run the suite; that checks fail there is what is to be found out."""
    options = ["--endpoint", endpoint, "--of", of, "--table", str(table), "-n", str(WORKERS)]
    begin = time.monotonic()
    quiet = ["-q", "--tb=no", "-r", "N", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "tests/aws/suite", *quiet, *options]
    subprocess.run(command, cwd=ROOT, check=False)
    print(f"{of}: {time.monotonic() - begin:.0f} s, {table.name}")


@contextmanager
def ours() -> Iterator[tuple[str, str]]:
    """Serve the course's own AWS as a lab does, in a process of its own."""
    with closing(find_engine().client) as client:
        ensure(client)
    served = AwsProcess(Naming(chapter="suite", learner=current_learner()))
    try:
        yield served.endpoint, f"the course's own, on moto {version('moto')}"
    finally:
        served.close()


@contextmanager
def moto() -> Iterator[tuple[str, str]]:
    """Serve moto as it is, in a process of its own."""
    serve = (
        "from moto.server import ThreadedMotoServer as Server\n"
        "import sys\n"
        "server = Server('127.0.0.1', 0, verbose=False)\n"
        "server.start()\n"
        "print(*server.get_host_and_port(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", serve],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        if process.stdout is None:
            raise RuntimeError("moto's server has no standard output")
        host, port = process.stdout.readline().split()
        try:
            yield f"http://{host}:{port}", f"moto {version('moto')}"
        finally:
            process.kill()


@contextmanager
def ministack() -> Iterator[tuple[str, str]]:
    """Run ministack in a container, with the engine's socket, and take away what it started."""
    folder = ROOT / "_build" / "ministack"
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
    into = ["--quiet", "--python", str(folder / "bin" / "python")]
    subprocess.run([uv, "pip", "install", *into, *MINISTACK_NEEDS], check=True)
    with closing(find_engine().client) as client:
        ensure(client)
        # The machine's own Python and libraries, read only: the environment was made with them.
        shown = {"/usr", "/etc/ssl", sys.base_prefix, str(folder)}
        container = client.containers.run(
            BASE,
            [str(folder / "bin" / "ministack")],
            name=NAMING.full_name("ministack"),
            labels=NAMING.labels,
            volumes=[
                "/var/run/docker.sock:/var/run/docker.sock",
                *(f"{path}:{path}:ro" for path in sorted(shown)),
            ],
            detach=True,
        )
        try:
            yield _endpoint_of(container), f"ministack {MINISTACK}"
        finally:
            _remove(client, container)


@tenacity.retry(
    wait=tenacity.wait_fixed(0.2),
    stop=tenacity.stop_after_delay(START_SECONDS),
    retry=tenacity.retry_if_exception_type((requests.ConnectionError, KeyError)),
    reraise=True,
)
def _endpoint_of(container: Container) -> str:
    container.reload()
    [network] = container.attrs["NetworkSettings"]["Networks"].values()
    endpoint = f"http://{network['IPAddress']}:{MINISTACK_PORT}"
    requests.get(endpoint, timeout=5)
    return endpoint


def _remove(client: docker.DockerClient, container: Container) -> None:
    """Remove ministack first, so that it starts nothing more, then what carries its label."""
    own = f"ministack.instance={container.short_id}:{MINISTACK_PORT}"
    container.remove(force=True, v=True)
    for started in client.containers.list(all=True, filters={"label": own}):
        started.remove(force=True, v=True)


EMULATORS: Final = {"ours": ours, "moto": moto, "ministack": ministack}

if __name__ == "__main__":
    typer.run(main)
