"""The layers of an image: what each instruction adds, what a build reuses, what a container writes.

The cache's rule is one function, `rebuilt`. The ES module has the same one; tests prove that both
agree for every change and every order, and that a real engine does what they say.
"""

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from itertools import accumulate
from operator import or_
from pathlib import PurePosixPath
from typing import Any, TypeVar, cast

import docker.errors
import traitlets
from docker import DockerClient
from docker.models.images import Image

from widgets.base import CourseWidget
from widgets.dockerfile import (
    FILE_KEYWORDS,
    KEYWORDS,
    Instruction,
    copied_files,
    fixed_pairs,
    is_folder,
    parse,
    takes,
)

__all__ = ["ImageLayers", "diff", "rebuilt"]

Line = TypeVar("Line", bound=Hashable)

_LONGEST_TEXT = 64
_MOST_LINES = 14  # in the text form
_MOST_FILES = 3
_FILE_OF_THE_BASE = "/etc/passwd"
_NEW_FILE = "/note"

_EXAMPLE = """
FROM course/base:1
WORKDIR /app
COPY app.py ./
COPY requirements.txt ./
RUN pip install -r requirements.txt
ENV PORT=8080
CMD ["python3", "app.py"]
"""
_EXAMPLE_SIZES = {"FROM": 34_300_000, "RUN": 12_400_000}


def rebuilt(instructions: Iterable[Line], changed: Container[Line]) -> list[bool]:
    """Tells which steps of a build run again; the cache gives the others.

    A step is reused only if it is as it was at the last build, and the step before it was reused.
    So everything from the first change on is built again.

    Args:
        instructions: The Dockerfile's instructions in their order: text, or any other names.
        changed: Those that are not as they were. A COPY has changed, too, when a file that it
            copies has.

    Returns:
        One answer for each instruction: True if it is built again.

    Example:
        >>> steps = ["FROM course/base:1", "COPY app.py ./", "RUN pip install flask"]
        >>> rebuilt(steps, changed={"COPY app.py ./"})
        [False, True, True]
        >>> rebuilt([steps[0], steps[2], steps[1]], changed={"COPY app.py ./"})
        [False, False, True]
    """
    return list(accumulate((line in changed for line in instructions), or_))


def diff(written: Mapping[str, str]) -> list[str]:
    """Lists what a container's writable layer holds, as `docker diff` prints it.

    Args:
        written: Paths, each with what was done: "changed", "deleted" or "added".

    Example:
        >>> diff({"/app/app.py": "changed", "/note": "added"})
        ['C /app', 'C /app/app.py', 'A /note']
    """
    marks = {path: what[0].upper() for path, what in written.items()}
    for path in written:
        for folder in PurePosixPath(path).parents[:-1]:
            marks.setdefault(str(folder), "C")
    return [f"{mark} {path}" for path, mark in sorted(marks.items())]


@dataclass(frozen=True)
class Layer:
    """What an instruction has left in the image.

    Args:
        text: The instruction, shortened.
        files: Whether it is a layer of the file system; otherwise it is only configuration.
        size: Tenths of a megabyte. Engines count bytes or blocks; rounded, both say the same.
        adds: The size in words.
    """

    text: str
    files: bool
    size: int
    adds: str


@dataclass(frozen=True)
class Change:
    """Something that can differ between two builds.

    Args:
        name: What the option `changed` takes.
        label: What the reader chooses.
        kind: Where it stands among the choices: "", "file" or "step".
        lines: The indexes of the instructions that are not as they were.
        best: The order in which least is written and fewest steps run again, as indexes.
    """

    name: str
    label: str
    kind: str
    lines: tuple[int, ...]
    best: tuple[int, ...]


