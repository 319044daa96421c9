"""The exercises of chapter 10, containers on AWS."""

from __future__ import annotations

import base64
import io
import json
import math
from typing import TYPE_CHECKING, Any

from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet
from lab.errors import NotReadyError
from lab.naming import by_seed

if TYPE_CHECKING:
    from docker.models.images import Image

    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "FORGOTTEN", "inject"]

CHAPTER = "10-containers-on-aws"

ACCOUNT = "123456789012"
HOME = "us-east-1"
REGIONS = (HOME, "eu-central-1", "ap-northeast-1")
CLUSTERS = ("orders", "orders-test")
# Which cluster the note names. The seed picks one, so the order must not change within a course.
NOTES = (
    ("eu-central-1", "orders"),
    ("ap-northeast-1", "orders-test"),
    ("ap-northeast-1", "orders"),
    ("eu-central-1", "orders-test"),
)

DISHES = {"1": "soup", "2": "fish"}

# What somebody has left running: CPU units and MB of memory of each task.
FORGOTTEN = (
    ((256, 512), (256, 512), (1024, 2048)),
    ((512, 1024), (512, 1024), (256, 1024)),
    ((1024, 3072), (256, 512), (256, 512)),
)
HOURS = 730
NEAR = 0.01

# From where the kiosk's task is told to take its image.
FAULTS = {
    "repository": "{registry}/kisok:1",
    "tag": "{registry}/kiosk:2",
    "digest": "{registry}/kiosk@sha256:" + "0" * 64,
    "registry": "127.0.0.1:9/kiosk:1",
}

PATIENCE = {"Delay": 1, "MaxAttempts": 90}
START_SECONDS = 20


def inject(lab: Lab, fault: str) -> str:
    """Run the kiosk of exercise 10.4 with a fault in its image's name, until it has stopped.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.

    Returns:
        The ARN of the task.
    """
    ecs = lab.aws("ecs")
    _forget_tasks(lab, "kiosk")
    uri = _new_repository(lab, "kiosk")
    _push(lab, _built(lab, "kiosk", "open"), uri, "1")
    registry = uri.partition("/")[0]
    ecs.create_cluster(clusterName="kiosk")
    _define(lab, "kiosk", FAULTS[fault].format(registry=registry))
    task = _run(lab, "kiosk")
    ecs.get_waiter("tasks_stopped").wait(cluster="kiosk", tasks=[task], WaiterConfig=PATIENCE)
    return task


# --- what several exercises need ---------------------------------------------------------------


def _client(lab: Lab, service: str, region: str) -> Any:  # noqa: ANN401  # boto3 makes its classes
    from lab.aws.clients import client_of  # noqa: PLC0415  # boto3 takes its time

    return client_of(service, lab.aws(service).meta.endpoint_url, region)


def _built(lab: Lab, short: str, word: str) -> Image:
    recipe = f"FROM course/app:1\nENV GREETING={word}".encode()
    tag = f"{lab.name(short)}:{word}"
    return lab.docker.images.build(fileobj=io.BytesIO(recipe), tag=tag)[0]


