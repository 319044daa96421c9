"""Task definitions: revisions, what is kept, what is listed, how they end."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from .account import BAD_REQUEST, container, refused
from .documented import documented

if TYPE_CHECKING:
    from .account import Account


@documented("shape:ecs.TaskDefinition.revision")
def test_first_revision_is_1(aws: Account) -> None:
    """The first task definition of a family has the revision 1."""
    assert aws.register()["revision"] == 1


@documented("shape:ecs.TaskDefinition.revision")
def test_each_registration_is_the_next_revision(aws: Account) -> None:
    """Each registration in a family increases the revision by one."""
    family = aws.name()
    assert [aws.register(family=family)["revision"] for _ in range(3)] == [1, 2, 3]


@documented("shape:ecs.TaskDefinition.revision")
def test_revisions_go_on_after_deregistration(aws: Account) -> None:
    """The revision increases even if earlier revisions were deregistered."""
    family = aws.name()
    first = aws.task_definition(family=family)
    aws.ecs.deregister_task_definition(taskDefinition=first)
    assert aws.register(family=family)["revision"] == 2


@documented("ecs-guide/ecs-account-settings#ecs-resource-ids")
def test_arn_names_family_and_revision(aws: Account) -> None:
    """A task definition's ARN ends with task-definition/family:revision."""
    family = aws.name()
    arn = aws.task_definition(family=family)
    assert re.fullmatch(rf"arn:aws:ecs:us-east-1:\d{{12}}:task-definition/{family}:1", arn)


@documented("shape:ecs.TaskDefinition.status")
def test_registered_is_active(aws: Account) -> None:
    """A registered task definition is ACTIVE."""
    assert aws.register()["status"] == "ACTIVE"


@documented("shape:ecs.TaskDefinition.registeredAt")
def test_registration_has_its_time(aws: Account) -> None:
    """A task definition says when it was registered."""
    registered = aws.register()["registeredAt"]
    assert abs((dt.datetime.now(tz=dt.UTC) - registered).total_seconds()) < 60


@documented("shape:ecs.RegisterTaskDefinitionRequest.cpu")
def test_vcpus_become_cpu_units(aws: Account) -> None:
    """A cpu given as vCPUs is converted to CPU units when it is registered."""
    assert aws.register(cpu="1 vCPU", memory="2048")["cpu"] == "1024"


@documented("shape:ecs.RegisterTaskDefinitionRequest.memory")
def test_gigabytes_become_mib(aws: Account) -> None:
    """A memory given in GB is converted to MiB when it is registered."""
    assert aws.register(cpu="256", memory="1GB")["memory"] == "1024"


@documented("shape:ecs.ContainerDefinition.essential")
def test_container_is_essential_by_default(aws: Account) -> None:
    """A container whose essential is left out is essential."""
    plain = container()
    del plain["essential"]
    assert aws.register(plain)["containerDefinitions"][0]["essential"] is True


@documented("shape:ecs.PortMapping.protocol")
def test_protocol_is_tcp_by_default(aws: Account) -> None:
    """A port mapping without a protocol is one of TCP."""
    made = aws.register(container(portMappings=[{"containerPort": 8080}]))
    assert made["containerDefinitions"][0]["portMappings"][0]["protocol"] == "tcp"


@documented("shape:ecs.PortMapping.hostPort")
def test_host_port_is_the_containers_in_awsvpc(aws: Account) -> None:
    """In the network mode awsvpc, a host port left out is set to the container's port."""
    made = aws.register(container(portMappings=[{"containerPort": 8080}]))
    assert made["containerDefinitions"][0]["portMappings"][0]["hostPort"] == 8080


@documented("shape:ecs.HealthCheck.interval")
def test_health_check_has_its_defaults(aws: Account) -> None:
    """A health check's interval is 30, its timeout 5, its retries 3, if not said otherwise."""
    check = {"command": ["CMD-SHELL", "true"]}
    kept = aws.register(container(healthCheck=check))["containerDefinitions"][0]["healthCheck"]
    assert (kept["interval"], kept["timeout"], kept["retries"]) == (30, 5, 3)
    assert kept["command"] == ["CMD-SHELL", "true"]


