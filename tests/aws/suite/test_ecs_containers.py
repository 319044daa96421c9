"""What a task definition's members do to the container: seen by what its command exits with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .account import BASE, container, exit_code, python, refused, shell
from .documented import documented

if TYPE_CHECKING:
    from .account import Account, Json

CHECK = {"interval": 5, "timeout": 2, "retries": 1}


def override(**settings: object) -> Json:
    return {"overrides": {"containerOverrides": [{"name": "app", **settings}]}}


def code_with(aws: Account, definition: str, **parameters: object) -> int | None:
    cluster = aws.cluster()
    arn = aws.run(cluster, definition, **parameters)
    return exit_code(aws.reached(cluster, arn, "STOPPED"))


@documented("shape:ecs.ContainerDefinition.command", runs="tasks")
def test_command_replaces_the_images(aws: Account) -> None:
    """A command is run in place of the image's CMD."""
    assert aws.code(shell("exit 21")) == 21


@documented("shape:ecs.ContainerDefinition.entryPoint", runs="tasks")
def test_entry_point_is_given_the_command(aws: Account) -> None:
    """An entry point is run with the command as its arguments."""
    assert aws.code(["exit 22"], entryPoint=["sh", "-c"]) == 22


@documented("shape:ecs.ContainerDefinition.environment", runs="tasks")
def test_environment_is_set(aws: Account) -> None:
    """An environment variable of the definition is there in the container."""
    given = [{"name": "COLOUR", "value": "deep blue"}]
    assert aws.code(shell('test "$COLOUR" = "deep blue"'), environment=given) == 0


@documented("shape:ecs.ContainerDefinition.user", runs="tasks")
def test_user_is_set(aws: Account) -> None:
    """A container runs as the user and the group that the definition says."""
    assert aws.code(shell('test "$(id -u):$(id -g)" = 4242:4343'), user="4242:4343") == 0


@documented("shape:ecs.ContainerDefinition.workingDirectory", runs="tasks")
def test_working_directory_is_set(aws: Account) -> None:
    """A command is run in the working directory of the definition."""
    assert aws.code(shell('test "$PWD" = /usr/bin'), workingDirectory="/usr/bin") == 0


@documented("shape:ecs.ContainerDefinition.readonlyRootFilesystem", runs="tasks")
def test_root_file_system_can_be_read_only(aws: Account) -> None:
    """With readonlyRootFilesystem nothing can be written to the container's root."""
    settings = {"image": BASE, "readonlyRootFilesystem": True}
    assert aws.code(shell("touch /probe && exit 1; exit 23"), **settings) == 23


@documented("shape:ecs.ContainerDefinition.ulimits", runs="tasks")
def test_ulimits_are_set(aws: Account) -> None:
    """A ulimit of the definition holds in the container."""
    limit = [{"name": "nofile", "softLimit": 777, "hardLimit": 888}]
    asked = shell('test "$(ulimit -n)" = 777 && test "$(ulimit -H -n)" = 888')
    assert aws.code(asked, ulimits=limit) == 0


@documented("shape:ecs.LinuxParameters.capabilities", runs="tasks")
def test_capabilities_can_be_dropped(aws: Account) -> None:
    """A capability that is dropped is missing in the container, even for root."""
    settings = {"image": BASE, "linuxParameters": {"capabilities": {"drop": ["CHOWN"]}}}
    assert aws.code(shell("touch /tmp/a; chown 5 /tmp/a && exit 1; exit 24"), **settings) == 24


@documented("shape:ecs.LinuxParameters.initProcessEnabled", runs="tasks")
def test_an_init_process_can_come_first(aws: Account) -> None:
    """With initProcessEnabled the command is not process 1."""
    script = "import os, sys; sys.exit(25 if os.getpid() != 1 else 1)"
    assert aws.code(python(script), linuxParameters={"initProcessEnabled": True}) == 25


@documented("shape:ecs.ContainerDefinition.memory", runs="tasks")
def test_memory_is_a_limit_in_the_container(aws: Account) -> None:
    """The container's control group has the memory of the definition as its limit."""
    script = """
import pathlib
names = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
[limit] = [pathlib.Path(n).read_text() for n in names if pathlib.Path(n).exists()]
assert int(limit) == 96 << 20, limit
"""
    assert aws.code(python(script), memory=96) == 0


