"""The exercises of chapter 04, images."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import docker.errors
import requests

from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet
from lab.naming import fault_seed

if TYPE_CHECKING:
    from pathlib import Path

    from docker.models.containers import Container
    from docker.models.images import Image

    from lab.session import Lab

__all__ = ["CHAPTER", "EXERCISES", "FAULTS", "inject"]

CHAPTER = "04-images"

CHANGED, ADDED, DELETED = 0, 1, 2  # as the engine counts them in a container's diff
KINDS = {CHANGED: "changed", ADDED: "added", DELETED: "deleted"}
DIFFERENCE = {"/etc/group": CHANGED, "/note": ADDED, "/etc/nsswitch.conf": DELETED}

STORE_SECONDS = 10
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)

TOOLS = "/tools"
MENU = {
    "menu.py": 'print("soup")\n',
    "Dockerfile": """\
FROM course/base:1
COPY menu.py /
RUN cat /proc/sys/kernel/random/uuid > /tools
CMD ["python3", "/menu.py"]
""",
}

REPORT = "/report"
LEAKY = """\
FROM course/base:1
COPY token /
RUN sha256sum < /token > /report
RUN rm /token
"""

DEPLOYED = """\
FROM course/base:1
CMD ["echo", "version {version}"]
"""

SAYS = "today: soup"
KIOSK = {
    "kiosk.py": 'print("today:", open("/kiosk/menu.txt").read().strip())\n',
    "menu.txt": "soup\n",
    "Dockerfile": """\
