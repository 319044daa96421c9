from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import Lab, open_lab
from lab.checks import exercises_of

from .proof import CheckProof, faults_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    proof = metafunc.cls
    if proof is None or not issubclass(proof, CheckProof):
        return
    if "number" in metafunc.fixturenames:
        metafunc.parametrize(
            "number",
            [
                pytest.param(number, marks=marks(proof, number))
                for number in exercises_of(proof.chapter)
            ],
        )
    if "fault" in metafunc.fixturenames:
        metafunc.parametrize("fault", faults_of(proof.chapter))
    if "wrong" in metafunc.fixturenames:
        names = [f"{case.exercise}-{case.answer.__name__}" for case in proof.wrong]
        cases = [pytest.param(case, marks=marks(proof, case.exercise)) for case in proof.wrong]
        metafunc.parametrize("wrong", cases, ids=names)


def marks(proof: type[CheckProof], number: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.swarm] if number in proof.swarm else []


@pytest.fixture
def exercises(request: pytest.FixtureRequest, learner: str) -> Iterator[Lab]:
    opened = open_lab(request.cls.chapter, exercises=True)
    assert opened.naming.learner == learner
    yield opened
    opened.close()
