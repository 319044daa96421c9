"""Each check fails untouched, fails on wrong answers with a hint, passes on the solution."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from lab.checks import evidence
from lab.checks.images import KIOSK, inject

from .proof import CheckProof, Wrong, run

if TYPE_CHECKING:
    from docker.models.images import Image

    from lab import Lab

pytestmark = pytest.mark.engine

CHANGES = "touch /note; echo more >> /etc/group; rm /etc/nsswitch.conf"
MENU = """\
FROM course/base:1
COPY menu.py /
RUN cat /proc/sys/kernel/random/uuid > /tools
"""
TIGHT = "FROM course/base:1\nCOPY token /\nRUN sha256sum < /token > /report && rm /token\n"


def build(lab: Lab, short: str, tag: str = "1", dockerfile: str | None = None) -> Image:
    """Build from the learner's folder of that name, or from a Dockerfile alone."""
    name = f"{lab.name(short)}:{tag}"
    if dockerfile:
        return lab.docker.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name)[0]
    return lab.docker.images.build(path=str(lab.folder(short)), tag=name)[0]


def change(lab: Lab, short: str, script: str = CHANGES) -> None:
    run(lab, short).exec_run(["sh", "-c", script])


def only_added(lab: Lab) -> None:
    change(lab, "patched", "touch /note")
    run(lab, "pristine")


def deleted_instead_of_changed(lab: Lab) -> None:
    change(lab, "patched", CHANGES + "; rm /etc/group")
    run(lab, "pristine")


def changed_more(lab: Lab) -> None:
    change(lab, "patched", CHANGES + "; touch /etc/more")
    run(lab, "pristine")


def changed_both(lab: Lab) -> None:
    change(lab, "patched")
    change(lab, "pristine")


def built_in_the_order_as_it_was(lab: Lab) -> None:
    lab.prepare("04.2")
    build(lab, "menu")
    (lab.folder("menu") / "menu.py").write_text('print("fish")\n')
    build(lab, "menu", "2")


def built_the_same_twice(lab: Lab) -> None:
    lab.prepare("04.2")
    build(lab, "menu")
    build(lab, "menu", "2")


def built_without_the_tools(lab: Lab) -> None:
    for tag, dish in (("1", "soup"), ("2", "fish")):
        dockerfile = f"FROM course/base:1\nRUN echo {dish} > /menu.py"
        build(lab, "menu", tag, dockerfile)


def found_something_else(lab: Lab) -> None:
    lab.prepare("04.3")
    run(lab, "found", "cat /report", image=f"{lab.name('leaky')}:1").wait()


def _with_the_token(lab: Lab, dockerfile: str) -> None:
    lab.prepare("04.3")
    token = f"token-{0:08x}"
    run(lab, "found", ["echo", token]).wait()
    folder = lab.folder("tight")
    (folder / "token").write_text(token)
    (folder / "Dockerfile").write_text(dockerfile)
    build(lab, "tight")


def deleted_in_the_same_run(lab: Lab) -> None:
    _with_the_token(lab, TIGHT)


def gave_the_token_as_a_setting(lab: Lab) -> None:
    run_ = "RUN printf %s $TOKEN | sha256sum > /report"
    _with_the_token(lab, f"FROM course/base:1\nENV TOKEN=token-00000000\n{run_}\n")


def left_the_report_out(lab: Lab) -> None:
    _with_the_token(lab, "FROM course/base:1\n")


def pulled_by_the_tag(lab: Lab) -> None:
    lab.prepare("04.4")
    deployed = (lab.folder("store") / "deployed.txt").read_text().strip()
    page = lab.docker.images.pull(deployed.partition("@")[0], tag="1")
    run(lab, "good", None, image=page)


def built_it_anew(lab: Lab) -> None:
    lab.prepare("04.4")
    page = build(lab, "page", dockerfile='FROM course/base:1\nCMD ["echo", "version 1"]')
    run(lab, "good", None, image=page)


def only_started_again(lab: Lab) -> None:
    kiosk = inject(lab, "command")
    kiosk.wait()
    kiosk.start()
    kiosk.wait()


def another_command(lab: Lab) -> None:
    inject(lab, "command")
    run(lab, "kiosk", ["python3", "kiosk.py"], image=f"{lab.name('kiosk')}:1").wait()


def _mended(lab: Lab, dockerfile: str) -> Image:
    inject(lab, "permission").wait()
    (lab.folder("kiosk") / "Dockerfile").write_text(dockerfile)
    return build(lab, "kiosk")


