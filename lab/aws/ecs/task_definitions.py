"""The operations on task definitions. What is refused of one is in `validation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.attributes import required_attributes
from lab.aws.ecs.forms import completed, without_null
from lab.aws.ecs.state import TaskDefinition, now, page, without_none
from lab.aws.ecs.tags import refuse_bad_tags
from lab.aws.ecs.task_sizes import cpu_units, mebibytes
from lab.aws.ecs.validation import compatible_with, refuse_bad_form
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecs.state import Ecs

    Json = dict[str, Any]

__all__ = [
    "delete_task_definitions",
    "deregister_task_definition",
    "describe_task_definition",
    "list_task_definition_families",
    "list_task_definitions",
    "register_task_definition",
]

MOST_DELETED: Final = 10
MOST_LISTED: Final = 100


async def register_task_definition(ecs: Ecs, request: Json) -> Json:
    """Register the next revision of a family, if ECS has nothing against it."""
    form = without_null(request)
    tags = form.pop("tags", None)
    if tags == []:
        raise AwsError("ClientException", "Tags can not be empty.")
    refuse_bad_tags(tags or [])
    form = {**form, **_sizes(form)}
    refuse_bad_form(form)
    named_as_on_aws = {**form, "containerDefinitions": _named_as_on_aws(ecs, form)}
    compatibilities = compatible_with(named_as_on_aws)
    family = form.pop("family")
    revisions = ecs.families.setdefault(family, [])
    revision = len(revisions) + 1
    made = TaskDefinition(
        family=family,
        revision=revision,
        arn=ecs.place.arn("ecs", f"task-definition/{family}:{revision}"),
        form={
            **completed(form),
            "requiresAttributes": required_attributes(named_as_on_aws),
            "compatibilities": compatibilities,
        },
        tags=tags or [],
    )
    revisions.append(made)
    return {"taskDefinition": shown(ecs, made), "tags": list(made.tags) or None}


def _named_as_on_aws(ecs: Ecs, form: Json) -> list[Json]:
    """Give the container definitions with the images of this machine's ECR as AWS calls those."""
    registry = f"{ecs.place.account}.dkr.ecr.{ecs.place.region}.amazonaws.com"
    containers: list[Json] = form["containerDefinitions"]
    return [
        {**container, "image": f"{registry}/{container['image'].partition('/')[2]}"}
        if ecs.sources and ecs.sources.is_in_ecr(container["image"])
        else container
        for container in containers
    ]


async def describe_task_definition(ecs: Ecs, request: Json) -> Json:
    """Describe a revision, or the latest active one of a family."""
    found = ecs.definition(request["taskDefinition"])
    answer = {"taskDefinition": shown(ecs, found)}
    return answer | ({"tags": list(found.tags)} if "TAGS" in (request.get("include") or []) else {})


async def deregister_task_definition(ecs: Ecs, request: Json) -> Json:
    """Have a revision be INACTIVE: what runs goes on, and nothing new begins."""
    _, _, revision = request["taskDefinition"].rpartition("/")[2].partition(":")
    if not revision:
        raise AwsError("ClientException", "Revision is missing.")
    if not revision.isdecimal():
        raise AwsError("InvalidParameterException", f"Invalid revision number. Number: {revision}")
    found = ecs.definition(request["taskDefinition"])
    if found.status == "ACTIVE":
        found.status, found.deregistered_at = "INACTIVE", now()
    return {"taskDefinition": shown(ecs, found)}


async def delete_task_definitions(ecs: Ecs, request: Json) -> Json:
    """Have INACTIVE revisions be DELETE_IN_PROGRESS.

    AWS forgets such a revision once no task and no service needs it, at some time; here it is
    remembered to the end. Its number is never given again, here and there.
    """
    references = request["taskDefinitions"]
    if not references:
        raise AwsError(
            "InvalidParameterException",
            "size of TaskDefinition references list must be greater than 0",
        )
    if len(references) > MOST_DELETED:
        raise AwsError(
            "InvalidParameterException",
            f"Size of TaskDefinition references list cannot exceed {MOST_DELETED}",
        )
    deleted, failures = [], []
    for reference in references:
        try:
            deleted.append(shown(ecs, _delete(ecs, reference)))
        except AwsError as refusal:
            failures.append({"arn": _arn(ecs, reference), "reason": refusal.message})
    return {"taskDefinitions": deleted, "failures": failures}


def _delete(ecs: Ecs, reference: str) -> TaskDefinition:
    if ":" not in reference.rpartition("/")[2]:
        raise AwsError(
            "ClientException",
            "The specified task definition identifier is invalid. Specify a valid name or ARN and "
            "try again.",
        )
    try:
        found = ecs.definition(reference)
    except AwsError:
        raise AwsError(
            "ClientException",
            "The specified task definition does not exist. Specify a valid account, family, "
            "revision and try again.",
        ) from None
    if found.status == "ACTIVE":
        raise AwsError(
            "ClientException",
            "The specified task definition is still in ACTIVE status. Please deregister the "
            "target and try again.",
        )
    if found.status == "INACTIVE":
        found.status, found.delete_requested_at = "DELETE_IN_PROGRESS", now()
    return found


async def list_task_definitions(ecs: Ecs, request: Json) -> Json:
    """List revisions by family and number, the newest last unless DESC is asked for."""
    family, status = request.get("familyPrefix"), request.get("status") or "ACTIVE"
    found = [
        definition.arn
        for name in sorted(ecs.families)
        for definition in ecs.families[name]
        if family in (None, name) and definition.status == status
    ]
    if request.get("sort") == "DESC":
        found.reverse()
    some, token = page(request, found, most=MOST_LISTED)
    return {"taskDefinitionArns": some, "nextToken": token}


async def list_task_definition_families(ecs: Ecs, request: Json) -> Json:
    """List families whose names begin so; ACTIVE is one that has an active revision."""
    prefix, status = request.get("familyPrefix") or "", request.get("status") or "ALL"
    found = [
        name
        for name in sorted(ecs.families)
        if name.startswith(prefix) and status in ("ALL", _status(ecs.families[name]))
    ]
    some, token = page(request, found, most=MOST_LISTED)
    return {"families": some, "nextToken": token}


def _status(revisions: list[TaskDefinition]) -> str:
    is_active = any(definition.status == "ACTIVE" for definition in revisions)
    return "ACTIVE" if is_active else "INACTIVE"


def _sizes(form: Json) -> Json:
    """Read the size of the task, which ECS keeps in CPU units and MiB, as text."""
    found = {}
    for member, read in (("cpu", cpu_units), ("memory", mebibytes)):
        if member in form:
            number = read(str(form[member]).strip())
            if not number:
                raise AwsError("ClientException", f"Invalid '{member}' setting for task.")
            found[member] = str(number)
    return found


def _arn(ecs: Ecs, reference: str) -> str:
    if reference.startswith("arn:"):
        return reference
    return ecs.place.arn("ecs", f"task-definition/{reference}")


def shown(ecs: Ecs, definition: TaskDefinition) -> Json:
    """Describe a revision in AWS's words."""
    return without_none(
        {
            **definition.form,
            "family": definition.family,
            "revision": definition.revision,
            "taskDefinitionArn": definition.arn,
            "status": definition.status,
            "registeredAt": definition.registered_at,
            "registeredBy": f"arn:aws:iam::{ecs.place.account}:root",
            "deregisteredAt": definition.deregistered_at,
            "deleteRequestedAt": definition.delete_requested_at,
        }
    )
