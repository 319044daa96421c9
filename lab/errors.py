"""What can go wrong in the lab: each error says what happened and what to do next."""

import docker.errors

__all__ = [
    "ArchiveError",
    "DiskFullError",
    "EngineNotRunningError",
    "EngineTooOldError",
    "ImageMissingError",
    "LabClosedError",
    "LabError",
    "LabInUseError",
    "LoadError",
    "NameTakenError",
    "NoEngineError",
    "NoSwarmError",
    "NotReadyError",
    "PermissionDeniedError",
    "PortTakenError",
    "SessionError",
    "SwarmTakenError",
    "UnknownExerciseError",
]


class LabError(Exception):
    """Tells a learner what happened and what to do next, without a traceback.

    Args:
        what: What happened, in a sentence or two.
        next_step: What the learner can do about it, best as a command to type.

    Example:
        >>> print(LabError("The kettle is empty.", next_step="fill it"))
        The kettle is empty.
        Next: fill it
    """

    def __init__(self, what: str, *, next_step: str) -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}\nNext: {self.next_step}"

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the class with positional arguments only, which this one refuses.
        return _rebuild, (type(self), self.what, self.next_step)

    def _render_traceback_(self) -> list[str]:
        # IPython prints what this returns instead of a traceback of code that is not the learner's.
        return [f"{type(self).__name__}: {self.what}", f"Next: {self.next_step}"]


class NoEngineError(LabError):
    """Says that no container engine was found on this machine."""


class EngineNotRunningError(LabError):
    """Says that an engine is installed or was named, and does not answer."""


class PermissionDeniedError(LabError):
    """Says that the engine is there and this user may not speak to it."""


class EngineTooOldError(LabError):
    """Says that the client and the engine share no version of the API."""


class ImageMissingError(LabError):
    """Says that an image is not on the engine, or that it can't be made here."""


class ArchiveError(LabError):
    """Says that a file which should hold the course's images can't be used, and why."""


class LoadError(LabError):
    """Says why no stream of requests can be sent, or why it did not begin."""


class NameTakenError(LabError):
    """Says that a name the course needs belongs to something that the course did not make."""


class PortTakenError(LabError, docker.errors.APIError):
    """Says that a container can't start because a port that it publishes is taken.

    The engine's own words differ from version to version and hold two long numbers. It
    still is docker-py's ``APIError``, for ``except``, with the words in ``explanation``.

    Args:
        what: Which address is taken, and what that did to the container.
        next_step: What the learner can do about it.
        refusal: The engine's answer.
    """

    def __init__(
        self, what: str, *, next_step: str, refusal: docker.errors.APIError | None = None
    ) -> None:
        super().__init__(what, next_step=next_step)
        if refusal is not None:
            self.response = refusal.response
            self.explanation = refusal.explanation


class SessionError(LabError):
    """Says that a session with a container did not begin, or how it ended."""


class NoSwarmError(LabError):
    """Says that an engine can have no swarm, and why."""


class SwarmTakenError(LabError):
    """Says that an engine's swarm is not the course's, or that another lab has it."""


class DiskFullError(LabError):
    """Says that a disk has no room left, which one, and how much is free."""


class NotReadyError(LabError):
    """Says that something was waited for and did not become ready in time."""


class LabInUseError(LabError):
    """Says that another kernel of the same learner holds this chapter's lab."""


class LabClosedError(LabError):
    """Says that a lab was used after it was closed."""


class UnknownExerciseError(LabError):
    """Says that no exercise has the number that was asked for."""


def _rebuild(kind: type[LabError], what: str, next_step: str) -> LabError:
    return kind(what, next_step=next_step)