def kept_the_old_container(lab: Lab) -> None:
    _mended(lab, KIOSK["Dockerfile"])


def runs_as_root(lab: Lab) -> None:
    image = _mended(lab, KIOSK["Dockerfile"].replace("USER 1000:1000\n", ""))
    run(lab, "kiosk", None, image=image).wait()


def mounts_the_menu(lab: Lab) -> None:
    inject(lab, "deleted").wait()
    volumes = {lab.docker.volumes.create(lab.name("menu")).name: {"bind": "/menu"}}
    run(lab, "kiosk", None, image=f"{lab.name('kiosk')}:1", volumes=volumes).wait()


FAULT_HINTS = {
    "command": "it has exited with 2. Its log names a file: where in the image is it really?",
    "ignored": "did it ever reach the image, and did it stay there?",
    "permission": "Who may read it, and who is asking?",
    "base": "State.Error says what was not found",
    "deleted": "did it ever reach the image, and did it stay there?",
}


class TestImages(CheckProof):
    chapter = "04-images"
    untouched = {
        "04.1": "You have no containers here yet.",
        "04.2": "You have built no image here yet.",
        "04.3": "You have no containers here yet.",
        "04.4": "There is: store.",
        "04.5": "it has exited with 2. Its log names a file",
    }
    wrong = (
        Wrong("04.1", only_added, "/etc/group should be changed, but its diff does not list it."),
        Wrong("04.1", deleted_instead_of_changed, "should be changed, but it is deleted."),
        Wrong("04.1", changed_more, "but /etc/more differs as well."),
        Wrong("04.1", changed_both, "pristine should be as its image is, but /note differs."),
        Wrong("04.2", built_in_the_order_as_it_was, "so that step ran again. What stands before"),
        Wrong("04.2", built_the_same_twice, "The program in menu:2 does not say 'fish'."),
        Wrong("04.2", built_without_the_tools, "An image has no /tools"),
        Wrong("04.3", found_something_else, "found does not say the token of leaky:1."),
        Wrong("04.3", deleted_in_the_same_run, "A layer of tight:1 still holds the token."),
        Wrong("04.3", gave_the_token_as_a_setting, "The token stands in the settings"),
        Wrong("04.3", left_the_report_out, "tight:1 should have the same /report"),
        Wrong("04.4", pulled_by_the_tag, "Which of the names of an image can be moved?"),
        Wrong("04.4", built_it_anew, "an image that came from no registry"),
        Wrong("04.5", only_started_again, "where in the image is it really?"),
        Wrong("04.5", another_command, "kiosk was started with a Cmd of its own."),
        Wrong("04.5", kept_the_old_container, "A container keeps its image until it is removed."),
        Wrong("04.5", runs_as_root, "kiosk works, but as root"),
        Wrong("04.5", mounts_the_menu, "kiosk has something mounted."),
    )
    repair = "04.5"
    faults = FAULT_HINTS

    def break_it(self, lab: Lab, fault: str) -> None:
        kiosk = inject(lab, fault)
        if fault == "base":
            kiosk.reload()
            assert "python3" in kiosk.attrs["State"]["Error"]
        else:
            assert kiosk.wait()["StatusCode"] != 0

    def scene(self, lab: Lab) -> str:
        files = sorted(lab.folder("kiosk").iterdir())
        return "\n".join(f"{file.name}: {file.read_text()}" for file in files)

    @pytest.fixture(autouse=True)
    def _one_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COURSE_SEED", "0")

    def test_each_fault_is_mended_in_the_folder(self, exercises: Lab, fault: str) -> None:
        inject(exercises, fault)
        folder = exercises.folder("kiosk")
        (folder / "Dockerfile").write_text(KIOSK["Dockerfile"])
        (folder / ".dockerignore").unlink(missing_ok=True)
        image = build(exercises, "kiosk")
        run(exercises, "kiosk", None, image=image).wait()
        assert exercises.check("04.5")

    def test_the_token_is_nowhere_but_in_the_layer(self, exercises: Lab) -> None:
        exercises.prepare("04.3")
        leaky = evidence.image(exercises, "leaky:1")
        assert evidence.file_in(exercises, leaky, "/token") is None
        assert [file.name for file in exercises.folder("leaky").iterdir()] == ["Dockerfile"]
        assert b"token-00000000" in b"".join(evidence.layers_of(leaky))