def _new_repository(lab: Lab, name: str) -> str:
    ecr = lab.aws("ecr")
    _drop_repository(lab, name)
    return str(ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"])


def _drop_repository(lab: Lab, name: str) -> None:
    ecr = lab.aws("ecr")
    try:
        ecr.delete_repository(repositoryName=name, force=True)
    except ecr.exceptions.RepositoryNotFoundException:
        return


def _push(lab: Lab, image: Image, uri: str, tag: str) -> None:
    token = lab.aws("ecr").get_authorization_token()["authorizationData"][0]
    pair = base64.b64decode(token["authorizationToken"]).decode()
    user, _, password = pair.partition(":")
    image.tag(uri, tag)
    login = {"username": user, "password": password}
    said = str(lab.docker.images.push(uri, tag=tag, auth_config=login))
    lab.docker.images.remove(f"{uri}:{tag}")
    if (error := json.loads(said.splitlines()[-1]).get("error")) is not None:
        raise NotReadyError(
            f"The image can't be pushed to the local ECR: {error}",
            next_step="Prepare the exercise again.",
        )


def _define(lab: Lab, family: str, image: str, size: tuple[int, int] = (256, 512)) -> None:
    cpu, memory = size
    lab.aws("ecs").register_task_definition(
        family=family,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu=str(cpu),
        memory=str(memory),
        executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/pull",
        containerDefinitions=[{"name": family, "image": image}],
    )


def _run(lab: Lab, family: str, cluster: str = "") -> str:
    subnet = lab.aws("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    [task] = lab.aws("ecs").run_task(
        cluster=cluster or family,
        taskDefinition=family,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )["tasks"]
    return str(task["taskArn"])


def _tasks(lab: Lab, cluster: str, *, stopped: bool = False) -> list[dict[str, Any]]:
    """List what runs, or should run, in a cluster; or what has stopped."""
    ecs = lab.aws("ecs")
    status = "STOPPED" if stopped else "RUNNING"
    try:
        arns = ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"]
    except ecs.exceptions.ClusterNotFoundException:
        return []
    if not arns:
        return []
    found = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    return sorted(found, key=lambda task: task["createdAt"])


def _forget_tasks(lab: Lab, cluster: str) -> None:
    ecs = lab.aws("ecs")
    if arns := [task["taskArn"] for task in _tasks(lab, cluster)]:
        for arn in arns:
            ecs.stop_task(cluster=cluster, task=arn)
        ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=arns, WaiterConfig=PATIENCE)


# --- 10.1 ----------------------------------------------------------------------------------------


def _noted() -> tuple[str, str]:
    return by_seed(NOTES)


def _prepare_note(lab: Lab) -> None:
    for region in REGIONS:
        for name in CLUSTERS:
            _client(lab, "ecs", region).create_cluster(clusterName=name)
    region, name = _noted()
    arn = f"arn:aws:ecs:{region}:{ACCOUNT}:cluster/{name}"
    (lab.folder("note") / "delete-me.txt").write_text(f"{arn}\n")


def _check_note(lab: Lab) -> None:
    noted = _noted()
    there = {
        (region, cluster["clusterName"])
        for region in REGIONS
        for cluster in _client(lab, "ecs", region).describe_clusters(clusters=list(CLUSTERS))[
            "clusters"
        ]
        if cluster["status"] == "ACTIVE"
    }
    if not there:
        raise NotYet("There is no cluster of the note's, in no region: prepare the exercise first.")
    for region in REGIONS:
        for name in CLUSTERS:
            if (region, name) not in there and (region, name) != noted:
                raise NotYet(
                    f"The cluster {name} of {region} is gone, and the note does not name that "
                    "one. Compare parts 4 and 6 of the ARN, and prepare the exercise again."
                )
    if noted in there:
        raise NotYet(
            f"The cluster {noted[1]} of the note is still there. Which region does the ARN name, "
            "and which region does your client ask?"
        )


# --- 10.2 ----------------------------------------------------------------------------------------


def _prepare_menu(lab: Lab) -> None:
    _drop_repository(lab, "menu")
    for dish in DISHES.values():
        for tag in _built(lab, "menu", dish).tags:
            # What it was called when it was pushed before; any other name is the learner's own.
            if tag.rpartition(":")[0].endswith("/menu"):
                lab.docker.images.remove(tag)


