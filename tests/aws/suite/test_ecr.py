"""ECR: repositories, images, tags, policies, the token, push and pull by a real engine."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import json
import re
from typing import TYPE_CHECKING

import docker.errors
import pytest

from lab.engine import find_engine

from .account import APP, container, exit_code, refused, shell
from .documented import documented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .account import Account

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def upload(aws: Account, repository: str, content: bytes) -> str:
    """Upload a layer in one part, and give its digest."""
    ecr = aws.ecr
    started = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=repository,
        uploadId=started,
        partFirstByte=0,
        partLastByte=len(content) - 1,
        layerPartBlob=content,
    )
    done = ecr.complete_layer_upload(
        repositoryName=repository, uploadId=started, layerDigests=[digest(content)]
    )
    return done["layerDigest"]


def manifest(aws: Account, repository: str, content: str) -> str:
    """Upload the two blobs of an image, and make its manifest."""
    config, layer = json.dumps({"of": content}).encode(), content.encode()
    parts = [(CONFIG, config), (LAYER, layer)]
    described = [
        {"mediaType": kind, "size": len(blob), "digest": upload(aws, repository, blob)}
        for kind, blob in parts
    ]
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
    )


def image(aws: Account, repository: str, tag: str, content: str | None = None) -> str:
    """Put an image, made of its layers through the API, and give its digest."""
    made = aws.ecr.put_image(
        repositoryName=repository,
        imageManifest=manifest(aws, repository, content or aws.name()),
        imageManifestMediaType=MANIFEST,
        imageTag=tag,
    )["image"]
    return made["imageId"]["imageDigest"]


def listed(aws: Account, repository: str) -> list[tuple[str, str | None]]:
    pages = aws.ecr.get_paginator("list_images").paginate(repositoryName=repository)
    ids = [one for page in pages for one in page["imageIds"]]
    return sorted((one["imageDigest"], one.get("imageTag")) for one in ids)


@documented("ecr/API_CreateRepository")
def test_repository_has_arn_and_address(aws: Account) -> None:
    """A repository has an ARN with its name, and an address that ends with its name."""
    name = aws.repository()
    [made] = aws.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert re.fullmatch(rf"arn:aws:ecr:us-east-1:\d{{12}}:repository/{name}", made["repositoryArn"])
    assert made["repositoryUri"].endswith(f"/{name}")
    assert re.fullmatch(r"\d{12}", made["registryId"])


@documented("shape:ecr.CreateRepositoryRequest.imageTagMutability")
def test_tags_are_mutable_by_default(aws: Account) -> None:
    """A repository's tags can be overwritten by default, and its images are not scanned."""
    name = aws.repository()
    [made] = aws.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert made["imageTagMutability"] == "MUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": False}


@documented("shape:ecr.EncryptionConfiguration.encryptionType")
def test_encryption_is_aes256_by_default(aws: Account) -> None:
    """A repository's images are encrypted by AES256 by default."""
    name = aws.repository()
    [made] = aws.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert made["encryptionConfiguration"]["encryptionType"] == "AES256"


@documented("ecr/API_CreateRepository")
def test_name_is_taken_once(aws: Account) -> None:
    """A second repository of the name is a RepositoryAlreadyExistsException."""
    name = aws.repository()
    with refused("RepositoryAlreadyExistsException"):
        aws.ecr.create_repository(repositoryName=name)


@documented("shape:ecr.CreateRepositoryRequest.repositoryName")
def test_name_has_small_letters(aws: Account) -> None:
    """A repository's name with a capital letter is an InvalidParameterException."""
    with refused("InvalidParameterException"):
        aws.ecr.create_repository(repositoryName=f"Course-{aws.name()}")


@documented("ecr/API_DescribeRepositories")
def test_unknown_repository_is_not_found(aws: Account) -> None:
    """Describing a repository that is not there is a RepositoryNotFoundException."""
    with refused("RepositoryNotFoundException"):
        aws.ecr.describe_repositories(repositoryNames=[aws.name("nobody")])


@documented("shape:ecr.DescribeRepositoriesRequest.maxResults")
def test_repositories_come_in_pages(aws: Account) -> None:
    """MaxResults limits a page of repositories, and nextToken leads to the next."""
    names = {aws.repository() for _ in range(3)}
    paginate = aws.ecr.get_paginator("describe_repositories").paginate
    pages = [page["repositories"] for page in paginate(PaginationConfig={"PageSize": 1})]
    assert all(len(page) <= 1 for page in pages)
    assert names <= {one["repositoryName"] for page in pages for one in page}


