"""What the comparison counts is counted again, in the installed packages."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, StructureShape
from kubernetes.client import models as kubernetes_models

from facts import load_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ServiceModel, Shape

FACTS = load_facts()
SERVICES = {"eb": "elasticbeanstalk", "ecs": "ecs", "eks": "eks"}
CALLS = {
    call.call: call
    for row in FACTS.inputs.rows.values()
    for call in row.calls
    if not call.call.startswith("kubernetes.")
}
SET_BY_OTHERS = {"api_version", "kind", "status"}


@cache
def model_of(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def fields_of(shape: Shape, within: tuple[str, ...] = ()) -> int:
    if isinstance(shape, StructureShape):
        if shape.name in within:
            return 0
        path = (*within, shape.name)
        return sum(1 + fields_of(member, path) for member in shape.members.values())
    if isinstance(shape, ListShape):
        return fields_of(shape.member, within)
    return fields_of(shape.value, within) if isinstance(shape, MapShape) else 0


@cache
def kubernetes_classes() -> dict[str, Any]:
    found = {name: getattr(kubernetes_models, name) for name in dir(kubernetes_models)}
    return {name: each for name, each in found.items() if hasattr(each, "openapi_types")}


def class_in(kind: str) -> str:
    """The model in a type such as `List[V1Container]`; "" if it holds none."""
    return next((word for word in re.findall(r"\w+", kind) if word in kubernetes_classes()), "")


def kubernetes_fields(name: str, within: tuple[str, ...] = ()) -> int:
    if not name or name in within:
        return 0
    types = kubernetes_classes()[name].openapi_types
    left_out = set() if within else SET_BY_OTHERS
    return sum(
        1 + kubernetes_fields(class_in(kind), (*within, name))
        for field, kind in types.items()
        if field not in left_out
    )


def stable_kinds() -> Iterator[str]:
    """The model of each kind of object in its newest stable version."""
    newest: dict[str, tuple[int, str]] = {}
    for name, each in kubernetes_classes().items():
        types = each.openapi_types
        if types.get("metadata") != "V1ObjectMeta" or not {"kind", "api_version"} <= set(types):
            continue
        stable = re.fullmatch(r"(.*?)V(\d+)([A-Z]\w*)", name)
        if stable:
            group, number, kind = stable.groups()
            newest[group + kind] = max(newest.get(group + kind, (0, "")), (int(number), name))
    yield from (name for _, name in newest.values())


@pytest.mark.parametrize("row", SERVICES)
def test_an_aws_api_has_as_much_to_set_as_the_table_says(row: str) -> None:
    model, counted = model_of(SERVICES[row]), FACTS.counts.rows[row]
    inputs = [model.operation_model(name).input_shape for name in model.operation_names]
    assert (counted.parts, counted.fields) == (
        len(inputs),
        sum(fields_of(shape) for shape in inputs if shape),
    )


def test_the_kubernetes_api_has_as_much_to_set_as_the_table_says() -> None:
    counted, kinds = FACTS.counts.rows["kubernetes"], list(stable_kinds())
    assert {"V1Deployment", "V1Service", "V2HorizontalPodAutoscaler"} <= set(kinds)
    assert (counted.parts, counted.fields) == (
        len(kinds),
        sum(kubernetes_fields(name) for name in kinds),
    )


@pytest.mark.parametrize("row", FACTS.counts.rows)
def test_a_count_names_the_installed_version(row: str) -> None:
    name, _, pinned = FACTS.counts.rows[row].counted_in.partition("==")
    assert pinned == version(name)


def test_every_option_of_the_three_services_is_counted_or_says_why_not() -> None:
    options = {name for name, row in FACTS.options.rows.items() if row.service[0] == "E"}
    assert set(FACTS.inputs.rows) == options


def required_by_model(call: str, path: str) -> bool:
    """Whether each step of a field's path is required; fails if a step does not exist."""
    service, _, operation = call.partition(".")
    shape: Shape = model_of(service).operation_model(operation).input_shape
    required = True
    for step in path.partition(" > ")[0].split("."):
        while isinstance(shape, ListShape):
            shape = shape.member
        assert isinstance(shape, StructureShape), f"{call} {path}"
        assert step in shape.members, f"{call} has no {path}"
        required = required and step in shape.required_members
        shape = shape.members[step]
    return required


def required_in(call: str) -> set[str]:
    """The required fields of a request that hold a value themselves."""
    service, _, operation = call.partition(".")
    shape = model_of(service).operation_model(operation).input_shape
    return set(_required(shape, "")) if shape else set()


def _required(shape: StructureShape, above: str) -> Iterator[str]:
    for name in shape.required_members:
        member = shape.members[name]
        while isinstance(member, ListShape):
            member = member.member
        if isinstance(member, StructureShape):
            yield from _required(member, f"{above}{name}.")
        else:
            yield f"{above}{name}"


@pytest.mark.parametrize("name", CALLS)
def test_an_input_is_called_required_exactly_if_the_model_requires_it(name: str) -> None:
    for path, why in CALLS[name].inputs.items():
        assert (why == "required") == required_by_model(name, path), path


@pytest.mark.parametrize("name", CALLS)
def test_no_required_input_is_missing(name: str) -> None:
    assert required_in(name) <= {path.partition(" > ")[0] for path in CALLS[name].inputs}


def nested(paths: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path in paths:
        *above, last = path.split(".")
        inner = made
        for step in above:
            inner = inner.setdefault(step, {})
        inner[last] = "x"
    return made


def build(name: str, given: dict[str, Any]) -> object:
    """Make a Kubernetes object of a request; its client refuses what lacks a required field."""
    model = kubernetes_classes()[name]
    names = {camel: snake for snake, camel in model.attribute_map.items()}
    arguments = {}
    for camel, value in given.items():
        assert camel in names, f"{name} has no {camel}"
        kind = model.openapi_types[names[camel]]
        if isinstance(value, dict):
            inner: object = build(class_in(kind), value)
        else:
            inner = {"x": "x"} if kind.startswith("Dict[") else 1 if kind == "int" else value
        arguments[names[camel]] = [inner] if kind.startswith("List[") else inner
    return model(**arguments)


@pytest.mark.parametrize("row", ["eks-auto", "eks-managed-nodes"])
def test_the_inputs_make_objects_that_the_kubernetes_client_accepts(row: str) -> None:
    calls = [call for call in FACTS.inputs.rows[row].calls if call.call.startswith("kubernetes.")]
    assert [call.call for call in calls] == ["kubernetes.V1Deployment", "kubernetes.V1Service"]
    for call in calls:
        name = call.call.removeprefix("kubernetes.")
        assert build(name, nested(list(call.inputs)))
        lacking = [path for path, why in call.inputs.items() if why.startswith("required")]
        for path in lacking:
            rest = [other for other in call.inputs if other != path]
            if any(other.startswith(path.rpartition(".")[0] + ".") for other in rest):
                with pytest.raises(ValueError, match="Field required"):
                    build(name, nested(rest))