def _check_menu(lab: Lab) -> None:
    ecr = lab.aws("ecr")
    try:
        [repository] = ecr.describe_repositories(repositoryNames=["menu"])["repositories"]
    except ecr.exceptions.RepositoryNotFoundException:
        raise NotYet("ECR has no repository of the name menu.") from None
    if repository["imageTagMutability"] != "IMMUTABLE":
        raise NotYet(
            "A tag of menu can be moved to another image: its imageTagMutability is "
            f"{repository['imageTagMutability']}."
        )
    tagged = {
        tag: image["imageDigest"]
        for image in ecr.describe_images(repositoryName="menu")["imageDetails"]
        for tag in image.get("imageTags", ())
    }
    for tag, dish in DISHES.items():
        if tag not in tagged:
            raise NotYet(
                f"menu has no image with the tag {tag}; it has: {', '.join(sorted(tagged))}."
                if tagged
                else "menu has no image yet. What was the last line that the engine has said?"
            )
        if not _is_dish(lab, tagged[tag], dish):
            raise NotYet(
                f"menu:{tag} is not the image of the {dish}. A tag that is taken can't be moved: "
                "which one did you push first?"
            )


def _is_dish(lab: Lab, digest: str, dish: str) -> bool:
    [found] = lab.aws("ecr").batch_get_image(
        repositoryName="menu", imageIds=[{"imageDigest": digest}]
    )["images"]
    config = json.loads(found["imageManifest"]).get("config", {}).get("digest")
    # An engine calls an image by its settings' digest, or by its manifest's.
    return evidence.image(lab, f"menu:{dish}").id in (config, digest)


# --- 10.3 ----------------------------------------------------------------------------------------


def _forgotten() -> tuple[tuple[int, int], ...]:
    return by_seed(FORGOTTEN)


def _an_hour() -> float:
    from facts import load_facts  # noqa: PLC0415  # most checks need no facts

    prices = load_facts().prices.rows
    cpu, memory = prices["fargate-x86-vcpu-hour"].amount, prices["fargate-x86-gb-hour"].amount
    return sum(units / 1024 * cpu + mb / 1024 * memory for units, mb in _forgotten())


def _prepare_forgotten(lab: Lab) -> None:
    ecs = lab.aws("ecs")
    ecs.create_cluster(clusterName="forgotten")
    _forget_tasks(lab, "forgotten")
    (lab.folder("bill") / "month.txt").unlink(missing_ok=True)
    arns = []
    for number, size in enumerate(_forgotten(), start=1):
        _define(lab, f"job-{number}", "course/app:1", size)
        arns.append(_run(lab, f"job-{number}", "forgotten"))
    ecs.get_waiter("tasks_running").wait(cluster="forgotten", tasks=arns, WaiterConfig=PATIENCE)


def _check_forgotten(lab: Lab) -> None:
    if not _tasks(lab, "forgotten") and not _tasks(lab, "forgotten", stopped=True):
        raise NotYet("Nothing has ever run in the cluster forgotten: prepare the exercise first.")
    path = lab.folder("bill") / "month.txt"
    if not path.exists():
        raise NotYet("There is no month.txt in your folder bill yet.")
    written = path.read_text().strip()
    try:
        month = float(written.strip("$").removesuffix("USD"))
    except ValueError:
        month = math.nan
    if not math.isfinite(month):
        raise NotYet(f"month.txt says {written!r}, which is no number.")
    wanted = _an_hour() * HOURS
    if abs(month - wanted) > NEAR * wanted:
        if abs(month - _an_hour()) < NEAR:
            raise NotYet("That is what they cost in one hour, and a month has 730.")
        more = "less" if month > wanted else "more"
        raise NotYet(
            f"By the prices they cost {more} than {month:.2f} a month. Look at the size of each "
            f"of the {len(_forgotten())} tasks: 1024 units of cpu are one vCPU, and 1024 of memory "
            "one GB. The prices are those for x86, without addresses."
        )
    if running := _tasks(lab, "forgotten"):
        raise NotYet(f"The sum is right. Tasks that still run, and cost: {len(running)}.")


# --- 10.4 ----------------------------------------------------------------------------------------