@documented("ecr/API_DeleteRepository")
def test_repository_with_images_needs_force(aws: Account) -> None:
    """A repository with images is RepositoryNotEmptyException, unless deleting is forced."""
    name = aws.repository()
    image(aws, name, "1")
    with refused("RepositoryNotEmptyException"):
        aws.ecr.delete_repository(repositoryName=name)
    aws.ecr.delete_repository(repositoryName=name, force=True)
    with refused("RepositoryNotFoundException"):
        aws.ecr.describe_repositories(repositoryNames=[name])


@documented("ecr/API_UploadLayerPart")
def test_layers_are_uploaded_in_parts(aws: Account) -> None:
    """A layer is begun, uploaded, completed under its digest, and then it is there."""
    name, content = aws.repository(), b"a layer"
    assert upload(aws, name, content) == digest(content)
    found = aws.ecr.batch_check_layer_availability(
        repositoryName=name, layerDigests=[digest(content)]
    )["layers"]
    assert [layer["layerAvailability"] for layer in found] == ["AVAILABLE"]


@documented("ecr/API_CompleteLayerUpload")
def test_layer_must_have_its_digest(aws: Account) -> None:
    """A layer whose digest is not the one that was said is an InvalidLayerException."""
    name = aws.repository()
    started = aws.ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    aws.ecr.upload_layer_part(
        repositoryName=name,
        uploadId=started,
        partFirstByte=0,
        partLastByte=6,
        layerPartBlob=b"a layer",
    )
    with refused("InvalidLayerException"):
        aws.ecr.complete_layer_upload(
            repositoryName=name, uploadId=started, layerDigests=[digest(b"another")]
        )


@documented("ecr/API_CompleteLayerUpload")
def test_layer_is_not_uploaded_twice(aws: Account) -> None:
    """A layer that is in the repository already is a LayerAlreadyExistsException."""
    name = aws.repository()
    upload(aws, name, b"a layer")
    with refused("LayerAlreadyExistsException"):
        upload(aws, name, b"a layer")


@documented("ecr/API_PutImage")
def test_digest_is_of_the_manifest(aws: Account) -> None:
    """An image's digest is the hash of its manifest, and the manifest comes back as it was."""
    name = aws.repository()
    text = manifest(aws, name, "content")
    put = {"imageManifest": text, "imageManifestMediaType": MANIFEST, "imageTag": "1"}
    made = aws.ecr.put_image(repositoryName=name, **put)["image"]
    assert made["imageId"] == {"imageDigest": digest(text.encode()), "imageTag": "1"}
    [got] = aws.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "1"}])["images"]
    assert got["imageManifest"] == text


@documented("ecr/API_PutImage")
def test_image_needs_its_layers(aws: Account) -> None:
    """An image whose layers were not uploaded is a LayersNotFoundException."""
    name = aws.repository()
    text = manifest(aws, name, "content").replace(digest(b"content"), digest(b"nothing"))
    with refused("LayersNotFoundException"):
        aws.ecr.put_image(
            repositoryName=name,
            imageManifest=text,
            imageManifestMediaType=MANIFEST,
            imageTag="1",
        )


@documented("ecr/API_PutImage")
def test_same_image_is_not_put_twice(aws: Account) -> None:
    """The same image with the same tag again is an ImageAlreadyExistsException."""
    name = aws.repository()
    put = {
        "repositoryName": name,
        "imageManifest": manifest(aws, name, "content"),
        "imageManifestMediaType": MANIFEST,
        "imageTag": "1",
    }
    aws.ecr.put_image(**put)
    with refused("ImageAlreadyExistsException"):
        aws.ecr.put_image(**put)


@documented("ecr-guide/image-tag-mutability")
def test_mutable_tag_moves(aws: Account) -> None:
    """A tag moves to the image that was put last, and the other one stays, untagged."""
    name = aws.repository()
    first, second = image(aws, name, "1"), image(aws, name, "1")
    assert listed(aws, name) == sorted(
        [(first, None), (second, "1")], key=lambda one: (one[0], one[1] or "")
    )


@documented("ecr-guide/image-tag-mutability")
def test_immutable_tag_stays(aws: Account) -> None:
    """In an immutable repository a taken tag is an ImageTagAlreadyExistsException."""
    name = aws.repository(imageTagMutability="IMMUTABLE")
    first = image(aws, name, "1")
    with refused("ImageTagAlreadyExistsException"):
        image(aws, name, "1")
    assert listed(aws, name) == [(first, "1")]


