"""The operations on images: what the registry holds, told and changed in ECR's words."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecr.front import RefusalError
from lab.aws.ecr.state import invalid, page
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecr.state import Ecr, Repository

    Json = dict[str, Any]

__all__ = [
    "batch_delete_image",
    "batch_get_image",
    "describe_images",
    "list_images",
    "put_image",
]

DIGEST: Final = r"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"
# https://distribution.github.io/distribution/spec/api/#pulling-an-image-manifest
TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
OCI: Final = "application/vnd.oci.image.manifest.v1+json"
LISTS: Final = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)


@dataclass(frozen=True)
class Image:
    """An image of a repository, as the registry has it.

    Attributes:
        pushed: When it was pushed last.
        text: Its manifest, to the letter.
    """

    digest: str
    tags: list[str]
    pushed: dt.datetime
    text: str

    @property
    def manifest(self) -> Json:
        """Its manifest, read."""
        manifest: Json = json.loads(self.text)
        return manifest

    @property
    def kind(self) -> str:
        """The media type of its manifest, which an OCI manifest may leave out."""
        manifest = self.manifest
        return str(manifest.get("mediaType") or (LISTS[1] if "manifests" in manifest else OCI))

    def size(self, among: list[Image]) -> int:
        """Count its bytes; of a list those of its largest image, which is among these."""
        manifest = self.manifest
        if "manifests" in manifest:
            listed = {one["digest"] for one in manifest["manifests"]}
            return max((one.size(among) for one in among if one.digest in listed), default=0)
        return int(sum(one["size"] for one in [manifest["config"], *manifest["layers"]]))


async def _images(ecr: Ecr, repository: Repository) -> list[Image]:
    return [
        Image(
            one["digest"],
            one["tags"],
            dt.datetime.fromtimestamp(one["pushed"], tz=dt.UTC),
            one["manifest"],
        )
        for one in await ecr.ask(ecr.registry.images, repository.name)
    ]


def _with_status(images: list[Image], request: Json) -> list[Image]:
    """Choose the images that have tags, or those that have none, if that is asked for."""
    status = (request.get("filter") or {}).get("tagStatus") or "ANY"
    if status == "ANY":
        return images
    return [image for image in images if bool(image.tags) is (status == "TAGGED")]


# --- to look -------------------------------------------------------------------------------------


async def list_images(ecr: Ecr, request: Json) -> Json:
    """List the images of a repository: each tag of each, or the digest alone."""
    repository = ecr.repository(request)
    found = [
        {"imageDigest": image.digest, **({"imageTag": tag} if tag else {})}
        for image in _with_status(await _images(ecr, repository), request)
        for tag in image.tags or [""]
    ]
    some, token = page(request, found)
    return {"imageIds": some, "nextToken": token}


async def describe_images(ecr: Ecr, request: Json) -> Json:
    """Describe the named images of a repository, or all of them."""
    repository = ecr.repository(request)
    images = await _images(ecr, repository)
    wanted = _with_status(images, request)
    if ids := request.get("imageIds"):
        chosen = [_found(images, one) for one in ids]
        for image, one in zip(chosen, ids, strict=True):
            if image is None:
                raise _not_found(repository, one)
        wanted = [image for image in images if image in chosen]
    some, token = page(request, wanted)
    details = [_details(repository, image, images) for image in some]
    return {"imageDetails": details, "nextToken": token}


def _found(images: list[Image], wanted: Json) -> Image | None:
    """Find an image by its digest, by a tag, or by both, which then must be of one image."""
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    for image in images:
        if digest in (None, image.digest) and (tag is None or tag in image.tags):
            return image
    return None


def _not_found(repository: Repository, wanted: Json) -> AwsError:
    digest, tag = wanted.get("imageDigest") or "null", wanted.get("imageTag") or "null"
    return AwsError(
        "ImageNotFoundException",
        f"The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist "
        f"within the repository with name '{repository.name}' in the registry with id "
        f"'{repository.account}'",
    )


def _details(repository: Repository, image: Image, images: list[Image]) -> Json:
    details: Json = {
        **repository.named,
        "imageDigest": image.digest,
        "imageTags": image.tags,
        "imageSizeInBytes": image.size(images),
        "imagePushedAt": image.pushed,
        "imageManifestMediaType": image.kind,
        "artifactMediaType": (image.manifest.get("config") or {}).get("mediaType"),
        "imageStatus": "ACTIVE",
    }
    return {name: value for name, value in details.items() if value not in (None, [])}


async def batch_get_image(ecr: Ecr, request: Json) -> Json:
    """Give the manifests of images; those that are not there are failures."""
    repository = ecr.repository(request)
    images = await _images(ecr, repository)
    answers, failures = [], []
    for wanted in request["imageIds"]:
        image = _found(images, wanted) if wanted else None
        if image is None:
            failures.append(_failure(images, wanted))
        else:
            shown = _shown(repository, image.digest, wanted.get("imageTag"))
            answers.append(
                shown | {"imageManifest": image.text, "imageManifestMediaType": image.kind}
            )
    return {"images": answers, "failures": failures}


def _shown(repository: Repository, digest: str, tag: str | None) -> Json:
    image_id = {"imageDigest": digest, **({"imageTag": tag} if tag else {})}
    return {**repository.named, "imageId": image_id}


def _failure(images: list[Image], wanted: Json) -> Json:
    """Say why an image was not found."""
    digest = wanted.get("imageDigest")
    if not wanted:
        code = "MissingDigestAndTag"
        reason = "Invalid request parameters: both tag and digest cannot be null"
    elif digest and not re.fullmatch(DIGEST, digest):
        code = "InvalidImageDigest"
        reason = f"Invalid request parameters: image digest should satisfy the regex '{DIGEST}'"
    elif digest and any(image.digest == digest for image in images):
        code, reason = "ImageTagDoesNotMatchDigest", "Requested tag does not match the digest"
    else:
        code, reason = "ImageNotFound", "Requested image not found"
    return {"imageId": wanted, "failureCode": code, "failureReason": reason}


# --- to change -----------------------------------------------------------------------------------


async def put_image(ecr: Ecr, request: Json) -> Json:
    """Put an image, whose layers are there, under a tag or without one."""
    repository = ecr.repository(request)
    text, tag = request["imageManifest"], request.get("imageTag")
    content = text.encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if request.get("imageDigest") not in (None, digest):
        raise AwsError(
            "ImageDigestDoesNotMatchException",
            f"The image digest '{request['imageDigest']}' does not match '{digest}', which is the "
            "manifest's",
        )
    if tag and not TAG.fullmatch(tag):
        raise invalid(
            "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular "
            f"expression '{TAG.pattern}''"
        )
    kind = request.get("imageManifestMediaType") or _kind_of(text)
    images = await _images(ecr, repository)
    if _found(images, {"imageDigest": digest, **({"imageTag": tag} if tag else {})}):
        raise AwsError(
            "ImageAlreadyExistsException",
            f"Image with digest '{digest}' and tag '{tag or 'null'}' already exists in the "
            f"repository with name '{repository.name}' in registry with id "
            f"'{repository.account}'",
        )
    try:
        await ecr.ask(ecr.registry.put_manifest, repository.name, tag or digest, content, kind)
    except RefusalError as refusal:
        raise _put_refused(repository, kind, refusal) from None
    shown = _shown(repository, digest, tag)
    return {"image": shown | {"imageManifest": text, "imageManifestMediaType": kind}}


def _kind_of(text: str) -> str:
    try:
        kind = json.loads(text).get("mediaType")
    except (ValueError, AttributeError):
        kind = None
    if not kind:
        raise invalid(
            "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'must have a "
            "mediaType, or come with imageManifestMediaType'"
        )
    return str(kind)


def _put_refused(repository: Repository, kind: str, refusal: RefusalError) -> AwsError:
    """Say in ECR's words why the registry does not take a manifest."""
    if refusal.code == "TAG_INVALID":
        return AwsError("ImageTagAlreadyExistsException", str(refusal))
    if refusal.code in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"):
        where = (
            f"do not exist within the repository with name '{repository.name}' in the registry "
            f"with id '{repository.account}'"
        )
        if kind in LISTS:
            return AwsError("ReferencedImagesNotFoundException", f"Images of the list {where}")
        return AwsError("LayersNotFoundException", f"Layers of the image {where}")
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return AwsError("ServerException", str(refusal))
    return invalid(
        "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Invalid image "
        f"manifest provided': {refusal}"
    )


async def batch_delete_image(ecr: Ecr, request: Json) -> Json:
    """Delete tags, and images by their digest; an image goes with its last tag."""
    repository = ecr.repository(request)
    deleted: list[Json] = []
    failures = []
    for wanted in request["imageIds"]:
        # Looked up each time: the one before may have taken it along.
        images = await _images(ecr, repository)
        image = _found(images, wanted) if wanted else None
        tag = wanted.get("imageTag")
        if image is None:
            failures.append(_failure(images, wanted))
        elif tag and image.tags != [tag]:
            await ecr.ask(ecr.registry.remove_tag, repository.name, tag)
            deleted.append({"imageDigest": image.digest, "imageTag": tag})
        else:
            await ecr.ask(ecr.registry.remove_image, repository.name, image.digest)
            gone = [{"imageTag": one} for one in image.tags] or [{}]
            deleted += [{"imageDigest": image.digest, **one} for one in gone]
    return {"imageIds": deleted, "failures": failures}
