"""Tags and account settings of the local ECS."""

from __future__ import annotations

from typing import Any

import pytest

from lab.aws.ecs.account_settings import DEFAULTS
from lab.aws.ecs.state import Ecs
from lab.aws.errors import AwsError

from .records import PLACE
from .records import judged as ask
from .suite.documented import model

Json = dict[str, Any]

FORM = {
    "family": "web",
    "containerDefinitions": [{"name": "web", "image": "course/app:1", "memory": 64}],
}
TAGS = [{"key": "stage", "value": "try"}]


@pytest.fixture
def ecs() -> Ecs:
    return Ecs(PLACE)


def refused(ecs: Ecs, operation: str, **request: Any) -> tuple[str, str]:  # noqa: ANN401  # JSON
    with pytest.raises(AwsError) as refusal:
        ask(ecs, operation, **request)
    return refusal.value.code, refusal.value.message


def tag(key: str, value: str = "") -> Json:
    return {"key": key, "value": value}


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        ([tag("")], "Tag keys can not be null or empty."),
        ([{"value": "try"}], "Tag keys can not be null or empty."),
        (
            [tag("stage", "try[1]")],
            (
                "Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, "
                "numbers and _ . / = + - : @."
            ),
        ),
        ([tag("k" * 129)], "Tag keys can have at most 128 characters."),
        ([tag("stage", "v" * 257)], "Tag values can have at most 256 characters."),
        ([tag("AWS:stage")], "Tags that begin with aws: are reserved for AWS."),
        ([tag("stage"), tag("stage")], "Tag keys must be unique."),
        ([tag(f"k{n}") for n in range(51)], "Tags cannot have more than 50 elements."),
    ],
)
def test_bad_tags_are_refused_wherever_they_come(ecs: Ecs, tags: list[Json], sentence: str) -> None:
    expected = ("InvalidParameterException", sentence)
    assert refused(ecs, "RegisterTaskDefinition", **FORM, tags=tags) == expected
    assert refused(ecs, "CreateCluster", tags=tags) == expected
    arn = ask(ecs, "CreateCluster")["cluster"]["clusterArn"]
    assert refused(ecs, "TagResource", resourceArn=arn, tags=tags) == expected


def test_letters_of_all_languages_are_tags(ecs: Ecs) -> None:
    tags = [tag("größe", "früh @ 5:30/τρία")]
    assert ask(ecs, "RegisterTaskDefinition", **FORM, tags=tags)["tags"] == tags


def test_tags_of_a_task_definition_are_changed_by_its_arn(ecs: Ecs) -> None:
    made = ask(ecs, "RegisterTaskDefinition", **FORM, tags=TAGS)["taskDefinition"]
    arn = made["taskDefinitionArn"]
    ask(ecs, "RegisterTaskDefinition", **FORM)
    ask(ecs, "TagResource", resourceArn=arn, tags=[tag("stage", "real"), tag("team", "blue")])
    ask(ecs, "UntagResource", resourceArn=arn, tagKeys=["team", "nobody"])
    assert ask(ecs, "ListTagsForResource", resourceArn=arn)["tags"] == [tag("stage", "real")]
    described = ask(ecs, "DescribeTaskDefinition", taskDefinition="web:1", include=["TAGS"])
    assert described["tags"] == [tag("stage", "real")]
    assert ask(ecs, "ListTagsForResource", resourceArn=f"{arn[:-1]}2")["tags"] == []


def test_resource_has_at_most_50_tags(ecs: Ecs) -> None:
    arn = ask(ecs, "CreateCluster", tags=TAGS)["cluster"]["clusterArn"]
    many = [tag(f"k{n}") for n in range(50)]
    code, _ = refused(ecs, "TagResource", resourceArn=arn, tags=many)
    assert code == "LimitExceededException"
    assert ask(ecs, "ListTagsForResource", resourceArn=arn)["tags"] == TAGS


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("cluster/nobody", "ClusterNotFoundException"),
        ("service/default/nobody", "ResourceNotFoundException"),
        ("task/default/0", "ResourceNotFoundException"),
        ("container-instance/default/0", "ResourceNotFoundException"),
        ("task-definition/web:1", "ClientException"),
        ("task-definition/web", "InvalidParameterException"),
        ("", "ResourceNotFoundException"),
    ],
)
def test_what_is_not_there_has_no_tags(ecs: Ecs, resource: str, code: str) -> None:
    arn = f"arn:aws:ecs:us-east-1:123456789012:{resource}"
    assert refused(ecs, "ListTagsForResource", resourceArn=arn)[0] == code


