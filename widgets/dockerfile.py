"""Reads a Dockerfile: its instructions, which of them must stay in order, which files they copy.

Only the words of the lines are known, not what a command opens. Where they leave it open whether
one line needs another, the answer is the safe one.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from itertools import combinations
from pathlib import PurePosixPath

__all__ = [
    "FILE_KEYWORDS",
    "KEYWORDS",
    "Instruction",
    "copied_files",
    "fixed_pairs",
    "is_folder",
    "parse",
    "takes",
]

# These can change the image's files; the others only note something in its configuration.
FILE_KEYWORDS = ("ADD", "COPY", "RUN", "WORKDIR")
KEYWORDS = (
    *(*FILE_KEYWORDS, "ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("LABEL", "MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL", "USER", "VOLUME"),
)
_COPIES = ("ADD", "COPY")
# What these say about a RUN holds from their line on.
_SAYS_OF_RUN = {
    "SHELL": "which shell RUN uses",
    "USER": "as whom RUN works",
    "VOLUME": "what is kept of a RUN",
    "WORKDIR": "where RUN works",
}


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, on one line.

    Args:
        keyword: Its first word, in capitals.
        arguments: The rest, without line breaks.
    """

    keyword: str
    arguments: str

    def __str__(self) -> str:
        return f"{self.keyword} {self.arguments}"

    @property
    def flags(self) -> str:
        """Its `--flags`, as one text."""
        return " ".join(re.findall(r"(?:^|(?<=\s))--\S+", self._split()[0]))

    @property
    def words(self) -> list[str]:
        """What follows the flags, word by word; of a JSON list its entries."""
        rest = self._split()[1]
        try:
            listed = json.loads(rest)
        except ValueError:
            return rest.split()
        return [str(word) for word in listed] if isinstance(listed, list) else rest.split()

    @property
    def sources(self) -> list[str]:
        """What a COPY or ADD takes from the folder that is built from."""
        if self.keyword not in _COPIES or "--from" in self.flags:
            return []
        named = (word.removeprefix("./") or "." for word in self.words[:-1])
        return [name for name in named if "$" not in name and "://" not in name]

    def _split(self) -> tuple[str, str]:
        found = re.match(r"((?:--\S+\s+)*)(.*)", self.arguments)
        return (found[1], found[2]) if found else ("", "")


def parse(dockerfile: str) -> list[Instruction]:
    r"""Reads the instructions of a Dockerfile's last stage; earlier ones leave no layer.

    Raises:
        ValueError: A line begins with no instruction, there is no FROM, or there is a
            here-document, which is not supported.

    Example:
        >>> [str(step) for step in parse("FROM course/base:1\nRUN echo a && \\\n  echo b")]
        ['FROM course/base:1', 'RUN echo a && echo b']
    """
    lines = (line.rstrip() for line in dockerfile.splitlines())
    kept = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
    steps = [_instruction(line) for line in re.sub(r"\\\n", " ", kept).splitlines()]
    last = max((i for i, step in enumerate(steps) if step.keyword == "FROM"), default=None)
    if last is None:
        raise ValueError("The Dockerfile has no FROM. Give its whole text, not a file's name.")
    return steps[last:]


def _instruction(line: str) -> Instruction:
    first, *rest = line.split()
    keyword = first.upper()
    if keyword not in KEYWORDS:
        near = get_close_matches(keyword, KEYWORDS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(KEYWORDS)}."
        raise ValueError(f"A Dockerfile has no instruction {first!r}. {hint}")
    if re.search(r"<<-?[\"']?[A-Za-z_]", line):
        raise ValueError(f"Here-documents can't be read: write the commands on one line. {line!r}")
    return Instruction(keyword, " ".join(rest))


def fixed_pairs(steps: Sequence[Instruction]) -> Iterator[tuple[int, int, str]]:
    """Finds the pairs of instructions whose order has to stay as it was written.

    Yields:
        The index of the earlier one, that of the later one, and the reason in a sentence.
    """
    for (i, first), (k, second) in combinations(enumerate(steps), 2):
        if why := _why_fixed(first, second):
            yield i, k, why


def _why_fixed(first: Instruction, second: Instruction) -> str:
    reasons = (_of_keywords, _of_settings, _of_values, _of_files)
    return next((why for reason in reasons if (why := reason(first, second))), "")


def _of_keywords(first: Instruction, second: Instruction) -> str:
    if first.keyword == "FROM":
        return "FROM comes first: all others stand on it."
    if first.keyword == second.keyword and first.keyword not in _COPIES:
        return f"Two {first.keyword} stay in order: the second may need or overrule the first."
    return ""