@documented("ecr/API_DescribeImages")
def test_image_is_described_with_its_tags(aws: Account) -> None:
    """An image is described with digest, tags, size and the time of its push."""
    name = aws.repository()
    made = image(aws, name, "1", "content")
    text = aws.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "1"}])
    manifest_text = text["images"][0]["imageManifest"]
    aws.ecr.put_image(repositoryName=name, imageManifest=manifest_text, imageTag="latest")
    [found] = aws.ecr.describe_images(repositoryName=name)["imageDetails"]
    assert found["imageDigest"] == made
    assert sorted(found["imageTags"]) == ["1", "latest"]
    assert found["imageSizeInBytes"] > 0
    age = dt.datetime.now(tz=dt.UTC) - found["imagePushedAt"]
    assert abs(age.total_seconds()) < 60


@documented("ecr/API_DescribeImages")
def test_unknown_image_is_not_found(aws: Account) -> None:
    """Describing an image that is not there is an ImageNotFoundException."""
    name = aws.repository()
    with refused("ImageNotFoundException"):
        aws.ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "nobody"}])


@documented("shape:ecr.ImageFailure.failureCode")
def test_unknown_image_is_a_failure_of_the_batch(aws: Account) -> None:
    """BatchGetImage answers ImageNotFound for an image that is not there, among others."""
    name = aws.repository()
    image(aws, name, "1")
    wanted = [{"imageTag": "1"}, {"imageTag": "nobody"}]
    answer = aws.ecr.batch_get_image(repositoryName=name, imageIds=wanted)
    assert [one["imageId"]["imageTag"] for one in answer["images"]] == ["1"]
    [failure] = answer["failures"]
    assert failure["failureCode"] == "ImageNotFound"
    assert failure["imageId"] == {"imageTag": "nobody"}


@documented("ecr/API_BatchDeleteImage")
def test_deleting_one_tag_keeps_the_image(aws: Account) -> None:
    """Deleting by a tag removes the tag, and the image goes with its last one."""
    name = aws.repository()
    made = image(aws, name, "1", "content")
    got = aws.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "1"}])
    text = got["images"][0]["imageManifest"]
    aws.ecr.put_image(repositoryName=name, imageManifest=text, imageTag="2")
    delete = aws.ecr.batch_delete_image
    delete(repositoryName=name, imageIds=[{"imageTag": "1"}])
    assert listed(aws, name) == [(made, "2")]
    delete(repositoryName=name, imageIds=[{"imageTag": "2"}])
    assert listed(aws, name) == []


@documented("ecr/API_BatchDeleteImage")
def test_deleting_by_digest_takes_all_tags(aws: Account) -> None:
    """Deleting by digest removes the image with all of its tags."""
    name = aws.repository()
    made = image(aws, name, "1", "content")
    got = aws.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "1"}])
    text = got["images"][0]["imageManifest"]
    aws.ecr.put_image(repositoryName=name, imageManifest=text, imageTag="2")
    aws.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": made}])
    assert listed(aws, name) == []


@documented("ecr/API_ListImages")
def test_untagged_images_are_listed(aws: Account) -> None:
    """The filter UNTAGGED lists the images that have no tag."""
    name = aws.repository()
    old, _ = image(aws, name, "1"), image(aws, name, "1")
    answer = aws.ecr.list_images(repositoryName=name, filter={"tagStatus": "UNTAGGED"})
    assert [one["imageDigest"] for one in answer["imageIds"]] == [old]


@documented("ecr/API_GetDownloadUrlForLayer")
def test_layer_can_be_downloaded(aws: Account) -> None:
    """The address of a layer gives its bytes."""
    name = aws.repository()
    image(aws, name, "1", "some content")
    wanted = digest(b"some content")
    answer = aws.ecr.get_download_url_for_layer(repositoryName=name, layerDigest=wanted)
    assert answer["layerDigest"] == wanted
    assert aws.get(answer["downloadUrl"]).content == b"some content"


@documented("ecr/API_GetAuthorizationToken")
def test_token_is_for_twelve_hours(aws: Account) -> None:
    """The token is user AWS and a password in base64, good for twelve hours at one registry."""
    [data] = aws.ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    assert password
    left = (data["expiresAt"] - dt.datetime.now(tz=dt.UTC)).total_seconds()
    assert 11.5 * 3600 < left <= 12.1 * 3600
    assert data["proxyEndpoint"].startswith(("https://", "http://"))


