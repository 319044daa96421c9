"""What ECS refuses of a task definition: by either exception, the reference does not say which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .account import BAD_REQUEST, container, refused
from .documented import documented

if TYPE_CHECKING:
    from .account import Account, Json

HEALTHY = {"command": ["CMD-SHELL", "true"]}
LOG = {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "us-east-1"}}


def refuse(aws: Account, *containers: Json, **parameters: Any) -> None:  # noqa: ANN401
    with refused(*BAD_REQUEST):
        aws.register(*containers, **parameters)


def refuse_on_hosts(aws: Account, *containers: Json, **parameters: Any) -> None:  # noqa: ANN401
    with refused(*BAD_REQUEST):
        aws.for_hosts(*containers, **parameters)


@documented("shape:ecs.RegisterTaskDefinitionRequest.family")
def test_family_has_letters_numbers_hyphens_underscores(aws: Account) -> None:
    """A family with other characters is refused."""
    refuse(aws, family="no spaces, please!")


@documented("shape:ecs.RegisterTaskDefinitionRequest.family")
def test_family_has_at_most_255_characters(aws: Account) -> None:
    """A family of 256 letters is refused."""
    refuse(aws, family="f" * 256)


@documented("shape:ecs.ContainerDefinition.name")
def test_container_name_has_letters_numbers_hyphens_underscores(aws: Account) -> None:
    """A container's name with other characters is refused."""
    refuse(aws, container("no spaces, please!"))


@documented("ecs-guide/task_definition_parameters#container_definitions")
def test_container_needs_an_image(aws: Account) -> None:
    """A container without an image is refused: it is required."""
    nothing = container()
    del nothing["image"]
    refuse(aws, nothing)


@documented("ecs-guide/task_definition_parameters#container_definitions")
def test_container_needs_a_name(aws: Account) -> None:
    """A container without a name is refused: it is required."""
    nobody = container()
    del nobody["name"]
    refuse(aws, nobody)


@documented("shape:ecs.ContainerDefinition.essential")
def test_one_container_is_essential(aws: Account) -> None:
    """A task without an essential container is refused."""
    refuse(aws, container() | {"essential": False})


@documented("shape:ecs.ContainerDefinition.essential")
def test_there_is_a_container(aws: Account) -> None:
    """A task definition without any container is refused: one must be essential."""
    with refused(*BAD_REQUEST):
        aws.ecs.register_task_definition(family=aws.name(), containerDefinitions=[])


@documented("shape:ecs.RegisterTaskDefinitionRequest.cpu")
def test_fargate_needs_cpu(aws: Account) -> None:
    """Fargate requires cpu at the level of the task."""
    refuse(aws, cpu=None)


@documented("shape:ecs.RegisterTaskDefinitionRequest.memory")
def test_fargate_needs_memory(aws: Account) -> None:
    """Fargate requires memory at the level of the task."""
    refuse(aws, memory=None)


@documented("ecs-guide/fargate-tasks-services#fargate-tasks-size")
def test_fargate_has_sizes(aws: Account) -> None:
    """On Fargate a cpu of 256 goes with 512, 1024 and 2048 MiB, and with nothing else."""
    refuse(aws, cpu="256", memory="4096")


@documented("ecs-guide/fargate-tasks-services#fargate-tasks-size")
def test_fargate_memory_goes_in_steps(aws: Account) -> None:
    """On Fargate a cpu of 2048 takes memory in steps of 1 GB."""
    refuse(aws, cpu="2048", memory="4608")


@documented("ecs-guide/fargate-tasks-services#fargate-tasks-size")
def test_fargate_cpu_is_one_of_a_list(aws: Account) -> None:
    """On Fargate a cpu of 300 units does not exist."""
    refuse(aws, cpu="300", memory="512")


@documented("shape:ecs.RegisterTaskDefinitionRequest.memory")
def test_fargate_takes_its_large_sizes(aws: Account) -> None:
    """Fargate takes 16 vCPU with 120 GB, and every size in the list is registered."""
    for cpu, memory in (("512", "4096"), ("1024", "8192"), ("4096", "30720"), ("16384", "122880")):
        assert aws.register(cpu=cpu, memory=memory)["cpu"] == cpu


