from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import io
import json
import tarfile
import time
import uuid
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import pytest
import requests

from lab.aws.cloud import Cloud
from lab.aws.ecr import front
from lab.aws.ecr.api import answer
from lab.aws.ecr.registry import Registry
from lab.aws.ecr.state import Ecr
from lab.aws.errors import AwsError
from lab.aws.place import Place
from lab.aws.sources import Sources
from lab.cleaning import sweep
from lab.client import connect_labelled
from lab.engine import find_engine
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Json = dict[str, Any]

pytestmark = pytest.mark.engine

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MIB = 1 << 20
NOBODY = f"sha256:{'0' * 64}"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Client:
    """Asks the operations as a request does, and the registry as an engine does."""

    def __init__(self, engine: docker.DockerClient, naming: Naming) -> None:
        place = Place("123456789012", "us-east-1")
        self.engine = engine
        self.cloud = Cloud()
        self.registry = Registry(engine, naming, place)
        self.ecr = Ecr(place, self.registry, self.cloud.beside)

    def ask(self, operation: str, **request: Any) -> Json:  # noqa: ANN401  # JSON
        return self.cloud.call(answer(self.ecr, operation, request))

    def refused(self, operation: str, **request: Any) -> str:  # noqa: ANN401
        with pytest.raises(AwsError) as refusal:
            self.ask(operation, **request)
        return refusal.value.code

    def create(self, **settings: Any) -> str:  # noqa: ANN401
        name = f"app/{uuid.uuid4().hex[:8]}"
        self.ask("CreateRepository", repositoryName=name, **settings)
        return name

    def upload(self, repository: str, *parts: bytes) -> str:
        upload = self.ask("InitiateLayerUpload", repositoryName=repository)["uploadId"]
        where = {"repositoryName": repository, "uploadId": upload}
        first = 0
        for part in parts:
            last = first + len(part) - 1
            self.ask(
                "UploadLayerPart",
                **where,
                partFirstByte=first,
                partLastByte=last,
                layerPartBlob=part,
            )
            first = last + 1
        whole = digest(b"".join(parts))
        self.ask("CompleteLayerUpload", **where, layerDigests=[whole])
        return whole

    def manifest(self, repository: str, content: bytes | None = None) -> str:
        content = content or uuid.uuid4().bytes
        described = [
            {"mediaType": kind, "size": len(blob), "digest": self.upload(repository, blob)}
            for kind, blob in (("config", b"{}" + content), ("layer", content))
        ]
        form = {"schemaVersion": 2, "mediaType": MANIFEST}
        return json.dumps(form | {"config": described[0], "layers": described[1:]})

    def put(self, repository: str, tag: str) -> str:
        text = self.manifest(repository)
        put = {"repositoryName": repository, "imageManifest": text, "imageTag": tag}
        made: str = self.ask("PutImage", **put)["image"]["imageId"]["imageDigest"]
        return made

    def tags(self, repository: str) -> list[str]:
        listed = self.ask("ListImages", repositoryName=repository)["imageIds"]
        return sorted(one.get("imageTag", "-") for one in listed)

    def http(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401
        login = self.registry.login()
        options = {"auth": (login["username"], login["password"])} | options
        return requests.request(method, f"{self.registry.url}{path}", timeout=10, **options)


@pytest.fixture(scope="module")
def client(engine_client: docker.DockerClient) -> Iterator[Client]:
    naming = Naming(chapter="12-ecs", learner=f"test-{uuid.uuid4().hex[:8]}")
    with contextlib.closing(connect_labelled(find_engine(), naming)) as engine:
        made = Client(engine, naming)
        yield made
        made.cloud.close()
        sweep(engine_client, chapter=None, learner=naming.learner)


# --- who is let in -------------------------------------------------------------------------------


def test_who_has_no_good_token_is_not_let_in(client: Client) -> None:
    client.create()
    name, key = client.create(), client.registry._key
    later, before = int(time.time()) + 60, int(time.time()) - 1
    for auth, status in (
        (None, 401),
        (("AWS", "x"), 401),
        (("AWS", key), 401),
        (("somebody", front.token(key, later)), 401),
        (("AWS", front.token("another", later)), 401),
        (("AWS", front.token(key, later).replace(str(later), str(later + 1))), 401),
        (("AWS", "9" * 40 + "-x"), 401),
        (("AWS", front.token(key, before)), 403),
        (("AWS", front.token(key, later)), 200),
    ):
        assert client.http("GET", "/v2/", auth=auth).status_code == status, auth
    for headers in ({"Authorization": "Basic ü"}, {"Authorization": "Bearer x"}):
        encoded = {name: value.encode() for name, value in headers.items()}
        assert client.http("GET", "/v2/", auth=None, headers=encoded).status_code == 401
    refusal = client.http("GET", f"/v2/{name}/tags/list", auth=None)
    assert refusal.headers["WWW-Authenticate"].startswith(f'Basic realm="{client.registry.url}/"')
    expired = client.http("GET", "/v2/", auth=("AWS", front.token(key, before)))
    assert expired.json()["errors"][0]["message"] == (
        "Your authorization token has expired. Reauthenticate and try again."
    )


def test_token_opens_nothing_of_the_owner_s(client: Client) -> None:
    name = client.create()
    for method in ("GET", "PUT", "DELETE"):
        assert client.http(method, f"/repositories/{name}", json={}).status_code == 401
    assert client.tags(name) == []


def test_address_of_a_layer_is_good_for_this_layer_and_for_reading(client: Client) -> None:
    name = client.create()
    one, other = client.upload(name, b"one"), client.upload(name, b"other")
    where = {"repositoryName": name, "layerDigest": one}
    link = client.ask("GetDownloadUrlForLayer", **where)["downloadUrl"]
    assert requests.get(link, timeout=10).content == b"one"
    assert requests.get(link.replace(one, other), timeout=10).status_code == 403
    assert requests.get(link.replace("expires=", "expires=1"), timeout=10).status_code == 403
    assert requests.get(link.partition("&")[0], timeout=10).status_code == 401
    assert requests.delete(link, timeout=10).status_code == 401
    assert client.refused("GetDownloadUrlForLayer", **(where | {"layerDigest": NOBODY})) == (
        "LayersNotFoundException"
    )


# --- what an engine pushes -----------------------------------------------------------------------


@pytest.fixture
def push(client: Client) -> Iterator[Callable[[str], list[str]]]:
    """Push a small image to an address, and give what the engine complains of."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        entry = tarfile.TarInfo("file")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"one"))
    name = f"pushed-{uuid.uuid4().hex[:8]}"
    client.engine.api.import_image_from_data(data.getvalue(), repository=name, tag="1")
    pushed = []

    def push(address: str, **options: Any) -> list[str]:  # noqa: ANN401
        assert client.engine.images.get(f"{name}:1").tag(address)
        pushed.append(address)
        options = {"auth_config": client.registry.login()} | options
        said = client.engine.images.push(address, stream=True, decode=True, **options)
        return [line["error"] for line in said if "error" in line]

    yield push
    for tag in (*pushed, f"{name}:1"):
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.engine.images.remove(tag)


def test_engine_is_refused_where_ecr_refuses_it(
    client: Client, push: Callable[..., list[str]]
) -> None:
    name = client.create(imageTagMutability="IMMUTABLE")
    address = f"{client.registry.address}/{name}"
    nobody = {"username": "AWS", "password": "x"}
    [said] = push(f"{address}:1", auth_config=nobody)
    assert "no basic auth credentials" in said or "Not Authorized" in said
    [said] = push(f"{client.registry.address}/nobody:1")
    assert "The repository with name 'nobody' does not exist in the registry with id" in said
    assert push(f"{address}:1") == []
    [said] = push(f"{address}:1")
    assert f"The image tag '1' already exists in the '{name}' repository" in said
    assert client.tags(name) == ["1"]


def test_task_s_engine_logs_in_to_pull(client: Client, push: Callable[..., list[str]]) -> None:
    name = client.create()
    image = f"{client.registry.address}/{name}:1"
    assert push(image) == []
    client.engine.images.remove(image)
    login = client.registry.login()
    with pytest.raises(docker.errors.NotFound, match="Requested image not found"):
        client.engine.images.pull(f"{image}0", auth_config=login)
    sources = Sources()
    assert sources.login_of(image) is None
    sources.registries.append(client.registry)
    assert sources.login_of("busybox") is None
    assert sources.login_of("127.0.0.1:1/app:1") is None
    assert client.engine.images.pull(image, auth_config=sources.login_of(image)).tags
    [described] = client.ask("DescribeImages", repositoryName=name)["imageDetails"]
    assert described["imageTags"] == ["1"]


def test_tag_can_not_be_moved_by_another_spelling_or_by_two_at_once(client: Client) -> None:
    name = client.create(imageTagMutability="IMMUTABLE")
    texts = [client.manifest(name) for _ in range(4)]
    headers = {"Content-Type": MANIFEST}

    def put(tag: str, text: str) -> int:
        path = f"/v2/{name}/manifests/{tag}"
        return client.http("PUT", path, data=text, headers=headers).status_code

    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = sorted(pool.map(put, ["1"] * 4, texts))
    assert found == [201, 400, 400, 400]
    assert put("%31", texts[0]) == 400
    assert client.http("GET", f"/v2/{name}/tags/list").json()["tags"] == ["1"]


def test_repository_that_is_gone_can_not_be_pushed_to(client: Client) -> None:
    name = client.create()
    client.put(name, "1")
    below = f"{name}/below"
    client.ask("CreateRepository", repositoryName=below)
    client.put(below, "1")
    assert client.refused("DeleteRepository", repositoryName=name) == "RepositoryNotEmptyException"
    client.ask("DeleteRepository", repositoryName=name, force=True)
    begun = client.http("POST", f"/v2/{name}/blobs/uploads/", data=iter([b"a", b"b"]))
    assert (begun.status_code, begun.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    assert client.tags(below) == ["1"]
    client.ask("CreateRepository", repositoryName=name)
    assert client.tags(name) == []


# --- operations ----------------------------------------------------------------------------------


def test_operation_that_is_not_there_is_refused_by_name(client: Client) -> None:
    with pytest.raises(AwsError, match="StartImageScan"):
        client.ask("StartImageScan", repositoryName="app", imageId={"imageTag": "1"})


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("CreateRepository", {"repositoryName": "a"}, "InvalidParameterException"),
        ("CreateRepository", {"repositoryName": "a//b"}, "InvalidParameterException"),
        (
            "CreateRepository",
            {"repositoryName": "ab", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
            "InvalidParameterException",
        ),
        (
            "CreateRepository",
            {"repositoryName": "ab", "registryId": "999999999999"},
            "InvalidParameterException",
        ),
        (
            "CreateRepository",
            {"repositoryName": "ab", "tags": [{"Key": str(n), "Value": ""} for n in range(51)]},
            "TooManyTagsException",
        ),
        ("DescribeRepositories", {"nextToken": "x"}, "InvalidParameterException"),
        ("ListImages", {"repositoryName": "nobody"}, "RepositoryNotFoundException"),
        ("TagResource", {"resourceArn": "arn:aws:s3:::b", "tags": []}, "InvalidParameterException"),
        ("GetAuthorizationToken", {"registryIds": ["999999999999"]}, "InvalidParameterException"),
    ],
)
def test_bad_request_is_refused(client: Client, operation: str, request_: Json, code: str) -> None:
    assert client.refused(operation, **request_) == code
    assert "ab" not in client.ecr.repositories


def test_repository_of_another_registry_is_not_found(client: Client) -> None:
    name = client.create()
    other = {"repositoryName": name, "registryId": "999999999999"}
    assert client.refused("ListImages", **other) == "RepositoryNotFoundException"


def test_policy_that_is_none_is_refused(client: Client) -> None:
    where = {"repositoryName": client.create()}
    for text in ("no JSON", "[]"):
        refused = client.refused("SetRepositoryPolicy", **where, policyText=text)
        assert refused == "InvalidParameterException"
    text = json.dumps({"rules": [], "why": "x" * 100})
    refused = client.refused("PutLifecyclePolicy", **where, lifecyclePolicyText=text)
    assert refused == "InvalidParameterException"
    assert client.refused("DeleteRepositoryPolicy", **where) == "RepositoryPolicyNotFoundException"


def test_parts_of_a_layer_must_follow_each_other_and_be_large(client: Client) -> None:
    name = client.create()
    upload = client.ask("InitiateLayerUpload", repositoryName=name)["uploadId"]
    where = {"repositoryName": name, "uploadId": upload}
    part = {**where, "layerPartBlob": b"abc"}
    end = {**where, "layerDigests": [NOBODY]}
    assert client.refused("CompleteLayerUpload", **end) == "EmptyUploadException"
    for first, last in ((1, 3), (0, 3), (0, 1)):
        refused = client.refused("UploadLayerPart", **part, partFirstByte=first, partLastByte=last)
        assert refused == "InvalidLayerPartException"
    client.ask("UploadLayerPart", **part, partFirstByte=0, partLastByte=2)
    client.ask("UploadLayerPart", **part, partFirstByte=3, partLastByte=5)
    assert client.refused("CompleteLayerUpload", **end) == "LayerPartTooSmallException"
    other = {**part, "repositoryName": client.create()}
    refused = client.refused("UploadLayerPart", **other, partFirstByte=6, partLastByte=8)
    assert refused == "UploadNotFoundException"
    assert client.upload(name, b"a" * 5 * MIB, b"b") == digest(b"a" * 5 * MIB + b"b")


def test_availability_of_layers(client: Client) -> None:
    name = client.create()
    there = client.upload(name, b"there")
    wanted = [there, NOBODY, "x", ""]
    found = client.ask("BatchCheckLayerAvailability", repositoryName=name, layerDigests=wanted)
    assert found["layers"] == [
        {"layerDigest": there, "layerAvailability": "AVAILABLE", "layerSize": 5},
        {"layerDigest": NOBODY, "layerAvailability": "UNAVAILABLE"},
    ]
    codes = [failure["failureCode"] for failure in found["failures"]]
    assert codes == ["InvalidLayerDigest", "MissingLayerDigest"]


def test_image_that_can_not_be_put_is_refused(client: Client) -> None:
    where = {"repositoryName": client.create()}
    text = client.manifest(where["repositoryName"])
    for form, code in (
        ({"imageManifest": "no JSON"}, "InvalidParameterException"),
        ({"imageManifest": "{}"}, "InvalidParameterException"),
        ({"imageManifest": "{", "imageManifestMediaType": MANIFEST}, "InvalidParameterException"),
        ({"imageManifest": text, "imageTag": "a/b"}, "InvalidParameterException"),
        ({"imageManifest": text, "imageDigest": NOBODY}, "ImageDigestDoesNotMatchException"),
    ):
        assert client.refused("PutImage", **where, **form) == code, form
    assert client.tags(where["repositoryName"]) == []
    client.ask("PutImage", **where, imageManifest=text)
    assert client.tags(where["repositoryName"]) == ["-"]
    assert client.refused("PutImage", **where, imageManifest=text) == "ImageAlreadyExistsException"


def test_failures_say_why_an_image_was_not_found(client: Client) -> None:
    name = client.create()
    one, other = client.put(name, "1"), client.put(name, "2")
    wanted = [
        {},
        {"imageDigest": "x"},
        {"imageDigest": NOBODY},
        {"imageDigest": one, "imageTag": "2"},
    ]
    for operation in ("BatchGetImage", "BatchDeleteImage"):
        failures = client.ask(operation, repositoryName=name, imageIds=wanted)["failures"]
        assert [failure["failureCode"] for failure in failures] == [
            "MissingDigestAndTag",
            "InvalidImageDigest",
            "ImageNotFound",
            "ImageTagDoesNotMatchDigest",
        ]
    both = {"imageDigest": other, "imageTag": "2"}
    done = client.ask("BatchDeleteImage", repositoryName=name, imageIds=[both, both])
    assert done["imageIds"] == [both]
    assert [failure["failureCode"] for failure in done["failures"]] == ["ImageNotFound"]
    assert client.tags(name) == ["1"]


def test_mutability_can_be_changed(client: Client) -> None:
    name = client.create()
    client.put(name, "1")
    client.ask(
        "PutImageTagMutability",
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev*"}],
    )
    text = client.manifest(name)
    put = {"repositoryName": name, "imageManifest": text}
    assert client.refused("PutImage", **put, imageTag="1") == "ImageTagAlreadyExistsException"
    client.put(name, "dev")
    client.ask("PutImage", **put, imageTag="dev")


def test_registry_that_is_gone_is_said_to_be(
    engine_client: docker.DockerClient,
) -> None:
    naming = Naming(chapter="12-ecs", learner=f"test-{uuid.uuid4().hex[:8]}")
    try:
        with contextlib.closing(connect_labelled(find_engine(), naming)) as engine:
            client = Client(engine, naming)
            name = client.create()
            [container] = engine.containers.list(filters={"label": f"learner={naming.learner}"})
            container.stop(timeout=20)
            container.reload()
            assert container.attrs["State"]["ExitCode"] == 0, "asked to end, it ends by itself"
            assert client.refused("ListImages", repositoryName=name) == "ServerException"
            client.cloud.close()
    finally:
        sweep(engine_client, chapter=None, learner=naming.learner)
