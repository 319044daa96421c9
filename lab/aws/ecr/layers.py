"""The operations on layers, by which ECR's own registry works, and any client can."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecr.front import RefusalError
from lab.aws.ecr.state import Upload
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecr.state import Ecr, Repository

    Json = dict[str, Any]

__all__ = [
    "batch_check_layer_availability",
    "complete_layer_upload",
    "get_download_url_for_layer",
    "initiate_layer_upload",
    "upload_layer_part",
]

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CompleteLayerUpload.html
PART_BYTES: Final = 10 << 20
LEAST_PART_BYTES: Final = 5 << 20
DIGEST: Final = re.compile("sha256:[a-fA-F0-9]{64}")


async def initiate_layer_upload(ecr: Ecr, request: Json) -> Json:
    """Begin to upload a layer."""
    repository = ecr.repository(request)
    upload_id, location = await ecr.ask(ecr.registry.begin_upload, repository.name)
    ecr.uploads[upload_id] = Upload(repository.name, location)
    return {"uploadId": upload_id, "partSize": PART_BYTES}


async def upload_layer_part(ecr: Ecr, request: Json) -> Json:
    """Upload the next part of a layer."""
    repository = ecr.repository(request)
    upload = _upload(ecr, repository, request)
    first, last = request["partFirstByte"], request["partLastByte"]
    content: bytes = request["layerPartBlob"]
    if first != sum(upload.sizes) or last - first + 1 != len(content):
        raise AwsError(
            "InvalidLayerPartException",
            f"Invalid layer part upload for upload with id '{request['uploadId']}' in the "
            f"repository with name '{repository.name}' in the registry with id "
            f"'{repository.account}'",
        )
    upload.sizes.append(len(content))
    upload.location = await ecr.ask(ecr.registry.upload_part, upload.location, content)
    return {**repository.named, "uploadId": request["uploadId"], "lastByteReceived": last}


def _upload(ecr: Ecr, repository: Repository, request: Json) -> Upload:
    found = ecr.uploads.get(request["uploadId"])
    if found is None or found.repository != repository.name:
        raise AwsError(
            "UploadNotFoundException",
            f"Upload with id '{request['uploadId']}' could not be found for the repository with "
            f"name '{repository.name}' in the registry with id '{repository.account}'",
        )
    return found


async def complete_layer_upload(ecr: Ecr, request: Json) -> Json:
    """Have what was uploaded be a layer, if it is the one of the digest."""
    repository = ecr.repository(request)
    upload = _upload(ecr, repository, request)
    digest = request["layerDigests"][0]
    where = (
        f"in the repository with name '{repository.name}' in registry with id "
        f"'{repository.account}'"
    )
    if not upload.sizes:
        raise AwsError(
            "EmptyUploadException",
            f"The upload with id '{request['uploadId']}' does not contain any layer parts",
        )
    if any(size < LEAST_PART_BYTES for size in upload.sizes[:-1]):
        raise AwsError("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size")
    if await ecr.ask(ecr.registry.layer_size, repository.name, digest) is not None:
        raise AwsError(
            "LayerAlreadyExistsException", f"Layer with digest '{digest}' already exists {where}"
        )
    try:
        await ecr.ask(ecr.registry.end_upload, upload.location, digest)
    except RefusalError:
        raise AwsError(
            "InvalidLayerException",
            f"Layer with digest '{digest}' is not what was uploaded {where}",
        ) from None
    ecr.uploads.pop(request["uploadId"], None)
    return {**repository.named, "uploadId": request["uploadId"], "layerDigest": digest}


async def batch_check_layer_availability(ecr: Ecr, request: Json) -> Json:
    """Tell which layers are in a repository."""
    repository = ecr.repository(request)
    layers, failures = [], []
    for digest in request["layerDigests"]:
        if not DIGEST.fullmatch(digest):
            code, reason = "InvalidLayerDigest", "Invalid layer digest"
            if not digest:
                code, reason = "MissingLayerDigest", "Missing layer digest"
            failures.append({"layerDigest": digest, "failureCode": code, "failureReason": reason})
            continue
        size = await ecr.ask(ecr.registry.layer_size, repository.name, digest)
        layer = {"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
        if size is not None:
            layer |= {"layerAvailability": "AVAILABLE", "layerSize": size}
        layers.append(layer)
    return {"layers": layers, "failures": failures}


async def get_download_url_for_layer(ecr: Ecr, request: Json) -> Json:
    """Give an address from which a layer can be had without a password, for an hour."""
    repository, digest = ecr.repository(request), request["layerDigest"]
    if await ecr.ask(ecr.registry.layer_size, repository.name, digest) is None:
        raise AwsError(
            "LayersNotFoundException",
            f"The layer with digest {digest} does not exist within the repository with name "
            f"'{repository.name}' in the registry with id '{repository.account}'",
        )
    return {"downloadUrl": ecr.registry.link(repository.name, digest), "layerDigest": digest}
