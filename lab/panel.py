"""A live list, of plain ipywidgets, of the containers that a learner started."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import threading
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import ipywidgets
import requests

from lab.display import Table, table_of

if TYPE_CHECKING:
    from docker.models.containers import Container

__all__ = ["Panel", "age", "memory_bytes", "usual_name"]

REFRESH_SECONDS = 2.0
STOP_SECONDS = 3
COLUMNS = ("name", "status", "age", "ports", "memory")


class Panel:
    """Shows the learner's containers, renewed every two seconds, each with a stop button.

    Its stored form, which a reader of the page sees, is a table of the columns that do not
    change by themselves.

    Args:
        client: A client of the panel's own, because it asks from another thread.
        filters: docker-py's ``filters`` for the containers to show.
    """

    def __init__(self, client: docker.DockerClient, filters: dict[str, Any]) -> None:
        self._client = client
        self._filters = filters
        self._stopped = threading.Event()
        self._box = ipywidgets.VBox()
        self._shown: tuple[tuple[str, ...], ...] | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        table = self._table()
        self._refresh()
        self._start()
        # The widget's own bundle holds the live view; the table stands for it elsewhere.
        bundle = dict(self._box._repr_mimebundle_(**options) or {})
        bundle["text/plain"] = repr(table)
        bundle["text/html"] = table._repr_html_()
        return bundle

    def stop(self) -> None:
        """Stop renewing the list and leave a last word in it."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=REFRESH_SECONDS + 5)
        self._box.children = [ipywidgets.Label("The lab is closed.")]
        self._client.close()

    def _containers(self) -> list[Container]:
        found = self._client.containers.list(all=True, filters=self._filters, ignore_removed=True)
        return sorted(found, key=lambda container: str(container.name))

    def _table(self) -> Table:
        table = table_of(self._containers(), ("name", "Config.Image", "status"))
        rows = ((name, usual_name(str(image)), status) for name, image, status in table.rows)
        return Table(table.columns, tuple(rows))

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew, name="lab panel", daemon=True)
            self._thread.start()

    def _renew(self) -> None:
        while not self._stopped.wait(REFRESH_SECONDS):
            try:
                self._refresh()
            except (docker.errors.DockerException, requests.RequestException):
                self._shown = None
                self._box.children = [ipywidgets.Label("The engine does not answer.")]

    def _refresh(self) -> None:
        containers = self._containers()
        rows = tuple(_row(container) for container in containers)
        if rows == self._shown:
            return
        self._shown = rows
        if not rows:
            self._box.children = [ipywidgets.Label("You have no containers.")]
            return
        cells: list[ipywidgets.Widget] = [
            *(ipywidgets.HTML(f"<b>{column}</b>") for column in COLUMNS),
            ipywidgets.Label(""),
        ]
        for container, row in zip(containers, rows, strict=True):
            cells += [ipywidgets.Label(cell) for cell in row]
            cells.append(self._stop_button(container, row[0]))
        layout = ipywidgets.Layout(grid_template_columns=f"repeat({len(COLUMNS)}, auto) 6em")
        self._box.children = [ipywidgets.GridBox(cells, layout=layout)]

    def _stop_button(self, container: Container, name: str) -> ipywidgets.Button:
        button = ipywidgets.Button(
            description="Stop",
            tooltip=f"Stop {name}",
            disabled=container.status not in ("running", "paused", "restarting"),
            layout=ipywidgets.Layout(width="5em"),
        )

        def stop(pressed: ipywidgets.Button) -> None:
            pressed.disabled = True
            pressed.description = "Stopping"
            threading.Thread(target=_stop, args=(container,), daemon=True).start()

        button.on_click(stop)
        return button


def usual_name(image: str) -> str:
    """Leave out of an image's name what everybody leaves out, and Podman puts in.

    Example:
        >>> usual_name("docker.io/course/base:1")
        'course/base:1'
        >>> usual_name("docker.io/library/python:3.11")
        'python:3.11'
    """
    return re.sub(r"^docker\.io/(library/)?", "", image)


def age(started: str, now: dt.datetime) -> str:
    """Say how long ago a time of the engine was, in its largest unit.

    Args:
        started: A time as the engine writes it.
        now: The present time, with its zone.

    Example:
        >>> now = dt.datetime(2026, 11, 24, 10, 2, 5, tzinfo=dt.UTC)
        >>> age("2026-11-24T10:00:00.123456789Z", now)
        '2 min'
    """
    then = dt.datetime.fromisoformat(started[:19] + "+00:00")
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def memory_bytes(stats: dict[str, Any]) -> int:
    """Read a container's memory use out of the engine's ``stats``, as ``docker stats`` does.

    The file cache that the kernel can give back at once is not counted. Control groups of
    version 1 and 2 name it differently.

    Returns:
        Bytes; 0 where the engine does not tell.
    """
    memory = stats.get("memory_stats") or {}
    details = memory.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return max(0, int(memory.get("usage", 0)) - int(cache))


def _row(container: Container) -> tuple[str, ...]:
    name = str(table_of(container, ("name",)).rows[0][0])
    running = container.status in ("running", "paused")
    ports = [
        f"{binding['HostPort']} → {inside}"
        for inside, bindings in sorted(container.ports.items())
        for binding in bindings or ()
    ]
    now = dt.datetime.now(dt.UTC)
    return (
        name,
        str(container.status),
        age(container.attrs["State"]["StartedAt"], now) if running else "",
        ", ".join(ports),
        f"{_memory(container) / 1e6:.0f} MB" if running else "",
    )


def _memory(container: Container) -> int:
    try:
        stats = container.stats(stream=False, one_shot=True)
    except docker.errors.APIError:
        # It ended between the list and the question.
        return 0
    # With stream=False there is one answer, not a stream of them.
    return memory_bytes(stats) if isinstance(stats, dict) else 0


def _stop(container: Container) -> None:
    with contextlib.suppress(docker.errors.NotFound):
        container.stop(timeout=STOP_SECONDS)
