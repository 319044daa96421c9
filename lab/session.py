"""A lab: the engine as one notebook sees it, and the lifetime of everything made in it."""

from __future__ import annotations

import dataclasses
import socket
import time
from typing import TYPE_CHECKING, Any

import requests

from lab import checks, cleaning, images, notebook, swarm
from lab.abilities import missing_in
from lab.aws import process
from lab.client import connect_labelled
from lab.display import Table, Varies, look_up, table_of
from lab.engine import find_engine, on_binder
from lab.errors import (
    EngineNotRunningError,
    LabClosedError,
    LabError,
    NoEngineError,
    NotReadyError,
)
from lab.folders import folder_of, remove_folders
from lab.load import Load
from lab.lock import KernelLock
from lab.loop import Loop
from lab.naming import Naming, current_learner
from lab.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import docker
    from docker.models.containers import Container
    from docker.models.services import Service
    from docker.models.swarm import Swarm

    from lab.aws.door import Door
    from lab.engine import Engine

__all__ = ["Lab", "open_lab"]

POLL_SECONDS = 0.1
_LOOK_AT_TASKS = "look at its tasks, which lab.docker.services.get(lab.name({!r})).tasks() lists."
# AWS answers so many questions only; a deployment takes longer than this anyway.
DEPLOYMENT_POLL_SECONDS = 1
DEPLOYMENT_ENDS = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
# Swarm writes down an update as soon as it has seen it; without a change there is none to see.
UPDATE_BEGINS_SECONDS = 10
UPDATE_ENDS = ("completed", "paused", "rollback_completed", "rollback_paused")


def open_lab(chapter: str, *, exercises: bool = False, take_over: bool = False) -> Lab:
    """Open the lab of a chapter: find the engine and remove what an earlier run left.

    Running it again in the same notebook starts the chapter afresh.

    Args:
        chapter: The chapter's file name without its ending, such as ``05-life-cycle``.
        exercises: Open the lab of the chapter's exercises, which has its own containers.
        take_over: Take the lab from another live notebook of yours, which loses it.

    Returns:
        The lab. On Binder, where there is no engine, one whose ``docker`` says so; so does that
        of a chapter that starts nothing, for which no engine is looked for.

    Raises:
        LabError: There is no chapter of that name, no engine that can be used, an image is
            missing, or another live notebook of yours has the lab.

    Example:
        >>> lab = open_lab("05-life-cycle")  # doctest: +SKIP
        The lab of chapter 05 is open. lab.close() removes what you start in it.
    """
    checks.exercises_of(chapter)  # says which chapters there are, if this is none
    naming = Naming(chapter=chapter, learner=current_learner(), exercises=exercises)
    notebook.shorten_errors()
    if not checks.needs_engine(chapter):
        return _open_without_engine(naming, take_over=take_over)
    try:
        engine = find_engine()
    except (NoEngineError, EngineNotRunningError):
        if not on_binder():
            raise
        print(  # noqa: T201
            "No container engine on Binder: cells that use lab.docker stop with this "
            "message. The stored outputs, the diagrams and the questions work."
        )
        return Lab(None, naming, lock=None)
    lock = KernelLock(naming)
    lock.acquire(take_over=take_over)
    lab = Lab(engine, naming, lock)
    images.ensure(lab.docker)
    _say_what_is_missing(lab.docker, chapter)
    # First, because its services would replace what is removed.
    process.end(naming)
    removed = cleaning.sweep(lab.docker, chapter=naming.chapter_label, learner=naming.learner)
    swarm.give_back(naming=naming)
    remove_folders(naming)
    if removed:
        print(f"Left from an earlier run: {str(removed)[0].lower()}{str(removed)[1:]}")  # noqa: T201
    print(f"{_is_open(naming)} lab.close() removes what you start here.")  # noqa: T201
    return lab


def _open_without_engine(naming: Naming, *, take_over: bool) -> Lab:
    lock = KernelLock(naming)
    lock.acquire(take_over=take_over)
    remove_folders(naming)
    print(f"{_is_open(naming)} No engine is needed.")  # noqa: T201
    return Lab(None, naming, lock)


def _is_open(naming: Naming) -> str:
    what = "exercises" if naming.exercises else "lab"
    verb = "are" if naming.exercises else "is"
    return f"The {what} of chapter {naming.chapter.partition('-')[0]} {verb} open."