@documented("shape:ecs.Volume.name", runs="tasks")
def test_containers_share_a_volume(aws: Account) -> None:
    """What one container writes into a volume, another one of the task reads."""
    mount = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    first = container("first", command=shell("echo 26 > /shared/code"), mountPoints=mount)
    first |= {"essential": False, "user": "0"}
    second = container(
        command=shell("exit $(cat /shared/code)"),
        mountPoints=mount,
        dependsOn=[{"containerName": "first", "condition": "SUCCESS"}],
    )
    assert exit_code(aws.finished(first, second, volumes=[{"name": "shared"}])) == 26


@documented("shape:ecs.MountPoint.readOnly", runs="tasks")
def test_volume_can_be_read_only(aws: Account) -> None:
    """A mount point that is read only can't be written to."""
    mount = [{"sourceVolume": "shared", "containerPath": "/shared", "readOnly": True}]
    asked = shell("touch /shared/probe && exit 1; exit 27")
    settings = {"user": "0", "mountPoints": mount, "parameters": {"volumes": [{"name": "shared"}]}}
    assert aws.code(asked, **settings) == 27


@documented("ecs-guide/task-networking-awsvpc", runs="tasks")
def test_containers_of_a_task_share_localhost(aws: Account) -> None:
    """In awsvpc the containers of a task reach each other by localhost."""
    asks = "for i in $(seq 50); do wget -q -O - http://127.0.0.1:8080/ && exit 28; sleep 0.2; done"
    web = container("web") | {"essential": False}
    assert exit_code(aws.finished(web, container(command=shell(asks)))) == 28


@documented("shape:ecs.ContainerDependency.condition", runs="tasks")
def test_success_waits_for_an_exit_with_0(aws: Account) -> None:
    """SUCCESS starts a container only when the other one has ended with 0."""
    first = container("first", command=shell("sleep 6")) | {"essential": False}
    after = [{"containerName": "first", "condition": "SUCCESS"}]
    cluster = aws.cluster()
    arn = aws.run(
        cluster,
        aws.task_definition(first, container(command=shell("sleep 600"), dependsOn=after)),
    )

    def states() -> dict[str, str]:
        return {c["name"]: c["lastStatus"] for c in aws.task(cluster, arn)["containers"]}

    aws.until(lambda: states()["first"] == "RUNNING", "first RUNNING")
    assert states()["app"] == "PENDING"
    aws.until(lambda: states() == {"first": "STOPPED", "app": "RUNNING"}, "app RUNNING after it")


@documented("shape:ecs.ContainerDependency.condition", runs="tasks")
def test_success_gives_up_after_another_exit(aws: Account) -> None:
    """SUCCESS does not start a container when the other one failed: the task stops."""
    first = container("first", command=shell("exit 5")) | {"essential": False}
    after = [{"containerName": "first", "condition": "SUCCESS"}]
    task = aws.finished(first, container(command=shell("exit 0"), dependsOn=after))
    assert exit_code(task) is None
    assert exit_code(task, "first") == 5


@documented("shape:ecs.ContainerDependency.condition", runs="tasks")
def test_complete_takes_any_exit(aws: Account) -> None:
    """COMPLETE starts a container when the other one has ended, with whatever code."""
    first = container("first", command=shell("sleep 1; exit 5")) | {"essential": False}
    after = [{"containerName": "first", "condition": "COMPLETE"}]
    task = aws.finished(first, container(command=shell("exit 29"), dependsOn=after))
    assert (exit_code(task, "first"), exit_code(task)) == (5, 29)


@documented("shape:ecs.ContainerDependency.condition", runs="tasks")
def test_healthy_waits_for_the_health_check(aws: Account) -> None:
    """HEALTHY starts a container only when the other one has passed its health check."""
    mount = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    first = container(
        "first",
        image=BASE,
        command=shell("sleep 600"),
        healthCheck=CHECK | {"command": ["CMD-SHELL", "touch /shared/checked"]},
        mountPoints=mount,
        stopTimeout=2,
    )
    second = container(
        command=shell("test -e /shared/checked && exit 30; exit 1"),
        mountPoints=mount,
        dependsOn=[{"containerName": "first", "condition": "HEALTHY"}],
    )
    assert exit_code(aws.finished(first, second, volumes=[{"name": "shared"}], seconds=40)) == 30