FROM course/base:1
WORKDIR /kiosk
COPY . ./
USER 1000:1000
CMD ["python3", "kiosk.py"]
""",
}
# What the lab does to the kiosk's Dockerfile: some words of it, and what stands there instead.
# The seed picks one, so the order must not change within a course.
FAULTS = {
    "command": ('"kiosk.py"', '"/kiosk.py"'),
    "ignored": ("", ""),
    "permission": ("USER", "RUN chmod 600 menu.txt\nUSER"),
    "base": ("FROM course/base:1", "FROM scratch"),
    "deleted": ("USER", "RUN rm *.txt\nUSER"),
}


def inject(lab: Lab, fault: str) -> Container:
    """Build and start ``kiosk`` with a fault in its folder.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.
    """
    folder = _written(lab, "kiosk", KIOSK)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace(*FAULTS[fault]))
    if fault == "ignored":
        (folder / ".dockerignore").write_text("*.txt\n*.log\n")
    image, _ = lab.docker.images.build(path=str(folder), tag=f"{lab.name('kiosk')}:1")
    kiosk = lab.docker.containers.create(image, name=lab.name("kiosk"))
    with contextlib.suppress(docker.errors.APIError):  # the fault may be that it can't start
        kiosk.start()
    return kiosk


def _written(lab: Lab, short: str, files: dict[str, str]) -> Path:
    folder = lab.folder(short)
    shutil.rmtree(folder)
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def _check_difference(lab: Lab) -> None:
    patched, pristine = (evidence.container(lab, short) for short in ("patched", "pristine"))
    _same_image(lab, patched)
    _same_image(lab, pristine)
    found = _differences(patched)
    for path, kind in DIFFERENCE.items():
        if path not in found:
            raise NotYet(
                f"In patched, {path} should be {KINDS[kind]}, but its diff does not list it."
            )
        if found[path] != kind:
            raise NotYet(
                f"In patched, {path} should be {KINDS[kind]}, but it is {KINDS[found[path]]}."
            )
    # A directory in which a file comes or goes has changed, too.
    others = sorted(set(found) - set(DIFFERENCE) - {"/etc"})
    if others:
        raise NotYet(f"patched should differ in three files, but {others[0]} differs as well.")
    if touched := _differences(pristine):
        raise NotYet(
            f"pristine should be as its image is, but {max(touched)} differs. "
            "Whose files did you change?"
        )


def _differences(found: Container) -> dict[str, int]:
    """List what differs, without the program that the engine puts in for ``init=True``."""
    changes = {str(change["Path"]): int(change["Kind"]) for change in found.diff() or ()}
    for path in [path for path in changes if path.endswith("/docker-init")]:
        for inside in (path, *map(str, PurePosixPath(path).parents)):
            changes.pop(inside, None)
    return changes


def _same_image(lab: Lab, found: Container) -> None:
    if found.attrs["Image"] != lab.docker.images.get("course/base:1").id:
        short = str(found.name).removeprefix(lab.naming.prefix)
        raise NotYet(f"{short} was made from another image than course/base:1.")


def _prepare_menu(lab: Lab) -> None:
    _written(lab, "menu", MENU)


def _check_menu(lab: Lab) -> None:
    first, second = (evidence.image(lab, f"menu:{tag}") for tag in "12")
    for image, tag, dish in ((first, "menu:1", "soup"), (second, "menu:2", "fish")):
        program = evidence.file_in(lab, image, "/menu.py")
        if program is None or dish not in program.decode(errors="replace"):
            raise NotYet(f"The program in {tag} does not say {dish!r}. What was in the folder?")
    tools = [evidence.file_in(lab, image, TOOLS) for image in (first, second)]
    if None in tools:
        raise NotYet(f"An image has no {TOOLS}: the program needs them, so keep the step.")
    if tools[0] != tools[1]:
        raise NotYet(
            f"menu:1 and menu:2 have different {TOOLS}, so that step ran again. "
            "What stands before it in the Dockerfile?"
        )


def _token() -> str:
    return f"token-{fault_seed():08x}"


def _prepare_leaky(lab: Lab) -> None:
    folder = _written(lab, "leaky", {"Dockerfile": LEAKY, "token": _token()})
    lab.docker.images.build(path=str(folder), tag=f"{lab.name('leaky')}:1")
    (folder / "token").unlink()


def _check_leaky(lab: Lab) -> None:
    token = _token()
    leaky = evidence.image(lab, "leaky:1")
    found = evidence.container(lab, "found")
    if token not in evidence.logs_of(found):
        raise NotYet(
            "found does not say the token of leaky:1. "
            "In which layer did /token come, and in which did it go?"
        )
    tight = evidence.image(lab, "tight:1")
    report = evidence.file_in(lab, tight, REPORT)
    if report is None or report != evidence.file_in(lab, leaky, REPORT):
        raise NotYet(f"tight:1 should have the same {REPORT} as leaky:1, but it has not.")
    if token in json.dumps([tight.attrs, tight.history()]):
        raise NotYet("The token stands in the settings or the history of tight:1, for all to read.")
    if token.encode() in b"".join(evidence.layers_of(tight)):
        raise NotYet(
            "A layer of tight:1 still holds the token. "
            "What a later step deletes stays in the layer that it came with."
        )


def _prepare_store(lab: Lab) -> None:
    ports: dict[str, Any] = {"5000/tcp": ("127.0.0.1", None)}
    store = lab.docker.containers.run(
        "course/registry:1",
        name=lab.name("store"),
        ports=ports,
        detach=True,
    )
    url = lab.wait_ready(store)
    repository = url.removeprefix("http://") + "/page"
    for version in (1, 2):
        folder = _written(lab, "store", {"Dockerfile": DEPLOYED.format(version=version)})
        image, _ = lab.docker.images.build(path=str(folder))
        image.tag(repository, "1")
        lab.docker.images.push(repository, tag="1")
        if version == 1:
            deployed = f"{repository}@{_digest_at(url)}"
        lab.docker.images.remove(str(image.id), force=True)
    _written(lab, "store", {"deployed.txt": f"{deployed}\n"})


def _digest_at(url: str) -> str:
    # The engine's own record is not enough: Podman notes a digest at once, and another one for
    # the same image when it has packed it for a registry.
    accept = {"Accept": ", ".join(MANIFESTS)}
    answer = requests.head(f"{url}/v2/page/manifests/1", headers=accept, timeout=STORE_SECONDS)
    answer.raise_for_status()
    return answer.headers["Docker-Content-Digest"]


def _check_store(lab: Lab) -> None:
    deployed = (lab.folder("store") / "deployed.txt").read_text().strip()
    digest = deployed.partition("@")[2]
    good = evidence.container(lab, "good")
    try:
        image = lab.docker.images.get(good.attrs["Image"])
    except docker.errors.ImageNotFound:
        raise NotYet("The image of good is no longer there: which one was it?") from None
    digests = {name.partition("@")[2] for name in image.attrs["RepoDigests"] or ()}
    if digest in digests:
        return
    if not digests:
        raise NotYet("good runs an image that came from no registry: it has no digest.")
    raise NotYet(
        "good runs another image than the one in deployed.txt: "
        f"it has the digest {min(digests)[:19]}…, and should have {digest[:19]}…. "
        "Which of the names of an image can be moved?"
    )


def _prepare_kiosk(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_kiosk(lab: Lab) -> None:
    kiosk = evidence.container(lab, "kiosk")
    image = evidence.image(lab, "kiosk:1")
    with contextlib.suppress(docker.errors.APIError):
        if kiosk.status == "running":
            kiosk.wait(timeout=5)
            kiosk.reload()
    if kiosk.attrs["Image"] != image.id:
        raise NotYet(
            "kiosk was made from another image than the one that is called kiosk:1 now. "
            "A container keeps its image until it is removed."
        )
    _as_the_image_says(kiosk, image)
    if kiosk.status == "created":
        raise NotYet(
            "kiosk could not be started. State.Error says what was not found: "
            "is it in this image at all?"
        )
    log = evidence.logs_of(kiosk)
    if kiosk.status != "exited" or kiosk.attrs["State"]["ExitCode"] != 0:
        raise NotYet(f"kiosk fails: {evidence.in_words(kiosk)}. {_why(log)}")
    if SAYS not in log:
        raise NotYet(f"kiosk ends well, but its log does not say {SAYS!r}.")
    if image.attrs["Config"]["User"].partition(":")[0] in ("", "0", "root"):
        raise NotYet("kiosk works, but as root: its image should name another user, as before.")


def _as_the_image_says(kiosk: Container, image: Image) -> None:
    for key in ("Cmd", "User", "WorkingDir"):
        if kiosk.attrs["Config"][key] != image.attrs["Config"][key]:
            raise NotYet(
                f"kiosk was started with a {key} of its own. "
                "The fault is in the image, so mend it there."
            )
    if kiosk.attrs["Mounts"]:
        raise NotYet("kiosk has something mounted. The fault is in the image, so mend it there.")


def _why(log: str) -> str:
    if "can't open file" in log:
        return "Its log names a file: where in the image is it really?"
    if "PermissionError" in log:
        return "Its log names a file that is there. Who may read it, and who is asking?"
    if "FileNotFoundError" in log:
        return "Its log names a file: did it ever reach the image, and did it stay there?"
    return "Its log says why."


EXERCISES = {
    "04.1": Exercise(
        title="Only the difference",
        minutes=5,
        nudge="A container is changed by a program that runs in it. "
        "Look at the diff after each change, not only at the end.",
        check=_check_difference,
    ),
    "04.2": Exercise(
        title="Change the program, keep the tools",
        minutes=6,
        nudge="From the first instruction that differs, everything runs again. "
        "Which of the instructions depends on the program?",
        check=_check_menu,
        prepare=_prepare_menu,
    ),
    "04.3": Exercise(
        title="Deleted is not gone",
        minutes=10,
        nudge="A saved image is a tar archive, with each layer as a tar archive in it. "
        "And what stays in another stage never comes into the image.",
        check=_check_leaky,
        prepare=_prepare_leaky,
    ),
    "04.4": Exercise(
        title="The tag that moved",
        minutes=5,
        nudge="What follows the @ in deployed.txt was computed from the content of the image.",
        check=_check_store,
        prepare=_prepare_store,
    ),
    "04.5": Exercise(
        title="Repair the kiosk",
        minutes=9,
        nudge="Ask in this order: did it start, what does its log say, which files are in the "
        "image, which instruction should have brought them there or took them away? "
        "Then build anew, and make a new container.",
        check=_check_kiosk,
        prepare=_prepare_kiosk,
    ),
}