def _prepare_kiosk(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_kiosk(lab: Lab) -> None:
    ecr = lab.aws("ecr")
    try:
        [wanted] = ecr.describe_images(repositoryName="kiosk", imageIds=[{"imageTag": "1"}])[
            "imageDetails"
        ]
    except (ecr.exceptions.RepositoryNotFoundException, ecr.exceptions.ImageNotFoundException):
        raise NotYet("ECR has no kiosk:1 any more: prepare the exercise again.") from None
    evidence.within(START_SECONDS)(_is_decided)(lab)
    running = [task for task in _of_kiosk(lab) if task["lastStatus"] == "RUNNING"]
    if not running:
        raise NotYet(_why_not(lab))
    digest = running[-1]["containers"][0].get("imageDigest")
    if digest != wanted["imageDigest"]:
        raise NotYet(
            "A task of the family kiosk runs, and not from the image kiosk:1 of your ECR: it has "
            f"the digest {str(digest)[:19]}…, and should have {wanted['imageDigest'][:19]}…."
        )


def _of_kiosk(lab: Lab) -> list[dict[str, Any]]:
    tasks = _tasks(lab, "kiosk")
    return [task for task in tasks if "/kiosk:" in task["taskDefinitionArn"]]


def _is_decided(lab: Lab) -> bool:
    return all(task["lastStatus"] == "RUNNING" for task in _of_kiosk(lab))


def _why_not(lab: Lab) -> str:
    stopped = [
        task
        for task in _tasks(lab, "kiosk", stopped=True)
        if "/kiosk:" in task["taskDefinitionArn"]
    ]
    if not stopped:
        return "No task of the family kiosk has ever run in the cluster kiosk."
    last = stopped[-1]
    if last.get("stopCode") != "TaskFailedToStart":
        return f"The last task of the family kiosk has ended: {last.get('stoppedReason', '')!r}."
    revision = last["taskDefinitionArn"].rpartition("/")[2]
    reason = str(last.get("stoppedReason", ""))
    if not reason.startswith("CannotPullContainerError"):
        return f"The task of {revision} has its image, and did not start: {reason}"
    image = str(last["containers"][0]["image"])
    return f"The task of {revision} could not pull its image: {_wrong_with(lab, image)}"


def _wrong_with(lab: Lab, image: str) -> str:
    """Say which part of an image's name leads to nothing in ECR."""
    [mine] = lab.aws("ecr").describe_repositories(repositoryNames=["kiosk"])["repositories"]
    host, slash, rest = image.rpartition("/")
    name, at, _ = rest.partition("@") if "@" in rest else rest.partition(":")
    if not slash:
        return f"{image!r} names no registry. The URI of the repository begins with yours."
    if host != mine["repositoryUri"].partition("/")[0]:
        return "it asks another registry than your ECR. Compare the part before the '/'."
    if name != "kiosk":
        return f"ECR has no repository {name!r}. Which ones does it have?"
    what = "digest" if at == "@" else "tag"
    return f"the repository is right, and no image in it has that {what}."


EXERCISES = {
    "10.1": Exercise(
        title="The cluster that the ARN names",
        minutes=7,
        nudge="An ARN has six parts. A client asks one region only, and lab.aws gives you that of "
        "us-east-1; the chapter made one for another region.",
        check=_check_note,
        prepare=_prepare_note,
    ),
    "10.2": Exercise(
        title="A tag that stays",
        minutes=10,
        nudge="The engine's answer to a push is many lines, and only the last one says whether it "
        "went well. A repository has to exist first, and the engine needs a password.",
        check=_check_menu,
        prepare=_prepare_menu,
    ),
    "10.3": Exercise(
        title="What it costs to forget",
        minutes=10,
        nudge="A task says its size as text: 1024 units are one vCPU, and memory is in MB, of "
        "which 1024 are one GB. Add up the hours of all, then think of the month.",
        check=_check_forgotten,
        prepare=_prepare_forgotten,
    ),
    "10.4": Exercise(
        title="The task that never starts",
        minutes=10,
        nudge="Ask the stopped task why it has stopped, and take the name of its image apart: the "
        "registry, the repository, the tag or the digest. Then ask ECR what it really has.",
        check=_check_kiosk,
        prepare=_prepare_kiosk,
    ),
}
