"""The operations on tags and on account settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.state import page
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecs.state import Ecs

    Json = dict[str, Any]

__all__ = [
    "delete_account_setting",
    "list_account_settings",
    "list_tags_for_resource",
    "put_account_setting",
    "put_account_setting_default",
    "tag_resource",
    "untag_resource",
]

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html
DEFAULTS: Final = {
    "serviceLongArnFormat": "enabled",
    "taskLongArnFormat": "enabled",
    "containerInstanceLongArnFormat": "enabled",
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "fargateFIPSMode": "disabled",
    "tagResourceAuthorization": "off",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "defaultLogDriverMode": "non-blocking",
}


async def tag_resource(ecs: Ecs, request: Json) -> Json:
    """Add tags to a resource; the others stay."""
    tags = _tags_of(ecs, request["resourceArn"])
    given = {tag["key"]: tag for tag in request["tags"]}
    tags[:] = [tag for tag in tags if tag["key"] not in given] + list(given.values())
    return {}


async def untag_resource(ecs: Ecs, request: Json) -> Json:
    """Remove tags from a resource by their keys."""
    tags = _tags_of(ecs, request["resourceArn"])
    tags[:] = [tag for tag in tags if tag["key"] not in request["tagKeys"]]
    return {}


async def list_tags_for_resource(ecs: Ecs, request: Json) -> Json:
    """List the tags of a resource."""
    return {"tags": list(_tags_of(ecs, request["resourceArn"]))}


def _tags_of(ecs: Ecs, arn: str) -> list[Json]:
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "task-definition":
        return ecs.definition(f"{name}" if ":" in name else arn.rpartition("/")[2]).tags
    last = name.rpartition("/")[2]
    found: Any = None
    if kind == "cluster":
        found = ecs.clusters.get(last)
    elif kind == "task":
        found = ecs.tasks.get(last)
    elif kind == "container-instance":
        found = ecs.hosts.get(last)
    elif kind == "service":
        found = next((s for s in ecs.services.values() if s.arn == arn), None)
    if found is None:
        raise AwsError("InvalidParameterException", f"The resource {arn} was not found.")
    tags: list[Json] = found.tags
    return tags


async def list_account_settings(ecs: Ecs, request: Json) -> Json:
    """List the account's settings."""
    values = {**(DEFAULTS if request.get("effectiveSettings") else {}), **ecs.account_settings}
    if name := request.get("name"):
        values = {name: values[name]} if name in values else {}
    settings = [
        _setting(ecs, name, value)
        for name, value in values.items()
        if request.get("value") in (None, value)
    ]
    some, token = page(request, settings, most=10)
    return {"settings": some, "nextToken": token}


async def put_account_setting(ecs: Ecs, request: Json) -> Json:
    """Change a setting of the account."""
    ecs.account_settings[request["name"]] = request["value"]
    return {"setting": _setting(ecs, request["name"], request["value"])}


async def put_account_setting_default(ecs: Ecs, request: Json) -> Json:
    """Change a setting for all users of the account, of whom there is one here."""
    return await put_account_setting(ecs, request)


async def delete_account_setting(ecs: Ecs, request: Json) -> Json:
    """Go back to the default of a setting."""
    name = request["name"]
    ecs.account_settings.pop(name, None)
    return {"setting": _setting(ecs, name, DEFAULTS.get(name, "disabled"))}


def _setting(ecs: Ecs, name: str, value: str) -> Json:
    principal = f"arn:aws:iam::{ecs.place.account}:root"
    return {"name": name, "value": value, "principalArn": principal, "type": "user"}
