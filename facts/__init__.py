"""What the course claims: typed tables, each figure with where and when it was measured.

Example:
    >>> from facts import load_chapters
    >>> load_chapters()["05-life-cycle"].aws
    'nothing'
"""

from facts.measured import (
    Chapter,
    Measured,
    NotebookRecord,
    load_chapters,
    load_measured,
    load_records,
)

__all__ = [
    "Chapter",
    "Measured",
    "NotebookRecord",
    "load_chapters",
    "load_measured",
    "load_records",
]