@documented("shape:ecs.ContainerDefinition.dependsOn", runs="tasks")
def test_shutdown_is_the_reverse_of_the_start(aws: Account) -> None:
    """A container that was started after another one is stopped before it."""
    mount = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    end = "trap '{0}' TERM; while :; do sleep 0.1; done"
    # The first one exits with what it finds: 31 if the other one had ended by then.
    looks = end.format("test -e /shared/done && exit 31; exit 1")
    first = container("first", command=shell(looks), mountPoints=mount)
    second = container(
        command=shell(end.format("sleep 1; touch /shared/done; exit 0")),
        mountPoints=mount,
        dependsOn=[{"containerName": "first", "condition": "START"}],
    )
    cluster = aws.cluster()
    volumes = [{"name": "shared"}]
    definition = aws.task_definition(first | {"user": "0"}, second | {"user": "0"}, volumes=volumes)
    arn = aws.run(cluster, definition)
    aws.reached(cluster, arn, "RUNNING")
    aws.ecs.stop_task(cluster=cluster, task=arn)
    task = aws.reached(cluster, arn, "STOPPED")
    assert (exit_code(task), exit_code(task, "first")) == (0, 31)


@documented("shape:ecs.Container.healthStatus", runs="tasks")
def test_health_is_unknown_without_a_check(aws: Account) -> None:
    """Without a health check in the definition the health is UNKNOWN, whatever the image has."""
    cluster = aws.cluster()
    arn = aws.run(cluster, aws.task_definition(container()))
    [found] = aws.reached(cluster, arn, "RUNNING")["containers"]
    assert found["healthStatus"] == "UNKNOWN"


@documented("shape:ecs.Task.healthStatus", runs="tasks")
def test_container_and_task_become_healthy(aws: Account) -> None:
    """When the health check passes, the container is HEALTHY and so is the task."""
    cluster = aws.cluster()
    good = CHECK | {"command": ["CMD-SHELL", "exit 0"]}
    definition = aws.task_definition(container(command=shell("sleep 600"), healthCheck=good))
    arn = aws.run(cluster, definition)
    aws.until(lambda: aws.task(cluster, arn)["healthStatus"] == "HEALTHY", "task HEALTHY", 30)
    assert aws.task(cluster, arn)["containers"][0]["healthStatus"] == "HEALTHY"


@documented("shape:ecs.HealthCheck.command", runs="tasks")
def test_health_check_that_fails_makes_unhealthy(aws: Account) -> None:
    """When the health check's command does not exit with 0, container and task are UNHEALTHY."""
    cluster = aws.cluster()
    bad = CHECK | {"command": ["CMD", "false"]}
    definition = aws.task_definition(container(command=shell("sleep 600"), healthCheck=bad))
    arn = aws.run(cluster, definition)
    aws.until(lambda: aws.task(cluster, arn)["healthStatus"] == "UNHEALTHY", "UNHEALTHY", 40)


@documented("shape:ecs.ContainerOverride.command", runs="tasks")
def test_command_is_overridden(aws: Account) -> None:
    """An override's command is run in place of the definition's."""
    definition = aws.task_definition(container(command=shell("exit 1")))
    assert code_with(aws, definition, **override(command=shell("exit 32"))) == 32


@documented("shape:ecs.ContainerOverride.environment", runs="tasks")
def test_environment_is_overridden(aws: Account) -> None:
    """An override's variable wins over the definition's, and the others stay."""
    given = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    definition = aws.task_definition(
        container(command=shell('test "$A$B" = 12 && exit 1; exit $A$B'), environment=given)
    )
    changed = override(environment=[{"name": "A", "value": "3"}])
    assert code_with(aws, definition, **changed) == 32


