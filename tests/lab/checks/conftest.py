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
        metafunc.parametrize("number", exercises_of(proof.chapter))
    if "fault" in metafunc.fixturenames:
        metafunc.parametrize("fault", faults_of(proof.chapter))
    if "wrong" in metafunc.fixturenames:
        names = [f"{case.exercise}-{case.answer.__name__}" for case in proof.wrong]
        metafunc.parametrize("wrong", proof.wrong, ids=names)


@pytest.fixture
def exercises(request: pytest.FixtureRequest, learner: str) -> Iterator[Lab]:
    opened = open_lab(request.cls.chapter, exercises=True)
    assert opened.naming.learner == learner
    yield opened
    opened.close()
