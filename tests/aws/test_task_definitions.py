"""What the local ECS refuses of a task definition, and what it makes of a good one."""

from __future__ import annotations

from typing import Any

import pytest

from lab.aws.ecs.capacities import CAPACITIES
from lab.aws.ecs.state import Ecs
from lab.aws.ecs.task_sizes import FARGATE, cpu_units, is_fargate_size, mebibytes
from lab.aws.errors import AwsError

from .records import PLACE
from .records import judged as ask
from .suite.documented import model

Json = dict[str, Any]

ROLE = "arn:aws:iam::123456789012:role/task-execution"
KEY_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf"
LOG = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/course/web",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "web",
    },
}
ROUTER = {"name": "router", "image": "router:1", "firelensConfiguration": {"type": "fluentbit"}}
EFS = {"fileSystemId": "fs-1"}
PROXY = {
    "containerName": "web",
    "properties": [
        {"name": name, "value": "1337"}
        for name in ("IgnoredUID", "ProxyIngressPort", "ProxyEgressPort", "AppPorts")
    ],
}


@pytest.fixture
def ecs() -> Ecs:
    return Ecs(PLACE)


def register(ecs: Ecs, form: Json) -> Json:
    found: Json = ask(ecs, "RegisterTaskDefinition", **form)["taskDefinition"]
    return found


def container(**settings: Any) -> Json:  # noqa: ANN401  # JSON
    form = {"name": "web", "image": "course/app:1", "memory": 256} | settings
    return {name: value for name, value in form.items() if value is not None}


def fargate(*containers: Json, **settings: Any) -> Json:  # noqa: ANN401  # JSON
    form = {
        "family": "web",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "1024",
        "containerDefinitions": list(containers or [container()]),
    } | settings
    return {name: value for name, value in form.items() if value is not None}


def on_hosts(*containers: Json, **settings: Any) -> Json:  # noqa: ANN401  # JSON
    form: Json = {"requiresCompatibilities": ["EC2"], "networkMode": None, "cpu": None}
    return fargate(*containers, **({"memory": None} | form | settings))


def port(number: int | None = 80, **settings: Any) -> Json:  # noqa: ANN401  # JSON
    return ({} if number is None else {"containerPort": number}) | settings


def ports(*mappings: Json, **settings: Any) -> Json:  # noqa: ANN401  # JSON
    return container(portMappings=list(mappings), **settings)


def two(**settings: Any) -> list[Json]:  # noqa: ANN401  # JSON
    """Make two containers; the second one has the settings."""
    return [container(name="first"), container(**settings)]


def after(condition: str, name: str = "first") -> Json:
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


def log(driver: str = "awslogs", **options: str | None) -> Json:
    given = {**(LOG["options"] if driver == "awslogs" else {}), **options}
    kept = {name.replace("_", "-"): value for name, value in given.items()}
    return {
        "logDriver": driver,
        "options": {name: value for name, value in kept.items() if value is not None},
    }


def efs(**settings: Any) -> Json:  # noqa: ANN401  # JSON
    return {"volumes": [{"name": "data", "efsVolumeConfiguration": EFS | settings}]}


# --- what is refused -------------------------------------------------------------------------