@documented("shape:ecs.TaskOverride.containerOverrides")
def test_task_shows_its_overrides(aws: Account) -> None:
    """A task says with which overrides it was started."""
    cluster = aws.cluster()
    definition = aws.task_definition(container(command=shell("sleep 600")))
    arn = aws.run(cluster, definition, **override(command=["sleep", "500"]))
    [kept] = aws.task(cluster, arn)["overrides"]["containerOverrides"]
    assert (kept["name"], kept["command"]) == ("app", ["sleep", "500"])


@documented("shape:ecs.ContainerOverride.name")
def test_override_names_a_container(aws: Account) -> None:
    """An override for a container that the definition does not have is refused."""
    cluster, definition = aws.cluster(), aws.task_definition()
    stranger = {"containerOverrides": [{"name": "nobody", "command": ["true"]}]}
    with refused("InvalidParameterException", "ClientException"):
        aws.run(cluster, definition, overrides=stranger)


@documented("shape:ecs.ContainerRestartPolicy.restartAttemptPeriod", runs="tasks")
def test_container_that_ends_early_is_not_restarted(aws: Account) -> None:
    """A container that ends before its restartAttemptPeriod is not restarted: the task stops."""
    policy = {"enabled": True, "restartAttemptPeriod": 60}
    task = aws.finished(container(command=shell("sleep 1; exit 33"), restartPolicy=policy))
    assert task["stopCode"] == "EssentialContainerExited"
    assert exit_code(task) == 33


@documented("shape:ecs.ContainerRestartPolicy.restartAttemptPeriod", runs="tasks")
def test_container_that_ran_long_enough_is_restarted(aws: Account) -> None:
    """A container that ends after its restartAttemptPeriod is restarted, and the task goes on."""
    cluster = aws.cluster()
    policy = {"enabled": True, "restartAttemptPeriod": 60}
    # The first run leaves a mark in the volume; the second one ends the task with a code.
    script = "test -e /v/ran && exit 34; touch /v/ran; sleep 62; exit 1"
    definition = aws.task_definition(
        container(
            command=shell(script),
            user="0",
            restartPolicy=policy,
            mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}],
        ),
        volumes=[{"name": "v"}],
    )
    task = aws.reached(cluster, aws.run(cluster, definition), "STOPPED", 62 + aws.patience)
    assert exit_code(task) == 34


@documented("shape:ecs.ContainerDefinition.secrets", runs="tasks")
def test_secret_of_secrets_manager_is_a_variable(aws: Account) -> None:
    """A secret of Secrets Manager comes into the container as an environment variable."""
    secrets = aws.client("secretsmanager")
    arn = secrets.create_secret(Name=aws.name("secret"), SecretString="sesame")["ARN"]
    aws.afterwards("secretsmanager", "delete_secret", SecretId=arn, ForceDeleteWithoutRecovery=True)
    given = [{"name": "WORD", "valueFrom": arn}]
    role = {"executionRoleArn": aws.role()}
    assert aws.code(shell('test "$WORD" = sesame'), secrets=given, parameters=role) == 0


@documented("ecs-guide/secrets-envvar-secrets-manager", runs="tasks")
def test_one_key_of_a_secret_is_a_variable(aws: Account) -> None:
    """ARN:key:: takes one key out of a secret that holds JSON."""
    secrets = aws.client("secretsmanager")
    text = '{"user": "ada", "word": "sesame"}'
    arn = secrets.create_secret(Name=aws.name("secret"), SecretString=text)["ARN"]
    aws.afterwards("secretsmanager", "delete_secret", SecretId=arn, ForceDeleteWithoutRecovery=True)
    given = [{"name": "WORD", "valueFrom": f"{arn}:word::"}]
    role = {"executionRoleArn": aws.role()}
    assert aws.code(shell('test "$WORD" = sesame'), secrets=given, parameters=role) == 0


@documented("ecs-guide/secrets-envvar-ssm-paramstore", runs="tasks")
def test_parameter_of_the_store_is_a_variable(aws: Account) -> None:
    """A parameter of the Parameter Store comes into the container as an environment variable."""
    name = f"/course/{aws.name()}"
    aws.client("ssm").put_parameter(Name=name, Value="sesame", Type="SecureString")
    aws.afterwards("ssm", "delete_parameter", Name=name)
    account = aws.client("sts").get_caller_identity()["Account"]
    given = [{"name": "WORD", "valueFrom": f"arn:aws:ssm:us-east-1:{account}:parameter{name}"}]
    role = {"executionRoleArn": aws.role()}
    assert aws.code(shell('test "$WORD" = sesame'), secrets=given, parameters=role) == 0


