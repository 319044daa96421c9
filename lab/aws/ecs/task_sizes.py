"""The sizes of tasks: how CPU and memory are written, and which of them Fargate has."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = ["cpu_units", "is_fargate_size", "mebibytes"]

UNITS: Final = 1024
# By CPU units: the memory in MiB.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
FARGATE: Final[dict[int, range | tuple[int, ...]]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
    32768: (61440, 122880, 249856),
}
# "The 256 and 512 CPU values" and those from 8192 on are for Linux only.
WINDOWS: Final = (1024, 2048, 4096)


def cpu_units(text: str) -> int | None:
    """Read CPU as a task definition has it: units, or vCPUs; nothing if it is neither.

    Example:
        >>> cpu_units("512"), cpu_units("1 vCPU"), cpu_units(".25 vcpu"), cpu_units("much")
        (512, 1024, 256, None)
    """
    return _read(text, "vcpu")


def mebibytes(text: str) -> int | None:
    """Read memory as a task definition has it: MiB, or GB; nothing if it is neither.

    Example:
        >>> mebibytes("512"), mebibytes("0.5 GB"), mebibytes("2gb"), mebibytes("2 MB")
        (512, 512, 2048, None)
    """
    return _read(text, "gb")


def is_fargate_size(cpu: int, memory: int, *, windows: bool = False) -> bool:
    """Tell whether Fargate has tasks of this size.

    Args:
        cpu: In CPU units.
        memory: In MiB.
        windows: Whether they are tasks of Windows, for which there are fewer sizes.

    Example:
        >>> is_fargate_size(256, 512), is_fargate_size(256, 4096), is_fargate_size(32768, 249856)
        (True, False, True)
    """
    return memory in FARGATE.get(cpu, ()) and (cpu in WINDOWS or not windows)


def _read(text: str, unit: str) -> int | None:
    if text.isascii() and text.isdecimal():
        return int(text)
    found = re.fullmatch(rf"(\d+|\d*\.\d+) ?{unit}", text, re.IGNORECASE | re.ASCII)
    if found is None:
        return None
    number = Decimal(found[1]) * UNITS
    return int(number) if number == int(number) else None
