"""Who the learner is, and the names and labels that keep learners apart on one engine."""

from __future__ import annotations

import getpass
import os
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "AWS",
    "COURSE",
    "Naming",
    "by_seed",
    "current_learner",
    "fault_seed",
    "labels_of",
    "short_name",
    "short_tag",
]

T = TypeVar("T")

COURSE: Final = "containers-on-aws"
# The label on what a local AWS has made; its value says which one.
AWS: Final = "aws"
UNTAGGED = "(untagged)"
_LONGEST_LEARNER = 24


def current_learner() -> str:
    """Tell who the learner is: ``COURSE_LEARNER``, else the user of the system.

    Returns:
        A word of ``a-z``, ``0-9`` and ``-``, at most 24 characters long, fit for a
        container's name.

    Example:
        >>> import os
        >>> os.environ["COURSE_LEARNER"] = "Ada L."
        >>> current_learner()
        'ada-l'
    """
    raw = os.environ.get("COURSE_LEARNER") or _user()
    slug = re.sub(r"[^a-z0-9]+", "-", raw.lower())[:_LONGEST_LEARNER].strip("-")
    # A name in another script leaves nothing: keep such learners apart all the same.
    return slug or f"learner-{zlib.crc32(raw.encode()):08x}"


def fault_seed() -> int:
    """Choose which fault a learner gets, so that neighbours differ.

    ``COURSE_SEED`` fixes it; otherwise it follows from the learner's name, so that the
    same learner meets the same fault again.

    Raises:
        LabError: ``COURSE_SEED`` is not a whole number.
    """
    named = os.environ.get("COURSE_SEED")
    if not named:
        return zlib.crc32(current_learner().encode())
    if not named.isdecimal():
        raise LabError(
            f"COURSE_SEED is {named!r}, which is not a whole number.",
            next_step="Set it to a number such as 7, or unset it.",
        )
    return int(named)


def by_seed(choices: Collection[T]) -> T:
    """Choose what a learner gets, by ``fault_seed``.

    Args:
        choices: What can be chosen; their order must not change within a course.

    Raises:
        LabError: ``COURSE_SEED`` is not a whole number.

    Example:
        >>> import os
        >>> os.environ["COURSE_SEED"] = "4"
        >>> by_seed(["port", "memory", "command"])
        'memory'
    """
    return list(choices)[fault_seed() % len(choices)]


@dataclass(frozen=True)
class Naming:
    """The names and labels of one learner in one chapter.

    Example:
        >>> naming = Naming(chapter="05-life-cycle", learner="ada")
        >>> naming.full_name("web")
        'course-ada-05-web'
        >>> Naming(chapter="05-life-cycle", learner="ada", exercises=True).full_name("web")
        'course-ada-05-exercises-web'

    Attributes:
        aws: The id of the local AWS that makes things under these names; empty for what a learner
            makes.
    """

    chapter: str
    learner: str
    exercises: bool = False
    aws: str = ""

    @property
    def chapter_label(self) -> str:
        """The value of the label ``chapter``.

        Exercises have their own, so that a chapter and its exercises can be open at once.
        """
        return f"{self.chapter}-exercises" if self.exercises else self.chapter

    @property
    def labels(self) -> dict[str, str]:
        """The labels that everything carries which is made under these names."""
        labels = {"course": COURSE, "chapter": self.chapter_label, "learner": self.learner}
        return labels | ({AWS: self.aws} if self.aws else {})

    @property
    def prefix(self) -> str:
        """What stands before each short name."""
        digits = self.chapter.partition("-")[0]
        return f"course-{self.learner}-{digits}-{'exercises-' if self.exercises else ''}"

    def full_name(self, short: str) -> str:
        """Make a short name unique on the engine.

        Raises:
            LabError: Docker would refuse the name.
        """
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", short):
            raise LabError(
                f"{short!r} can't be part of a container's name.",
                next_step="Use letters, digits, '.', '-' and '_', as in lab.name('web').",
            )
        return self.prefix + short


def labels_of(thing: Any) -> dict[str, str]:  # noqa: ANN401  # docker-py's models share no base
    """Read the labels of a container, network, volume, image, service, secret or config.

    The engine tells them in another place for each kind.
    """
    attrs = thing.attrs
    return (
        attrs.get("Labels")
        or attrs.get("Config", {}).get("Labels")
        or attrs.get("Spec", {}).get("Labels")
        or {}
    )


def short_name(full: str, labels: dict[str, str]) -> str:
    """Take the learner's prefix off a name, if its labels say that the course gave it.

    Example:
        >>> labels = Naming(chapter="05-life-cycle", learner="ada").labels
        >>> short_name("course-ada-05-web", labels)
        'web'
        >>> short_name("postgres", {})
        'postgres'
    """
    label = labels.get("chapter", "")
    exercises = label.endswith("-exercises")
    naming = Naming(
        chapter=label.removesuffix("-exercises"),
        learner=labels.get("learner", ""),
        exercises=exercises,
    )
    return full.removeprefix(naming.prefix)


def short_tag(tag: str, labels: dict[str, str]) -> str:
    """Take a registry's address and the learner's prefix off an image's tag.

    Example:
        >>> labels = Naming(chapter="04-images", learner="ada").labels
        >>> short_tag("127.0.0.1:49153/course-ada-04-greeter:1", labels)
        'greeter:1'
        >>> short_tag("course/app:1", {})
        'course/app:1'
        >>> short_tag("docker.io/library/course-ada-04-greeter:1", labels)
        'greeter:1'
    """
    first, _, rest = tag.partition("/")
    # As the engine decides it: what holds a dot or a port is an address.
    is_address = rest and ("." in first or ":" in first)
    if first == "docker.io":
        rest = rest.removeprefix("library/")  # Podman's full form of a name without a folder
    return short_name(rest if is_address else tag, labels)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container started with a bare user id has no user name.
        return f"uid-{os.getuid()}"