class ImageLayers(CourseWidget):
    """Lets a reader see what an image is made of, what a build reuses and what a container writes.

    Args:
        image: An image as docker-py gives it; without one, an example is shown.
        dockerfile: The text that the image was built from.
        changed: What differs at the next build, before the reader chooses: a file that a COPY
            takes, as it is written there; "step 3", where FROM is step 1; or "" for nothing.
        order: The numbers of the steps in another order, like `[1, 2, 4, 3]`.

    Raises:
        TypeError: The image is none of docker-py's, one of the two is missing, or a keyword is
            unknown.
        ValueError: The Dockerfile does not fit the image, or an option does not fit the Dockerfile.

    Example:
        >>> ImageLayers(image, dockerfile=text, changed="app.py")  # doctest: +SKIP
    """

    changed = traitlets.Unicode().tag(sync=True, page=True, option=True)
    order = traitlets.List(traitlets.Int()).tag(sync=True, page=True, option=True)
    container = traitlets.Dict(
        default_value=None, allow_none=True, help="what the writable layer holds, if there is one"
    ).tag(sync=True, page=True)
    table = traitlets.Dict(read_only=True).tag(sync=True, page=True)

    def __init__(
        self, image: Image | None = None, dockerfile: str | None = None, **options: object
    ) -> None:
        if image is None and dockerfile is None:
            steps = parse(_EXAMPLE)
            self._layers = [
                _layer(
                    step,
                    _EXAMPLE_SIZES.get(step.keyword, 0),
                    files=step.keyword in FILE_KEYWORDS,
                )
                for step in steps
            ]
        else:
            real = _docker_image(image)
            steps = parse(_text_of(dockerfile))
            self._layers = _read(real, steps)
        self._keeps = list(fixed_pairs(steps))
        self._changes = {change.name: change for change in self._possible_changes(steps)}
        self._files = _files(steps)
        files = (change.name for change in self._changes.values() if change.kind == "file")
        super().__init__(
            **{"changed": next(files, ""), "order": list(range(1, len(steps) + 1)), **options}
        )
        reasons = list(dict.fromkeys(why for _, _, why in self._keeps))
        self.set_trait(
            "table",
            {
                "lines": [asdict(layer) for layer in self._layers],
                "keeps": [
                    (first, second, reasons.index(why)) for first, second, why in self._keeps
                ],
                "reasons": reasons,
                "changes": {name: asdict(change) for name, change in self._changes.items()},
                "files": self._files,
            },
        )

    @traitlets.validate("changed")
    def _known(self, proposal: Mapping[str, str]) -> str:
        name = proposal["value"]
        if name not in self._changes:
            near = get_close_matches(name, self._changes, n=1)
            known = ", ".join(map(repr, self._changes))
            hint = f"Did you mean {near[0]!r}?" if near else f"What can: {known}."
            raise ValueError(f"{name!r} can't change between two builds of this image. {hint}")
        return name

    @traitlets.validate("order")
    def _possible(self, proposal: Mapping[str, list[int]]) -> list[int]:
        order = proposal["value"]
        if sorted(order) != list(range(1, len(self._layers) + 1)):
            raise ValueError(f"The order {order} must hold each of 1 to {len(self._layers)} once.")
        for first, second, why in self._keeps:
            if order.index(first + 1) > order.index(second + 1):
                raise ValueError(f"Step {first + 1} must come before step {second + 1}. {why}")
        return order

    def _possible_changes(self, steps: Sequence[Instruction]) -> Iterator[Change]:
        yield Change("", "nothing", "", (), tuple(range(len(steps))))
        sources = list(dict.fromkeys(source for step in steps for source in step.sources))
        for source in sorted(sources, key=is_folder):
            lines = [i for i, step in enumerate(steps) if takes(step, source)]
            label = "another file of the folder" if source == "." else source
            yield Change(source, label, "file", tuple(lines), self._best(lines))
        for i, layer in enumerate(self._layers):
            yield Change(f"step {i + 1}", layer.text, "step", (i,), self._best([i]))

    def _best(self, changed: Iterable[int]) -> tuple[int, ...]:
        """Orders the lines so that fewest are rebuilt; where it makes no difference, as written.

        Only what must stay behind a changed line is rebuilt then. Each order rebuilds at least
        that, so none writes less either.
        """
        after = set(changed)
        for first, second, _ in self._keeps:  # by their first line, so one pass finds all
            if first in after:
                after.add(second)
        return tuple(sorted(range(len(self._layers)), key=after.__contains__))

    def _figures(self, order: Sequence[int], changed: Change) -> tuple[str, str]:
        """Says how many steps are rebuilt, and how much; as `figures` in the ES module."""
        marks = rebuilt(order, changed.lines)
        again = [line for line, mark in zip(order, marks, strict=True) if mark]
        own = [self._layers[line] for line in again if line]
        cost = "0 bytes"
        if any(layer.files for layer in own):
            cost = _megabytes(sum(layer.size for layer in own))
        return f"{len(again)} of {len(order)}", cost + (" and the base" if 0 in again else "")

    def _verdict(self, order: Sequence[int]) -> str:
        """Says what the next build does; as `verdict` in the ES module."""
        change = self._changes[self.changed]
        if not change.kind:
            return (
                "Nothing has changed: every step is reused. "
                "A RUN is not run again either, whatever it would fetch today."
            )
        first = rebuilt(order, change.lines).index(True) + 1
        steps, cost = self._figures(order, change)
        what = f"the line {change.label}" if change.kind == "step" else change.label
        return f"When {what} changes, step {first} and all after it are rebuilt: {steps}, {cost}."

    def _context(self) -> dict[str, object]:
        order = [number - 1 for number in self.order]
        change = self._changes[self.changed]
        written = range(len(order))
        return {
            "all_changes": [
                (each.label, *(self._figures(o, each) for o in (written, each.best)))
                for each in self._changes.values()
            ],
            "change": change,
            "changes": self._changes.values(),
            "files": self._files,
            "layers": self._layers,
            "order": order,
            "orders": [
                ("written", "as written", *self._figures(written, change)),
                ("now", "as it stands now", *self._figures(order, change)),
                ("best", "best for this change", *self._figures(change.best, change)),
            ],
            "rebuilt": dict(zip(order, rebuilt(order, change.lines), strict=True)),
            "reasons": {(first, second): why for first, second, why in self._keeps},
            "verdict": self._verdict(order),
        }

    def _text(self) -> str:
        order = [number - 1 for number in self.order]
        layers = [self._layers[line] for line in order]
        rows = [f"{step}. {layer.text}: {layer.adds}" for step, layer in enumerate(layers, 1)]
        if len(rows) > _MOST_LINES:
            rows[_MOST_LINES:] = [f"… and {len(rows) - _MOST_LINES} more"]
        change = self._changes[self.changed]
        steps, cost = self._figures(change.best, change)
        title = "The layers of an image, from the bottom up"
        best = f"In the best order for this change: {steps}, {cost}."
        return "\n".join([title, *rows, self._verdict(order), best])


