"""The command `lab`: looks after the machine that the course runs on."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
from pathlib import Path  # noqa: TC003  # Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import docker
import docker.errors
import requests
import rich.console
import rich.panel
import rich.progress
import rich.text
import typer

from lab import archive, checks, cleaning, doctor, images, progress
from lab.aws import process
from lab.aws.environment import forget_aws
from lab.display import Table
from lab.engine import find_engine
from lab.errors import LabError
from lab.naming import COURSE, Naming, current_learner, labels_of, short_name
from lab.notebook import next_step_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["app", "main"]

COLUMNS = ("kind", "name", "chapter", "learner", "state")
STYLES = {doctor.State.OK: "green", doctor.State.WARNING: "yellow"}

app = typer.Typer(
    help="Looks after the machine that the course runs on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
images_app = typer.Typer(help="The course's own images.", no_args_is_help=True)
app.add_typer(images_app, name="images")

AllLearners = Annotated[
    bool, typer.Option("--all-learners", help="Of all learners on this engine, not only yours.")
]


def main() -> None:
    """Run the command, and end it with a message and a status instead of a traceback."""
    # Ended from outside, what must be cleaned up is cleaned up as after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Who starts it with `nohup` wants it to outlive the terminal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        app()
    except LabError as error:
        _say_error(error.what, error.next_step)
        sys.exit(1)
    except (docker.errors.DockerException, requests.RequestException) as error:
        step = next_step_for(error) or "Type `lab doctor`: it looks at the engine."
        _say_error(str(error), step)
        sys.exit(1)
    except SystemExit as end:
        # Typer ends a command with this status after Ctrl-C, and says nothing.
        if end.code == 128 + signal.SIGINT:
            print("Stopped.", file=sys.stderr)
        raise


@app.command("doctor")
def doctor_() -> None:
    """Try on this machine what the course needs: engine, images, names, ports, disk, memory.

    The last line is one that you can send to an instructor. Status 1 if something fails.
    """
    out = rich.console.Console(soft_wrap=True)
    with _steps() as say:
        report = doctor.examine(lambda finding: _say_finding(out, finding), on_step=say)
    print(report.line())
    if report.failed:
        raise typer.Exit(1)


@app.command("ls")
def ls(*, all_learners: AllLearners = False) -> None:
    """List what the course has made for you and what is still there."""
    client = find_engine().client
    found = cleaning.find(client, learner=None if all_learners else current_learner())
    rows = tuple(_rows(found))
    print(Table(COLUMNS, rows) if rows else "There is nothing of the course.")
    client.close()


@app.command("clean")
def clean(
    *,
    dry_run: Annotated[bool, typer.Option(help="Only list what would be removed.")] = False,
    chapter: Annotated[
        str | None, typer.Option(help="Only this chapter's, such as 05-life-cycle.")
    ] = None,
    all_learners: AllLearners = False,
    with_images: Annotated[
        bool, typer.Option("--images", help="The course's own images, too.")
    ] = False,
) -> None:
    """Remove what the course has made for you, and nothing else: it goes by labels."""
    client = find_engine().client
    learner = None if all_learners else current_learner()
    rows = tuple(_rows(cleaning.find(client, chapter=chapter, learner=learner)))
    if rows:
        print(Table(COLUMNS, rows))
    # First, because a local AWS replaces what its services lose. It takes its things along.
    ended = not dry_run and process.end_all(learner=learner, chapter=chapter)
    removed = cleaning.sweep(client, chapter=chapter, learner=learner, dry_run=dry_run)
    removed = dataclasses.replace(removed, aws=removed.aws or ended)
    print(removed)
    if with_images:
        for line in _remove_images(client, dry_run=dry_run):
            print(line)
    client.close()
    if removed.still_used:
        raise typer.Exit(1)


@app.command("aws")
def aws(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it answers; 0 is any port that is free.")
    ] = 0,
    clean_real: Annotated[
        str | None,
        typer.Option(
            metavar="ACCOUNT",
            help="Serve nothing; remove from this real account what the course has made there.",
        ),
    ] = None,
) -> None:
    """Serve a local AWS for any AWS client, until Ctrl-C. Its tasks are containers here.

    It is empty at first, and not the one of your notebooks: each of those has its own.
    """
    learner = current_learner()
    if clean_real is not None:
        # Here, because boto3 takes its time, and no other command needs it.
        from lab.aws import real, removal  # noqa: PLC0415

        tags = {"course": COURSE, "learner": learner}
        print(removal.Removal(real.real_session(clean_real), clean_real, tags).run())
        return
    engine = find_engine()
    images.ensure(engine.client)
    naming = Naming(chapter="aws", learner=learner)
    if there := process.running(naming):
        raise LabError(
            f"Your local AWS answers already, at {there['endpoint']} (process {there['pid']}).",
            next_step="Use that one; or end it by Ctrl-C where it runs, or by `lab clean`.",
        )
    cleaning.sweep(engine.client, chapter=naming.chapter_label, learner=learner)
    outside = dict(os.environ)
    forget_aws()
    from lab.aws import serving, shell  # noqa: PLC0415  # moto takes its time, too

    served = serving.Serving(engine, naming, port=port)
    try:
        process.leave_note(naming, os.getpid(), served.endpoint)
        print("\n".join(shell.settings(served.endpoint, outside)))
        print(
            f"The local AWS answers at {served.endpoint}. Type the lines above in another "
            "terminal; Ctrl-C here ends it, with all that runs in it.",
            file=sys.stderr,
        )
        sys.stdout.flush()
        while True:
            signal.pause()
    finally:
        removed = served.close()
        process.remove_note(naming, os.getpid())
        # The terminal may be gone.
        with contextlib.suppress(OSError):
            print(removed, file=sys.stderr)


@images_app.command("list")
def images_list() -> None:
    """List the course's images, and whether they are there."""
    client = find_engine().client
    print(Table(("image", "state", "size", "for"), tuple(_image_rows(client))))
    client.close()