@documented("shape:ecs.RegisterTaskDefinitionRequest.networkMode")
def test_fargate_needs_awsvpc(aws: Account) -> None:
    """Fargate requires the network mode awsvpc; bridge is refused."""
    refuse(aws, networkMode="bridge")


@documented("shape:ecs.RegisterTaskDefinitionRequest.networkMode")
def test_fargate_refuses_the_default_network_mode(aws: Account) -> None:
    """Without a network mode the default is bridge, which Fargate refuses."""
    refuse(aws, networkMode=None)


@documented("shape:ecs.RegisterTaskDefinitionRequest.networkMode")
def test_network_mode_is_one_of_a_list(aws: Account) -> None:
    """A network mode that is not in the list is refused."""
    refuse_on_hosts(aws, networkMode="overlay")


@documented("shape:ecs.RegisterTaskDefinitionRequest.requiresCompatibilities")
def test_compatibility_is_one_of_a_list(aws: Account) -> None:
    """A launch type that does not exist is refused."""
    refuse(aws, requiresCompatibilities=["LAMBDA"])


@documented("shape:ecs.ContainerDefinition.privileged")
def test_fargate_has_no_privileged_containers(aws: Account) -> None:
    """A privileged container is refused on Fargate."""
    refuse(aws, container(privileged=True))


@documented("shape:ecs.RegisterTaskDefinitionRequest.pidMode")
def test_fargate_does_not_share_the_hosts_processes(aws: Account) -> None:
    """On Fargate pidMode can be task only; host is refused."""
    refuse(aws, pidMode="host")


@documented("shape:ecs.TaskDefinition.placementConstraints")
def test_fargate_has_no_placement_constraints(aws: Account) -> None:
    """Placement constraints are refused on Fargate."""
    there = {"type": "memberOf", "expression": "attribute:ecs.instance-type == t3.small"}
    refuse(aws, placementConstraints=[there])


@documented("shape:ecs.TaskDefinition.volumes")
def test_fargate_has_no_folders_of_a_host(aws: Account) -> None:
    """A volume with a sourcePath on the host is refused on Fargate."""
    refuse(aws, volumes=[{"name": "v", "host": {"sourcePath": "/srv"}}])


@documented("shape:ecs.LinuxParameters.devices")
def test_fargate_has_no_devices(aws: Account) -> None:
    """Devices of a host are refused on Fargate."""
    refuse(aws, container(linuxParameters={"devices": [{"hostPath": "/dev/fuse"}]}))


@documented("shape:ecs.LinuxParameters.sharedMemorySize")
def test_fargate_has_no_size_of_shared_memory(aws: Account) -> None:
    """A sharedMemorySize is refused on Fargate."""
    refuse(aws, container(linuxParameters={"sharedMemorySize": 64}))


@documented("ecs-guide/task_execution_IAM_role")
def test_fargate_needs_an_execution_role_for_logs(aws: Account) -> None:
    """On Fargate a task that logs by awslogs needs an execution role."""
    refuse(aws, container(logConfiguration=LOG))


@documented("ecs-guide/task_execution_IAM_role")
def test_fargate_needs_an_execution_role_for_secrets(aws: Account) -> None:
    """On Fargate a task that takes secrets needs an execution role."""
    secret = {
        "name": "KEY",
        "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf",
    }
    refuse(aws, container(secrets=[secret]))


@documented("shape:ecs.ContainerDefinition.stopTimeout")
def test_fargate_stops_within_120_seconds(aws: Account) -> None:
    """On Fargate a stopTimeout of more than 120 seconds is refused."""
    refuse(aws, container(stopTimeout=121))


@documented("shape:ecs.EphemeralStorage.sizeInGiB")
def test_storage_is_at_least_21_gib(aws: Account) -> None:
    """An ephemeral storage of less than 21 GiB is refused."""
    refuse(aws, ephemeralStorage={"sizeInGiB": 20})


@documented("shape:ecs.EphemeralStorage.sizeInGiB")
def test_storage_is_at_most_200_gib(aws: Account) -> None:
    """An ephemeral storage of more than 200 GiB is refused."""
    refuse(aws, ephemeralStorage={"sizeInGiB": 201})


