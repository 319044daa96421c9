"""Each check fails undecided, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from facts.chooser import load_chooser, recommend
from lab.checks.choosing import CASES, inject, rules_file
from lab.decisions import decide, decision_on

from .proof import ROOT, CheckProof, Wrong

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.engine

SOUND: dict[str, dict[str, Any]] = {
    "16.1": {
        "option": "ecs-express",
        "because": ["simple-web", "beginners"],
        "flip": {"zero": "yes"},
    },
    "16.2": {
        "option": "ecs-fargate",
        "because": ["jobs-on-fargate", "walled-off"],
        "flip": {"length": "short"},
    },
    "16.3": {
        "option": "eks-managed-nodes",
        "because": ["leave", "steady-vms"],
        "flip": {"patches": "any"},
    },
    "16.4": {
        "option": "eks-hybrid",
        "because": ["kubernetes-nice", "automate"],
        "flip": {"kubernetes": "no"},
    },
}


def write(lab: Lab, case: str, **other: object) -> None:
    decide(lab, case, **{"answers": CASES[case], **SOUND[case], **other})


def peaks_not_read(lab: Lab) -> None:
    write(lab, "16.1", answers={})


def for_who_knows_docker(lab: Lab) -> None:
    write(lab, "16.1", answers={**CASES["16.1"], "skills": "docker"})


def second_place(lab: Lab) -> None:
    write(lab, "16.1", option="ecs-fargate")


def one_reason_twice(lab: Lab) -> None:
    write(lab, "16.1", because=["beginners", "beginners"])


def lambda_for_hours(lab: Lab) -> None:
    write(lab, "16.2", option="lambda-image")


def reason_of_another(lab: Lab) -> None:
    write(lab, "16.2", because=["jobs-on-fargate", "peaks"])


def no_true_flip(lab: Lab) -> None:
    write(lab, "16.2", flip={"skills": "new"})


def a_cluster_that_costs_nothing(lab: Lab) -> None:
    write(lab, "16.2", flip={"kubernetes": "yes"})


def auto_mode_with_own_images(lab: Lab) -> None:
    write(lab, "16.3", option="eks-auto")


def two_answers_flip(lab: Lab) -> None:
    write(lab, "16.3", flip={"patches": "any", "aim": "none"})


def both_wishes(lab: Lab) -> None:
    write(lab, "16.4", answers={**CASES["16.4"], "patches": "aws"})


def unknown_option(lab: Lab) -> None:
    write(lab, "16.4", option="eks-at-home")


def what_is_so_already(lab: Lab) -> None:
    write(lab, "16.4", flip={"where": "own"})


def against_it(lab: Lab) -> None:
    write(lab, "16.2", option="eks-fargate", because=["walled-off", "kubernetes-unknown"])


def rule_thrown_out(lab: Lab) -> None:
    inject(lab, "sign")
    file = rules_file(lab)
    kept = [line for line in file.read_text().splitlines() if "id: zero-cluster" not in line]
    file.write_text("\n".join(kept))


def half_repaired(lab: Lab) -> None:
    inject(lab, "sign")
    file = rules_file(lab)
    told = 'because: "It keeps one'
    file.write_text(file.read_text().replace(f"points: 6, {told}", f"points: -1, {told}"))


class TestChoosing(CheckProof):
    chapter = "16-choosing"
    untouched = {
        "16.1": "There is no decision on 16.1 yet.",
        "16.2": "There is no decision on 16.2 yet.",
        "16.3": "There is no decision on 16.3 yet.",
        "16.4": "There is no decision on 16.4 yet.",
        "16.5": "nothing at rest “yes”: a reason that the desk gives is true",
    }
    wrong = (
        Wrong("16.1", peaks_not_read, "Read the case again and ask: “How does the load move?”"),
        Wrong("16.1", for_who_knows_docker, "where it says nothing, leave the question out."),
        Wrong("16.1", second_place, "has 6 points with these answers, and another option has 8."),
        Wrong("16.1", one_reason_twice, "defended by two different reasons"),
        Wrong("16.2", lambda_for_hours, "lambda-image is out with these answers. Lambda ends"),
        Wrong("16.2", reason_of_another, "'peaks' gives ecs-fargate no points"),
        Wrong("16.2", no_true_flip, "With 'skills' as 'new' the first place is still ecs-fargate."),
        Wrong("16.2", a_cluster_that_costs_nothing, "A cluster is paid for by the hour"),
        Wrong("16.2", against_it, "eks-fargate has -2 points with these answers"),
        Wrong("16.3", auto_mode_with_own_images, "You can't bring host images of your own."),
        Wrong("16.3", two_answers_flip, "you changed 2."),
        Wrong("16.4", both_wishes, "can't be true together. AWS can't patch machines"),
        Wrong("16.4", unknown_option, "'eks-at-home' is no option. Use one of:"),
        Wrong("16.4", what_is_so_already, "'where' is 'own' already"),
        Wrong("16.5", rule_thrown_out, "one is gone: zero-cluster."),
        Wrong("16.5", half_repaired, "'zero-cluster' loads, and no longer says"),
    )
    repair = "16.5"
    faults = {
        "sign": "nothing at rest “yes”: a reason that the desk gives is true",
        "fact": "express-is-web: unknown fact 'limits.express-web-only'.",
        "year": "system “Windows”: one of the reasons that the desk gives is of another year.",
        "answer": "express-is-web: kind has no answer 'jobs'.",
        "contradiction": "the desk says that this can't be true together, and it can.",
    }

    def break_it(self, lab: Lab, fault: str) -> None:
        inject(lab, fault)

    def scene(self, lab: Lab) -> str:
        return rules_file(lab).read_text("utf-8")


@pytest.mark.parametrize("case", CASES)
def test_a_case_has_one_answer_and_can_be_turned(case: str) -> None:
    found = recommend(CASES[case])
    first, second = found.ranked[:2]
    assert not found.contradictions
    assert first.points > second.points or second.out
    assert len(first.pro) > 1
    assert any(len(flip.answers) == 1 for flip in load_chooser().flips(found.answers, 2026))


def test_the_example_that_learners_see_first_is_sound() -> None:
    case = {"kubernetes": "yes", "skills": "kubernetes", "existing": "eks"}
    text = (ROOT / "exercises/16-choosing.ipynb").read_text("utf-8").replace('\\"', '"')
    assert f"needs = {json.dumps(case)}" in text
    assert 'because=["has-eks", "eks-easy"], flip={"kubernetes": "no"}' in text
    best = recommend(case).best
    assert best is not None
    assert best.option == "eks-auto"
    assert {"has-eks", "eks-easy"} <= set(best.pro)
    assert recommend({**case, "kubernetes": "no"}).ranked[0].option != "eks-auto"


def test_a_decision_is_told_in_words_and_kept(tmp_path: object) -> None:
    class Room:
        def folder(self, _: str) -> object:
            return tmp_path

    room: Any = Room()
    made = decide(room, "16.1", answers=CASES["16.1"], **SOUND["16.1"])
    assert repr(made).splitlines() == [
        "16.1: ecs-express",
        "  because: AWS's own guide names Express Mode for a simple web application.",
        "  because: One call or one upload makes all that a web service needs.",
        "  until:   zero is 'yes'",
    ]
    assert decision_on(room, "16.1") == made
    assert decision_on(room, "16.2") is None
    odd = decide(room, "16.2", answers={}, option="x", because=["luck"], flip={})
    assert "luck, which is no rule" in repr(odd)
