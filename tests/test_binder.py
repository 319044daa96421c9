import re
import warnings
from pathlib import Path

import pytest
import yaml

with warnings.catch_warnings():
    # It imports a module of its logging library by the old name.
    warnings.simplefilter("ignore", DeprecationWarning)
    from repo2docker.app import Repo2Docker
    from repo2docker.buildpacks import BuildPack

ROOT = Path(__file__).parents[1]


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> BuildPack:
    monkeypatch.chdir(ROOT)
    builder = Repo2Docker()
    candidates = (kind(base_image=builder.base_image) for kind in builder.buildpacks)
    chosen = next(candidate for candidate in candidates if candidate.detect())
    chosen.platform = "linux/amd64"
    return chosen


def test_binder_reads_environment_yml_and_nothing_else(pack: BuildPack) -> None:
    assert type(pack).__name__ == "CondaBuildPack"
    assert not [name for name in ("Dockerfile", "binder", ".binder") if (ROOT / name).exists()]


def test_binder_takes_the_python_that_the_lock_was_made_for(pack: BuildPack) -> None:
    assert pack.python_version == "3.11"


def test_binder_installs_the_package_with_what_a_reader_opens(pack: BuildPack) -> None:
    dockerfile = pack.render(build_args={"NB_USER": "jovyan", "NB_UID": "1000"})
    copied = re.search(r"COPY .*src/ \$\{REPO_DIR\}/", dockerfile)
    installed = re.search(r'env update .*--file "environment.yml"', dockerfile)
    assert copied
    assert installed
    assert copied.start() < installed.start(), "the package must be there before it is installed"
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-e .[book]"]