WHOLE = [
    (fargate(family=""), "Family can not be blank."),
    (fargate(family="no spaces, please!"), "Family contains invalid characters."),
    (fargate(family="web:1"), "Family contains invalid characters."),
    (fargate(family="f" * 256), "Family should be 255 characters or less"),
    (fargate(containerDefinitions=[]), "Container list cannot be empty."),
    (fargate(*(container(name=f"c{n}", memory=1) for n in range(11))), "Too many containers."),
    (fargate(cpu="a lot"), "Invalid 'cpu' setting for task."),
    (fargate(cpu="0.0001 vCPU"), "Invalid 'cpu' setting for task."),
    (fargate(cpu="0"), "Invalid 'cpu' setting for task."),
    (fargate(cpu="-256"), "Invalid 'cpu' setting for task."),
    (fargate(memory="512 MB"), "Invalid 'memory' setting for task."),
    (fargate(memory=""), "Invalid 'memory' setting for task."),
    (
        fargate(container(), container()),
        "Container names must be unique within a task definition.",
    ),
    (
        fargate(container(essential=False)),
        "Task definition doesn't have any essential container.",
    ),
    (
        fargate(*(container(name=name, cpu=256) for name in "ab")),
        "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ),
    (
        fargate(*(container(name=name, memory=768) for name in "ab")),
        (
            "The sum of all container 'memory' values cannot be greater than the value of the task "
            "'memory'."
        ),
    ),
    (fargate(tags=[]), "Tags can not be empty."),
    (fargate(taskRoleArn="arn:aws:iam::1:role/web"), "Role is not valid"),
    (fargate(executionRoleArn=KEY_ARN), "Role is not valid"),
    (fargate(ephemeralStorage={"sizeInGiB": 20}), "EphemeralStorage size should be at least 21"),
    (fargate(ephemeralStorage={"sizeInGiB": 201}), "EphemeralStorage size should be at most 200"),
    (
        fargate(inferenceAccelerators=[{"deviceName": "a", "deviceType": "eia2.medium"}]),
        "Unsupported field 'inferenceAccelerators'.",
    ),
    (
        on_hosts(placementConstraints=[{"type": "memberOf"}]),
        "constraint.expression should not be null or empty.",
    ),
    (
        on_hosts(placementConstraints=[{"type": "memberOf", "expression": "a == b"}] * 11),
        "Maximum number of constraints is 10",
    ),
    (
        on_hosts(proxyConfiguration=PROXY),
        "APPMESH proxy configuration is only supported in networkMode=awsvpc",
    ),
    (
        fargate(proxyConfiguration=PROXY | {"containerName": "envoy"}),
        "Proxy container [envoy] does not exist.",
    ),
    (fargate(proxyConfiguration={"containerName": "web"}), "Ingress port not found"),
    (
        fargate(proxyConfiguration=PROXY | {"properties": PROXY["properties"][1:]}),
        "Ignored UID or GID not found",
    ),
]

CONTAINERS = [
    (container(name=None), "Container.name should not be null or empty."),
    (container(name=""), "Container.name should not be null or empty."),
    (container(name="no spaces, please!"), "Container.name contains invalid characters."),
    (container(name="n" * 256), "Container.name should be 255 characters or less"),
    (container(image=None), "Container.image should not be null or empty."),
    (container(image="web:$TAG "), "Container.image contains invalid characters."),
    (container(image="web@sha256:abc"), "Container.image contains invalid characters."),
    (container(image="w" * 256), "Container.image should be 255 characters or less"),
    (container(cpu=-1), "Invalid 'cpu' setting for container 'web'."),
    (container(stopTimeout=-1), "Invalid 'stopTimeout' setting for container 'web'."),
    (
        container(memory=2048),
        "The 'memory' setting for container 'web' is greater than for the task.",
    ),
    (
        container(memory=None, memoryReservation=2048),
        "The 'memoryReservation' setting for container 'web' is greater than for the task.",
    ),
    (
        container(memory=128, memoryReservation=256),
        (
            "Invalid setting for container 'web'. 'memory' must be greater than or equal to "
            "'memoryReservation'."
        ),
    ),
    (ports(port(None)), "Invalid 'containerPort' setting for container 'web'."),
    (ports(port(0)), "Invalid 'containerPort' setting for container 'web'."),
    (ports(port(65536)), "Invalid 'containerPort' setting for container 'web'."),
    (ports(port(hostPort=-1)), "Invalid 'hostPort' setting for container 'web'."),
    (
        ports(port(containerPortRange="80-90")),
        "Invalid port mapping for container 'web', cannot specify both single port and port range.",
    ),
    (
        ports(port(None, containerPortRange="90-80")),
        "Invalid 'containerPortRange' setting for container 'web'.",
    ),
    (
        ports(port(None, containerPortRange="80")),
        "Invalid 'containerPortRange' setting for container 'web'.",
    ),
    (
        ports(port(None, containerPortRange="80-65536")),
        "Invalid 'containerPortRange' setting for container 'web'.",
    ),
    (
        ports(port(name="Web")),
        "Invalid 'name' setting for a port mapping of container 'web'.",
    ),
    (
        ports(port(8080, hostPort=80)),
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    (
        ports(port(hostPort=0)),
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    (
        ports(port(hostPort=80), port(hostPort=80)),
        "TCP host port '80' is mapped multiple times in task.",
    ),
    (
        ports(port(), port()),
        "TCP container port '80' is used multiple times in task when networkMode=awsvpc.",
    ),
    (
        ports(port(None, containerPortRange="80-90"), port(None, containerPortRange="85-95")),
        "TCP container port '85' is used multiple times in task when networkMode=awsvpc.",
    ),
    (
        ports(port(name="web"), port(81, name="web")),
        "When networkMode=awsvpc, port mapping name is already used",
    ),
    (container(links=["db"]), "Links are not supported when networkMode=awsvpc."),
    (
        container(hostname="web"),
        "hostname is not supported on container when networkMode=awsvpc.",
    ),
    (
        container(extraHosts=[{"hostname": "db", "ipAddress": "10.0.0.9"}]),
        "Extra hosts are not supported on container when networkMode=awsvpc.",
    ),
    (
        container(dnsServers=["10.0.0.2"]),
        "DNS servers are not supported on container when networkMode=awsvpc.",
    ),
    (
        container(dnsSearchDomains=["local"]),
        "DNS search domains are not supported on container when networkMode=awsvpc.",
    ),
    (
        container(disableNetworking=True),
        "Disable Networking is not supported on container when networkMode=awsvpc.",
    ),
    (
        container(healthCheck={"command": ["curl", "localhost"]}),
        "Health check command must start with CMD or CMD-SHELL for container 'web'",
    ),
    (
        container(healthCheck={"command": []}),
        "Health check command must start with CMD or CMD-SHELL for container 'web'",
    ),
    *(
        (
            container(healthCheck={"command": ["CMD", "true"], member: least - 1}),
            (
                f"Health check {member} must be greater than or equal to the minimum allowed value "
                f"{least} for container 'web'"
            ),
        )
        for member, least in (("interval", 5), ("timeout", 2), ("retries", 1), ("startPeriod", 0))
    ),
    *(
        (
            container(healthCheck={"command": ["CMD", "true"], member: most + 1}),
            (
                f"Health check {member} must be less than or equal to the maximum allowed value "
                f"{most} for container 'web'"
            ),
        )
        for member, most in (
            ("interval", 300),
            ("timeout", 60),
            ("retries", 10),
            ("startPeriod", 300),
        )
    ),
    (
        container(**after("START", "nobody")),
        "Cannot depend on container + 'nobody' because it does not exist",
    ),
    (container(**after("START", "web")), "Container dependencies should not have a cycle"),
    *(
        (
            container(restartPolicy={"enabled": True, "restartAttemptPeriod": seconds}),
            "The 'restartAttemptPeriod' setting for container 'web' must be between 60 and 1800.",
        )
        for seconds in (59, 1801)
    ),
    (
        container(restartPolicy={"enabled": True, "ignoredExitCodes": [*range(51)]}),
        "The 'ignoredExitCodes' setting for container 'web' can have at most 50 exit codes.",
    ),
    (
        container(mountPoints=[{"sourceVolume": "v", "containerPath": "/data"}]),
        "Unknown volume 'v'.",
    ),
    (container(mountPoints=[{"containerPath": "/data"}]), "Unknown volume 'null'."),
    (
        container(volumesFrom=[{"sourceContainer": "nobody"}]),
        "Invalid 'volumesFrom' setting. Unknown container: 'nobody'.",
    ),
    (
        container(volumesFrom=[{"sourceContainer": "web"}]),
        "Invalid 'volumesFrom' setting. Unknown container: 'web'.",
    ),
    (
        container(environment=[{"value": "1"}]),
        "Environment variable name should not be null or empty.",
    ),
    (
        container(secrets=[{"name": "KEY", "valueFrom": KEY_ARN}]),
        (
            "When you are specifying container secrets, you must also specify a value for "
            "'executionRoleArn'."
        ),
    ),
    (
        container(repositoryCredentials={"credentialsParameter": KEY_ARN}),
        (
            "When you are specifying repository credentials, you must also specify a value for "
            "'executionRoleArn'."
        ),
    ),
    (
        container(environmentFiles=[{"type": "s3", "value": "settings.env"}]),
        "Invalid arn syntax.",
    ),
    (
        container(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::bucket/settings.txt"}]),
        ("The environment file 'arn:aws:s3:::bucket/settings.txt' must end with .env."),
    ),
    (
        container(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::bucket/a.env"}] * 11),
        "The maximum number of environment files was exceeded. Specify ten or less and try again.",
    ),
    (
        container(logConfiguration={"logDriver": "awslogs"}),
        "Log driver awslogs requires options: awslogs-region, awslogs-group",
    ),
    (
        container(logConfiguration={"logDriver": "splunk", "options": {"splunk-url": "https://s"}}),
        "Log driver splunk requires options: splunk-token",
    ),
    (
        container(logConfiguration=log(awslogs_endpoint="http://localhost")),
        "Log driver awslogs disallows options: awslogs-endpoint",
    ),
    (
        container(logConfiguration=log(awslogs_group="my group")),
        "Log driver awslogs option 'awslogs-group' contains invalid characters.",
    ),
    (
        container(logConfiguration={"logDriver": "awsfirelens"}),
        (
            "When awsfirelens log driver is specified in log configuration, a firelens "
            "configuration object must be configured in one of the containers."
        ),
    ),
    (
        container(firelensConfiguration={"type": "fluentbit"}),
        (
            "When a firelensConfiguration object is specified, at least one container has to be "
            "configured with the awsfirelens log driver"
        ),
    ),
    (
        container(ulimits=[{"name": "nofile", "softLimit": 2, "hardLimit": 1}]),
        "Soft limit exceeds hard limit for ulimit nofile",
    ),
    (
        container(ulimits=[{"name": "nofile", "softLimit": 1, "hardLimit": 1}] * 2),
        "Duplicate ulimit nofile for container 'web'",
    ),
    (
        container(linuxParameters={"swappiness": 101}),
        "The 'swappiness' setting for container 'web' must be between 0 and 100.",
    ),
    (
        container(linuxParameters={"maxSwap": -1}),
        "Invalid 'maxSwap' setting for container 'web'.",
    ),
    (
        container(linuxParameters={"tmpfs": [{"containerPath": "/run", "size": 0}]}),
        "Invalid 'tmpfs' setting for container 'web'.",
    ),
    (
        container(linuxParameters={"capabilities": {"drop": ["EVERYTHING"]}}),
        "EVERYTHING is not a valid capability.",
    ),
]

TOGETHER = [
    *(
        (
            fargate(*two(**after(condition))),
            (
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential "
                "container"
            ),
        )
        for condition in ("SUCCESS", "COMPLETE")
    ),
    (
        fargate(*two(**after("HEALTHY"))),
        "A dependency container with HEALTHY condition must have health check configured",
    ),
    (
        fargate(container(name="first") | after("START", "web"), container(**after("START"))),
        "Container dependencies should not have a cycle",
    ),
    (
        on_hosts(container(name="first", links=["web"]), container(links=["first:db"])),
        "Container links should not have a cycle",
    ),
    (
        on_hosts(container(links=["nobody:db"])),
        "Invalid 'links' setting. Unknown container: 'nobody'.",
    ),
    (
        fargate(
            container(
                environment=[{"name": "KEY", "value": "1"}],
                secrets=[{"name": "KEY", "valueFrom": KEY_ARN}],
            ),
            executionRoleArn=ROLE,
        ),
        (
            "The secret name must be unique and not shared with any new or existing environment "
            "variables set on the container, such as 'KEY'."
        ),
    ),
    (
        fargate(container(secrets=[{"name": "KEY", "valueFrom": ""}]), executionRoleArn=ROLE),
        "Secret.name and Secret.valueFrom should not be null or empty.",
    ),
    (
        on_hosts(ports(port(), memory=64), networkMode="none"),
        "Port mappings are not supported when networkMode=none.",
    ),
    (
        on_hosts(ports(port(None, containerPortRange="80-90")), networkMode="host"),
        "Port ranges are not supported when networkMode=host.",
    ),
    (
        on_hosts(ports(port(8080, hostPort=80)), networkMode="host"),
        "When networkMode=host, the host ports and container ports in port mappings must match.",
    ),
    (
        on_hosts(ports(port(80, hostPort=80), port(81, hostPort=80))),
        "TCP host port '80' is mapped multiple times in task.",
    ),
    (
        on_hosts(container(links=["first"]), container(name="first"), networkMode="host"),
        "Links are not supported when networkMode=host.",
    ),
    (fargate(volumes=[{}]), "Volume.name should not be null or empty."),
    (fargate(volumes=[{"name": "a b"}]), "Volume.name contains invalid characters."),
    (
        fargate(volumes=[{"name": "v"}, {"name": "v"}]),
        "Volume names must be unique within a task definition.",
    ),
    (
        fargate(volumes=[{"name": "v", "host": {}, "efsVolumeConfiguration": EFS}]),
        "Volume 'v' must have one configuration only.",
    ),
    (
        fargate(volumes=[{"name": "v", "configuredAtLaunch": True}]),
        "Volumes [v] are not referenced by any of the containers",
    ),
    (
        fargate(volumes=[{"name": name, "configuredAtLaunch": True} for name in "vw"]),
        "Only one volume can be configured at launch.",
    ),
    (
        fargate(
            container(mountPoints=[{"sourceVolume": "v", "containerPath": "/d"}] * 2),
            volumes=[{"name": "v"}],
        ),
        "Duplicate mount point '/d' for container 'web'.",
    ),
    (
        fargate(container(mountPoints=[{"sourceVolume": "v"}]), volumes=[{"name": "v"}]),
        "Invalid 'containerPath' setting for container 'web'.",
    ),
    (
        fargate(**efs(transitEncryptionPort=2049)),
        "TransitEncryptionPort requires that TransitEncryption is enabled.",
    ),
    (
        fargate(**efs(authorizationConfig={"iam": "ENABLED"})),
        "EFS IAM authorization requires TransitEncryption to be enabled.",
    ),
    (
        fargate(
            **efs(
                authorizationConfig={"accessPointId": "fsap-1"},
                transitEncryption="ENABLED",
                rootDirectory="/data",
            )
        ),
        (
            'When using an EFS access point, the root directory must either be set to "/" or be '
            "omitted."
        ),
    ),
    (
        fargate(**efs(authorizationConfig={"accessPointId": "fsap-1"})),
        "EFS access points require TransitEncryption to be enabled.",
    ),
    (
        fargate(volumes=[{"name": "v", "s3filesVolumeConfiguration": {"fileSystemArn": "arn"}}]),
        "S3 Files volumes require a value for 'taskRoleArn'.",
    ),
    (
        fargate(
            container(logConfiguration={"logDriver": "awsfirelens"}),
            ROUTER,
            ROUTER | {"name": "other"},
        ),
        "Only one container can have a firelens configuration object.",
    ),
]

NO_SIZE = (
    "No Fargate configuration exists for given values: {} CPU, {} memory. "
    "See the Amazon ECS documentation for the valid values."
)
NOT_ON_FARGATE = "Fargate compatible task definitions do not support {}"

ON_FARGATE = [
    (fargate(networkMode="host"), "Fargate only supports network mode ‘awsvpc’."),  # noqa: RUF001
    (fargate(networkMode=None), "Fargate only supports network mode ‘awsvpc’."),  # noqa: RUF001
    (fargate(cpu=None), "Fargate requires that 'cpu' be defined at the task level."),
    (fargate(memory=None), "Fargate requires that 'memory' be defined at the task level."),
    (fargate(cpu="300"), NO_SIZE.format(300, 1024)),
    (fargate(cpu="1 vCPU", memory="1GB"), NO_SIZE.format(1024, 1024)),
    (fargate(cpu="32768", memory="131072"), NO_SIZE.format(32768, 131072)),
    (
        fargate(cpu="512", runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}),
        NO_SIZE.format(512, 1024),
    ),
    (
        fargate(container(privileged=True)),
        "Fargate requires that the ‘privileged’ setting be ‘false’ at the container level.",  # noqa: RUF001
    ),
    (
        fargate(pidMode="host"),
        (
            "Tasks using the Fargate launch type do not support pidMode 'host'. The supported "
            "value for pidMode is 'task'."
        ),
    ),
    (fargate(ipcMode="task"), NOT_ON_FARGATE.format("ipcMode")),
    (
        fargate(placementConstraints=[{"type": "memberOf", "expression": "a == b"}]),
        NOT_ON_FARGATE.format("constraints"),
    ),
    (
        fargate(volumes=[{"name": "v", "host": {"sourcePath": "/srv"}}]),
        NOT_ON_FARGATE.format("sourcePath"),
    ),
    (
        fargate(volumes=[{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}]),
        NOT_ON_FARGATE.format("dockerVolumeConfiguration"),
    ),
    (
        fargate(container(dockerSecurityOptions=["no-new-privileges"])),
        NOT_ON_FARGATE.format("dockerSecurityOptions"),
    ),
    *(
        (fargate(container(linuxParameters={member: value})), NOT_ON_FARGATE.format(member))
        for member, value in (
            ("devices", [{"hostPath": "/dev/fuse"}]),
            ("sharedMemorySize", 64),
            ("maxSwap", 0),
            ("swappiness", 60),
        )
    ),
    (
        fargate(container(linuxParameters={"capabilities": {"add": ["NET_ADMIN"]}})),
        "NET_ADMIN is not allowed on Fargate.",
    ),
    (
        fargate(container(resourceRequirements=[{"type": "GPU", "value": "1"}])),
        "Tasks using the Fargate launch type do not support GPU resource requirements.",
    ),
    (
        fargate(container(logConfiguration={"logDriver": "json-file"})),
        "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]",
    ),
    (
        fargate(container(logConfiguration=log())),
        (
            "Fargate requires task definition to have execution role ARN to support log driver "
            "awslogs."
        ),
    ),
    (
        fargate(
            container(logConfiguration=log(**{"awslogs-stream-prefix": None})),
            executionRoleArn=ROLE,
        ),
        (
            "Fargate requires log configuration options to include awslogs-stream-prefix to "
            "support log driver awslogs."
        ),
    ),
    (
        fargate(container(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1")),
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
    (
        fargate(
            container(logConfiguration={"logDriver": "awsfirelens"}),
            ROUTER
            | {
                "firelensConfiguration": {
                    "type": "fluentbit",
                    "options": {"config-file-type": "s3"},
                }
            },
        ),
        "Fargate launch type does not support FirelensConfiguration config file from 's3'",
    ),
    (
        fargate(container(stopTimeout=121)),
        "The 'stopTimeout' setting for container 'web' must be between 0 and 120.",
    ),
    (
        fargate(container(startTimeout=1)),
        "The 'startTimeout' setting for container 'web' must be between 2 and 120.",
    ),
    (
        fargate(trustedExecutionConfiguration={"isolationMode": "ISOLATED_SANDBOX"}),
        "Trusted execution is supported only for Amazon ECS Managed Instances.",
    ),
]

ELSEWHERE = [
    (
        on_hosts(container(memory=None)),
        (
            "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' "
            "must be specified."
        ),
    ),
    (on_hosts(cpu="127"), "Invalid 'cpu' setting for task."),
    (on_hosts(cpu="193 vCPU"), "Invalid 'cpu' setting for task."),
    (
        on_hosts(ephemeralStorage={"sizeInGiB": 21}),
        "Tasks using the EC2 launch type do not support EphemeralStorage.",
    ),
    (
        on_hosts(ephemeralStorage={"sizeInGiB": 21}, requiresCompatibilities=None),
        "Tasks using the EC2 launch type do not support EphemeralStorage.",
    ),
    (
        on_hosts(requiresCompatibilities=["EXTERNAL"], networkMode="awsvpc"),
        "Tasks using the EXTERNAL launch type do not support network mode 'awsvpc'.",
    ),
    (
        on_hosts(requiresCompatibilities=["MANAGED_INSTANCES"]),
        "Managed Instances only support network modes 'awsvpc', 'host' and 'none'.",
    ),
    (
        on_hosts(
            container(logConfiguration={"logDriver": "syslog"}),
            requiresCompatibilities=["MANAGED_INSTANCES"],
            networkMode="host",
        ),
        "syslog is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens,json-file]",
    ),
]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        *WHOLE,
        *((fargate(wrong), sentence) for wrong, sentence in CONTAINERS),
        *TOGETHER,
        *ON_FARGATE,
        *ELSEWHERE,
    ],
)
def test_wrong_form_is_refused(ecs: Ecs, form: Json, sentence: str) -> None:
    with pytest.raises(AwsError) as refusal:
        register(ecs, form)
    assert (refusal.value.code, refusal.value.message) == ("ClientException", sentence)
    assert not ecs.families


def test_long_form_is_refused(ecs: Ecs) -> None:
    much = [{"name": "A", "value": "a" * 65536}]
    with pytest.raises(AwsError, match=r"Actual length: '\d{5}'. Max allowed length is '65536'"):
        register(ecs, fargate(container(environment=much)))


def test_second_container_is_looked_at_too(ecs: Ecs) -> None:
    with pytest.raises(AwsError, match=r"Container\.image should not be null or empty"):
        register(ecs, fargate(*two(image=None)))


# --- what is taken ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        fargate(container(memory=None)),
        fargate(container(image="127.0.0.1:5000/course/app:1.0_rc-1")),
        fargate(container(image="course/app@sha256:" + "0a" * 32)),
        fargate(container(linuxParameters={"tmpfs": [{"containerPath": "/run", "size": 64}]})),
        fargate(container(linuxParameters={"capabilities": {"add": ["SYS_PTRACE"]}})),
        fargate(container(linuxParameters={"initProcessEnabled": True})),
        fargate(container(ulimits=[{"name": "memlock", "softLimit": -1, "hardLimit": -1}])),
        fargate(container(logConfiguration=log()), executionRoleArn=ROLE),
        fargate(container(logConfiguration={"logDriver": "awsfirelens"}), ROUTER),
        fargate(container(secrets=[{"name": "A", "valueFrom": "parameter"}]), executionRoleArn="r"),
        fargate(*two(**after("START"))),
        fargate(container(name="first", essential=False), container(**after("SUCCESS"))),
        fargate(ports(port(), port(protocol="udp"))),
        fargate(ephemeralStorage={"sizeInGiB": 200}, pidMode="task"),
        fargate(proxyConfiguration=PROXY),
        fargate(**efs(authorizationConfig={"iam": "ENABLED"}, transitEncryption="ENABLED")),
        on_hosts(ports(port(), port())),
        on_hosts(container(privileged=True, hostname="web", stopTimeout=600)),
        on_hosts(container(memory=256, memoryReservation=256)),
        on_hosts(container(memory=None), memory="512"),
        on_hosts(container(links=["first:db"]), container(name="first")),
        on_hosts(container(logConfiguration={"logDriver": "json-file"})),
    ],
)
def test_good_form_is_taken(ecs: Ecs, form: Json) -> None:
    assert register(ecs, form)["status"] == "ACTIVE"


def test_form_is_completed(ecs: Ecs) -> None:
    check = {"command": ["CMD", "true"], "interval": 10}
    given = container(portMappings=[port()], healthCheck=check)
    made = register(ecs, fargate(given, volumes=[{"name": "v"}]))
    [kept] = made["containerDefinitions"]
    assert kept["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
    assert kept["healthCheck"] == {**check, "timeout": 5, "retries": 3}
    assert (kept["cpu"], kept["essential"]) == (0, True)
    assert kept["environment"] == kept["mountPoints"] == kept["volumesFrom"] == []
    assert made["volumes"] == [{"name": "v", "host": {}}]
    assert made["placementConstraints"] == []


@pytest.mark.parametrize(("mode", "host_port"), [("bridge", 0), (None, 0), ("host", 80)])
def test_host_port_is_filled_in_by_network_mode(ecs: Ecs, mode: str | None, host_port: int) -> None:
    made = register(ecs, on_hosts(ports(port()), networkMode=mode))
    assert made["containerDefinitions"][0]["portMappings"][0]["hostPort"] == host_port
    assert made.get("networkMode") == mode


def test_null_is_as_if_it_were_not_there(ecs: Ecs) -> None:
    nothing = {"healthCheck": None, "command": None, "portMappings": None}
    form = fargate(container() | nothing) | {"volumes": None, "ipcMode": None}
    made = register(ecs, form)
    assert "ipcMode" not in made
    assert made["volumes"] == []
    assert "healthCheck" not in made["containerDefinitions"][0]


def test_what_was_sent_is_not_changed(ecs: Ecs) -> None:
    form = fargate(cpu="1 vCPU", memory="2 GB")
    assert register(ecs, form)["cpu"] == "1024"
    assert form["cpu"] == "1 vCPU"


@pytest.mark.parametrize(
    ("form", "capacities"),
    [
        (fargate(), ["EC2", "MANAGED_INSTANCES", "FARGATE"]),
        (fargate(requiresCompatibilities=None), ["EC2", "MANAGED_INSTANCES", "FARGATE"]),
        (fargate(ephemeralStorage={"sizeInGiB": 21}), ["FARGATE"]),
        (fargate(cpu="300", requiresCompatibilities=None), ["EC2", "MANAGED_INSTANCES"]),
        (on_hosts(), ["EXTERNAL", "EC2"]),
        (on_hosts(networkMode="host"), ["EXTERNAL", "EC2", "MANAGED_INSTANCES"]),
    ],
)
def test_compatibilities_are_the_capacities_that_have_nothing_against_it(
    ecs: Ecs, form: Json, capacities: list[str]
) -> None:
    assert register(ecs, form)["compatibilities"] == capacities


def test_capacities_are_those_of_the_model() -> None:
    assert set(CAPACITIES) == set(model("ecs").shape_for("Compatibility").enum)


def test_required_attributes_name_what_the_agent_must_do(ecs: Ecs) -> None:
    given = container(
        image="123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1",
        logConfiguration=log(),
        secrets=[{"name": "A", "valueFrom": KEY_ARN}, {"name": "B", "valueFrom": "parameter"}],
        healthCheck={"command": ["CMD", "true"]},
    )
    made = register(ecs, fargate(given, executionRoleArn=ROLE, taskRoleArn=ROLE))
    assert {one["name"] for one in made["requiresAttributes"]} == {
        "com.amazonaws.ecs.capability.docker-remote-api.1.18",
        "com.amazonaws.ecs.capability.ecr-auth",
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "com.amazonaws.ecs.capability.task-iam-role",
        "ecs.capability.container-health-check",
        "ecs.capability.execution-role-awslogs",
        "ecs.capability.execution-role-ecr-pull",
        "ecs.capability.secrets.asm.environment-variables",
        "ecs.capability.secrets.ssm.environment-variables",
        "ecs.capability.task-eni",
    }


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", " ", "vCPU", "1..5 vCPU", "1 GB", "²", "1e3", "-1", "1  vCPU"]
)
def test_what_is_no_cpu_is_not_read(text: str) -> None:
    assert cpu_units(text) is None


@pytest.mark.parametrize("text", ["", "GB", "1 vCPU", "1 GiB", "1,5 GB", "512 MiB"])
def test_what_is_no_memory_is_not_read(text: str) -> None:
    assert mebibytes(text) is None


def test_every_size_of_fargate_is_taken(ecs: Ecs) -> None:
    for cpu, memories in FARGATE.items():
        for memory in memories:
            form = fargate(container(memory=None), cpu=str(cpu), memory=str(memory))
            assert "FARGATE" in register(ecs, form)["compatibilities"]
    assert max(FARGATE) == 32 * 1024
    assert max(FARGATE[32 * 1024]) == 244 * 1024


def test_windows_has_fewer_sizes() -> None:
    assert is_fargate_size(1024, 2048, windows=True)
    assert not is_fargate_size(8192, 16384, windows=True)


# --- the life of a revision ------------------------------------------------------------------


def arn(name: str) -> str:
    return f"arn:aws:ecs:us-east-1:123456789012:task-definition/{name}"


@pytest.mark.parametrize(
    "reference",
    [
        "nobody",
        "web:2",
        "web:one",
        "web:",
        "",
        "arn:aws:ecs:us-east-1:123456789012:cluster/web",
    ],
)
def test_what_is_not_there_is_not_described(ecs: Ecs, reference: str) -> None:
    ask(ecs, "DeregisterTaskDefinition", taskDefinition=register(ecs, fargate())["family"] + ":1")
    with pytest.raises(AwsError) as refusal:
        ask(ecs, "DescribeTaskDefinition", taskDefinition=reference)
    assert refusal.value.code == "ClientException"
    assert refusal.value.message == "Unable to describe task definition."


@pytest.mark.parametrize(
    ("reference", "code", "sentence"),
    [
        ("web", "ClientException", "Revision is missing."),
        (arn("web"), "ClientException", "Revision is missing."),
        ("web:one", "InvalidParameterException", "Invalid revision number. Number: one"),
        ("web:2", "ClientException", "Unable to describe task definition."),
    ],
)
def test_deregistration_needs_a_revision_that_is_there(
    ecs: Ecs, reference: str, code: str, sentence: str
) -> None:
    register(ecs, fargate())
    with pytest.raises(AwsError) as refusal:
        ask(ecs, "DeregisterTaskDefinition", taskDefinition=reference)
    assert (refusal.value.code, refusal.value.message) == (code, sentence)
    assert ecs.families["web"][0].status == "ACTIVE"


def test_deletion_says_of_each_why_not(ecs: Ecs) -> None:
    active, gone = (register(ecs, fargate())["taskDefinitionArn"] for _ in range(2))
    ask(ecs, "DeregisterTaskDefinition", taskDefinition=gone)
    answer = ask(
        ecs, "DeleteTaskDefinitions", taskDefinitions=[active, gone, "web", "web:9", "web:one"]
    )
    assert [one["taskDefinitionArn"] for one in answer["taskDefinitions"]] == [gone]
    assert answer["failures"] == [
        {
            "arn": active,
            "reason": "The specified task definition is still in ACTIVE status. Please deregister "
            "the target and try again.",
        },
        {
            "arn": arn("web"),
            "reason": "The specified task definition identifier is invalid. Specify a valid name "
            "or ARN and try again.",
        },
        *(
            {
                "arn": arn(name),
                "reason": "The specified task definition does not exist. Specify a valid account, "
                "family, revision and try again.",
            }
            for name in ("web:9", "web:one")
        ),
    ]


@pytest.mark.parametrize("count", [0, 11])
def test_one_to_ten_revisions_are_deleted_at_once(ecs: Ecs, count: int) -> None:
    with pytest.raises(AwsError) as refusal:
        ask(ecs, "DeleteTaskDefinitions", taskDefinitions=["web:1"] * count)
    assert refusal.value.code == "InvalidParameterException"


def test_revision_goes_from_active_to_delete_in_progress_and_not_back(ecs: Ecs) -> None:
    register(ecs, fargate())
    gone = ask(ecs, "DeregisterTaskDefinition", taskDefinition="web:1")["taskDefinition"]
    assert gone["registeredAt"] <= gone["deregisteredAt"]
    ask(ecs, "DeleteTaskDefinitions", taskDefinitions=["web:1"])
    again = ask(ecs, "DeregisterTaskDefinition", taskDefinition="web:1")["taskDefinition"]
    assert again["status"] == "DELETE_IN_PROGRESS"
    assert again["deregisteredAt"] == gone["deregisteredAt"] <= again["deleteRequestedAt"]
    assert register(ecs, fargate())["revision"] == 2


@pytest.mark.parametrize("status", ["INACTIVE", "DELETE_IN_PROGRESS"])
def test_only_active_revision_runs(ecs: Ecs, status: str) -> None:
    register(ecs, fargate())
    ask(ecs, "CreateCluster")
    ask(ecs, "DeregisterTaskDefinition", taskDefinition="web:1")
    if status != "INACTIVE":
        ask(ecs, "DeleteTaskDefinitions", taskDefinitions=["web:1"])
    with pytest.raises(AwsError, match="TaskDefinition is inactive"):
        ask(ecs, "RunTask", taskDefinition="web:1", launchType="FARGATE")


def test_list_is_by_family_then_by_number(ecs: Ecs) -> None:
    for family in ("web", "db", "web", "db-test"):
        register(ecs, fargate(family=family))
    expected = [arn(name) for name in ("db:1", "db-test:1", "web:1", "web:2")]
    assert ask(ecs, "ListTaskDefinitions")["taskDefinitionArns"] == expected
    backwards = ask(ecs, "ListTaskDefinitions", sort="DESC")["taskDefinitionArns"]
    assert backwards == expected[::-1]
    assert ask(ecs, "ListTaskDefinitions", familyPrefix="d")["taskDefinitionArns"] == []
    assert ask(ecs, "ListTaskDefinitionFamilies", familyPrefix="d")["families"] == ["db", "db-test"]


def test_list_shows_each_status(ecs: Ecs) -> None:
    for _ in range(3):
        register(ecs, fargate())
    for revision in (1, 2):
        ask(ecs, "DeregisterTaskDefinition", taskDefinition=f"web:{revision}")
    ask(ecs, "DeleteTaskDefinitions", taskDefinitions=["web:1"])
    statuses = ("DELETE_IN_PROGRESS", "INACTIVE", "ACTIVE")
    found = [ask(ecs, "ListTaskDefinitions", status=one)["taskDefinitionArns"] for one in statuses]
    assert found == [[arn("web:1")], [arn("web:2")], [arn("web:3")]]


def test_unknown_page_is_refused(ecs: Ecs) -> None:
    with pytest.raises(AwsError) as refusal:
        ask(ecs, "ListTaskDefinitions", nextToken="one")
    assert refusal.value.code == "InvalidParameterException"
