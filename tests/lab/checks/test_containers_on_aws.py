"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.checks import containers_on_aws as checks
from lab.checks.containers_on_aws import CHAPTER, inject

from .proof import SEED, CheckProof, Wrong

if TYPE_CHECKING:
    from collections.abc import Hashable

    from lab import Lab

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_SEED", SEED)


def delete(lab: Lab, region: str, name: str) -> None:
    checks._client(lab, "ecs", region).delete_cluster(cluster=name)


def deleted_at_home(lab: Lab) -> None:
    lab.prepare("10.1")
    delete(lab, "us-east-1", "orders")


def deleted_the_test_cluster(lab: Lab) -> None:
    lab.prepare("10.1")
    delete(lab, "eu-central-1", "orders-test")


def deleted_in_all_regions(lab: Lab) -> None:
    lab.prepare("10.1")
    for region in checks.REGIONS:
        delete(lab, region, "orders")


def menu(lab: Lab, dishes: dict[str, str], mutability: str = "IMMUTABLE") -> None:
    lab.prepare("10.2")
    uri = lab.aws("ecr").create_repository(repositoryName="menu", imageTagMutability=mutability)[
        "repository"
    ]["repositoryUri"]
    for tag, dish in dishes.items():
        checks._push(lab, lab.docker.images.get(f"{lab.name('menu')}:{dish}"), uri, tag)


def left_the_tags_mutable(lab: Lab) -> None:
    menu(lab, {"1": "soup", "2": "fish"}, "MUTABLE")


def pushed_one_only(lab: Lab) -> None:
    menu(lab, {"1": "soup"})


def pushed_without_a_login(lab: Lab) -> None:
    menu(lab, {})
    lab.docker.images.push("127.0.0.1:9/menu", tag="1")


def pushed_the_fish_first(lab: Lab) -> None:
    menu(lab, {"1": "fish", "2": "soup"})


def write_bill(lab: Lab, text: str) -> None:
    lab.prepare("10.3")
    (lab.folder("bill") / "month.txt").write_text(text)


def billed_an_hour(lab: Lab) -> None:
    write_bill(lab, f"{checks._an_hour():.4f}")


def billed_one_size_for_all(lab: Lab) -> None:
    write_bill(lab, f"{3 * 9.01:.2f}")


def billed_in_words(lab: Lab) -> None:
    write_bill(lab, "a lot")


def billed_nothing_that_counts(lab: Lab) -> None:
    write_bill(lab, "nan")


def stopped_nothing(lab: Lab) -> None:
    write_bill(lab, f"{checks._an_hour() * 730:.2f}")


def run_kiosk(lab: Lab, image: str) -> None:
    inject(lab, "repository")
    checks._define(lab, "kiosk", image)
    task = checks._run(lab, "kiosk")
    lab.aws("ecs").get_waiter("tasks_running").wait(
        cluster="kiosk", tasks=[task], WaiterConfig=checks.PATIENCE
    )


def ran_another_image(lab: Lab) -> None:
    run_kiosk(lab, "course/app:1")


def run_until_stopped(lab: Lab) -> None:
    task = checks._run(lab, "kiosk")
    lab.aws("ecs").get_waiter("tasks_stopped").wait(
        cluster="kiosk", tasks=[task], WaiterConfig=checks.PATIENCE
    )


def ran_a_command_that_is_not_there(lab: Lab) -> None:
    inject(lab, "repository")
    uri = lab.aws("ecr").describe_repositories(repositoryNames=["kiosk"])["repositories"][0][
        "repositoryUri"
    ]
    form = lab.aws("ecs").describe_task_definition(taskDefinition="kiosk")["taskDefinition"]
    kept = ("family", "requiresCompatibilities", "networkMode", "cpu", "memory", "executionRoleArn")
    lab.aws("ecs").register_task_definition(
        **{member: form[member] for member in kept},
        containerDefinitions=[{"name": "kiosk", "image": f"{uri}:1", "command": ["nope"]}],
    )
    run_until_stopped(lab)


def named_no_registry(lab: Lab) -> None:
    inject(lab, "repository")
    checks._define(lab, "kiosk", "kiosk:1")
    run_until_stopped(lab)


def ran_the_old_revision_again(lab: Lab) -> None:
    inject(lab, "repository")
    checks._run(lab, "kiosk")


def stopped_it_again(lab: Lab) -> None:
    run_kiosk(lab, "course/app:1")
    checks._forget_tasks(lab, "kiosk")


class TestContainersOnAws(CheckProof):
    chapter = CHAPTER
    untouched = {
        "10.1": "is still there. Which region does the ARN name",
        "10.2": "no repository of the name menu",
        "10.3": "no month.txt in your folder bill",
        "10.4": "ECR has no repository 'kisok'",
    }
    wrong = (
        Wrong("10.1", deleted_at_home, "The cluster orders of us-east-1 is gone"),
        Wrong("10.1", deleted_the_test_cluster, "The cluster orders-test of eu-central-1 is gone"),
        Wrong("10.1", deleted_in_all_regions, "the note does not name that"),
        Wrong("10.2", left_the_tags_mutable, "its imageTagMutability is MUTABLE"),
        Wrong("10.2", pushed_one_only, "no image with the tag 2; it has: 1"),
        Wrong("10.2", pushed_without_a_login, "the last line that the engine has said"),
        Wrong("10.2", pushed_the_fish_first, "menu:1 is not the image of the soup"),
        Wrong("10.3", billed_an_hour, "what they cost in one hour"),
        Wrong("10.3", billed_one_size_for_all, "cost more than 27.03 a month"),
        Wrong("10.3", billed_in_words, "says 'a lot', which is no number"),
        Wrong("10.3", billed_nothing_that_counts, "says 'nan', which is no number"),
        Wrong("10.3", stopped_nothing, "The sum is right. Tasks that still run, and cost: 3."),
        Wrong("10.4", ran_another_image, "not from the image kiosk:1 of your ECR"),
        Wrong("10.4", ran_a_command_that_is_not_there, "has its image, and did not start: Cannot"),
        Wrong("10.4", named_no_registry, "'kiosk:1' names no registry"),
        Wrong("10.4", ran_the_old_revision_again, "ECR has no repository 'kisok'"),
        Wrong("10.4", stopped_it_again, "has ended: 'Task stopped by user'"),
    )
    repair = "10.4"
    faults = {
        "repository": "ECR has no repository 'kisok'",
        "tag": "no image in it has that tag",
        "digest": "no image in it has that digest",
        "registry": "it asks another registry than your ECR",
    }

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault)

    def scene(self, lab: Lab) -> Hashable:
        found: dict[str, Any] = lab.aws("ecs").describe_task_definition(taskDefinition="kiosk")
        return str(found["taskDefinition"]["containerDefinitions"][0]["image"])
