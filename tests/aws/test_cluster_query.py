from __future__ import annotations

import pytest

from lab.aws.ecs.query import parsed
from lab.aws.errors import AwsError

from .records import definition, ecs_with_cluster, host, task_on


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("", "a subject is missing"),
        ("attribute: == a", "a subject is missing"),
        ("disk == fast", "a subject is missing"),
        ("attribute:disk", "an operator is missing"),
        ("attribute:disk = fast", "an operator is missing"),
        ("attribute:disk ==", "an argument is missing"),
        ("attribute:disk in fast", "a list is missing"),
        ("attribute:disk in [fast", "a closing bracket is missing"),
        ("attribute:disk in []", "an argument is missing"),
        ("(attribute:disk == fast", "a closing parenthesis is missing"),
        ("attribute:disk == fast and", "a subject is missing"),
        ("attribute:disk == fast attribute:a == b", "'and' or 'or' is missing"),
        ("attribute:disk =~ *fast", "the pattern *fast is not valid"),
        ("registeredAt < yesterday", "yesterday is no date"),
        ("attribute:disk == " + "a" * 2000, "a maximum length of 2000"),
    ],
)
def test_what_is_no_expression_is_refused(expression: str, what: str) -> None:
    with pytest.raises(AwsError) as refusal:
        parsed(expression)
    assert refusal.value.code == "InvalidParameterException"
    assert what in refusal.value.message


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("attribute:disk == fast", True),
        ("attribute:disk equals fast", True),
        ("attribute:disk == 'fast'", True),
        ("attribute:disk != fast", False),
        ("attribute:disk not_equals slow", True),
        ("attribute:disk in [slow, fast]", True),
        ("attribute:disk !in [slow, fast]", False),
        ("attribute:disk not_in ['slow']", True),
        ("attribute:disk exists", True),
        ("attribute:disk !exists", False),
        ("attribute:marked exists", True),
        ("attribute:gpu not_exists", True),
        # Nothing holds of an attribute that is not there.
        ("attribute:gpu == a", False),
        ("attribute:gpu != a", False),
        ("attribute:gpu !in [a]", False),
        ("attribute:ecs.instance-type =~ t3.*", True),
        ("attribute:ecs.instance-type matches t3", False),
        ("attribute:ecs.instance-type !~ m5.*", True),
        ("task:group == service:db", True),
        ("task:group == service:web", False),
        ("not(task:group == service:db)", False),
        ("not (task:group == service:web)", True),
        ("task:group != service:web", True),
        ("!(task:group == service:db)", False),
        ("runningTasksCount == 1", True),
        ("runningTasksCount >= 2", False),
        ("agentVersion < 1.107.1", True),
        ("agentVersion less_than 1.14.5", False),
        ("agentConnected == true", True),
        ("registeredAt > 2018-06-18", True),
        ("registeredAt <= 2018-06-18T22:28:28Z", False),
        ("attribute:disk == slow or task:group == service:db", True),
        ("attribute:disk == slow || attribute:disk == fast && attribute:gpu exists", False),
        ("(attribute:disk == fast or attribute:gpu exists) and attribute:gpu exists", False),
        ("attribute:disk == fast and (attribute:gpu exists or runningTasksCount < 5)", True),
    ],
)
def test_expression_holds_or_not(expression: str, holds: bool) -> None:  # noqa: FBT001
    with ecs_with_cluster() as (ecs, cluster):
        one = host(ecs, cluster, attributes={"disk": "fast", "marked": None})
        task_on(ecs, one, definition("db"), group="service:db")
        assert parsed(expression)(one) is holds


def test_an_instance_is_found_by_its_id() -> None:
    with ecs_with_cluster() as (ecs, cluster):
        one, other = host(ecs, cluster), host(ecs, cluster)
        condition = parsed(f"ec2InstanceId in ['{one.instance_id}', 'i-1']")
        assert (condition(one), condition(other)) == (True, False)
