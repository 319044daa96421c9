"""Finds what the course has made in a real account, removes it, and asks whether it is gone.

It is found in two ways: AWS's Resource Groups Tagging API lists what carries the tags, and notes
beside the learner's progress name what was made, because that list may lag behind. The same list
names for a while what is there no more; so each thing is asked for at its own service.
https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import ClientError

from lab.aws.clients import REGION
from lab.errors import LabError
from lab.state import state_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import boto3

    Json = dict[str, Any]

__all__ = ["Removal", "arns_made"]

# A load balancer keeps its security groups for some minutes after it was deleted.
MOST_SECONDS: Final = 900
PAUSE_SECONDS: Final = 2
UNKNOWN: Final = "the course did not make a thing of this kind, and does not remove it"
# Where the answer of an operation has the ARNs of what it made.
MADE: Final = {
    "CreateCluster": ("cluster", "clusterArn"),
    "CreateLoadBalancer": ("LoadBalancers", "LoadBalancerArn"),
    "CreateRepository": ("repository", "repositoryArn"),
    "CreateService": ("service", "serviceArn"),
    "CreateTargetGroup": ("TargetGroups", "TargetGroupArn"),
    "RegisterTaskDefinition": ("taskDefinition", "taskDefinitionArn"),
    "RunTask": ("tasks", "taskArn"),
}
# Listeners and rules go with their load balancer.
PART: Final = re.compile(r":elasticloadbalancing:[^:]*:[^:]*:listener(-rule)?/")


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Attributes:
        arn: What its ARNs look like, from the service on.
        service: The service, as boto3 names it.
        gone: The code by which the service says that it is not there.
        ask: Gives something of it if it is there.
        remove: Removes it.
    """

    arn: str
    service: str
    gone: str
    ask: Callable[[Any, str], object]
    remove: Callable[[Any, str], object]

    def is_there(self, client: Any, arn: str) -> bool:  # noqa: ANN401  # boto3 has no stubs
        """Ask the service for it."""
        try:
            return bool(self.ask(client, arn))
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] == self.gone:
                return False
            raise


def _cluster_of(arn: str) -> str:
    return arn.split("/")[1]


def _name_of(arn: str) -> str:
    return arn.split(":", 5)[5].partition("/")[2]


def _log_group_of(arn: str) -> str:
    return arn.split(":log-group:")[1].removesuffix(":*")


def _deregister(ecs: Any, arn: str) -> None:  # noqa: ANN401
    ecs.deregister_task_definition(taskDefinition=arn)
    ecs.delete_task_definitions(taskDefinitions=[arn])


# In the order in which AWS lets them go.
KINDS: Final = (
    Kind(
        r":ecs:[^:]*:[^:]*:service/",
        "ecs",
        "ClusterNotFoundException",
        lambda ecs, arn: [
            found
            for found in ecs.describe_services(cluster=_cluster_of(arn), services=[arn])["services"]
            if found["status"] != "INACTIVE"
        ],
        lambda ecs, arn: ecs.delete_service(cluster=_cluster_of(arn), service=arn, force=True),
    ),
    Kind(
        r":ecs:[^:]*:[^:]*:task/",
        "ecs",
        "ClusterNotFoundException",
        lambda ecs, arn: [
            found
            for found in ecs.describe_tasks(cluster=_cluster_of(arn), tasks=[arn])["tasks"]
            if found["lastStatus"] != "STOPPED"
        ],
        lambda ecs, arn: ecs.stop_task(cluster=_cluster_of(arn), task=arn),
    ),
    Kind(
        r":elasticloadbalancing:[^:]*:[^:]*:loadbalancer/",
        "elbv2",
        "LoadBalancerNotFound",
        lambda elb, arn: elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"],
        lambda elb, arn: elb.delete_load_balancer(LoadBalancerArn=arn),
    ),
    Kind(
        r":elasticloadbalancing:[^:]*:[^:]*:targetgroup/",
        "elbv2",
        "TargetGroupNotFound",
        lambda elb, arn: elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"],
        lambda elb, arn: elb.delete_target_group(TargetGroupArn=arn),
    ),
    Kind(
        r":ecs:[^:]*:[^:]*:cluster/",
        "ecs",
        "ClusterNotFoundException",
        lambda ecs, arn: [
            found
            for found in ecs.describe_clusters(clusters=[arn])["clusters"]
            if found["status"] != "INACTIVE"
        ],
        lambda ecs, arn: ecs.delete_cluster(cluster=arn),
    ),
    Kind(
        r":ecs:[^:]*:[^:]*:task-definition/",
        "ecs",
        "ClientException",
        lambda ecs, arn: (
            ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"] == "ACTIVE"
        ),
        _deregister,
    ),
    Kind(
        r":logs:[^:]*:[^:]*:log-group:",
        "logs",
        "ResourceNotFoundException",
        lambda logs, arn: [
            found
            for found in logs.describe_log_groups(logGroupNamePrefix=_log_group_of(arn))[
                "logGroups"
            ]
            if found["logGroupName"] == _log_group_of(arn)
        ],
        lambda logs, arn: logs.delete_log_group(logGroupName=_log_group_of(arn)),
    ),
    Kind(
        r":ecr:[^:]*:[^:]*:repository/",
        "ecr",
        "RepositoryNotFoundException",
        lambda ecr, arn: ecr.describe_repositories(repositoryNames=[_name_of(arn)])["repositories"],
        lambda ecr, arn: ecr.delete_repository(repositoryName=_name_of(arn), force=True),
    ),
    Kind(
        r":ec2:[^:]*:[^:]*:security-group/",
        "ec2",
        "InvalidGroup.NotFound",
        lambda ec2, arn: ec2.describe_security_groups(GroupIds=[_name_of(arn)])["SecurityGroups"],
        lambda ec2, arn: ec2.delete_security_group(GroupId=_name_of(arn)),
    ),
)