@documented("ecs-guide/secrets-envvar-secrets-manager", runs="tasks")
def test_secret_that_is_not_there_stops_the_task(aws: Account) -> None:
    """A task whose secret can't be had does not start: ResourceInitializationError."""
    gone = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nobody-AbCdEf"
    given = container(secrets=[{"name": "WORD", "valueFrom": gone}])
    task = aws.finished(given, executionRoleArn=aws.role())
    assert task["stopCode"] == "TaskFailedToStart"
    assert "ResourceInitializationError" in task["stoppedReason"]


METADATA = """
import json, os, sys, urllib.request
uri = os.environ["ECS_CONTAINER_METADATA_URI_V4"]
def get(path=""):
    return json.load(urllib.request.urlopen(uri + path, timeout=5))
"""


@documented("ecs-guide/task-metadata-endpoint-v4-fargate-response", runs="tasks")
def test_metadata_describe_the_container(aws: Account) -> None:
    """The metadata endpoint describes the container that asks: its name, image, limits."""
    script = (
        f"{METADATA}\nfound = get()\n"
        "assert found['Name'] == 'app', found\n"
        "assert found['Image'] == 'course/app:1', found\n"
        "assert found['DockerId'] and found['Type'] == 'NORMAL', found\n"
        "assert found['KnownStatus'] == 'RUNNING', found\n"
    )
    assert aws.code(python(script)) == 0


@documented("ecs-guide/task-metadata-endpoint-v4-fargate-response", runs="tasks")
def test_metadata_describe_the_task(aws: Account) -> None:
    """The metadata endpoint describes the task: cluster, ARN, family, revision, containers."""
    cluster, family = aws.cluster(), aws.name()
    script = (
        f"{METADATA}\nfound = get('/task')\n"
        f"assert found['Cluster'].endswith('{cluster}'), found\n"
        "assert ':task/' in found['TaskARN'], found\n"
        f"assert (found['Family'], found['Revision']) == ('{family}', '1'), found\n"
        "assert [c['Name'] for c in found['Containers']] == ['app'], found\n"
        "assert found['LaunchType'] == 'FARGATE' and found['AvailabilityZone'], found\n"
        "assert found['Limits'] == {'CPU': 0.25, 'Memory': 1024}, found\n"
    )
    definition = aws.task_definition(container(command=python(script)), family=family)
    task = aws.reached(cluster, aws.run(cluster, definition), "STOPPED")
    assert exit_code(task) == 0


@documented("ecs-guide/task-metadata-endpoint-v4-fargate-response", runs="tasks")
def test_metadata_have_the_address(aws: Account) -> None:
    """The metadata of a container have its network: awsvpc, with the task's address."""
    script = (
        f"{METADATA}\n[network] = get()['Networks']\n"
        "assert network['NetworkMode'] == 'awsvpc', network\n"
        "assert len(network['IPv4Addresses']) == 1, network\n"
    )
    assert aws.code(python(script)) == 0


@documented("ecs-guide/task-metadata-endpoint-v4-fargate-response", runs="tasks")
def test_metadata_have_statistics(aws: Account) -> None:
    """The metadata endpoint gives Docker's statistics of the container."""
    script = f"{METADATA}\nassert get('/stats')['memory_stats']\n"
    assert aws.code(python(script)) == 0


@documented("ecs-guide/using_awslogs", runs="tasks")
def test_output_goes_to_the_log_group(aws: Account) -> None:
    """With awslogs, what a container prints is in the stream prefix/container/task-id."""
    group, role, cluster = aws.log_group(), aws.role(), aws.cluster()
    options = {
        "awslogs-group": group,
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "web",
    }
    log = {"logDriver": "awslogs", "options": options}
    command = shell("echo first line; echo second line >&2")
    definition = aws.task_definition(
        container(command=command, logConfiguration=log), executionRoleArn=role
    )
    arn = aws.run(cluster, definition)
    aws.reached(cluster, arn, "STOPPED")
    stream = f"web/app/{arn.rpartition('/')[2]}"

    def messages() -> list[str] | None:
        names = [s["logStreamName"] for s in streams(logGroupName=group)["logStreams"]]
        if stream not in names:
            return None
        events = aws.logs.get_log_events(
            logGroupName=group, logStreamName=stream, startFromHead=True
        )["events"]
        found = sorted(event["message"].rstrip() for event in events)
        return found if len(found) == 2 else None

    streams = aws.logs.describe_log_streams
    assert aws.until(messages, "two events in the stream") == ["first line", "second line"]