def _of_settings(first: Instruction, second: Instruction) -> str:
    pair = {first.keyword: first, second.keyword: second}
    copy = pair.get("COPY") or pair.get("ADD")
    for keyword, what in _SAYS_OF_RUN.items():
        if {keyword, "RUN"} == pair.keys():
            return f"{keyword} says {what}."
    if copy and "WORKDIR" in pair and not copy.words[-1].startswith("/"):
        return f"{copy.keyword} puts its files where WORKDIR says."
    if copy and "VOLUME" in pair:
        return f"What {copy.keyword} puts into a volume after VOLUME may be lost."
    if "SHELL" in pair and pair.keys() & {"CMD", "ENTRYPOINT", "HEALTHCHECK"}:
        return "SHELL says which shell the command runs in."
    return ""


def _of_values(first: Instruction, second: Instruction) -> str:
    if first.keyword not in {"ARG", "ENV"}:
        return ""
    if second.keyword == "RUN":
        return f"RUN may read what {first.keyword} sets."
    for name in re.findall(r"(\w+)=", first.arguments) or first.words[:1]:
        if re.search(rf"\$\{{?{name}\b", second.arguments):
            return f"{second.keyword} uses ${name}."
    return ""


def _of_files(first: Instruction, second: Instruction) -> str:
    copies = [step for step in (first, second) if step.keyword in _COPIES]
    if len(copies) == 2:  # noqa: PLR2004 - both of the pair
        return "Both may bring the same file, and the later wins." if _overlap(*copies) else ""
    if not copies or "RUN" not in {first.keyword, second.keyword}:
        return ""
    (copy,) = copies
    run = second if copy is first else first
    for name in [*copy.words[:-1], copy.words[-1].rstrip("/")]:
        if not is_folder(name) and _mentions(run, PurePosixPath(name).name):
            return f"RUN names {name}, which {copy.keyword} brings."
    anything = any(is_folder(name) for name in copy.words[:-1])
    if copy is first and (anything or {".", "./", "*"} & set(run.words)):
        return (
            f"RUN may need any of the files that {copy.keyword} brings. Copy what it needs by a "
            "line of its own, and it is free of the rest."
        )
    if run is first and "--chown" in copy.flags:
        return f"{copy.keyword} names an owner whom RUN may have made."
    return ""


def _overlap(one: Instruction, other: Instruction) -> bool:
    return any(
        _inside(a, b) is not None
        or _inside(b, a) is not None
        or PurePosixPath(a).name == PurePosixPath(b).name
        for a in one.words[:-1]
        for b in other.words[:-1]
    )


def _mentions(step: Instruction, name: str) -> bool:
    return bool(name) and bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", step.arguments))


def is_folder(source: str) -> bool:
    """Tells whether a COPY of this takes many files without naming each."""
    return source in {"", "."} or source.endswith("/") or any(sign in source for sign in "*?[")


def takes(step: Instruction, source: str) -> bool:
    """Tells whether an instruction copies a source, by its name or with its folder."""
    return any(_inside(taken, source) is not None for taken in step.sources)


def _inside(taken: str, source: str) -> str | None:
    """Finds a source in what a COPY takes: its path in there, or `None`."""
    if taken == source or fnmatch(source, taken):
        return PurePosixPath(source).name
    folder = "" if taken == "." else taken
    if source == "." or not is_folder(folder) or not source.startswith(folder):
        return None
    return source.removeprefix(folder)


def copied_files(steps: Sequence[Instruction]) -> dict[str, int]:
    """Finds where the files that a Dockerfile copies by name lie in the image.

    Files that a later RUN may have written to are left out: they lie in its layer, perhaps.

    Returns:
        Path in the image, and the index of the last instruction that copied it.
    """
    named = [
        source
        for step in steps
        for source in step.sources
        if PurePosixPath(source).suffix and not is_folder(source)
    ]
    found: dict[str, int] = {}
    folder = PurePosixPath("/")
    folders = {folder}
    for i, step in enumerate(steps):
        if step.keyword == "WORKDIR":
            folder /= step.arguments
            folders.add(folder)
        if step.keyword == "RUN":
            found = {path: at for path, at in found.items() if not _may_touch(step, path)}
        found |= {str(path): i for path in _landings(step, named, folder, folders)}
    return {path: i for path, i in found.items() if "$" not in path}


def _landings(
    step: Instruction, named: Iterable[str], folder: PurePosixPath, folders: set[PurePosixPath]
) -> Iterator[PurePosixPath]:
    for taken in step.sources:
        target = folder / step.words[-1]
        into = (
            is_folder(step.words[-1])
            or is_folder(taken)
            or target in folders
            or len(step.sources) > 1
        )
        for source in named:
            inside = _inside(taken, source)
            if inside is not None:
                yield target / inside if into else target


def _may_touch(run: Instruction, path: str) -> bool:
    file = PurePosixPath(path)
    above = [str(parent) for parent in file.parents if str(parent) != "/"]
    return bool({".", "./", "*"} & set(run.words)) or any(
        _mentions(run, name) for name in [file.name, *above]
    )
