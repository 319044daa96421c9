"""A learner's own folders for the files of a build, removed when the lab closes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from lab.state import state_directory

if TYPE_CHECKING:
    from pathlib import Path

    from lab.naming import Naming

__all__ = ["folder_of", "remove_folders"]


def folder_of(naming: Naming, short: str) -> Path:
    """Find, and make if need be, a folder of a learner in one chapter.

    Args:
        naming: Whose, in which chapter.
        short: The folder's name, such as ``greeter``.

    Raises:
        LabError: The name could not be a container's either.
    """
    naming.full_name(short)  # refuses what could lead out of the folder
    folder = _all_of(naming) / short
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_folders(naming: Naming) -> None:
    """Remove a learner's folders of one chapter, with all that is in them."""
    shutil.rmtree(_all_of(naming), ignore_errors=True)


def _all_of(naming: Naming) -> Path:
    return state_directory() / "folders" / naming.learner / naming.chapter_label
