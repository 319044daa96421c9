"""The operations on log groups: to make, describe and delete them, retention, tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.errors import AwsError
from lab.aws.logs.state import Group, invalid, page

if TYPE_CHECKING:
    from lab.aws.logs.state import Logs

    Json = dict[str, Any]

__all__ = [
    "create_log_group",
    "delete_log_group",
    "delete_retention_policy",
    "describe_log_groups",
    "list_tags_for_resource",
    "list_tags_log_group",
    "put_log_group_deletion_protection",
    "put_retention_policy",
    "tag_log_group",
    "tag_resource",
    "untag_log_group",
    "untag_resource",
]

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTIONS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827),
    *(2192, 2557, 2922, 3288, 3653),
)
MOST_TAGS: Final = 50


async def create_log_group(logs: Logs, request: Json) -> Json:
    """Create a log group, whose events stay for ever at first."""
    name = request["logGroupName"]
    if name in logs.groups:
        raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
    logs.groups[name] = Group(
        name,
        logs.place.arn("logs", f"log-group:{name}"),
        kind=request.get("logGroupClass") or "STANDARD",
        tags=dict(request.get("tags") or {}),
        key=request.get("kmsKeyId"),
        protected=bool(request.get("deletionProtectionEnabled")),
    )
    return {}


async def describe_log_groups(logs: Logs, request: Json) -> Json:
    """Describe log groups, sorted by name."""
    prefix, pattern = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
    if prefix and pattern:
        raise invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    found = [*logs.groups.values()]
    if prefix:
        found = [group for group in found if group.name.startswith(prefix)]
    if pattern:
        found = [group for group in found if pattern.lower() in group.name.lower()]
    if names := request.get("logGroupIdentifiers"):
        found = [group for group in found if {group.name, group.arn} & set(names)]
    if kind := request.get("logGroupClass"):
        found = [group for group in found if group.kind == kind]
    some, token = page(request, found, lambda group: group.name)
    return {"logGroups": [group.shown() for group in some], "nextToken": token}


async def delete_log_group(logs: Logs, request: Json) -> Json:
    """Delete a log group with all that is in it."""
    group = logs.group(request)
    if group.protected:
        raise AwsError(
            "ValidationException",
            f"The log group {group.name} is protected against deletion.",
        )
    del logs.groups[group.name]
    return {}


async def put_log_group_deletion_protection(logs: Logs, request: Json) -> Json:
    """Protect a log group against deletion, or no more."""
    logs.group(request).protected = bool(request["deletionProtectionEnabled"])
    return {}


async def put_retention_policy(logs: Logs, request: Json) -> Json:
    """Say how long events stay."""
    days = request["retentionInDays"]
    if days not in RETENTIONS:
        raise invalid(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            "constraint: Member must satisfy enum value set: "
            f"[{', '.join(str(one) for one in RETENTIONS)}]"
        )
    logs.group(request).retention = days
    return {}


async def delete_retention_policy(logs: Logs, request: Json) -> Json:
    """Have events stay for ever."""
    logs.group(request).retention = None
    return {}


async def tag_resource(logs: Logs, request: Json) -> Json:
    """Give a log group tags, by its ARN."""
    return _tag(logs.group_of(request["resourceArn"]), request["tags"])


async def untag_resource(logs: Logs, request: Json) -> Json:
    """Take tags off a log group, by its ARN."""
    return _untag(logs.group_of(request["resourceArn"]), request["tagKeys"])


async def list_tags_for_resource(logs: Logs, request: Json) -> Json:
    """List the tags of a log group, by its ARN."""
    return {"tags": dict(logs.group_of(request["resourceArn"]).tags)}


async def tag_log_group(logs: Logs, request: Json) -> Json:
    """Give a log group tags, by its name: the older operation, which AWS still answers."""
    return _tag(logs.group(request), request["tags"])


async def untag_log_group(logs: Logs, request: Json) -> Json:
    """Take tags off a log group, by its name."""
    return _untag(logs.group(request), request["tags"])


async def list_tags_log_group(logs: Logs, request: Json) -> Json:
    """List the tags of a log group, by its name."""
    return {"tags": dict(logs.group(request).tags)}


def _tag(group: Group, tags: dict[str, str]) -> Json:
    merged = {**group.tags, **tags}
    if len(merged) > MOST_TAGS:
        raise AwsError(
            "TooManyTagsException", "The resource has too many tags: at most 50 are allowed."
        )
    group.tags = merged
    return {}


def _untag(group: Group, keys: list[str]) -> Json:
    group.tags = {key: value for key, value in group.tags.items() if key not in keys}
    return {}