def _text_of(dockerfile: object) -> str:
    if not isinstance(dockerfile, str):
        raise TypeError(
            "ImageLayers needs the text that the image was built from: "
            "ImageLayers(image, dockerfile=TEXT)."
        )
    return dockerfile


def _docker_image(image: object) -> Image:
    if not isinstance(image, Image):
        raise TypeError(
            f"ImageLayers needs an image as docker-py gives it, not {type(image).__name__}: "
            "ImageLayers(lab.docker.images.get(NAME), dockerfile=TEXT)."
        )
    return image


def _read(image: Image, steps: Sequence[Instruction]) -> list[Layer]:
    """Finds each instruction in the image's history, whichever builder wrote that."""
    history = image.history()  # newest first
    name = steps[0].words[0]
    tags = {name, f"{name}:latest"}  # an engine that has the base's tag says where it begins
    begins = next((i for i, entry in enumerate(history) if tags & set(entry["Tags"] or ())), None)
    above = history[:begins]

    def skip_given_labels(at: int) -> int:
        # They stand in no Dockerfile: a build's option puts them last, the lab behind FROM.
        while at < len(above) and _is_given_label(above[at], steps):
            at += 1
        return at

    at = 0
    found: list[Layer] = []
    for number, step in reversed(list(enumerate(steps[1:], 2))):
        at = skip_given_labels(at)
        keyword, arguments = _said(above[at]) if at < len(above) else ("nothing", "")
        if not _fits(step, keyword, arguments):
            there = _short(f"{keyword} {arguments}".strip())
            raise ValueError(
                f"The Dockerfile does not fit the image: step {number} is {_short(str(step))!r}, "
                f"where the image's history has {there!r}. "
                "Give the text that this image was built from."
            )
        files = step.keyword in FILE_KEYWORDS and _has_layer(image, history[at : at + 2])
        found.append(_layer(step, history[at]["Size"], files=files))
        at += 1
    at = skip_given_labels(at)
    if begins not in {None, at}:
        steps_there = sum(not _is_given_label(entry, steps) for entry in above)
        raise ValueError(
            f"The Dockerfile does not fit the image: it has {len(steps) - 1} steps after FROM, "
            f"the image's history {steps_there}. Give the text that this image was built from."
        )
    base = _layer(steps[0], sum(entry["Size"] for entry in history[at:]), files=True)
    return [base, *reversed(found)]


