#!/usr/bin/env python3
"""Starts HAProxy with the rules in the variable RULES, and lets it read new ones.

``proxy`` starts it, as the container's process 1. ``proxy reload`` gives a running one the rules
that RULES holds now, and ends once they are in force: open connections stay, and no new one is
turned away meanwhile.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

COMMON = Path("/etc/proxy.cfg")
RULES = Path("/tmp/rules.cfg")  # noqa: S108 - a container's own folder
STATE = Path("/tmp/proxy.state")  # noqa: S108
CONTROL = "/tmp/proxy.sock"  # noqa: S108
HAPROXY = "/usr/local/sbin/haproxy"
RELOAD_SECONDS = 10


def write_rules() -> None:
    """Take the rules from the variable, if HAProxy can read them.

    Raises:
        SystemExit: There are none, or they have a mistake; HAProxy says which.
    """
    rules = os.environ.get("RULES", "")
    if "frontend" not in rules:
        sys.exit("proxy: give the rules in the variable RULES: a frontend and a backend")
    new = RULES.with_suffix(".new")
    # HAProxy wants a line's end after the last line, too.
    new.write_text(f"{rules.rstrip()}\n")
    if not STATE.exists():
        STATE.write_text("1\n")  # the version of an empty list of servers
    check = [HAPROXY, "-c", "-f", str(COMMON), "-f", str(new)]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stderr}proxy: these rules can't be used, and nothing has changed")
    new.replace(RULES)


def ask(command: str) -> str:
    """Ask the process that serves now; empty if there is none at this moment."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.connect(CONTROL)
            control.sendall(f"{command}\n".encode())
            with control.makefile() as answer:
                return answer.read()
    except OSError:
        return ""


def serving() -> str:
    """Name the process that serves now."""
    lines = ask("show info").splitlines()
    return next((line for line in lines if line.startswith("Pid:")), "")


def reload() -> None:
    """Put new rules in force.

    Raises:
        SystemExit: They have a mistake, or were not in force in time.
    """
    write_rules()
    before = serving()
    STATE.write_text(ask("show servers state"))
    os.kill(1, signal.SIGUSR2)
    deadline = time.monotonic() + RELOAD_SECONDS
    while serving() in ("", before):
        if time.monotonic() > deadline:
            sys.exit(f"proxy: the new rules were not in force after {RELOAD_SECONDS} s")
        time.sleep(0.02)


def start() -> None:
    """Become HAProxy."""
    write_rules()
    os.execv(HAPROXY, [HAPROXY, "-W", "-f", str(COMMON), "-f", str(RULES)])  # noqa: S606


if __name__ == "__main__":
    reload() if sys.argv[1:] == ["reload"] else start()