@images_app.command("prepare")
def images_prepare(
    *, force: Annotated[bool, typer.Option(help="Make them even if they are there.")] = False
) -> None:
    """Make the course's images where they are missing. After that no network is needed."""
    client = find_engine().client
    with _steps() as say:
        prepared = images.prepare(client, progress=say, force=force)
    for image in prepared:
        print(image)
    client.close()


@images_app.command("save")
def images_save(
    path: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="Where to; in a folder it gets a name.")
    ],
    *,
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
) -> None:
    """Save the course's images in one file, for machines that have no network."""
    client = find_engine().client
    with _bytes() as progress_of:
        file = archive.save(client, path, progress=progress_of, force=force)
    print(f"Saved {len(images.IMAGES)} images in {file}: {file.stat().st_size / 1e6:.0f} MB.")
    client.close()


@images_app.command("load")
def images_load(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `lab images save` has written.")
    ],
) -> None:
    """Load the course's images from a file, once its checksum is seen to be right."""
    client = find_engine().client
    with _bytes() as progress_of:
        loaded = archive.load(client, path, progress=progress_of)
    for image in loaded:
        how = "loaded" if image.made else "was there"
        print(f"{image.name} {how}: {image.size / 1e6:.0f} MB, from {image.source}")
    client.close()


@app.command("progress")
def progress_(
    *,
    export: Annotated[
        bool, typer.Option(help="Print one line that you can hand in, with a checksum.")
    ] = False,
    read: Annotated[
        str | None, typer.Option(metavar="LINE", help="Show a line that was handed in.")
    ] = None,
) -> None:
    """Show which exercises you have solved."""
    if read is not None:
        handed_in = progress.read_export(read)
        print(f"learner: {handed_in.learner}")
        exercises = handed_in.exercises
    elif export:
        print(progress.export(current_learner(), progress.load()))
        return
    else:
        exercises = progress.load().of(current_learner())
    print(Table(("exercise", "title", "state", "checks"), tuple(_progress_rows(exercises))))


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _rows(found: cleaning.Found) -> Iterator[tuple[str, ...]]:
    for container in found.containers:
        ports = [
            f"{binding['HostPort']}->{inside}"
            for inside, bindings in sorted(container.ports.items())
            for binding in bindings or ()
        ]
        yield _row("container", container, str(container.name), container.status, *ports)
    for service in found.services:
        mode = service.attrs["Spec"]["Mode"].get("Replicated", {})
        replicas = (f"{mode['Replicas']} replicas",) if "Replicas" in mode else ()
        yield _row("service", service, str(service.name), *replicas)
    for network in found.networks:
        yield _row("network", network, str(network.name))
    for volume in found.volumes:
        yield _row("volume", volume, str(volume.name))
    for image in found.images:
        yield _row("image", image, image.tags[0] if image.tags else image.short_id)
    for secret in found.secrets:
        yield _row("secret", secret, str(secret.name))
    for config in found.configs:
        yield _row("config", config, str(config.name))
    if found.swarm:
        yield "swarm", "", found.swarm.get("chapter", ""), found.swarm.get("learner", ""), "active"


