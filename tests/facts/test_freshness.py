"""What the tables say of AWS's APIs is what the installed botocore has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.session
import pytest

from facts import load_facts

if TYPE_CHECKING:
    from botocore.model import ServiceModel

ROWS = load_facts().models.rows


@pytest.fixture(scope="session")
def models() -> dict[str, ServiceModel]:
    session = botocore.session.get_session()
    return {row.service: session.get_service_model(row.service) for row in ROWS.values()}


@pytest.mark.parametrize("name", ROWS)
def test_the_api_model_has_what_the_tables_say(name: str, models: dict[str, ServiceModel]) -> None:
    row, model = ROWS[name], models[ROWS[name].service]
    assert row.operations or row.shape
    assert set(row.operations) <= set(model.operation_names)
    told = [model.operation_model(name).documentation for name in row.operations]
    if row.shape:
        shape = model.shape_for(row.shape)
        if getattr(shape, "enum", None):
            assert set(shape.enum) == set(row.values)
        else:
            assert set(row.values) <= set(shape.members)
        members = getattr(shape, "members", {}).values()
        told += [shape.documentation, *(member.documentation for member in members)]
    assert all(words in " ".join(told) for words in row.says)


def test_the_talk_s_launch_types_are_among_today_s() -> None:
    assert {"EC2", "FARGATE"} <= set(ROWS["ecs-launch-types"].values)
