"""The life cycle of a container, as a diagram that a reader can walk through.

What the engine does in each state is one table, `OUTCOMES`. Python and the ES module evaluate the
same table, and a test with a real engine proves every line of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Literal

import traitlets

from widgets.base import CourseWidget

__all__ = ["ACTIONS", "OUTCOMES", "PROGRAMS", "STATES", "THINGS", "LifeCycle", "Step"]


@dataclass(frozen=True)
class State:
    """One status as the engine reports it, and what exists in it.

    Args:
        listed: What `docker ps -a` shows in its STATUS column.
        keeps: For each of `THINGS`, a mark ("yes", "still" or "no") and a few words.
    """

    listed: str
    keeps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Action:
    """One thing that can happen to a container, and how to ask for it."""

    label: str
    kind: Literal["command", "event"]
    python: str
    shell: str


@dataclass(frozen=True)
class Program:
    """One way in which a program can take SIGTERM.

    Args:
        label: What the reader chooses.
        exit_code: What `stop` leaves as the exit code.
        signals: Which signals `stop` sends.
        happens: What the signal does, in a sentence.
        python: What `containers.create` needs on top.
        shell: What `docker create` needs on top.
    """

    label: str
    exit_code: int
    signals: str
    happens: str
    python: str = ""
    shell: str = ""


@dataclass(frozen=True)
class Outcome:
    """What an action does in a state.

    Args:
        to: The status afterwards; `None` if nothing changes.
        answer: What the engine answers.
        happens: What happens, in a sentence; `{sigterm}` stands for the program's part.
        signal: Which signal is sent to process 1; `{signals}` stands for the program's part.
        exit_code: The exit code, if a process ended; "sigterm" if the program decides.
    """

    to: str | None
    answer: str
    happens: str
    signal: str = "none"
    exit_code: int | Literal["sigterm"] | None = None


@dataclass(frozen=True)
class Step:
    """Where an action led: what `LifeCycle.walk` returns, one for each action.

    Args:
        action: What was done.
        status: The status afterwards, as the engine reports it; "no container" if it reports none.
        exit_code: The exit code of a container that has exited, else `None`.
        changed: False if the engine refused or had nothing to do.
        answer: What the engine answered.
    """

    action: str
    status: str
    exit_code: int | None
    changed: bool
    answer: str

    def __str__(self) -> str:
        return self.status if self.exit_code is None else f"{self.status} ({self.exit_code})"


THINGS = (
    "process",
    "memory",
    "writable layer",
    "logs",
    "IP address",
    "published port",
    "name",
    "configuration",
)

STATES: Mapping[str, State] = {
    "no container": State(
        "not in the list",
        (
            ("no", "none"),
            ("no", "none"),
            ("no", "none"),
            ("no", "none"),
            ("no", "none"),
            ("no", "none"),
            ("no", "free"),
            ("no", "none"),
        ),
    ),
    "created": State(
        "Created",
        (
            ("no", "none yet"),
            ("no", "none yet"),
            ("yes", "there, empty"),
            ("no", "empty"),
            ("no", "none yet"),
            ("no", "closed"),
            ("yes", "taken"),
            ("yes", "kept"),
        ),
    ),
    "running": State(
        "Up 2 seconds",
        (
            ("yes", "runs"),
            ("yes", "in use"),
            ("yes", "written to"),
            ("yes", "grow"),
            ("yes", "given"),
            ("yes", "open"),
            ("yes", "taken"),
            ("yes", "kept"),
        ),
    ),
    "paused": State(
        "Up 2 seconds (Paused)",
        (
            ("still", "frozen"),
            ("still", "kept"),
            ("yes", "kept"),
            ("yes", "kept"),
            ("yes", "kept"),
            ("still", "no answer"),
            ("yes", "taken"),
            ("yes", "kept"),
        ),
    ),
    "exited": State(
        "Exited ({code}) 2 seconds ago",
        (
            ("no", "ended"),
            ("no", "lost"),
            ("yes", "kept"),
            ("yes", "kept"),
            ("no", "given back"),
            ("no", "closed"),
            ("yes", "taken"),
            ("yes", "kept"),
        ),
    ),
    # To the engine this is "no container" again; to the reader it is where a life ended.
    "removed": State(
        "not in the list",
        (
            ("no", "ended"),
            ("no", "lost"),
            ("no", "deleted"),
            ("no", "deleted"),
            ("no", "given back"),
            ("no", "closed"),
            ("no", "free again"),
            ("no", "deleted"),
        ),
    ),
}

ACTIONS: Mapping[str, Action] = {
    "create": Action(
        "create",
        "command",
        'web = lab.docker.containers.create(image, name="web"{python})',
        "docker create{shell} --name web IMAGE",
    ),
    "start": Action("start", "command", "web.start()", "docker start web"),
    "pause": Action("pause", "command", "web.pause()", "docker pause web"),
    "unpause": Action("unpause", "command", "web.unpause()", "docker unpause web"),
    "stop": Action("stop", "command", "web.stop()", "docker stop web"),
    "kill": Action("kill", "command", "web.kill()", "docker kill web"),
    "restart": Action("restart", "command", "web.restart()", "docker restart web"),
    "remove": Action("remove", "command", "web.remove()", "docker rm web"),
    "remove --force": Action(
        "remove --force", "command", "web.remove(force=True)", "docker rm --force web"
    ),
    "exit 0": Action(
        "ends: exit code 0",
        "event",
        'web.wait()["StatusCode"]  # only watches: 0',
        "docker wait web   # only watches: 0",
    ),
    "exit 1": Action(
        "fails: exit code 1",
        "event",
        'web.wait()["StatusCode"]  # only watches: 1',
        "docker wait web   # only watches: 1",
    ),
    "out of memory": Action(
        "runs out of memory",
        "event",
        'web.attrs["State"]["OOMKilled"]  # True',
        "docker inspect -f '{{.State.OOMKilled}}' web   # true",
    ),
}

PROGRAMS: Mapping[str, Program] = {
    "handles": Program(
        "handles it",
        0,
        "SIGTERM",
        "The program catches it, finishes its work and ends: exit code 0.",
    ),
    "ignores": Program(
        "no handler, as process 1",
        137,
        "SIGTERM, then SIGKILL",
        "It has no handler, and for process 1 the kernel then drops the signal. "
        "After 10 seconds the engine sends SIGKILL: exit code 137 = 128 + 9.",
    ),
    "init": Program(
        "no handler, under an init",
        143,
        "SIGTERM",
        "The init is process 1 and passes it on. The program has no handler and dies of it: "
        "exit code 143 = 128 + 15.",
        ", init=True",
        " --init",
    ),
}

_COMMANDS = tuple(name for name, action in ACTIONS.items() if action.kind == "command")
_EVENTS = tuple(name for name, action in ACTIONS.items() if action.kind == "event")
_DONE = "204 No Content"
_SIGKILL = "SIGKILL cannot be caught: the process is gone at once, exit code 137 = 128 + 9."
_NO_PROCESS = Outcome(None, "no request", "There is no process that it could happen to.")
_NAME_TAKEN = Outcome(
    None,
    '409 Conflict: The container name "/web" is already in use',
    "A name belongs to one container until that one is removed. (The lab's client first removes an "
    "earlier one of your own, so that a cell can run again.)",
)
_NOT_RUNNING = Outcome(
    None, "409 Conflict: Container web is not running", "There is no process to act on."
)
_NOT_PAUSED = Outcome(
    None, "500 Internal Server Error: Container web is not paused", "Nothing is frozen."
)
_NOTHING_TO_STOP = Outcome(
    None, "304 Not Modified", "Nothing to do: it does not run. docker-py raises no error."
)
_LAYER_GONE = (
    "The name is free again. The writable layer, the logs and the configuration are deleted; "
    "the image and named volumes stay."
)
_KILLED_AND_GONE = f"The engine kills the process, then removes the container. {_LAYER_GONE}"

_NO_CONTAINER = {
    **dict.fromkeys(
        _COMMANDS,
        Outcome(
            None,
            "404 Not Found: No such container: web",
            "The engine knows no container of this name. docker-py raises NotFound.",
        ),
    ),
    **dict.fromkeys(_EVENTS, _NO_PROCESS),
    "create": Outcome(
        "created",
        "201 Created",
        "The engine notes the configuration, takes the name and adds an empty writable layer to "
        "the image. Nothing runs yet.",
    ),
}

# Every state answers every action. Proved against a real engine, Docker 20.10.
OUTCOMES: Mapping[str, Mapping[str, Outcome]] = {
    "no container": _NO_CONTAINER,
    "created": {
        **dict.fromkeys(_EVENTS, _NO_PROCESS),
        "create": _NAME_TAKEN,
        "start": Outcome(
            "running",
            _DONE,
            "The engine connects the network, opens the published port and starts the program as "
            "process 1.",
        ),
        "pause": _NOT_RUNNING,
        "unpause": _NOT_PAUSED,
        "stop": _NOTHING_TO_STOP,
        "kill": _NOT_RUNNING,
        "restart": Outcome(
            "running", _DONE, "There is nothing to stop, so this is a start: process 1 runs."
        ),
        "remove": Outcome("removed", _DONE, _LAYER_GONE),
        "remove --force": Outcome("removed", _DONE, f"No force was needed. {_LAYER_GONE}"),
    },
    "running": {
        "create": _NAME_TAKEN,
        "start": Outcome(
            None, "304 Not Modified", "Nothing to do: it runs already. docker-py raises no error."
        ),
        "pause": Outcome(
            "paused",
            _DONE,
            "The kernel's freezer takes the CPU away from every process inside. They notice "
            "nothing, and all of their memory stays.",
            "none, the freezer needs none",
        ),
        "unpause": _NOT_PAUSED,
        "stop": Outcome(
            "exited",
            _DONE,
            "The engine sends SIGTERM to process 1. {sigterm}",
            "{signals}",
            "sigterm",
        ),
        "kill": Outcome("exited", _DONE, _SIGKILL, "SIGKILL", 137),
        "restart": Outcome(
            "running",
            _DONE,
            "First a stop: SIGTERM goes to process 1. {sigterm} Then a new process starts in the "
            "same writable layer.",
            "{signals}",
        ),
        "remove": Outcome(
            None,
            "409 Conflict: You cannot remove a running container web",
            "Stop it first, or use force.",
        ),
        "remove --force": Outcome("removed", _DONE, _KILLED_AND_GONE, "SIGKILL"),
        "exit 0": Outcome(
            "exited",
            "no request",
            "Nobody asked: the program is done. When process 1 ends, its container has exited.",
            exit_code=0,
        ),
        "exit 1": Outcome(
            "exited",
            "no request",
            "Nobody asked: the program gave up and says so with a number other than 0. "
            "Its logs stay, so you can read why.",
            exit_code=1,
        ),
        "out of memory": Outcome(
            "exited",
            "no request",
            "It asked for more than its memory limit. The kernel, not the engine, kills it: exit "
            "code 137 = 128 + 9, and the engine notes OOMKilled.",
            "SIGKILL, from the kernel",
            137,
        ),
    },
    "paused": {
        **dict.fromkeys(
            _EVENTS,
            Outcome(
                None,
                "no request",
                "The process is frozen: it can neither end nor ask for memory.",
            ),
        ),
        "create": _NAME_TAKEN,
        "start": Outcome(
            None,
            "409 Conflict: cannot start a paused container, try unpause instead",
            "Its process exists; it only needs the CPU back.",
        ),
        "pause": Outcome(
            None, "409 Conflict: Container web is already paused", "It is frozen already."
        ),
        "unpause": Outcome(
            "running",
            _DONE,
            "The processes get the CPU back and go on where they were: same process, same memory.",
            "none, the freezer needs none",
        ),
        "stop": Outcome(
            "exited",
            _DONE,
            "The engine sends SIGTERM and unfreezes the process so that it can act. {sigterm}",
            "{signals}",
            "sigterm",
        ),
        "kill": Outcome("exited", _DONE, _SIGKILL, "SIGKILL", 137),
        "restart": Outcome(
            "running",
            _DONE,
            "First a stop: SIGTERM is sent, the process unfrozen. {sigterm} Then a new process "
            "starts in the same writable layer.",
            "{signals}",
        ),
        "remove": Outcome(
            None,
            "409 Conflict: You cannot remove a paused container web",
            "Unpause and stop it first, or use force.",
        ),
        "remove --force": Outcome("removed", _DONE, _KILLED_AND_GONE, "SIGKILL"),
    },
    "exited": {
        **dict.fromkeys(_EVENTS, _NO_PROCESS),
        "create": _NAME_TAKEN,
        "start": Outcome(
            "running",
            _DONE,
            "A new process starts in the old writable layer: files are there, memory is not. "
            "The IP address and a port chosen by the system may differ.",
        ),
        "pause": _NOT_RUNNING,
        "unpause": _NOT_PAUSED,
        "stop": _NOTHING_TO_STOP,
        "kill": _NOT_RUNNING,
        "restart": Outcome(
            "running", _DONE, "There is nothing to stop, so this is a start: a new process runs."
        ),
        "remove": Outcome("removed", _DONE, _LAYER_GONE),
        "remove --force": Outcome("removed", _DONE, f"No force was needed. {_LAYER_GONE}"),
    },
    "removed": _NO_CONTAINER,
}

_TABLE: dict[str, object] = {
    "things": THINGS,
    "states": {name: asdict(state) for name, state in STATES.items()},
    "actions": {name: asdict(action) for name, action in ACTIONS.items()},
    "programs": {name: asdict(program) for name, program in PROGRAMS.items()},
    "outcomes": {
        status: {name: asdict(row[name]) for name in ACTIONS} for status, row in OUTCOMES.items()
    },
}
_START = Step("", "no container", None, changed=False, answer="")


class LifeCycle(CourseWidget):
    """Lets a reader walk a container through its states and see what each step does and keeps.

    Args:
        history: The actions that were done before the reader comes, see `ACTIONS`.
        program: How the program takes SIGTERM: "handles", "ignores" (it has no handler and is
            process 1) or "init" (it has no handler and runs under an init).

    Raises:
        TypeError: An unknown keyword was given.
        ValueError: An action is unknown, or the engine would not do it in that state.

    Example:
        >>> LifeCycle(history=["create", "start"])  # doctest: +SKIP
    """

    history = traitlets.List(traitlets.Unicode()).tag(sync=True, page=True, option=True)
    program = traitlets.Enum(list(PROGRAMS), "handles").tag(sync=True, page=True, option=True)
    table = traitlets.Dict(_TABLE, read_only=True).tag(sync=True, page=True)

    @staticmethod
    def walk(actions: Iterable[str], *, program: str = "handles") -> list[Step]:
        """Tells where a row of actions leads, step by step, with no engine.

        An action that the engine refuses leaves the container as it was; its step says so.

        Args:
            actions: Names from `ACTIONS`, done one after the other, from "no container" on.
            program: How the program takes SIGTERM, see `PROGRAMS`.

        Raises:
            ValueError: An action or the program is unknown; the message names the nearest.

        Example:
            >>> [str(step) for step in LifeCycle.walk(["create", "start", "stop"])]
            ['created', 'running', 'exited (0)']
            >>> LifeCycle.walk(["create", "start", "stop"], program="ignores")[-1].exit_code
            137
        """
        _known("program", program, PROGRAMS)
        steps = [_START]
        for action in actions:
            _known("action", action, ACTIONS)
            steps.append(_next(steps[-1], action, PROGRAMS[program]))
        return steps[1:]

    @traitlets.validate("history")
    def _possible(self, proposal: Mapping[str, list[str]]) -> list[str]:
        actions = proposal["value"]
        for step in self.walk(actions):
            if not step.changed:
                raise ValueError(
                    f"The history {actions} can't happen: at {step.action!r} the engine answers "
                    f"{step.answer!r}. Leave that action out."
                )
        return actions

    def _context(self) -> dict[str, object]:
        steps = self.walk(self.history, program=self.program)
        return {
            "actions": ACTIONS,
            "before": steps[-2] if len(steps) > 1 else _START,
            "history": steps,
            "now": steps[-1] if steps else _START,
            "outcomes": OUTCOMES,
            "program": self.program,
            "programs": PROGRAMS,
            "states": STATES,
            "step": self._told(steps),
            "things": THINGS,
        }

    def _told(self, steps: list[Step]) -> dict[str, str]:
        """Words of the last step; the ES module's `told` gives the same for the live page."""
        if not steps:
            return {
                "happens": "The engine knows no container named web. Begin with create.",
                "python": "",
                "shell": "",
                "signal": "",
                "answer": "",
            }
        before = steps[-2] if len(steps) > 1 else _START
        action, program = ACTIONS[steps[-1].action], PROGRAMS[self.program]
        outcome = OUTCOMES[before.status][steps[-1].action]
        return {
            "happens": outcome.happens.replace("{sigterm}", program.happens),
            "python": action.python.replace("{python}", program.python),
            "shell": action.shell.replace("{shell}", program.shell),
            "signal": outcome.signal.replace("{signals}", program.signals),
            "answer": outcome.answer,
        }

    def _text(self) -> str:
        lines = ["The life cycle of a container: what leads from one state to the next"]
        for status, row in OUTCOMES.items():
            ways: dict[str, list[str]] = {}
            for action, outcome in row.items():
                if outcome.to is not None:
                    ways.setdefault(outcome.to, []).append(action)
            told = "; ".join(f"{', '.join(names)} -> {to}" for to, names in ways.items())
            lines.append(f"{status}: {told}")
        codes = ", ".join(f"{program.exit_code} ({name})" for name, program in PROGRAMS.items())
        return "\n".join([*lines, f"Exit code after stop, by program: {codes}"])


def _next(now: Step, action: str, program: Program) -> Step:
    outcome = OUTCOMES[now.status][action]
    if outcome.to is None:
        return Step(action, now.status, now.exit_code, changed=False, answer=outcome.answer)
    code = program.exit_code if outcome.exit_code == "sigterm" else outcome.exit_code
    return Step(action, outcome.to, code, changed=True, answer=outcome.answer)


def _known(what: str, name: str, names: Iterable[str]) -> None:
    names = list(names)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."
        raise ValueError(f"There is no {what} {name!r}. {hint}")
