"""The whole suite against the course's own AWS, beside the kept tables of other emulators."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_suite
import pytest

from lab.cleaning import find
from lab.engine import find_engine

if TYPE_CHECKING:
    from collections.abc import Callable

BASELINE = Path(__file__).parent / "baseline"
LEAST, LEAST_OF_A_SERVICE = 97, 95
AWS = "aws table"

pytestmark = [
    pytest.mark.engine,
    # It starts hundreds of containers, and waits for each no longer than a reader would.
    pytest.mark.alone,
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("suite")
    learner = f"suite-{uuid.uuid4().hex[:8]}"
    path = folder / "ours.json"
    begin = time.monotonic()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COURSE_LEARNER", learner)
        environment.setenv("COURSE_STATE_DIR", str(folder))
        with aws_suite.ours() as (endpoint, of):
            aws_suite.run_suite(endpoint, of, path)
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table | {"seconds": time.monotonic() - begin, "learner": learner}


def test_local_aws_does_what_aws_documents(
    ours: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    tables = {path.stem: json.loads(path.read_text()) for path in sorted(BASELINE.glob("*.json"))}
    kept = {f"{name}, {one['about']['date']}": one for name, one in tables.items()}
    services = list(ours["services"])
    record_property(AWS, f"{'':<24}" + "".join(f"{service:>8}" for service in services))
    for name, one in {**kept, f"now, {ours['seconds']:.0f} s": ours}.items():
        shares = (one["services"].get(service, {}).get("strictly", 0) for service in services)
        record_property(AWS, f"{name:<24}" + "".join(f"{share:>8.1f}" for share in shares))
    failed = "\n".join(
        f"{one['check']}: {one['reason']}" for one in ours["checks"] if one["verdict"] != "held"
    )
    for service, row in ours["services"].items():
        least = LEAST if service == "all" else LEAST_OF_A_SERVICE
        assert row["strictly"] >= least, f"{service}: {row['strictly']} %, of {least} %\n{failed}"


def test_nothing_is_left_of_it(ours: dict[str, Any]) -> None:
    engine = find_engine()
    found = find(engine.client, learner=ours["learner"])
    engine.client.close()
    assert (found.containers, found.networks, found.volumes) == ((), (), ())