@documented("ecr/API_PutLifecyclePolicy")
def test_lifecycle_policy_is_kept(aws: Account) -> None:
    """A lifecycle policy comes back, and without one there is LifecyclePolicyNotFoundException."""
    name = aws.repository()
    with refused("LifecyclePolicyNotFoundException"):
        aws.ecr.get_lifecycle_policy(repositoryName=name)
    rule = {
        "rulePriority": 1,
        "selection": {
            "tagStatus": "untagged",
            "countType": "imageCountMoreThan",
            "countNumber": 1,
        },
        "action": {"type": "expire"},
    }
    text = json.dumps({"rules": [rule]})
    aws.ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)
    kept = aws.ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
    assert json.loads(kept) == json.loads(text)


@documented("ecr/API_GetRepositoryPolicy")
def test_repository_has_no_policy_at_first(aws: Account) -> None:
    """A repository without a policy is a RepositoryPolicyNotFoundException."""
    name = aws.repository()
    with refused("RepositoryPolicyNotFoundException"):
        aws.ecr.get_repository_policy(repositoryName=name)


@documented("ecr/API_TagResource")
def test_tags_of_a_repository_are_listed(aws: Account) -> None:
    """Tags of a repository are added, listed and removed by key."""
    name = aws.repository(tags=[{"Key": "stage", "Value": "try"}])
    [made] = aws.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    arn = made["repositoryArn"]
    aws.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "blue"}])
    aws.ecr.untag_resource(resourceArn=arn, tagKeys=["stage"])
    tags = aws.ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"Key": "team", "Value": "blue"}]


@contextlib.contextmanager
def pushed(aws: Account, name: str) -> Iterator[str]:
    """Push the application by the engine, as the guide says, and give the image's address."""
    [made] = aws.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    [data] = aws.ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    address = f"{made['repositoryUri']}:1"
    if aws.leads_away(address.partition("/")[0]):
        pytest.fail(f"{address} leads off this machine", pytrace=False)
    with contextlib.closing(find_engine().client) as engine:
        engine.images.get(APP).tag(address)
        try:
            login = {"username": user, "password": password}
            said = engine.images.push(address, auth_config=login, stream=True, decode=True)
            errors = [line["error"] for line in said if "error" in line]
            assert errors == []
            yield address
        finally:
            with contextlib.suppress(docker.errors.ImageNotFound):
                engine.images.remove(address)


@documented("ecr-guide/docker-push-ecr-image", runs="registry")
def test_engine_pushes_an_image(aws: Account) -> None:
    """An image that an engine has pushed is described, with its tag."""
    name = aws.repository()
    with pushed(aws, name):
        [found] = aws.ecr.describe_images(repositoryName=name)["imageDetails"]
    assert found["imageTags"] == ["1"]
    assert found["imageDigest"].startswith("sha256:")


@documented("ecr-guide/docker-pull-ecr-image", runs="registry")
def test_engine_pulls_by_digest(aws: Account) -> None:
    """An image is pulled by its digest, and it is the one that was pushed."""
    name = aws.repository()
    [data] = aws.ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    with contextlib.closing(find_engine().client) as engine, pushed(aws, name) as address:
        [found] = aws.ecr.describe_images(repositoryName=name)["imageDetails"]
        repository = address.rpartition(":")[0]
        own = engine.images.get(APP).id
        engine.images.remove(address)
        login = {"username": user, "password": password}
        pulled = engine.images.pull(f"{repository}@{found['imageDigest']}", auth_config=login)
        engine.images.remove(f"{repository}@{found['imageDigest']}")
        assert pulled.id == own


@documented("ecr-guide/registry_auth", runs="registry")
def test_registry_wants_a_token(aws: Account) -> None:
    """Without a token the registry answers 401."""
    [data] = aws.ecr.get_authorization_token()["authorizationData"]
    assert aws.get(f"{data['proxyEndpoint']}/v2/").status_code == 401


@documented("ecr-guide/ECR_on_ECS", runs="tasks")
def test_task_runs_an_image_of_the_registry(aws: Account) -> None:
    """A task runs an image of a repository, by the repository's address."""
    name = aws.repository()
    with pushed(aws, name) as address:
        own = container(command=shell("exit 35")) | {"image": address}
        assert exit_code(aws.finished(own, executionRoleArn=aws.role())) == 35
