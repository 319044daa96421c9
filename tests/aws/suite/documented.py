"""Names, for each check of the suite, the document or the API model that it rests on."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import ServiceModel

Runs = Literal["api", "tasks", "hosts", "listener", "registry"]

SERVICES: Final = {"ecs": "ECS", "elbv2": "ELBv2", "logs": "Logs", "ecr": "ECR"}
_DOCS: Final = "https://docs.aws.amazon.com"
# The API references and the guides, by the word that stands before the slash of a source.
PLACES: Final = {
    "ecs": f"{_DOCS}/AmazonECS/latest/APIReference",
    "ecs-guide": f"{_DOCS}/AmazonECS/latest/developerguide",
    "elbv2": f"{_DOCS}/elasticloadbalancing/latest/APIReference",
    "elbv2-guide": f"{_DOCS}/elasticloadbalancing/latest/application",
    "logs": f"{_DOCS}/AmazonCloudWatchLogs/latest/APIReference",
    "logs-guide": f"{_DOCS}/AmazonCloudWatchLogs/latest/logs",
    "ecr": f"{_DOCS}/AmazonECR/latest/APIReference",
    "ecr-guide": f"{_DOCS}/AmazonECR/latest/userguide",
}


@dataclass(frozen=True)
class Behaviour:
    """What a check proves, and why that is AWS's behaviour.

    Attributes:
        says: The behaviour, in one sentence.
        source: ``ecs/API_RunTask`` for a page, ``shape:ecs.Task.stopCode`` for botocore's model.
        runs: What must really run for it: nothing but the API, tasks, hosts of tasks, a
            listener, or a registry.
    """

    says: str
    source: str
    runs: Runs

    @property
    def service(self) -> str:
        """The service under which the table counts it."""
        place = re.split(r"[/.]", self.source.removeprefix("shape:"))[0]
        return SERVICES[place.removesuffix("-guide")]

    @property
    def address(self) -> str:
        """Where to read it."""
        if self.source.startswith("shape:"):
            return f"botocore's model, {self.source.removeprefix('shape:')}"
        place, page = self.source.split("/", 1)
        page, _, anchor = page.partition("#")
        return f"{PLACES[place]}/{page}.html" + (f"#{anchor}" if anchor else "")


def documented(source: str, *, runs: Runs = "api") -> Callable[[Any], Any]:
    """Mark a function as a check of AWS's documented behaviour, which its docstring says."""

    def mark(check: Any) -> Any:  # noqa: ANN401  # any function
        check.behaviour = Behaviour(" ".join((check.__doc__ or "").split()), source, runs)
        return check

    return mark


@functools.cache
def model(service: str) -> ServiceModel:
    """Load botocore's model of a service."""
    return botocore.session.get_session().get_service_model(service)


def is_known(source: str) -> bool:
    """Tell whether botocore knows what a source names, where it can tell: pages of guides it can't.

    A page of an API reference describes an operation or a structure of the model.
    """
    if source.startswith("shape:"):
        service, shape, *members = source.removeprefix("shape:").split(".")
        if shape not in model(service).shape_names:
            return False
        found = model(service).shape_for(shape)
        for member in members:
            while found.type_name == "list":
                found = found.member
            if found.type_name != "structure" or member not in found.members:
                return False
            found = found.members[member]
        return True
    place, _, page = source.partition("/")
    if place not in PLACES:
        return False
    if place.endswith("-guide"):
        return re.fullmatch(r"[A-Za-z0-9_-]+(#[a-z0-9_-]+)?", page) is not None
    name = page.removeprefix("API_")
    described = {*model(place).operation_names, *model(place).shape_names}
    return page == "CommonErrors" or (page.startswith("API_") and name in described)
