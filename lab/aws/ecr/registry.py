"""The registry of one place: a container of the engine, and what is asked of it over HTTP.

In the container are the course's registry and, before it, `ecr.front`, which knows of repositories,
tokens and immutable tags. Its port is published on 127.0.0.1 of the engine's side. Where that is
this machine, or where the engine's product passes the port on to it, as Docker Desktop, Colima and
OrbStack do, both the engine and this program reach it. With an engine on another host ECR does not
start: this program would not reach its registry.
"""

from __future__ import annotations

import base64
import io
import secrets
import tarfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import docker
import docker.errors
import requests
import tenacity

from lab.aws.ecr import front
from lab.aws.errors import AwsError
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.aws.place import Place
    from lab.naming import Naming

    Json = dict[str, Any]

__all__ = ["TOKEN_SECONDS", "Registry"]

IMAGE: Final = "course/registry:1"
PROGRAM: Final = "/front.py"
PORT: Final = f"{front.PORT}/tcp"
START_SECONDS: Final = 30
ANSWER_SECONDS: Final = 60
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_AuthorizationData.html
TOKEN_SECONDS: Final = 12 * 3600
LINK_SECONDS: Final = 3600


class Registry:
    """The registry of a place. Everything of it blocks, so the loop has it done beside.

    Args:
        client: The engine, by a client that labels what it makes.
        naming: Whose name the container gets.
        place: The account and the region that it belongs to.

    Attributes:
        address: Host and port, under which the engine knows it; empty before it is started.
    """

    def __init__(self, client: docker.DockerClient, naming: Naming, place: Place) -> None:
        self._client = client
        self._name = naming.full_name(f"ecr-{place.account}-{place.region}")
        self._account = place.account
        self._key = secrets.token_hex(16)
        self._session = requests.Session()
        # A proxy of this machine's settings has no way to its own loopback.
        self._session.trust_env = False
        self._session.auth = (front.OWNER, self._key)
        self.address = ""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    def start(self) -> None:
        """Start the container, and wait until it answers.

        Raises:
            AwsError: ``ServerException``: it does not start.
        """
        try:
            self._start()
        except docker.errors.ImageNotFound:
            raise AwsError(
                "ServerException",
                f"The image {IMAGE} is not on this engine: `lab images prepare` makes it.",
            ) from None
        except (docker.errors.DockerException, requests.RequestException, LabError) as error:
            raise AwsError("ServerException", f"The registry does not start: {error}") from None

    def _start(self) -> None:
        # No number: the system chooses one, which the types of docker-py do not know.
        ports: Json = {PORT: ("127.0.0.1", None)}
        container = self._client.containers.create(
            IMAGE,
            ["python3", PROGRAM],
            name=self._name,
            environment={"KEY": self._key, "ACCOUNT": self._account},
            ports=ports,
        )
        container.put_archive("/", _archive())
        container.start()
        container.reload()
        published = container.attrs["NetworkSettings"]["Ports"][PORT][0]
        self.address = f"127.0.0.1:{published['HostPort']}"
        tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(requests.RequestException),
            wait=tenacity.wait_fixed(0.05),
            stop=tenacity.stop_after_delay(START_SECONDS),
            reraise=True,
        )(self._session.get, f"{self.url}/v2/", timeout=ANSWER_SECONDS)

    # --- who may come in ------------------------------------------------------------------------

    def login(self) -> dict[str, str]:
        """Give user and password for who pushes and pulls, good for twelve hours."""
        expires = int(time.time()) + TOKEN_SECONDS
        return {"username": front.USER, "password": front.token(self._key, expires)}

    def authorization(self) -> str:
        """Give user and password as one text, as GetAuthorizationToken does."""
        login = self.login()
        return base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()

    def link(self, repository: str, digest: str) -> str:
        """Give the address of a layer, which needs no password for an hour."""
        path = f"/v2/{repository}/blobs/{digest}"
        expires = int(time.time()) + LINK_SECONDS
        signature = front.link_signature(self._key, path, expires)
        return f"{self.url}{path}?expires={expires}&signature={signature}"

    # --- repositories and images ----------------------------------------------------------------

    def set_rules(self, repository: str, *, mutability: str, exclusions: list[str]) -> None:
        """Have a repository, which before can't be pushed to, and say which tags can be moved."""
        rules = {"mutability": mutability, "exclusions": exclusions}
        self._ask("PUT", f"/repositories/{repository}", json=rules)

    def remove(self, repository: str) -> None:
        """Remove a repository with all that is in it."""
        self._ask("DELETE", f"/repositories/{repository}")

    def images(self, repository: str) -> list[Json]:
        """Give the images of a repository, the first pushed first.

        Returns:
            Of each its ``digest``, ``tags``, ``pushed`` (seconds since 1970) and ``manifest``.
        """
        images: list[Json] = self._ask("GET", f"/repositories/{repository}").json()["images"]
        return images

    def remove_tag(self, repository: str, tag: str) -> None:
        """Take a tag off its image."""
        self._ask("DELETE", f"/repositories/{repository}", params={"tag": tag})

    def remove_image(self, repository: str, digest: str) -> None:
        """Remove an image with all of its tags."""
        self._ask("DELETE", f"/v2/{repository}/manifests/{digest}")

    def put_manifest(self, repository: str, reference: str, manifest: bytes, kind: str) -> None:
        """Put an image under a tag or its digest.

        Raises:
            RefusalError: The registry refuses.
        """
        headers = {"Content-Type": kind}
        path = f"/v2/{repository}/manifests/{reference}"
        self._ask("PUT", path, data=manifest, headers=headers)

    # --- layers -----------------------------------------------------------------------------------

    def layer_size(self, repository: str, digest: str) -> int | None:
        """Tell how many bytes a layer has; nothing if it is not in the repository."""
        try:
            answer = self._ask("HEAD", f"/v2/{repository}/blobs/{digest}")
        except front.RefusalError:
            return None
        return int(answer.headers["Content-Length"])

    def begin_upload(self, repository: str) -> tuple[str, str]:
        """Begin to upload a layer, and give the upload's id, and where its next part goes."""
        answer = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        return answer.headers["Docker-Upload-UUID"], answer.headers["Location"]

    def upload_part(self, location: str, content: bytes) -> str:
        """Upload a part, and give where the next one goes."""
        headers = {"Content-Type": "application/octet-stream"}
        answer = self._ask("PATCH", location, data=content, headers=headers)
        return answer.headers["Location"]

    def end_upload(self, location: str, digest: str) -> None:
        """Have all that was uploaded be the layer of a digest.

        Raises:
            RefusalError: It has another digest.
        """
        self._ask("PUT", location, params={"digest": digest})

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """Ask the registry or what stands before it.

        Raises:
            RefusalError: It refuses.
            AwsError: ``ServerException``: it does not answer.
        """
        url = path if path.startswith("http") else f"{self.url}{path}"
        try:
            answer = self._session.request(method, url, timeout=ANSWER_SECONDS, **options)
        except requests.RequestException as error:
            raise AwsError(
                "ServerException", f"The registry at {self.address} does not answer: {error}"
            ) from None
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            first = answer.json()["errors"][0] if answer.content else {}
            raise front.RefusalError(
                answer.status_code, first.get("code", ""), first.get("message", "")
            )
        return answer


def _archive() -> bytes:
    """Pack the program that stands before the registry, for the container."""
    content = Path(front.__file__).read_bytes()
    entry = tarfile.TarInfo(PROGRAM.removeprefix("/"))
    entry.size, entry.mode = len(content), 0o644
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