@pytest.mark.parametrize(
    "arn", ["", "web", "arn:aws:ecs:eu-west-1:123456789012:cluster/default", "arn:aws:s3:::web"]
)
def test_arn_of_elsewhere_is_refused(ecs: Ecs, arn: str) -> None:
    ask(ecs, "CreateCluster")
    code, _ = refused(ecs, "TagResource", resourceArn=arn, tags=TAGS)
    assert code == "InvalidParameterException"


# --- account settings ------------------------------------------------------------------------


def test_settings_are_those_of_the_model() -> None:
    assert set(DEFAULTS) == set(model("ecs").shape_for("SettingName").enum)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("containerInsights", "on"),
        ("taskLongArnFormat", ""),
        ("fargateTaskRetirementWaitPeriod", "8"),
        ("tagResourceAuthorization", "enabled"),
    ],
)
def test_setting_takes_its_values_only(ecs: Ecs, name: str, value: str) -> None:
    code, sentence = refused(ecs, "PutAccountSetting", name=name, value=value)
    assert code == "InvalidParameterException"
    assert sentence.startswith(f"{value} should be one of [")
    assert not ecs.account_settings


def test_every_default_is_a_value_that_its_setting_takes(ecs: Ecs) -> None:
    for name, value in DEFAULTS.items():
        ask(ecs, "PutAccountSetting", name=name, value=value)
    assert ecs.account_settings == DEFAULTS


def test_setting_holds_until_it_is_deleted(ecs: Ecs) -> None:
    listed = {"name": "containerInsights", "effectiveSettings": True}
    ask(ecs, "PutAccountSettingDefault", name="containerInsights", value="enhanced")
    [setting] = ask(ecs, "ListAccountSettings", **listed)["settings"]
    assert setting["value"] == "enhanced"
    made = ask(ecs, "CreateCluster")["cluster"]
    assert made["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    ask(ecs, "DeleteAccountSetting", name="containerInsights")
    [setting] = ask(ecs, "ListAccountSettings", **listed)["settings"]
    assert setting["value"] == "disabled"
    assert ask(ecs, "ListAccountSettings")["settings"] == []


def test_settings_come_in_pages_of_ten(ecs: Ecs) -> None:
    first = ask(ecs, "ListAccountSettings", effectiveSettings=True)
    rest = ask(ecs, "ListAccountSettings", effectiveSettings=True, nextToken=first["nextToken"])
    names = [setting["name"] for setting in first["settings"] + rest["settings"]]
    assert names == sorted(DEFAULTS)
    assert rest["nextToken"] is None


def test_value_alone_is_no_question(ecs: Ecs) -> None:
    code, _ = refused(ecs, "ListAccountSettings", value="enabled")
    assert code == "InvalidParameterException"


# --- clusters --------------------------------------------------------------------------------


def test_cluster_shows_what_is_asked_for(ecs: Ecs) -> None:
    execute = {"executeCommandConfiguration": {"logging": "DEFAULT"}}
    ask(ecs, "CreateCluster", clusterName="web", configuration=execute, tags=TAGS)
    every = ["CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"]
    [plain] = ask(ecs, "DescribeClusters", clusters=["web"])["clusters"]
    [full] = ask(ecs, "DescribeClusters", clusters=["web"], include=every)["clusters"]
    assert "configuration" not in plain
    assert plain["statistics"] == plain["settings"] == plain["tags"] == []
    assert (full["configuration"], full["tags"]) == (execute, TAGS)
    assert {"name": "runningFargateTasksCount", "value": "0"} in full["statistics"]


@pytest.mark.parametrize("name", ["no spaces, please!", "c" * 256, "web/1"])
def test_cluster_has_a_plain_name(ecs: Ecs, name: str) -> None:
    code, sentence = refused(ecs, "CreateCluster", clusterName=name)
    assert code == "InvalidParameterException"
    assert sentence == r"ClusterName must match ^[a-zA-Z0-9\-_]{1,255}$"


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ([("FARGATE", 1, 1), ("FARGATE_SPOT", 1, 1)], "Only one capacity provider per strategy"),
        ([("FARGATE", 0, 0), ("FARGATE_SPOT", 0, 0)], "with a weight value greater than zero"),
        ([("FARGATE_SPOT", 1, 0)], "that is not associated with the cluster"),
    ],
)
def test_strategy_that_can_not_be_followed_is_refused(
    ecs: Ecs, strategy: list[tuple[str, int, int]], says: str
) -> None:
    names = ["FARGATE"] if len(strategy) == 1 else ["FARGATE", "FARGATE_SPOT"]
    items = [
        {"capacityProvider": name, "weight": weight, "base": base}
        for name, weight, base in strategy
    ]
    code, sentence = refused(
        ecs, "CreateCluster", capacityProviders=names, defaultCapacityProviderStrategy=items
    )
    assert code == "InvalidParameterException"
    assert says in sentence
    assert not ecs.clusters
