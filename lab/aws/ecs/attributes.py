"""What the agent of an instance must be able to do, to run a task there.

ECS works it out when a task definition is registered, and answers it as ``requiresAttributes``;
each instance has the attributes of what its agent can do. The names are those of Amazon's agent.
https://github.com/aws/amazon-ecs-agent/blob/master/agent/app/agent_capability.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.capacities import ECR_IMAGE
from lab.aws.ecs.forms import containers_of, network_mode_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    Json = dict[str, Any]

__all__ = ["required_attributes"]

OLD: Final = "com.amazonaws.ecs.capability."
NEW: Final = "ecs.capability."
# By the member of a container definition that needs it.
OF_CONTAINERS: Final = {
    "dependsOn": f"{NEW}container-ordering",
    "environmentFiles": f"{NEW}env-files.s3",
    "healthCheck": f"{NEW}container-health-check",
    "privileged": f"{OLD}privileged-container",
    "repositoryCredentials": f"{NEW}private-registry-authentication.secretsmanager",
    "restartPolicy": f"{NEW}container-restart-policy",
}


def required_attributes(form: Json) -> list[Json]:
    """List what a form needs, each once.

    Example:
        >>> web = {"name": "web", "image": "web:1", "healthCheck": {"command": ["CMD", "true"]}}
        >>> [one["name"] for one in required_attributes({"containerDefinitions": [web]})]
        ['ecs.capability.container-health-check']
    """
    names = [*_of_the_task(form)]
    for container in containers_of(form):
        names += _of(container, has_role=bool(form.get("executionRoleArn")))
    return [{"name": name} for name in dict.fromkeys(names)]


def _of_the_task(form: Json) -> Iterator[str]:
    mode = network_mode_of(form)
    if form.get("taskRoleArn"):
        yield f"{OLD}task-iam-role-network-host" if mode == "host" else f"{OLD}task-iam-role"
    if mode == "awsvpc":
        yield f"{OLD}docker-remote-api.1.18"
        yield f"{NEW}task-eni"
    if "pidMode" in form or "ipcMode" in form:
        yield f"{NEW}pid-ipc-namespace-sharing"
    if "proxyConfiguration" in form:
        yield f"{NEW}aws-appmesh"
    for volume in form.get("volumes") or []:
        if settings := volume.get("efsVolumeConfiguration"):
            yield f"{NEW}efsAuth" if "authorizationConfig" in settings else f"{NEW}efs"


def _of(container: Json, *, has_role: bool) -> Iterator[str]:
    if driver := (container.get("logConfiguration") or {}).get("logDriver"):
        yield f"{OLD}logging-driver.{driver}"
        if driver == "awslogs" and has_role:
            yield f"{NEW}execution-role-awslogs"
    if ECR_IMAGE.match(container["image"]):
        yield f"{OLD}ecr-auth"
        if has_role:
            yield f"{NEW}execution-role-ecr-pull"
    for secret in container.get("secrets") or []:
        manager = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        yield f"{NEW}secrets.{manager}.environment-variables"
    if router := container.get("firelensConfiguration"):
        yield f"{NEW}firelens.{router['type']}"
    if any("containerPortRange" in port for port in container.get("portMappings") or []):
        yield f"{NEW}network.container-port-range"
    for member, name in OF_CONTAINERS.items():
        if container.get(member):
            yield name