@documented("shape:ecs.RegisterTaskDefinitionRequest.requiresCompatibilities")
def test_no_required_compatibility_is_left_out(aws: Account) -> None:
    """If no compatibility is required, the answer has no requiresCompatibilities."""
    small = container(memory=128)
    parameters = {"networkMode": "bridge", "cpu": None, "memory": None}
    assert "requiresCompatibilities" not in aws.register(
        small, requiresCompatibilities=None, **parameters
    )


@documented("shape:ecs.TaskDefinition.compatibilities")
def test_compatibilities_say_where_it_can_run(aws: Account) -> None:
    """ECS validates against the launch types and says for which the definition is good."""
    assert {"EC2", "FARGATE"} <= set(aws.register()["compatibilities"])


@documented("shape:ecs.TaskDefinition.compatibilities")
def test_bridge_network_is_not_for_fargate(aws: Account) -> None:
    """A task definition with the network mode bridge is compatible with EC2, not with Fargate."""
    arn = aws.for_hosts()
    found = aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert "EC2" in found["compatibilities"]
    assert "FARGATE" not in found["compatibilities"]


@documented("ecs/API_DescribeTaskDefinition")
def test_family_alone_means_the_latest_active(aws: Account) -> None:
    """A family without a revision is described by its latest ACTIVE revision."""
    family = aws.name()
    aws.register(family=family)
    latest = aws.task_definition(family=family)
    found = aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    assert found["taskDefinitionArn"] == latest


@documented("ecs/API_DescribeTaskDefinition")
def test_family_falls_back_to_an_older_active_revision(aws: Account) -> None:
    """When the latest revision was deregistered, the family means the one before it."""
    family = aws.name()
    first = aws.task_definition(family=family)
    aws.ecs.deregister_task_definition(taskDefinition=aws.task_definition(family=family))
    found = aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    assert found["taskDefinitionArn"] == first


@documented("ecs/API_DescribeTaskDefinition")
def test_describe_takes_family_and_revision(aws: Account) -> None:
    """A task definition is described by family:revision, an older one too."""
    family = aws.name()
    first = aws.task_definition(family=family)
    aws.register(family=family)
    found = aws.ecs.describe_task_definition(taskDefinition=f"{family}:1")["taskDefinition"]
    assert found["taskDefinitionArn"] == first


@documented("ecs/API_DescribeTaskDefinition")
def test_unknown_definition_is_a_client_exception(aws: Account) -> None:
    """An identifier that is not valid is a ClientException."""
    with refused("ClientException"):
        aws.ecs.describe_task_definition(taskDefinition=aws.name("nobody"))


@documented("ecs/API_DeregisterTaskDefinition")
def test_deregistered_is_inactive(aws: Account) -> None:
    """A deregistered task definition is marked INACTIVE."""
    arn = aws.task_definition()
    made = aws.ecs.deregister_task_definition(taskDefinition=arn)["taskDefinition"]
    assert made["status"] == "INACTIVE"
    assert made["taskDefinitionArn"] == arn


@documented("ecs/API_DeregisterTaskDefinition")
def test_deregistration_needs_a_revision(aws: Account) -> None:
    """Deregistration wants family and revision; a family alone is refused."""
    family = aws.register()["family"]
    with refused(*BAD_REQUEST):
        aws.ecs.deregister_task_definition(taskDefinition=family)


@documented("ecs/API_DeleteTaskDefinitions")
def test_active_definition_is_not_deleted(aws: Account) -> None:
    """A revision must be deregistered before it is deleted: an ACTIVE one is a failure."""
    arn = aws.task_definition()
    answer = aws.ecs.delete_task_definitions(taskDefinitions=[arn])
    assert [failure["arn"] for failure in answer["failures"]] == [arn]


