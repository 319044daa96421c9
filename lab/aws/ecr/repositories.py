"""The operations on repositories: settings, policies, tags; and the token of their registry."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecr.registry import TOKEN_SECONDS
from lab.aws.ecr.state import Repository, invalid, page
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecr.state import Ecr

    Json = dict[str, Any]

__all__ = [
    "create_repository",
    "delete_lifecycle_policy",
    "delete_repository",
    "delete_repository_policy",
    "describe_repositories",
    "get_authorization_token",
    "get_lifecycle_policy",
    "get_repository_policy",
    "list_tags_for_resource",
    "put_image_scanning_configuration",
    "put_image_tag_mutability",
    "put_lifecycle_policy",
    "set_repository_policy",
    "tag_resource",
    "untag_resource",
]

MOST_TAGS: Final = 50


async def create_repository(ecr: Ecr, request: Json) -> Json:
    """Create a repository, to which images can be pushed from then on."""
    name = request["repositoryName"]
    account = ecr.place.account
    if ecr.registry_of(request) != account:
        raise invalid(
            "Invalid parameter at 'registryId' failed to satisfy constraint: 'must be the id of "
            "the caller's own registry'"
        )
    if name in ecr.repositories:
        raise AwsError(
            "RepositoryAlreadyExistsException",
            f"The repository with name '{name}' already exists in the registry with id '{account}'",
        )
    mutability, exclusions = _mutability(request)
    made = Repository(
        name=name,
        arn=ecr.place.arn("ecr", f"repository/{name}"),
        uri=f"{ecr.registry.address}/{name}",
        account=account,
        mutability=mutability,
        exclusions=exclusions,
        scan_on_push=bool((request.get("imageScanningConfiguration") or {}).get("scanOnPush")),
        encryption=request.get("encryptionConfiguration") or {"encryptionType": "AES256"},
        tags=_tags({}, request.get("tags") or []),
    )
    # At once: while the registry is told of it, somebody else may ask for the same name.
    ecr.repositories[name] = made
    try:
        await _tell(ecr, made)
    except AwsError:
        del ecr.repositories[name]
        raise
    return {"repository": made.shown()}


def _mutability(request: Json) -> tuple[str, list[Json]]:
    mode = request.get("imageTagMutability") or "MUTABLE"
    exclusions = list(request.get("imageTagMutabilityExclusionFilters") or [])
    if bool(exclusions) is not mode.endswith("_WITH_EXCLUSION"):
        raise invalid(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy "
            "constraint: 'must be given with IMMUTABLE_WITH_EXCLUSION and MUTABLE_WITH_EXCLUSION, "
            "and with these alone'"
        )
    return mode, exclusions


async def _tell(ecr: Ecr, repository: Repository) -> None:
    await ecr.ask(
        ecr.registry.set_rules,
        repository.name,
        mutability=repository.mutability,
        exclusions=[one["filter"] for one in repository.exclusions],
    )


async def describe_repositories(ecr: Ecr, request: Json) -> Json:
    """Describe the named repositories, or all, sorted by name."""
    if names := request.get("repositoryNames"):
        registry = ecr.registry_of(request)
        return {"repositories": [ecr.named(name, registry).shown() for name in names]}
    some, token = page(request, [*ecr.repositories.values()], lambda one: one.name)
    return {"repositories": [one.shown() for one in some], "nextToken": token}


async def delete_repository(ecr: Ecr, request: Json) -> Json:
    """Delete a repository; with images in it only by force."""
    repository = ecr.repository(request)
    if not request.get("force") and await ecr.ask(ecr.registry.images, repository.name):
        raise AwsError(
            "RepositoryNotEmptyException",
            f"The repository with name '{repository.name}' in registry with id "
            f"'{repository.account}' cannot be deleted because it still contains images",
        )
    if ecr.repositories.pop(repository.name, None):
        await ecr.ask(ecr.registry.remove, repository.name)
    return {"repository": repository.shown()}


async def put_image_tag_mutability(ecr: Ecr, request: Json) -> Json:
    """Say whether a tag can be moved to another image."""
    repository = ecr.repository(request)
    repository.mutability, repository.exclusions = _mutability(request)
    await _tell(ecr, repository)
    answer: Json = {**repository.named, "imageTagMutability": repository.mutability}
    if repository.exclusions:
        answer["imageTagMutabilityExclusionFilters"] = list(repository.exclusions)
    return answer


async def put_image_scanning_configuration(ecr: Ecr, request: Json) -> Json:
    """Say whether images are scanned when they are pushed; there is no scanner here."""
    repository = ecr.repository(request)
    repository.scan_on_push = bool(request["imageScanningConfiguration"].get("scanOnPush"))
    return {
        **repository.named,
        "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
    }


# --- policies ----------------------------------------------------------------------------------


async def set_repository_policy(ecr: Ecr, request: Json) -> Json:
    """Say who may use a repository; nobody checks it here."""
    repository = ecr.repository(request)
    if not isinstance(_parsed(request["policyText"]), dict):
        raise invalid(
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository "
            "policy provided'"
        )
    repository.policy = request["policyText"]
    return {**repository.named, "policyText": repository.policy}


async def get_repository_policy(ecr: Ecr, request: Json) -> Json:
    """Give the policy of a repository."""
    repository = ecr.repository(request)
    return {**repository.named, "policyText": _policy(repository)}


async def delete_repository_policy(ecr: Ecr, request: Json) -> Json:
    """Delete the policy of a repository."""
    repository = ecr.repository(request)
    text, repository.policy = _policy(repository), None
    return {**repository.named, "policyText": text}


def _policy(repository: Repository) -> str:
    if repository.policy is None:
        raise AwsError(
            "RepositoryPolicyNotFoundException",
            f"Repository policy does not exist for the repository with name '{repository.name}' "
            f"in the registry with id '{repository.account}'",
        )
    return repository.policy


async def put_lifecycle_policy(ecr: Ecr, request: Json) -> Json:
    """Say which images expire; on AWS that happens within a day, and here it does not happen."""
    repository = ecr.repository(request)
    policy = _parsed(request["lifecyclePolicyText"])
    rules = policy.get("rules") if isinstance(policy, dict) else None
    if not isinstance(rules, list) or not rules:
        raise invalid(
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle "
            'policy validation failure: object has missing required properties (["rules"])\''
        )
    repository.lifecycle = request["lifecyclePolicyText"]
    return {**repository.named, "lifecyclePolicyText": repository.lifecycle}


async def get_lifecycle_policy(ecr: Ecr, request: Json) -> Json:
    """Give the lifecycle policy of a repository."""
    repository = ecr.repository(request)
    return {**repository.named, "lifecyclePolicyText": _lifecycle(repository)}


async def delete_lifecycle_policy(ecr: Ecr, request: Json) -> Json:
    """Delete the lifecycle policy of a repository."""
    repository = ecr.repository(request)
    text, repository.lifecycle = _lifecycle(repository), None
    return {**repository.named, "lifecyclePolicyText": text}


def _lifecycle(repository: Repository) -> str:
    if repository.lifecycle is None:
        raise AwsError(
            "LifecyclePolicyNotFoundException",
            f"Lifecycle policy does not exist for the repository with name '{repository.name}' "
            f"in the registry with id '{repository.account}'",
        )
    return repository.lifecycle


def _parsed(text: str) -> Any:  # noqa: ANN401  # JSON
    try:
        return json.loads(text)
    except ValueError:
        return None


# --- tags ----------------------------------------------------------------------------------------


async def tag_resource(ecr: Ecr, request: Json) -> Json:
    """Add tags to a repository; the others stay."""
    repository = ecr.by_arn(request["resourceArn"])
    repository.tags = _tags(repository.tags, request["tags"])
    return {}


async def untag_resource(ecr: Ecr, request: Json) -> Json:
    """Remove tags from a repository by their keys."""
    repository = ecr.by_arn(request["resourceArn"])
    keys = request["tagKeys"]
    repository.tags = {key: value for key, value in repository.tags.items() if key not in keys}
    return {}


async def list_tags_for_resource(ecr: Ecr, request: Json) -> Json:
    """List the tags of a repository."""
    tags = ecr.by_arn(request["resourceArn"]).tags
    return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _tags(before: dict[str, str], given: list[Json]) -> dict[str, str]:
    merged = {**before, **{tag["Key"]: tag["Value"] for tag in given}}
    if len(merged) > MOST_TAGS:
        raise AwsError(
            "TooManyTagsException",
            "The list of tags on the repository is over the limit. The maximum number of tags "
            "that can be applied to a repository is 50.",
        )
    return merged


# --- the token -----------------------------------------------------------------------------------


async def get_authorization_token(ecr: Ecr, request: Json) -> Json:
    """Give a password for the registry, good for twelve hours."""
    for registry in request.get("registryIds") or []:
        if registry != ecr.place.account:
            raise invalid(f"There is no registry with id '{registry}' on this machine")
    expires = dt.datetime.now(tz=dt.UTC) + dt.timedelta(seconds=TOKEN_SECONDS)
    return {
        "authorizationData": [
            {
                "authorizationToken": ecr.registry.authorization(),
                "expiresAt": expires,
                "proxyEndpoint": ecr.registry.url,
            }
        ]
    }