def _row(kind: str, thing: Any, name: str, *state: str) -> tuple[str, ...]:  # noqa: ANN401
    labels = labels_of(thing)
    chapter, learner = labels.get("chapter", ""), labels.get("learner", "")
    return kind, short_name(name, labels), chapter, learner, " ".join(state)


def _image_rows(client: docker.DockerClient) -> Iterator[tuple[str, ...]]:
    for image in images.IMAGES:
        try:
            found = client.images.get(image.name)
        except docker.errors.ImageNotFound:
            yield image.name, "missing", "", image.purpose
            continue
        size = f"{found.attrs['Size'] / 1e6:.0f} MB"
        if found.labels.get("course") != COURSE:
            yield image.name, "not the course's", size, image.purpose
        elif found.labels.get("course.key") != image.key():
            yield image.name, "of an earlier edition", size, image.purpose
        else:
            yield image.name, "ready", size, image.purpose


def _remove_images(client: docker.DockerClient, *, dry_run: bool) -> Iterator[str]:
    # An image that stands on another one goes first.
    for image in reversed(images.IMAGES):
        try:
            found = client.images.get(image.name)
        except docker.errors.ImageNotFound:
            continue
        if found.labels.get("course") != COURSE:
            yield f"Kept {image.name}: the course did not make it."
            continue
        if dry_run:
            yield f"Would remove image {image.name}."
            continue
        try:
            client.images.remove(image.name)
        except docker.errors.APIError as refusal:
            yield f"Kept {image.name}: {refusal.explanation}"
        else:
            yield f"Removed image {image.name}."


def _progress_rows(attempted: dict[str, progress.Attempted]) -> Iterator[tuple[str, ...]]:
    for chapter in checks.chapters():
        for number, exercise in checks.exercises_of(chapter).items():
            tried = attempted.get(number, progress.Attempted())
            state = f"passed {tried.passed_on}" if tried.passed_on else "open"
            yield number, exercise.title, state, str(tried.checks)


def _say_error(what: str, next_step: str, title: str = "lab") -> None:
    text = rich.text.Text.assemble(what, "\n\n", ("Next: ", "bold"), next_step)
    panel = rich.panel.Panel(text, title=title, title_align="left", border_style="red")
    rich.console.Console(stderr=True).print(panel)


def _say_finding(out: rich.console.Console, finding: doctor.Finding) -> None:
    if finding.state is doctor.State.FAIL:
        _say_error(finding.detail, finding.next_step, title=f"fail: {finding.check}")
        return
    state = rich.text.Text(f"{finding.state.value:8}", STYLES[finding.state])
    out.print(rich.text.Text.assemble(state, f"{finding.check:13} {finding.detail}"))
    for line in (*finding.more, *filter(None, [finding.next_step])):
        out.print(rich.text.Text(f"{'':22}{line}", "dim"))


@contextlib.contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Show what is being done: on a terminal in one changing line, elsewhere as lines."""
    console = rich.console.Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: console.print(rich.text.Text(step), soft_wrap=True)
        return
    with console.status("") as status:
        yield lambda step: status.update(rich.text.Text(step))


@contextlib.contextmanager
def _bytes() -> Iterator[archive.Progress]:
    """Show how many bytes are done: on a terminal as bars, elsewhere only what is done."""
    console = rich.console.Console(stderr=True)
    shown = rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks: dict[str, rich.progress.TaskID] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = shown.add_task(what, total=total)
            if not console.is_terminal:
                console.print(rich.text.Text(what), soft_wrap=True)
        shown.update(tasks[what], completed=done, total=total)

    with shown:
        yield tell


if __name__ == "__main__":
    main()
