"""What the cells of the course talk to: a lab with a container engine, cleaned up after use.

Example:
    >>> from lab import open_lab
    >>> lab = open_lab("05-life-cycle")  # doctest: +SKIP
"""

from lab.errors import LabError
from lab.session import Lab, open_lab

__all__ = ["Lab", "LabError", "open_lab"]