def _said(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Takes an entry of the history apart: its keyword, and the rest."""
    # The classic builder: "/bin/sh -c #(nop) COPY file:1f2… in ./", "/bin/sh -c make".
    # BuildKit: "COPY app.py ./ # buildkit", "RUN /bin/sh -c make # buildkit".
    text = " ".join(entry["CreatedBy"].removesuffix("# buildkit").split())
    _, mark, noted = text.partition("#(nop) ")
    keyword, _, rest = (noted if mark else text).partition(" ")
    return (keyword, rest) if keyword in KEYWORDS else ("RUN", text)


def _is_given_label(entry: Mapping[str, Any], steps: Iterable[Instruction]) -> bool:
    keyword, arguments = _said(entry)
    key = arguments.partition("=")[0]
    written = [step.arguments for step in steps if step.keyword == "LABEL"]
    return keyword == "LABEL" and not any(key in arguments for arguments in written)


def _fits(step: Instruction, keyword: str, arguments: str) -> bool:
    if step.keyword == "RUN":
        return keyword == "RUN" and arguments.endswith(" ".join(step.words))
    return keyword == step.keyword


def _has_layer(image: Image, entries: Sequence[Mapping[str, Any]]) -> bool:
    """Tells whether the first of two entries of the history has left a layer."""
    if entries[0]["Size"]:
        return True
    # The classic builder makes none where no file has changed. It keeps the image after each step,
    # so the layers can be counted. BuildKit makes one always, and keeps no such images.
    engine = cast("DockerClient", image.client)
    try:
        steps = [engine.images.get(entry["Id"]) for entry in entries]
    except docker.errors.APIError:
        return True
    counts = {len(step.attrs["RootFS"].get("Layers") or ()) for step in steps}
    return len(counts) == len(steps)


def _layer(step: Instruction, size: int, *, files: bool) -> Layer:
    text = _short(str(step))
    if text == "FROM scratch":
        return Layer(text, files=False, size=0, adds="0 bytes")
    if step.keyword == "FROM":
        # The same base may come from another place, and have another size: the mark says so.
        return Layer(text, files=True, size=0, adds=f"{size / 1e6:.0f} MB (varies)")
    if not files:
        return Layer(text, files=False, size=0, adds="0 bytes")
    tenths = round(size / 1e5)
    return Layer(text, files=True, size=tenths, adds=_megabytes(tenths))


def _megabytes(tenths: int) -> str:
    return f"{tenths / 10:.1f} MB" if tenths else "under 0.1 MB"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 2]} …"


def _files(steps: Sequence[Instruction]) -> list[dict[str, object]]:
    """Chooses files for the container, each with the line whose layer has it."""
    copied = list(copied_files(steps).items())[:_MOST_FILES]
    if steps[0].words[0] != "scratch":
        copied.append((_FILE_OF_THE_BASE, 0))
    return [{"path": path, "line": line} for path, line in [*copied, (_NEW_FILE, None)]]