@documented("shape:ecs.ContainerDefinition.portMappings")
def test_ports_are_the_same_in_awsvpc(aws: Account) -> None:
    """In the network mode awsvpc a hostPort that differs from the containerPort is refused."""
    refuse(aws, container(portMappings=[{"containerPort": 8080, "hostPort": 80}]))


@documented("shape:ecs.ContainerDefinition.portMappings")
def test_ports_are_the_same_on_the_hosts_network(aws: Account) -> None:
    """In the network mode host a hostPort that differs from the containerPort is refused."""
    ports = [{"containerPort": 8080, "hostPort": 80}]
    refuse_on_hosts(aws, container(memory=128, portMappings=ports), networkMode="host")


@documented("shape:ecs.ContainerDefinition.portMappings")
def test_no_network_has_no_ports(aws: Account) -> None:
    """In the network mode none a port mapping is refused."""
    ports = [{"containerPort": 8080}]
    refuse_on_hosts(aws, container(memory=128, portMappings=ports), networkMode="none")


@documented("shape:ecs.ContainerDefinition.links")
def test_links_are_for_bridge_only(aws: Account) -> None:
    """Links are refused in another network mode than bridge."""
    refuse(aws, container("a", links=["b"]), container("b"))


@documented("shape:ecs.ContainerDefinition.hostname")
def test_awsvpc_has_no_host_name(aws: Account) -> None:
    """A hostname is refused in the network mode awsvpc."""
    refuse(aws, container(hostname="web"))


@documented("shape:ecs.ContainerDefinition.extraHosts")
def test_awsvpc_has_no_extra_hosts(aws: Account) -> None:
    """ExtraHosts is refused in the network mode awsvpc."""
    refuse(aws, container(extraHosts=[{"hostname": "db", "ipAddress": "10.0.0.9"}]))


@documented("shape:ecs.ContainerDefinition.memory")
def test_hosts_need_a_memory(aws: Account) -> None:
    """On EC2 there must be a memory for the task, or one for the container."""
    refuse_on_hosts(aws, container(memory=None))


@documented("shape:ecs.RegisterTaskDefinitionRequest.memory")
def test_hosts_take_a_memory_of_the_task(aws: Account) -> None:
    """On EC2 a memory for the task is enough: its containers need none."""
    arn = aws.for_hosts(container(memory=None), memory="512")
    found = aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert found["memory"] == "512"


@documented("shape:ecs.ContainerDefinition.memoryReservation")
def test_memory_is_greater_than_its_reservation(aws: Account) -> None:
    """A memory below the container's memoryReservation is refused."""
    refuse_on_hosts(aws, container(memory=128, memoryReservation=256))


@documented("shape:ecs.ContainerDefinition.memory")
def test_containers_fit_into_the_tasks_memory(aws: Account) -> None:
    """Containers that reserve more memory than the task has are refused."""
    refuse(aws, container("a", memory=768), container("b", memory=768))


@documented("shape:ecs.ContainerDefinition.cpu")
def test_containers_fit_into_the_tasks_cpu(aws: Account) -> None:
    """Containers that reserve more cpu than the task has are refused."""
    refuse(aws, container("a", cpu=256), container("b", cpu=256))


@documented("shape:ecs.HealthCheck.command")
def test_health_check_begins_with_cmd(aws: Account) -> None:
    """A health check's command must start with CMD or CMD-SHELL."""
    refuse(aws, container(healthCheck={"command": ["curl", "http://localhost/"]}))


@documented("shape:ecs.HealthCheck.interval")
def test_health_checks_are_5_to_300_seconds_apart(aws: Account) -> None:
    """An interval of 4 seconds is refused, and one of 301."""
    for seconds in (4, 301):
        refuse(aws, container(healthCheck=HEALTHY | {"interval": seconds}))


@documented("shape:ecs.HealthCheck.timeout")
def test_health_check_takes_2_to_60_seconds(aws: Account) -> None:
    """A timeout of 1 second is refused, and one of 61."""
    for seconds in (1, 61):
        refuse(aws, container(healthCheck=HEALTHY | {"timeout": seconds}))


