"""The operations on tags."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = ["add_tags", "checked_tags", "describe_tags", "remove_tags"]

MOST_TAGS: Final = 50


async def add_tags(elb: Elb, request: Json) -> Json:
    """Add tags to resources; those of the same keys are replaced."""
    lists = [_tags_of(elb, arn) for arn in request["ResourceArns"]]
    given = {tag["Key"]: tag for tag in checked_tags(request["Tags"])}
    whole = [
        [tag for tag in tags if tag["Key"] not in given] + list(given.values()) for tags in lists
    ]
    if any(len(tags) > MOST_TAGS for tags in whole):
        raise AwsError("TooManyTags", f"A resource can have at most {MOST_TAGS} tags")
    for tags, new in zip(lists, whole, strict=True):
        tags[:] = new
    return {}


async def remove_tags(elb: Elb, request: Json) -> Json:
    """Remove tags from resources by their keys."""
    for tags in [_tags_of(elb, arn) for arn in request["ResourceArns"]]:
        tags[:] = [tag for tag in tags if tag["Key"] not in request["TagKeys"]]
    return {}


async def describe_tags(elb: Elb, request: Json) -> Json:
    """List the tags of resources."""
    return {
        "TagDescriptions": [
            {"ResourceArn": arn, "Tags": list(_tags_of(elb, arn))}
            for arn in request["ResourceArns"]
        ]
    }


def checked_tags(tags: list[Json]) -> list[Json]:
    """Refuse tags of which two have the same key, or that are too many.

    Raises:
        AwsError: ``DuplicateTagKeys`` or ``TooManyTags``.
    """
    for key, count in Counter(tag["Key"] for tag in tags).items():
        if count > 1:
            raise AwsError("DuplicateTagKeys", f"Tag key was specified more than once: {key}")
    if len(tags) > MOST_TAGS:
        raise AwsError("TooManyTags", f"A resource can have at most {MOST_TAGS} tags")
    return list(tags)


def _tags_of(elb: Elb, arn: str) -> list[Json]:
    kind = arn.rpartition(":")[2].partition("/")[0]
    if kind == "loadbalancer":
        return elb.balancer(arn).tags
    if kind == "targetgroup":
        return elb.group(arn).tags
    return elb.rule(arn).tags if kind == "listener-rule" else elb.listener(arn).tags