@documented("ecs-guide/using_awslogs", runs="tasks")
def test_log_group_must_be_there(aws: Account) -> None:
    """Without awslogs-create-group, a task whose log group is missing does not start."""
    options = {
        "awslogs-group": f"/course/{aws.name('nobody')}",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "web",
    }
    log = {"logDriver": "awslogs", "options": options}
    definition = container(command=shell("exit 0"), logConfiguration=log)
    task = aws.finished(definition, executionRoleArn=aws.role())
    assert task["stopCode"] == "TaskFailedToStart"
    assert exit_code(task) is None


@documented("ecs-guide/ecs-exec", runs="tasks")
def test_exec_opens_a_session(aws: Account) -> None:
    """ExecuteCommand answers with the session's id, its stream and its token."""
    cluster = aws.cluster()
    definition = aws.task_definition(container(command=shell("sleep 600")), taskRoleArn=aws.role())
    arn = aws.run(cluster, definition, enableExecuteCommand=True)
    aws.reached(cluster, arn, "RUNNING")
    answer = aws.until(lambda: _session(aws, cluster, arn), "a session")
    assert answer["containerName"] == "app"
    assert answer["interactive"] is True
    assert answer["session"]["sessionId"]
    assert answer["session"]["streamUrl"].startswith(("wss://", "ws://"))
    assert answer["session"]["tokenValue"]


def _session(aws: Account, cluster: str, arn: str) -> Json | None:
    """Open a session; the agent in the task may need a moment."""
    agents = [a for c in aws.task(cluster, arn)["containers"] for a in c.get("managedAgents", [])]
    if [agent["lastStatus"] for agent in agents] != ["RUNNING"]:
        return None
    return aws.ecs.execute_command(cluster=cluster, task=arn, command="true", interactive=True)


@documented("shape:ecs.ManagedAgent.name", runs="tasks")
def test_exec_has_an_agent_in_the_task(aws: Account) -> None:
    """With exec turned on, each container has the managed agent ExecuteCommandAgent."""
    cluster = aws.cluster()
    definition = aws.task_definition(container(command=shell("sleep 600")), taskRoleArn=aws.role())
    arn = aws.run(cluster, definition, enableExecuteCommand=True)
    aws.reached(cluster, arn, "RUNNING")

    def agents() -> list[Json]:
        [found] = aws.task(cluster, arn)["containers"]
        running = found.get("managedAgents", [])
        return [agent for agent in running if agent["lastStatus"] == "RUNNING"]

    assert [a["name"] for a in aws.until(agents, "agent RUNNING")] == ["ExecuteCommandAgent"]
    assert aws.task(cluster, arn)["enableExecuteCommand"] is True


@documented("ecs-guide/ecs-exec", runs="tasks")
def test_exec_must_be_turned_on(aws: Account) -> None:
    """ExecuteCommand is refused when it was not enabled when the task was run."""
    cluster = aws.cluster()
    arn = aws.run(cluster, aws.task_definition(container(command=shell("sleep 600"))))
    aws.reached(cluster, arn, "RUNNING")
    with refused("InvalidParameterException"):
        aws.ecs.execute_command(cluster=cluster, task=arn, command="true", interactive=True)


@documented("shape:ecs.RunTaskRequest.enableExecuteCommand")
def test_exec_needs_a_task_role(aws: Account) -> None:
    """A task with exec turned on must have a task role."""
    cluster, definition = aws.cluster(), aws.task_definition()
    with refused("InvalidParameterException", "ClientException"):
        aws.run(cluster, definition, enableExecuteCommand=True)
