"""The operations on tags, and what is refused of one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecs.state import Ecs

    Json = dict[str, Any]

__all__ = [
    "list_tags_for_resource",
    "refuse_bad_tags",
    "tag_resource",
    "untag_resource",
]

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
MOST_TAGS: Final = 50
LONGEST_KEY: Final = 128
LONGEST_VALUE: Final = 256
TAG_TEXT: Final = re.compile(r"[\w .:/=+@-]*")


def refuse_bad_tags(tags: list[Json]) -> None:
    """Refuse tags that no resource may have, whatever it is.

    Args:
        tags: All that a request gives.

    Raises:
        AwsError: ``InvalidParameterException``.
    """
    keys = [tag.get("key") or "" for tag in tags]
    texts = [*keys, *(tag.get("value") or "" for tag in tags)]
    faults = {
        "Tag keys can not be null or empty.": not all(keys),
        "Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers "
        "and _ . / = + - : @.": not all(TAG_TEXT.fullmatch(text) for text in texts),
        f"Tag keys can have at most {LONGEST_KEY} characters.": any(
            len(key) > LONGEST_KEY for key in keys
        ),
        f"Tag values can have at most {LONGEST_VALUE} characters.": any(
            len(text) > LONGEST_VALUE for text in texts
        ),
        "Tags that begin with aws: are reserved for AWS.": any(
            text.lower().startswith("aws:") for text in texts
        ),
        "Tag keys must be unique.": len(set(keys)) < len(keys),
        f"Tags cannot have more than {MOST_TAGS} elements.": len(tags) > MOST_TAGS,
    }
    for fault, is_there in faults.items():
        if is_there:
            raise AwsError("InvalidParameterException", fault)


async def tag_resource(ecs: Ecs, request: Json) -> Json:
    """Add tags to a resource; the others stay."""
    tags = _tags_of(ecs, request["resourceArn"])
    refuse_bad_tags(request["tags"])
    given = {tag["key"]: tag for tag in request["tags"]}
    together = [tag for tag in tags if tag["key"] not in given] + list(given.values())
    if len(together) > MOST_TAGS:
        raise AwsError("LimitExceededException", f"A resource can have at most {MOST_TAGS} tags.")
    tags[:] = together
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
    own = ecs.place.arn("ecs", "")
    if not arn.startswith(own):
        raise AwsError("InvalidParameterException", f"Invalid ARN: {arn}")
    kind, _, name = arn.removeprefix(own).partition("/")
    last = name.rpartition("/")[2]
    if kind == "task-definition":
        if ":" not in name:
            raise AwsError("InvalidParameterException", f"Invalid ARN: {arn}")
        return ecs.definition(arn).tags
    if kind == "cluster":
        return ecs.cluster(arn, inactive=True).tags
    found: Any = None
    if kind == "task":
        found = ecs.tasks.get(last)
    elif kind == "container-instance":
        found = ecs.hosts.get(last)
    elif kind == "service":
        found = next((s for s in ecs.services.values() if s.arn == arn), None)
    if found is None:
        raise AwsError("ResourceNotFoundException", f"The resource {arn} was not found.")
    tags: list[Json] = found.tags
    return tags