# What is noted may be somebody else's after all: some operations answer what was there already.
TAGS_OF: Final[dict[str, Callable[[Any, str], list[dict[str, str]] | dict[str, str]]]] = {
    "ec2": lambda ec2, arn: ec2.describe_security_groups(GroupIds=[_name_of(arn)])[
        "SecurityGroups"
    ][0].get("Tags", []),
    "ecr": lambda ecr, arn: ecr.list_tags_for_resource(resourceArn=arn)["tags"],
    "ecs": lambda ecs, arn: ecs.list_tags_for_resource(resourceArn=arn)["tags"],
    "elbv2": lambda elb, arn: elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"],
    "logs": lambda logs, arn: logs.list_tags_for_resource(resourceArn=arn.removesuffix(":*"))[
        "tags"
    ],
}


def arns_made(operation: str, answer: Json, region: str, account: str) -> list[str]:
    """Name what an operation has made, by its answer.

    Example:
        >>> arns_made("CreateSecurityGroup", {"GroupId": "sg-1"}, "us-east-1", "123456789012")
        ['arn:aws:ec2:us-east-1:123456789012:security-group/sg-1']
    """
    if operation == "CreateSecurityGroup":
        return [f"arn:aws:ec2:{region}:{account}:security-group/{answer['GroupId']}"]
    if operation not in MADE:
        return []
    member, name = MADE[operation]
    found = answer[member]
    return [one[name] for one in (found if isinstance(found, list) else [found])]


class Removal:
    """Removes from an account what carries some tags, and proves that it is gone.

    Args:
        session: Boto3's, with keys of the account.
        account: The account's id.
        tags: Which tags; without ``chapter`` those of all chapters.
        endpoint_url: For tests of the course only: another AWS to ask.
    """

    def __init__(
        self,
        session: boto3.Session,
        account: str,
        tags: Mapping[str, str],
        *,
        endpoint_url: str | None = None,
    ) -> None:
        self._session = session
        self._account = account
        self._tags = dict(tags)
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}

    def note(self, arns: Iterable[str]) -> None:
        """Remember what was made, also for a later kernel."""
        with self._notes(self._tags["chapter"])[0].open("a") as notes:
            notes.writelines(f"{arn}\n" for arn in arns)

    def run(self) -> str:
        """Remove it all, and ask each service whether it is gone.

        Returns:
            What was removed, in a sentence.

        Raises:
            LabError: Something is still there, or is of a kind that the course does not know.
        """
        removed: dict[str, None] = {}
        deadline = time.monotonic() + MOST_SECONDS
        while True:
            left = self._pass(removed)
            if not left:
                break
            if time.monotonic() > deadline or set(left.values()) == {UNKNOWN}:
                raise LabError(
                    "\n".join(
                        [f"In account {self._account} there is still, and may cost:"]
                        + [f"  {arn}: {why}" for arn, why in left.items()]
                    ),
                    next_step=f"Type `lab aws --clean-real {self._account}`, or remove it in the "
                    "AWS console, in region us-east-1.",
                )
            time.sleep(PAUSE_SECONDS)
        for path in self._notes(self._tags.get("chapter", "*")):
            path.unlink(missing_ok=True)
        names = ", ".join(arn.split(":", 5)[5] for arn in removed) or "nothing"
        return (
            f"Removed from account {self._account}: {names}. Each service was asked: nothing with "
            "the course's tags is left."
        )

    def _pass(self, removed: dict[str, None]) -> dict[str, str]:
        """Remove once what is there, and tell what was there, and why it may be there still."""
        left = {}
        found = self._found()
        for kind in KINDS:
            for arn in [arn for arn in found if re.search(kind.arn, arn)]:
                found.remove(arn)
                client = self._client(kind.service)
                try:
                    if kind.is_there(client, arn) and self._is_ours(kind, client, arn):
                        left[arn] = "it takes its time to go"
                        kind.remove(client, arn)
                        removed[arn] = None
                except ClientError as refusal:
                    left[arn] = str(refusal)
        return left | {arn: UNKNOWN for arn in found if not PART.search(arn)}

    def _is_ours(self, kind: Kind, client: Any, arn: str) -> bool:  # noqa: ANN401
        tags = TAGS_OF[kind.service](client, arn)
        if not isinstance(tags, dict):
            key, value = ("key", "value") if tags and "key" in tags[0] else ("Key", "Value")
            tags = {tag[key]: tag[value] for tag in tags}
        return self._tags.items() <= tags.items()

    def _found(self) -> list[str]:
        filters = [{"Key": key, "Values": [value]} for key, value in self._tags.items()]
        pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources")
        arns = [
            one["ResourceARN"]
            for page in pages.paginate(TagFilters=filters)
            for one in page["ResourceTagMappingList"]
        ]
        for path in self._notes(self._tags.get("chapter", "*")):
            arns += path.read_text().split() if path.exists() else []
        return list(dict.fromkeys(arns))

    def _notes(self, chapter: str) -> list[Path]:
        """Find the notes on a chapter; those on all chapters for an asterisk."""
        folder = state_directory() / "aws"
        folder.mkdir(exist_ok=True)
        start = f"real-{self._account}-{self._tags['learner']}"
        if chapter == "*":
            return sorted(folder.glob(f"{start}--*.txt"))
        return [folder / f"{start}--{chapter}.txt"]

    def _client(self, service: str) -> Any:  # noqa: ANN401
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service,
                region_name=REGION,
                endpoint_url=self._endpoint_url,
                config=Config(ignore_configured_endpoint_urls=True),
            )
        return self._clients[service]
