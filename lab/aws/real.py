"""The way to a real account of AWS: only when asked for by name, for some hours, and cleaned up.

This was tried against the course's local AWS, and never against the real one: there was no account
to try it with. What it relies on is AWS's documentation.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lab.aws.clients import REGION
from lab.aws.removal import Removal, arns_made
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel, Shape

    from facts.bills import ChapterBill
    from lab.naming import Naming

    Json = dict[str, Any]

__all__ = ["RealAws", "real_session", "tagged"]

MOST_HOURS: Final = 12
# The operations that make something which the course can find again and remove.
MAKES: Final = {
    "ec2": {"CreateSecurityGroup"},
    "ecr": {"CreateRepository"},
    "ecs": {"CreateCluster", "CreateService", "RegisterTaskDefinition", "RunTask"},
    "elbv2": {"CreateListener", "CreateLoadBalancer", "CreateRule", "CreateTargetGroup"},
    "logs": {"CreateLogGroup"},
}
# Those that change what is there, or add a part which goes with it.
CHANGES: Final = {
    "ec2": {"AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress"},
    "ecr": {"CompleteLayerUpload", "InitiateLayerUpload", "PutImage", "UploadLayerPart"},
    "ecs": {"ExecuteCommand", "UpdateCluster", "UpdateService"},
    "elbv2": {
        "ModifyListener", "ModifyLoadBalancerAttributes", "ModifyRule", "ModifyTargetGroup",
        "ModifyTargetGroupAttributes", "RegisterTargets", "SetRulePriorities",
    },
    "logs": {"CreateLogStream", "PutLogEvents", "PutRetentionPolicy"},
}  # fmt: skip
# By their first word: what only looks, and what ends something.
ALWAYS: Final = re.compile(
    "(Describe|List|Get|BatchGet|BatchCheck|Filter|Delete|BatchDelete|Deregister|Stop|Revoke)[A-Z]"
)


class RealAws:
    """A real account, for the time of one chapter.

    What is made gets the course's tags, and what could not be found by them again is not made.
    At its end nothing happens on AWS by itself: ``close`` removes, or `lab aws --clean-real`.

    Args:
        naming: Whose tags.
        bill: What the chapter makes, at its prices; it is printed before anything is made.
        account: The id of the account, 12 digits.
        hours: For how long something may be made in it, at most 12.
        endpoint_url: For tests of the course only: another AWS to ask.

    Raises:
        LabError: Something of it is missing or wrong, or the keys of this machine are another
            account's.

    Example:
        >>> aws = RealAws(naming, bill, account="123456789012", hours=2)  # doctest: +SKIP
    """

    def __init__(
        self,
        naming: Naming,
        bill: ChapterBill | None,
        *,
        account: str,
        hours: float,
        endpoint_url: str | None = None,
    ) -> None:
        _refuse_bad_account(account)
        _refuse_bad_hours(hours)
        if bill is None or not bill.items:
            raise LabError(
                f"Chapter {naming.chapter} does not say what it makes on AWS, so nobody can say "
                "what that costs.",
                next_step="Leave real=True out: the chapter runs on the local AWS.",
            )
        self._account = account
        self._endpoint_url = endpoint_url
        self._session = real_session(account, endpoint_url)
        self._tags = naming.labels
        self._removal = Removal(self._session, account, self._tags, endpoint_url=endpoint_url)
        self._end = dt.datetime.now().astimezone() + dt.timedelta(hours=hours)
        print(f"{bill}\n{self._promise()}")  # noqa: T201

    def _promise(self) -> str:
        tags = ", ".join(f"{key}={value}" for key, value in self._tags.items())
        return (
            f"Account {self._account}: until {self._end:%H:%M} the course makes there what you "
            f"ask for, with the tags {tags}. lab.close() removes it; nothing ends by itself."
        )

    def refuse_other(self, account: str) -> None:
        """Say so if another account is asked for than this one.

        Raises:
            LabError: It is another one.
        """
        if account != self._account:
            raise LabError(
                f"This lab works in account {self._account}, not in {account}.",
                next_step="Close it with lab.close(), and open it again for the other account.",
            )

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3 makes its classes when asked
        """Make boto3's client of a service, with the user's own keys.

        Raises:
            LabError: It is a service of which the course can't clean up.
        """
        if service not in (*MAKES, "sts"):
            raise LabError(
                f"The course does not use {service} on the real AWS: it could not clean up there.",
                next_step=f"Use one of {', '.join(MAKES)}, or the local AWS.",
            )
        client = _client(self._session, service, self._endpoint_url)
        client.meta.events.register("provide-client-params", self._before)
        client.meta.events.register("after-call", self._after)
        return client

    def _before(self, params: Json, model: OperationModel, **_: object) -> Json | None:
        service, operation = model.service_model.service_name, model.name
        if service == "sts" or ALWAYS.match(operation):
            return None
        makes = operation in MAKES[service]
        if not makes and operation not in CHANGES[service]:
            raise LabError(
                f"The course does not do {operation} on the real AWS: it could not undo it.",
                next_step="Do it on the local AWS.",
            )
        if dt.datetime.now().astimezone() > self._end:
            raise LabError(
                f"The time in account {self._account} was up at {self._end:%H:%M}.",
                next_step="lab.close() removes what is there. Open the lab again to go on.",
            )
        if not makes or model.input_shape is None:
            return None
        if operation == "CreateLogGroup":
            # Its answer names nothing.
            self._removal.note([self._log_group(params)])
        return tagged(model.input_shape, params, self._tags)

    def _log_group(self, params: Json) -> str:
        name = params.get("logGroupName", "")
        return f"arn:aws:logs:{REGION}:{self._account}:log-group:{name}"

    def _after(self, parsed: Json, model: OperationModel, **_: object) -> None:
        if model.name in MAKES.get(model.service_model.service_name, ()) and "Error" not in parsed:
            self._removal.note(arns_made(model.name, parsed, REGION, self._account))

    def close(self) -> None:
        """Remove what carries the tags, and ask AWS for each thing whether it is gone.

        Raises:
            LabError: Something is left.
        """
        print(self._removal.run())  # noqa: T201


def real_session(account: str, endpoint_url: str | None = None) -> boto3.Session:
    """Give boto3's session with the keys of this machine, if they are of the account.

    Raises:
        LabError: That is no account, there are no keys, AWS does not take them, or they are
            another account's.
    """
    _refuse_bad_account(account)
    try:
        session = boto3.Session(region_name=REGION)
        found = _client(session, "sts", endpoint_url).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise LabError(
            f"AWS does not say whose keys these are: {error}",
            next_step="Type `aws sts get-caller-identity` in a terminal, until it answers.",
        ) from None
    if found != account:
        raise LabError(
            f"The keys of this machine belong to account {found}, not to {account}.",
            next_step="Choose the keys with AWS_PROFILE, or name the other account.",
        )
    return session


def tagged(shape: Shape, params: Json, tags: Mapping[str, str]) -> Json:
    """Add tags to the parameters of an operation that makes something.

    Services write them in three ways: a map, a list of keys and values in capitals or not, and in
    EC2 such a list for each type of resource, of which the course makes security groups only.

    Args:
        shape: What the operation takes.
        params: What is given; it stays as it is.
        tags: What to add. A tag of the same key that was given is replaced.

    Raises:
        LabError: The operation takes no tags.
    """
    members = getattr(shape, "members", {})
    if "TagSpecifications" in members:
        given = [
            tag
            for specification in params.get("TagSpecifications", [])
            for tag in specification.get("Tags", [])
            if tag.get("Key") not in tags
        ]
        all_tags = given + _listed(tags, "Key", "Value")
        own = {"ResourceType": "security-group", "Tags": all_tags}
        return {**params, "TagSpecifications": [own]}
    name = next((name for name in ("tags", "Tags") if name in members), None)
    if name is None:
        raise LabError(
            f"{shape.name} takes no tags, so the course would not find again what it makes.",
            next_step="Do it on the local AWS.",
        )
    if members[name].type_name == "map":
        return {**params, name: {**params.get(name, {}), **tags}}
    key, value = ("key", "value") if "key" in members[name].member.members else ("Key", "Value")
    given = [tag for tag in params.get(name, []) if tag.get(key) not in tags]
    return {**params, name: given + _listed(tags, key, value)}


def _listed(tags: Mapping[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: said} for name, said in tags.items()]


def _client(session: boto3.Session, service: str, endpoint_url: str | None) -> Any:  # noqa: ANN401
    # An endpoint that the environment names is the local AWS's, and is not meant here.
    config = Config(ignore_configured_endpoint_urls=True)
    return session.client(service, region_name=REGION, endpoint_url=endpoint_url, config=config)


def _refuse_bad_account(account: str) -> None:
    if not isinstance(account, str) or not re.fullmatch(r"\d{12}", account):
        raise LabError(
            f"account is {account!r}, which is no id of an account.",
            next_step="Give the 12 digits in quotes; `aws sts get-caller-identity` says them.",
        )


def _refuse_bad_hours(hours: float) -> None:
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= MOST_HOURS:
        raise LabError(
            f"hours is {hours!r}: for how long may the course make something there?",
            next_step=f"Give more than 0, and at most {MOST_HOURS}.",
        )
