"""Where the course keeps a learner's own small files: progress and locks."""

import os
from pathlib import Path

import platformdirs

__all__ = ["state_directory"]


def state_directory() -> Path:
    """Find, and make if need be, the folder that survives a fresh clone.

    ``COURSE_STATE_DIR`` names another one, which a classroom or a test can use.

    Returns:
        The folder, which exists.

    Example:
        >>> state_directory().is_dir()
        True
    """
    named = os.environ.get("COURSE_STATE_DIR")
    folder = Path(named) if named else platformdirs.user_state_path("containers-on-aws")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