@documented("shape:ecs.HealthCheck.retries")
def test_health_check_is_tried_1_to_10_times(aws: Account) -> None:
    """No retry is refused, and 11."""
    for retries in (0, 11):
        refuse(aws, container(healthCheck=HEALTHY | {"retries": retries}))


@documented("shape:ecs.HealthCheck.startPeriod")
def test_health_check_starts_within_300_seconds(aws: Account) -> None:
    """A startPeriod of more than 300 seconds is refused."""
    refuse(aws, container(healthCheck=HEALTHY | {"startPeriod": 301}))


@documented("ecs/API_ContainerDependency")
def test_dependency_names_a_container(aws: Account) -> None:
    """A dependency on a container that the task does not have is refused."""
    refuse(aws, container(dependsOn=[{"containerName": "nobody", "condition": "START"}]))


@documented("shape:ecs.ContainerDependency.condition")
def test_condition_is_one_of_a_list(aws: Account) -> None:
    """A condition that is not in the list is refused."""
    after = [{"containerName": "first", "condition": "READY"}]
    refuse(aws, container("first"), container(dependsOn=after))


@documented("shape:ecs.ContainerDependency.condition")
def test_nothing_waits_for_an_essential_container_to_complete(aws: Account) -> None:
    """COMPLETE can't be set on an essential container."""
    after = [{"containerName": "first", "condition": "COMPLETE"}]
    refuse(aws, container("first"), container(dependsOn=after))


@documented("shape:ecs.ContainerDependency.condition")
def test_nothing_waits_for_an_essential_container_to_succeed(aws: Account) -> None:
    """SUCCESS can't be set on an essential container."""
    after = [{"containerName": "first", "condition": "SUCCESS"}]
    refuse(aws, container("first"), container(dependsOn=after))


@documented("shape:ecs.ContainerDependency.condition")
def test_healthy_needs_a_health_check(aws: Account) -> None:
    """HEALTHY requires that the other container has a health check in the task definition."""
    after = [{"containerName": "first", "condition": "HEALTHY"}]
    refuse(aws, container("first"), container(dependsOn=after))


@documented("shape:ecs.MountPoint.sourceVolume")
def test_mount_point_names_a_volume(aws: Account) -> None:
    """A mount point of a volume that the task does not have is refused."""
    there = [{"sourceVolume": "nothing", "containerPath": "/data"}]
    refuse(aws, container(mountPoints=there))


@documented("shape:ecs.ContainerDefinition.environmentFiles")
def test_environment_file_ends_with_env(aws: Account) -> None:
    """An environment file without the extension .env is refused."""
    file = {"type": "s3", "value": "arn:aws:s3:::bucket/settings.txt"}
    role = "arn:aws:iam::123456789012:role/task-execution"
    refuse(aws, container(environmentFiles=[file]), executionRoleArn=role)


@documented("shape:ecs.ContainerRestartPolicy.restartAttemptPeriod")
def test_restarts_are_60_to_1800_seconds_apart(aws: Account) -> None:
    """A restartAttemptPeriod of 59 seconds is refused, and one of 1801."""
    for seconds in (59, 1801):
        refuse(aws, container(restartPolicy={"enabled": True, "restartAttemptPeriod": seconds}))


@documented("shape:ecs.ContainerRestartPolicy.ignoredExitCodes")
def test_at_most_50_exit_codes_are_ignored(aws: Account) -> None:
    """More than 50 ignoredExitCodes are refused."""
    codes = list(range(1, 52))
    refuse(aws, container(restartPolicy={"enabled": True, "ignoredExitCodes": codes}))


@documented("shape:ecs.LinuxParameters.swappiness")
def test_swappiness_is_0_to_100(aws: Account) -> None:
    """A swappiness above 100 is refused."""
    swap = {"maxSwap": 64, "swappiness": 101}
    refuse_on_hosts(aws, container(memory=128, linuxParameters=swap))


@documented("shape:ecs.Ulimit.name")
def test_limit_is_one_of_a_list(aws: Account) -> None:
    """A ulimit whose name is not in the list is refused."""
    refuse(aws, container(ulimits=[{"name": "files", "softLimit": 1, "hardLimit": 2}]))
