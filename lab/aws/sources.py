"""What ECS needs from the other services, asked of them as any client asks: by boto3."""

from __future__ import annotations

import functools
import json
import operator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lab.aws import moto_seam
from lab.aws.clients import client_of
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecr.registry import Registry
    from lab.aws.place import Place

    Json = dict[str, Any]

__all__ = ["Sources"]


class Sources:
    """The other services of one local AWS.

    Attributes:
        endpoint: Where they answer.
        registries: ECR's registries, from which tasks may take their images.
    """

    subnet_of = staticmethod(moto_seam.subnet_of)
    subnets_of = staticmethod(moto_seam.subnets_of)
    instance_of = staticmethod(moto_seam.instance_of)
    security_groups_of = staticmethod(moto_seam.security_groups_of)
    attach_interface = staticmethod(moto_seam.attach_interface)
    detach_interface = staticmethod(moto_seam.detach_interface)

    def __init__(self) -> None:
        self.endpoint = ""
        self.registries: list[Registry] = []

    @functools.cache  # noqa: B019  # it lives as long as the process
    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401
        return client_of(service, self.endpoint, region)

    def secret(self, place: Place, reference: str) -> str:
        """Give a secret or a parameter, as ``valueFrom`` of a container's secret names it.

        Args:
            place: Whose it is.
            reference: The ARN of a secret, with ``:key:stage:version`` or without, or the name
                or the ARN of a parameter.

        Raises:
            AwsError: It can't be had.
        """
        try:
            if ":secretsmanager:" in reference:
                return self._secret(place, reference)
            name = reference.partition(":parameter")[2] or reference
            found = self._client("ssm", place.region).get_parameter(Name=name, WithDecryption=True)
            return str(found["Parameter"]["Value"])
        except (ClientError, BotoCoreError) as error:
            raise AwsError(
                "ResourceInitializationError",
                "unable to pull secrets or registry auth: unable to retrieve secret from asm: "
                f"{reference}: {error}",
            ) from None

    def _secret(self, place: Place, reference: str) -> str:
        parts = reference.split(":")
        key, stage, version = [*parts[7:], "", "", ""][:3]
        wanted = {"VersionStage": stage, "VersionId": version}
        found = self._client("secretsmanager", place.region).get_secret_value(
            SecretId=":".join(parts[:7]), **{name: value for name, value in wanted.items() if value}
        )
        text = str(found["SecretString"])
        if not key:
            return text
        values = json.loads(text)
        if key not in values:
            raise AwsError(
                "ResourceInitializationError", f"retrieved secret did not contain json key {key}"
            )
        return str(values[key])

    def variables(self, place: Place, arn: str) -> dict[str, str]:
        """Read an environment file, whose lines are ``NAME=value``, from its bucket.

        Raises:
            AwsError: It can't be had.
        """
        bucket, _, key = arn.partition(":::")[2].partition("/")
        try:
            found = self._client("s3", place.region).get_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise AwsError(
                "ResourceInitializationError", f"failed to download env files: {arn}: {error}"
            ) from None
        lines = found["Body"].read().decode().splitlines()
        pairs = (line.partition("=") for line in lines if "=" in line and line[:1] != "#")
        return {name.strip(): value for name, _, value in pairs}

    def log_group(self, place: Place, name: str, *, create: bool) -> None:
        """Make sure that a log group is there.

        Raises:
            AwsError: It is not, and shall not be made.
        """
        logs = self._client("logs", place.region)
        if create:
            try:
                logs.create_log_group(logGroupName=name)
            except logs.exceptions.ResourceAlreadyExistsException:
                return
            return
        found = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if name not in [group["logGroupName"] for group in found]:
            raise AwsError(
                "ResourceInitializationError",
                "failed to validate logger args: create stream has been retried 1 times: failed "
                "to create Cloudwatch log stream: ResourceNotFoundException: The specified log "
                "group does not exist.",
            )

    def put_log_events(self, place: Place, group: str, stream: str, events: list[Json]) -> None:
        """Write events into a log stream, which is made if it is not there."""
        logs = self._client("logs", place.region)
        form = {"logGroupName": group, "logStreamName": stream}
        # AWS takes no empty event, and only what is in order of time; the engine may mix up what
        # a container writes at once to its two outputs.
        ordered = sorted(
            (event for event in events if event["message"]), key=operator.itemgetter("timestamp")
        )
        if not ordered:
            return
        try:
            logs.put_log_events(**form, logEvents=ordered)
        except logs.exceptions.ResourceNotFoundException:
            logs.create_log_stream(**form)
            logs.put_log_events(**form, logEvents=ordered)

    def login_of(self, image: str) -> dict[str, str] | None:
        """Give user name and password for the registry of an image, if it is one of ECR's here."""
        registry = self._registry_of(image)
        return registry.login() if registry else None

    def is_in_ecr(self, image: str) -> bool:
        """Tell whether an image is asked of a registry of ECR's here."""
        return self._registry_of(image) is not None

    def _registry_of(self, image: str) -> Registry | None:
        address = image.partition("/")[0]
        found = (one for one in self.registries if one.address and one.address == address)
        return next(found, None)
