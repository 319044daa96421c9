"""Writes labels into a Dockerfile, so that everything a build makes can be found again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LabelledDockerfile"]

_FROM = re.compile(r"\s*FROM\s", re.IGNORECASE)
_COMMENT = re.compile(r"\s*#")


class LabelledDockerfile:
    r"""A Dockerfile with an instruction more at the beginning of each stage: the labels.

    The engine's own option puts labels at the end of the last stage only. The images of other
    stages, and those of a build that fails, would carry none. And two learners with equal
    Dockerfiles would share the images in between, which the first one to clean up removes.

    Args:
        text: The Dockerfile as it was written.
        labels: The labels.

    Attributes:
        text: The Dockerfile with the labels.

    Example:
        >>> print(LabelledDockerfile("FROM scratch\nCOPY a /", {"learner": "ada"}).text)
        FROM scratch
        LABEL learner="ada"
        COPY a /
    """

    def __init__(self, text: str, labels: Mapping[str, str]) -> None:
        instruction = "LABEL " + " ".join(f'{key}="{value}"' for key, value in labels.items())
        lines: list[str] = []
        self._added: list[int] = []
        begins = continued = False
        for line in text.splitlines():
            lines.append(line)
            if continued and _COMMENT.match(line):
                continue
            begins = begins if continued else bool(_FROM.match(line))
            continued = line.rstrip().endswith("\\") and not _COMMENT.match(line)
            if begins and not continued:
                lines.append(instruction)
                self._added.append(len(lines))
        self.text = "\n".join(lines)

    def as_written(self, message: str) -> str:
        """Correct the line numbers in an engine's message about this Dockerfile.

        Args:
            message: Such as ``dockerfile parse error line 4: unknown instruction: BUILD``.
        """
        return re.sub(r"(?<=parse error line )\d+", self._own_line, message)

    def _own_line(self, found: re.Match[str]) -> str:
        line = int(found[0])
        return str(line - sum(added < line for added in self._added))