class Lab:
    """The engine as one notebook sees it. ``open_lab`` makes it.

    Attributes:
        naming: The names and labels of this learner in this chapter.
    """

    def __init__(self, engine: Engine | None, naming: Naming, lock: KernelLock | None) -> None:
        self.naming = naming
        self._engine = engine
        self._lock = lock
        self._client: docker.DockerClient | None = None
        self._closed = False
        self._panels: list[Panel] = []
        self._loads: list[Load] = []
        self._loops: dict[str, Loop] = {}
        self._door: Door | None = None
        if engine is not None:
            self._client = connect_labelled(engine, naming)

    def __repr__(self) -> str:
        return f"<Lab {self.naming.chapter_label}>"

    @property
    def docker(self) -> docker.DockerClient:
        """The Docker SDK's own client, connected.

        What it creates gets the course's labels; all else is as the SDK documents it.

        Raises:
            LabError: The lab is closed, was taken over, or has no engine.

        Example:
            >>> lab.docker.containers.run("course/app:1", detach=True)  # doctest: +SKIP
        """
        self._refuse_if_not_mine()
        if self._client is not None:
            return self._client
        if not checks.needs_engine(self.naming.chapter):
            raise NoEngineError(
                "This chapter starts no containers, so its lab has looked for no engine.",
                next_step="Open the lab of another chapter, such as 05-life-cycle.",
            )
        raise NoEngineError(
            "There is no container engine on this machine, so this cell can't run.",
            next_step="Read the stored output below the cell, or run the course where "
            "Docker is: the set-up page says how.",
        )

    def ping(self) -> None:
        """Ask whether this lab can be used: it is open, it is yours, and its engine answers.

        Raises:
            LabError: It is not so; the message says what to do.

        Example:
            >>> lab.ping()  # doctest: +SKIP
        """
        self._refuse_if_not_mine()
        if self._client is not None or checks.needs_engine(self.naming.chapter):
            self.docker.ping()

    def _refuse_if_not_mine(self) -> None:
        if self._closed:
            raise LabClosedError(
                "This lab is closed.",
                next_step="Run the set-up cell (the one with open_lab) again, then go on.",
            )
        if self._lock is not None and not self._lock.is_mine():
            raise LabClosedError(
                "Another notebook of yours has taken this lab over.",
                next_step="Go on there; or run the set-up cell here with take_over=True.",
            )

    @property
    def engine(self) -> Engine | None:
        """Which engine was found, where, and what was tried before; ``None`` if there is none."""
        return self._engine

    @property
    def filters(self) -> dict[str, Any]:
        """The ``filters`` that pick this lab's own things out of docker-py's ``list``.

        Example:
            >>> lab.docker.containers.list(filters=lab.filters)  # doctest: +SKIP
        """
        return cleaning.label_filters(
            chapter=self.naming.chapter_label, learner=self.naming.learner
        )

    def name(self, short: str) -> str:
        """Make a name that no other learner on this engine has.

        Args:
            short: The name as the course speaks of it, such as ``web``.

        Returns:
            The full name, such as ``course-ada-05-web``.

        Example:
            >>> lab.name("web")  # doctest: +SKIP
            'course-ada-05-web'
        """
        return self.naming.full_name(short)

    def folder(self, short: str) -> Path:
        """Find a folder of yours for the files of a build; ``close`` removes it.

        Args:
            short: Its name, such as ``greeter``. The same name is the same folder.

        Returns:
            The folder, which exists and is empty at first.

        Example:
            >>> folder = lab.folder("greeter")  # doctest: +SKIP
            >>> (folder / "Dockerfile").write_text("FROM course/base:1")  # doctest: +SKIP
        """
        return folder_of(self.naming, short)

    def show(self, things: object, *columns: str) -> Table:
        """Ask the engine how things are now, and show chosen columns in a stable order.

        Args:
            things: A container, network, volume or image of docker-py, or several.
            columns: Attributes such as ``name`` and ``status``, or paths into ``attrs``
                such as ``State.ExitCode``.

        Returns:
            A table with one row a thing, sorted by the first column.

        Example:
            >>> lab.show(web, "name", "status", "State.ExitCode")  # doctest: +SKIP
            name  status   ExitCode
            ----  -------  --------
            web   running  0
        """
        return table_of(things, columns)

    def varies(self, value: float, unit: str = "") -> Varies:
        """Show a measured value, marked as one that differs from run to run.

        Args:
            value: The number.
            unit: ``ms``, ``s``, ``MB``, ``%`` or nothing.

        Example:
            >>> lab.varies(15596)  # doctest: +SKIP
            15596 (varies)
        """
        return Varies(value, unit)

    def wait_ready(self, container: Container, *, timeout: float = 30) -> str:
        """Wait until a container answers on its published port.

        A container without a published port is ready when it runs and, where its image
        has a health check, is healthy.

        Args:
            container: The container, started.
            timeout: Seconds to wait at most.

        Returns:
            The address to ask, such as ``http://127.0.0.1:49153``; empty with no port.

        Raises:
            NotReadyError: It exited or did not answer in time; the message has its last
                log lines.

        Example:
            >>> url = lab.wait_ready(web)  # doctest: +SKIP
        """
        self.docker.ping()
        deadline = time.monotonic() + timeout
        while True:
            container.reload()
            if container.status in ("exited", "dead", "created"):
                code = container.attrs["State"]["ExitCode"]
                raise self._not_ready(container, f"is {container.status} (exit code {code})")
            url = _base_url(container)
            if _answers(container, url):
                return url
            if time.monotonic() > deadline:
                raise self._not_ready(container, f"did not answer within {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def wait_for(
        self, container: Container, column: str, value: object, *, timeout: float = 30
    ) -> object:
        """Wait until a column of a container, as ``show`` names it, has a value.

        Args:
            container: The container.
            column: An attribute or a path, such as ``State.Health.Status``.
            value: What to wait for.
            timeout: Seconds to wait at most.

        Returns:
            The value.

        Raises:
            NotReadyError: It had another value all the time.

        Example:
            >>> lab.wait_for(web, "State.Health.Status", "healthy")  # doctest: +SKIP
            'healthy'
        """
        self.docker.ping()
        deadline = time.monotonic() + timeout
        while True:
            container.reload()
            seen = look_up(container, column)
            if seen == value:
                return seen
            if time.monotonic() > deadline:
                raise self._not_ready(
                    container, f"has {column} = {seen!r}, not {value!r}, after {timeout:g} s"
                )
            time.sleep(POLL_SECONDS)

    def wait_log(self, container: Container, words: str, *, timeout: float = 30) -> str:
        """Wait until a container's log has a line with some words in it.

        Args:
            container: The container.
            words: A part of the line to wait for.
            timeout: Seconds to wait at most.

        Returns:
            The line.

        Raises:
            NotReadyError: No such line came in time, or the container ended without one.

        Example:
            >>> lab.wait_log(polite, "ready")  # doctest: +SKIP
            'ready'
        """
        self.docker.ping()
        deadline = time.monotonic() + timeout
        while True:
            container.reload()
            # In this order: what a program says with its last breath is in the log by now.
            ended = container.status not in ("running", "paused", "restarting")
            log = container.logs().decode(errors="replace")
            for line in log.splitlines():
                if words in line:
                    return str(line)
            if ended or time.monotonic() > deadline:
                raise self._not_ready(container, f"has not logged {words!r}")
            time.sleep(POLL_SECONDS)

    def wait_update(self, service: Service, *, timeout: float = 120) -> str:
        """Wait until Swarm's update of a service has come to an end, whichever that is.

        By then the tasks that were replaced have ended, too.

        Args:
            service: The service, after ``service.update``.
            timeout: Seconds to wait at most.

        Returns:
            The state that its ``UpdateStatus`` tells: ``completed``, ``paused`` or, once the
            version before it is back, ``rollback_completed``.

        Raises:
            NotReadyError: Swarm is still at it, or has no update to do: within some seconds
                it would have begun.

        Example:
            >>> lab.wait_update(web)  # doctest: +SKIP
            'completed'
        """
        self.docker.ping()
        begin = time.monotonic()
        while True:
            service.reload()
            status = service.attrs.get("UpdateStatus") or {}
            if status.get("State") in UPDATE_ENDS and not _is_ending(service):
                return str(status["State"])
            limit = timeout if status else min(timeout, UPDATE_BEGINS_SECONDS)
            if time.monotonic() > begin + limit:
                short = look_up(service, "name")
                said = f"{status['State']}: {status['Message']}" if status else "never updated"
                raise NotReadyError(
                    f"The service {short} is, after {limit:g} s, {said}.",
                    next_step=_LOOK_AT_TASKS.format(short),
                )
            time.sleep(POLL_SECONDS)

    def free_port(self) -> int:
        """Find a port of 127.0.0.1 that nobody listens on, for what must be told its port.

        Returns:
            A port that the system chose, and gave back at once.

        Example:
            >>> lab.free_port()  # doctest: +SKIP
            49153
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            return int(listening.getsockname()[1])

    def wait_deployment(self, ecs: Any, *, timeout: float = 240, **service: str) -> str:  # noqa: ANN401  # boto3 makes its classes when asked
        """Wait until the newest deployment of a service of ECS has come to an end, whichever.

        boto3's ``services_stable`` says nothing of a deployment that failed, and takes a service
        for stable whose new tasks have not passed their checks yet.

        Args:
            ecs: boto3's client.
            timeout: Seconds to wait at most.
            service: Which one, as ``cluster=`` and ``service=``.

        Returns:
            The status of the service's deployment: ``SUCCESSFUL``, ``STOPPED`` or, once the
            revision before it is back, ``ROLLBACK_SUCCESSFUL``.

        Raises:
            NotReadyError: ECS is still at it; the message has the service's last event.

        Example:
            >>> lab.wait_deployment(ecs, cluster="shop", service="web")  # doctest: +SKIP
            'SUCCESSFUL'
        """
        self._refuse_if_not_mine()
        deadline = time.monotonic() + timeout
        while True:
            newest = ecs.list_service_deployments(**service)["serviceDeployments"][0]
            if newest["status"] in DEPLOYMENT_ENDS:
                return str(newest["status"])
            if time.monotonic() > deadline:
                named = {"cluster": service["cluster"], "services": [service["service"]]}
                events = ecs.describe_services(**named)["services"][0]["events"]
                said = f" It says last: {events[0]['message']}" if events else ""
                raise NotReadyError(
                    f"The deployment of {service['service']} is {newest['status']} after "
                    f"{timeout:g} s.{said}",
                    next_step="look at the service's events, and at its stopped tasks.",
                )
            time.sleep(DEPLOYMENT_POLL_SECONDS)

    def load(self, url: str, *, per_second: int = 20, seconds: int = 60) -> Load:
        """Begin a steady stream of requests to one of your containers, and count the lost ones.

        It flows beside your next cells until ``stop`` or ``lab.close()``, or until its time is up.

        Args:
            url: What to ask, such as what ``wait_ready`` returned.
            per_second: Requests a second, at most 50.
            seconds: After how many seconds it ends by itself, at most 120.

        Raises:
            LoadError: The address is not on this machine, or a figure is out of its bounds.

        Example:
            >>> load = lab.load(url)  # doctest: +SKIP
            >>> web.restart()  # doctest: +SKIP
            >>> load.stop().lost > 0  # doctest: +SKIP
            True
        """
        load = Load(url, per_second=per_second, seconds=seconds)
        self._loads.append(load)
        return load

    def loop(self, function: Callable[..., Any], *args: Any, every: float = 0.5) -> Loop:  # noqa: ANN401
        """Call a function of yours again and again, beside your next cells.

        It goes on until ``stop`` or ``lab.close()``. A function of the same name that was given
        before is stopped first, so that the cell can run again.

        Args:
            function: What to call.
            args: With what.
            every: Seconds between the end of one call and the next, 0.1 to 60.

        Raises:
            LabError: It is no function, or the pause is out of its bounds.

        Example:
            >>> controller = lab.loop(reconcile, desired)  # doctest: +SKIP
            >>> controller.stop()  # doctest: +SKIP
            reconcile: stopped after 12 (varies) passes
        """
        self._refuse_if_not_mine()
        name = getattr(function, "__name__", "")
        if name in self._loops:
            self._loops[name].stop()
        loop = self._loops[name] = Loop(function, args, every=every)
        return loop

    def wait_tasks(
        self, service: Service, number: int, *, state: str = "running", timeout: float = 60
    ) -> int:
        """Wait until so many of the tasks of a Swarm service that should run do, and no more.

        A task runs when its container does and, where its image has a health check, is healthy.

        Args:
            service: The service.
            number: How many.
            state: Another state to wait for, such as ``pending``.
            timeout: Seconds to wait at most.

        Returns:
            The number.

        Raises:
            LabError: That is no number of tasks.
            NotReadyError: It was another number all the time; the message says why, where a
                task does.

        Example:
            >>> lab.wait_tasks(web, 3)  # doctest: +SKIP
            3
        """
        if not isinstance(number, int) or number < 0:
            raise LabError(
                f"{number!r} is no number of tasks.",
                next_step="give a whole number, as in lab.wait_tasks(web, 3).",
            )
        deadline = time.monotonic() + timeout
        while True:
            self._refuse_if_not_mine()
            tasks = service.tasks()  # type: ignore[no-untyped-call]
            found = sum(
                (task["DesiredState"], task["Status"]["State"]) == ("running", state)
                for task in tasks
            )
            if found == number:
                return number
            if time.monotonic() > deadline:
                short = look_up(service, "name")
                why = sorted({task["Status"]["Err"] for task in tasks if task["Status"].get("Err")})
                said = f" Its tasks say: {'; '.join(why)}." if why else ""
                raise NotReadyError(
                    f"Of the service {short}, {found} tasks are {state}, "
                    f"not {number}, after {timeout:g} s.{said}",
                    next_step=_LOOK_AT_TASKS.format(short),
                )
            time.sleep(POLL_SECONDS)

    def swarm(self) -> Swarm:
        """Make a swarm of this one engine, on loopback only, or find the one that you have made.

        An engine can be in one swarm only, so labs take turns: this waits until another lab,
        which may be another learner's, gives it back. ``lab.close()`` ends the swarm.

        Returns:
            The Docker SDK's own object, as ``lab.docker.swarm`` is.

        Raises:
            NoSwarmError: The engine can have none, as Podman.
            SwarmTakenError: The engine is in a swarm that the course did not make, or another
                lab has had it for too long.

        Example:
            >>> swarm = lab.swarm()  # doctest: +SKIP
            >>> lab.docker.services.create("course/app:1", name=lab.name("web"))  # doctest: +SKIP
        """
        return swarm.open_swarm(self.docker, self.naming, owner=self)

    def aws(
        self, service: str, *, real: bool = False, account: str | None = None, hours: float = 0
    ) -> Any:  # noqa: ANN401  # boto3 makes its classes when asked
        """Make boto3's own client of an AWS service, which answers on this machine.

        The local AWS of this chapter starts when first asked for, and ``lab.close()`` ends it with
        all that runs in it. Your own keys are not used, and what you do costs nothing.

        Args:
            service: As boto3 names it, such as ``ecs``.
            real: Ask the real AWS instead, with your own keys. What that costs is printed first.
                What you make gets the course's tags, and ``lab.close()`` removes it. This way was
                only tried against the local AWS.
            account: The id of the real account, for which your keys must be.
            hours: For how long you may make something in it.

        Raises:
            LabError: There is no such service, no engine, or what the real AWS needs is missing.

        Example:
            >>> ecs = lab.aws("ecs")  # doctest: +SKIP
            >>> ecs.list_clusters()["clusterArns"]  # doctest: +SKIP
            []
        """
        self._refuse_if_not_mine()
        if not real and (account is not None or hours):
            raise LabError(
                "account and hours are for the real AWS, and you did not ask for that one.",
                next_step="Leave both out; or add real=True, if it may cost you money.",
            )
        if not real:
            self.docker.ping()
        if self._door is None:
            # Here, because boto3 takes its time, and most chapters need none.
            from lab.aws.door import Door  # noqa: PLC0415

            self._door = Door(self.naming)
        if real:
            return self._door.real_client(service, account=account or "", hours=hours)
        return self._door.client(service)

    @property
    def loads(self) -> tuple[Load, ...]:
        """The streams of requests that were begun in this lab, ended ones too, in their order.

        Example:
            >>> lab.loads[-1].lost  # doctest: +SKIP
            0
        """
        return tuple(self._loads)

    def prepare(self, exercise: str) -> None:
        """Set the scene of an exercise; run it again to start that exercise afresh.

        Args:
            exercise: The exercise's number, such as ``05.4``.

        Raises:
            UnknownExerciseError: This lab has no exercise of that number.

        Example:
            >>> lab.prepare("05.4")  # doctest: +SKIP
        """
        checks.prepare(self, exercise)

    def check(self, exercise: str) -> checks.Result:
        """Look at what is really there and say whether an exercise is solved.

        Args:
            exercise: The exercise's number, such as ``05.2``.

        Returns:
            Passed, or not yet with a hint that follows from what was found.

        Raises:
            UnknownExerciseError: This lab has no exercise of that number.

        Example:
            >>> lab.check("05.1")  # doctest: +SKIP
            05.1 passed.
        """
        return checks.check(self, exercise)

    def hint(self, exercise: str) -> checks.Hint:
        """Give a first nudge for an exercise, without looking at what is there.

        Args:
            exercise: The exercise's number, such as ``05.2``.

        Raises:
            UnknownExerciseError: This lab has no exercise of that number.

        Example:
            >>> lab.hint("05.1")  # doctest: +SKIP
        """
        return checks.hint(self, exercise)

    def panel(self) -> Panel:
        """Show a live list of what you started, with its age, ports, memory and a stop button.

        Example:
            >>> lab.panel()  # doctest: +SKIP
        """
        self.docker.ping()
        assert self._engine is not None  # noqa: S101  # docker, above, has said so otherwise
        panel = Panel(self._engine.connect(), self.filters)
        self._panels.append(panel)
        return panel

    def close(self) -> cleaning.Removed:
        """Remove what was made in this lab, and nothing else. Closing twice is no error.

        Returns:
            What was removed.

        Raises:
            LabError: Something is left in a real AWS account, where you have used one.

        Example:
            >>> lab.close()  # doctest: +SKIP
            Removed containers web and worker.
        """
        for panel in self._panels:
            panel.stop()
        self._panels.clear()
        for load in self._loads:
            load.stop()
        self._loads.clear()
        for loop in self._loops.values():
            loop.stop()
        self._loops.clear()
        already, self._closed = self._closed, True
        removed = cleaning.Removed()
        if already:
            return removed
        # Otherwise what is there belongs to the notebook that took the lab over.
        is_mine = self._lock is None or self._lock.is_mine()
        aws_ran, left_on_aws = self._close_aws(with_real=is_mine)
        if is_mine:
            if self._client is not None:
                removed = cleaning.sweep(
                    self._client, chapter=self.naming.chapter_label, learner=self.naming.learner
                )
                removed = dataclasses.replace(removed, aws=removed.aws or aws_ran)
            remove_folders(self.naming)
            if self._lock is not None:
                self._lock.release()
        swarm.give_back(owner=self)
        if self._client is not None:
            self._client.close()
        if left_on_aws:
            raise left_on_aws
        return removed

    def _close_aws(self, *, with_real: bool) -> tuple[bool, LabError | None]:
        """End what ``aws`` has begun; what is left in a real account is told when all else is done.

        Returns:
            Whether something of the local AWS was removed, and what is wrong.
        """
        door, self._door = self._door, None
        if door is None:
            return False, None
        try:
            return door.close(with_real=with_real), None
        except LabError as error:
            return False, error

    def _not_ready(self, container: Container, what: str) -> NotReadyError:
        log = container.logs(tail=10).decode(errors="replace").rstrip()
        said = f" Its last log lines:\n{log}" if log else " It has logged nothing."
        return NotReadyError(
            f"The container {look_up(container, 'name')} {what}.{said}",
            next_step="Read the log lines above, then look at its state with "
            "lab.show(container, 'name', 'State').",
        )


def _say_what_is_missing(client: docker.DockerClient, chapter: str) -> None:
    """Say what the chapter needs and the engine can't do; cells show what they show."""
    needed = checks.needs_of(chapter)
    missing = missing_in(client.info()) if needed else ()
    for ability in needed:
        if ability in missing:
            print(f"Some cells show other outputs on your engine. {ability.value}")  # noqa: T201


def _is_ending(service: Service) -> bool:
    """Tell whether a task of a service still runs that should not."""
    tasks = service.tasks()  # type: ignore[no-untyped-call]
    return any(
        task["DesiredState"] == "shutdown" and task["Status"]["State"] == "running"
        for task in tasks
    )


def _base_url(container: Container) -> str:
    for bindings in container.ports.values():
        for binding in bindings or ():
            if binding["HostIp"] in ("127.0.0.1", "0.0.0.0", ""):  # noqa: S104  # read, not bound
                return f"http://127.0.0.1:{binding['HostPort']}"
    return ""


def _answers(container: Container, url: str) -> bool:
    if not url:
        health = container.attrs["State"].get("Health")
        return bool(container.status == "running") and (
            health is None or health["Status"] == "healthy"
        )
    try:
        answer = requests.get(f"{url}/health", timeout=2)
    except requests.RequestException:
        return False
    # A server without /health (404) is there all the same.
    return bool(answer.status_code < requests.codes.server_error)