@documented("ecs/API_DeleteTaskDefinitions")
def test_deleted_definition_is_delete_in_progress(aws: Account) -> None:
    """A deleted revision goes from INACTIVE to DELETE_IN_PROGRESS at once."""
    arn = aws.task_definition()
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    answer = aws.ecs.delete_task_definitions(taskDefinitions=[arn])
    assert [found["status"] for found in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert answer["failures"] == []


@documented("shape:ecs.ListTaskDefinitionsRequest.familyPrefix")
def test_list_is_limited_to_the_family(aws: Account) -> None:
    """FamilyPrefix is a full family name: a family whose name goes on is not listed."""
    family = aws.name()
    arn = aws.task_definition(family=family)
    aws.register(family=f"{family}-longer")
    found = aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
    assert found == [arn]


@documented("shape:ecs.ListTaskDefinitionsRequest.sort")
def test_list_has_the_newest_last(aws: Account) -> None:
    """By default the revisions of a family are listed in ascending numerical order."""
    family = aws.name()
    made = [aws.task_definition(family=family) for _ in range(11)]
    assert aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == made


@documented("shape:ecs.ListTaskDefinitionsRequest.sort")
def test_list_can_have_the_newest_first(aws: Account) -> None:
    """DESC lists the newest revision of a family first."""
    family = aws.name()
    made = [aws.task_definition(family=family) for _ in range(3)]
    found = aws.ecs.list_task_definitions(familyPrefix=family, sort="DESC")
    assert found["taskDefinitionArns"] == made[::-1]


@documented("shape:ecs.ListTaskDefinitionsRequest.status")
def test_list_has_only_active_ones_by_default(aws: Account) -> None:
    """By default only ACTIVE task definitions are listed."""
    family = aws.name()
    gone, there = (aws.task_definition(family=family) for _ in range(2))
    aws.ecs.deregister_task_definition(taskDefinition=gone)
    found = aws.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
    assert found == [there]


@documented("shape:ecs.ListTaskDefinitionsRequest.maxResults")
def test_list_comes_in_pages(aws: Account) -> None:
    """MaxResults limits a page, nextToken leads to the rest, and the last page has none."""
    family = aws.name()
    made = [aws.task_definition(family=family) for _ in range(3)]
    first = aws.ecs.list_task_definitions(familyPrefix=family, maxResults=2)
    assert first["taskDefinitionArns"] == made[:2]
    rest = aws.ecs.list_task_definitions(
        familyPrefix=family, maxResults=2, nextToken=first["nextToken"]
    )
    assert rest["taskDefinitionArns"] == made[2:]
    assert not rest.get("nextToken")


@documented("shape:ecs.ListTaskDefinitionFamiliesRequest.familyPrefix")
def test_families_are_listed_by_prefix(aws: Account) -> None:
    """Families are listed whose names begin with the prefix."""
    family = aws.name()
    aws.register(family=family)
    aws.register(family=f"{family}-longer")
    found = aws.ecs.list_task_definition_families(familyPrefix=family)["families"]
    assert sorted(found) == [family, f"{family}-longer"]


@documented("shape:ecs.ListTaskDefinitionFamiliesRequest.status")
def test_families_without_active_revision_are_inactive(aws: Account) -> None:
    """A family with no ACTIVE revision is listed as INACTIVE, and not as ACTIVE."""
    family = aws.name()
    aws.ecs.deregister_task_definition(taskDefinition=aws.task_definition(family=family))
    families = aws.ecs.list_task_definition_families
    assert families(familyPrefix=family, status="ACTIVE")["families"] == []
    assert families(familyPrefix=family, status="INACTIVE")["families"] == [family]


@documented("shape:ecs.DescribeTaskDefinitionRequest.include")
def test_tags_come_when_asked_for(aws: Account) -> None:
    """Tags are included in the answer if TAGS is asked for, and else not."""
    tags = [{"key": "stage", "value": "try"}]
    arn = aws.task_definition(tags=tags)
    describe = aws.ecs.describe_task_definition
    assert describe(taskDefinition=arn, include=["TAGS"])["tags"] == tags
    assert not describe(taskDefinition=arn).get("tags")


@documented("ecs/API_RegisterTaskDefinition")
def test_definition_is_kept_as_it_was_registered(aws: Account) -> None:
    """What was registered of a container is what is described."""
    given = container(
        entryPoint=["sh", "-c"],
        command=["true"],
        environment=[{"name": "A", "value": "1"}],
        user="1000",
        workingDirectory="/tmp",  # noqa: S108  # a folder of a container
        readonlyRootFilesystem=True,
        dockerLabels={"team": "blue"},
        ulimits=[{"name": "nofile", "softLimit": 1024, "hardLimit": 2048}],
        stopTimeout=10,
        startTimeout=20,
    )
    arn = aws.task_definition(given)
    described = aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    kept = described["containerDefinitions"][0]
    assert {name: kept.get(name) for name in given} == given
