"""What ``lab.aws`` gives: clients of a local AWS of the chapter's own, or of a real account."""

from __future__ import annotations

import difflib
import os
import threading
from typing import TYPE_CHECKING, Any

from facts.bills import load_bills
from lab.aws.clients import client_of, keys_there, services
from lab.aws.gate import SERVICES, services_said
from lab.aws.process import AwsProcess
from lab.aws.real import RealAws
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.naming import Naming

__all__ = ["Door"]

# Said once in a kernel.
_said: set[str] = set()


class Door:
    """The way of one lab to AWS.

    Args:
        naming: Whose names and labels get the containers, and whose tags get real resources.
    """

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._local: AwsProcess | None = None
        self._real: RealAws | None = None
        # Loops of a learner's run in threads.
        self._opening = threading.Lock()

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3 makes its classes when asked
        """Make boto3's client of a service of the local AWS, which starts when first asked for.

        Raises:
            LabError: There is no such service, or the local AWS does not start.
        """
        _refuse_unknown(service)
        if service not in SERVICES:
            raise LabError(
                f"The local AWS has no service {service}.", next_step=f"It has {services_said()}."
            )
        with self._opening:
            if self._real:
                _say_once("local", "This client is of the local AWS; real=True asks your account.")
            if self._local is None:
                _say_once_that_keys_are_not_used()
                self._local = AwsProcess(self._naming)
            local = self._local
        local.refuse_if_ended()
        client = client_of(service, local.endpoint)
        # botocore would try again, and tell of ports and pools.
        client.meta.events.register("before-send", lambda **_: local.refuse_if_ended())
        return client

    def real_client(self, service: str, *, account: str, hours: float) -> Any:  # noqa: ANN401
        """Make boto3's client of a service of a real account; see `RealAws`.

        Raises:
            LabError: What is needed for it was not given, or is not right.
        """
        _refuse_unknown(service)
        with self._opening:
            if self._real is None:
                bill = load_bills().get(self._naming.chapter)
                self._real = RealAws(self._naming, bill, account=account, hours=hours)
            self._real.refuse_other(account)
        return self._real.client(service)

    def close(self, *, with_real: bool = True) -> bool:
        """End the local AWS, and remove from the real one what the chapter has made.

        Args:
            with_real: Remove from the real one.

        Returns:
            Whether something ran in the local AWS that was removed.

        Raises:
            LabError: Something of the chapter's is left in the real account.
        """
        local, self._local = self._local, None
        real, self._real = self._real, None
        removed = local.close() if local else False
        if real and with_real:
            real.close()
        return removed


def _refuse_unknown(service: str) -> None:
    known = services()
    if service not in known:
        near = difflib.get_close_matches(str(service), known, n=1)
        raise LabError(
            f"boto3 knows no service {service!r}.",
            next_step=f"Did you mean {near[0]!r}?" if near else f"Use one of {services_said()}.",
        )


def _say_once_that_keys_are_not_used() -> None:
    if found := keys_there(os.environ):
        told = f"Your own AWS keys ({', '.join(found)}) are not used: this is the local AWS."
        _say_once("keys", told)


def _say_once(what: str, told: str) -> None:
    if what not in _said:
        _said.add(what)
        print(told)  # noqa: T201
