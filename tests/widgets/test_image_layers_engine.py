from __future__ import annotations

import io
import itertools
import tarfile
import uuid
from functools import cache
from typing import TYPE_CHECKING

import pytest

from lab import images, open_lab
from lab.engine import find_engine
from lab.naming import COURSE
from widgets import ImageLayers
from widgets.dockerfile import FILE_KEYWORDS, fixed_pairs, parse
from widgets.image_layers import diff, rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import docker
    from docker.models.containers import Container
    from docker.models.images import Image
    from playwright.sync_api import Page

pytestmark = pytest.mark.engine

# Each RUN writes something that differs at each run, so a layer that is equal was not made anew.
DOCKERFILE = """\
FROM course/base:1
WORKDIR /app/{mark}
COPY app.py ./
COPY deps.txt ./
RUN cat deps.txt /proc/sys/kernel/random/uuid > /deps && head -c 2000000 /dev/zero >> /deps
ENV PORT=8080
RUN cat /proc/sys/kernel/random/uuid > /stamp
CMD ["sleep", "600"]
"""
EDITS = {
    "step 2": ("WORKDIR /app/", "WORKDIR /app/x"),
    "step 3": ("COPY app.py ./", "COPY app.py ./other.py"),
    "step 4": ("COPY deps.txt ./", "COPY deps.txt deps.txt"),
    "step 5": ("2000000", "2000001"),
    "step 6": ("8080", "8081"),
    "step 7": ("/stamp", "/stamp2"),
    "step 8": ("600", "700"),
}


class Builder:
    """Builds Dockerfiles of its own, from files of its own."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self.learner = f"course-test-{uuid.uuid4().hex[:8]}"
        self.tags: list[str] = []

    def build(self, lines: Sequence[str], files: dict[str, str]) -> Image:
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            for name, text in {**files, "Dockerfile": "\n".join(lines)}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        context.seek(0)
        self.tags.append(f"{self.learner}:{len(self.tags)}")
        labels = {"course": COURSE, "chapter": "04-images", "learner": self.learner}
        image, _ = self.client.images.build(
            fileobj=context,
            custom_context=True,
            tag=self.tags[-1],
            labels=labels,
            rm=True,
            forcerm=True,
        )
        return image

    def close(self) -> None:
        for tag in self.tags:
            self.client.images.remove(tag, force=True)


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    client = find_engine().connect()
    images.ensure(client)
    made = Builder(client)
    yield made
    made.close()
    client.close()


@pytest.fixture(scope="module")
def lines(builder: Builder) -> list[str]:
    return DOCKERFILE.format(mark=builder.learner).splitlines()


def files(mark: str, **other: str) -> dict[str, str]:
    return {"app.py": f"print('{mark}')\n", "deps.txt": f"{mark}\n"} | other


def layers_of(image: Image) -> list[str]:
    return list(image.attrs["RootFS"]["Layers"])


WRITTEN = (1, 2, 3, 4, 5, 6, 7, 8)
# The best for app.py, and the settings elsewhere.
BEST = (1, 2, 4, 5, 6, 7, 8, 3)
OTHERS = [BEST, (1, 8, 2, 6, 4, 3, 5, 7)]
CASES = [
    *((WRITTEN, changed) for changed in ("", "app.py", "deps.txt", *EDITS)),
    *((order, changed) for order in OTHERS for changed in ("app.py", "deps.txt", "step 6")),
]


@pytest.fixture(scope="module")
def first_build(builder: Builder, lines: list[str]) -> Callable[[tuple[int, ...]], Image]:
    """Builds the Dockerfile once in each order."""

    @cache
    def build(order: tuple[int, ...]) -> Image:
        return builder.build([lines[number - 1] for number in order], files("first"))

    return build


@pytest.mark.parametrize(
    ("order", "changed"), CASES, ids=[f"{''.join(map(str, o))}-{c or 'nothing'}" for o, c in CASES]
)
def test_the_engine_rebuilds_what_the_rule_says(
    builder: Builder,
    lines: list[str],
    first_build: Callable[[tuple[int, ...]], Image],
    order: tuple[int, ...],
    changed: str,
) -> None:
    first = first_build(order)
    change = ImageLayers(first_build(WRITTEN), "\n".join(lines))._changes[changed]
    if (order, changed) == (BEST, "app.py"):
        assert [line + 1 for line in change.best] == list(BEST)
    given = files("first", **({changed: "other\n"} if change.kind == "file" else {}))
    old, new = EDITS.get(changed, ("", ""))
    edited = [text.replace(old, new) if i in change.lines else text for i, text in enumerate(lines)]
    assert (edited != lines) is (change.kind == "step")
    again = builder.build([edited[number - 1] for number in order], given)

    steps = [number - 1 for number in order]
    prediction = zip(steps, rebuilt(steps, change.lines), strict=True)
    expected = [mark for line, mark in prediction if lines[line].split()[0] in FILE_KEYWORDS]
    base = len(layers_of(builder.client.images.get("course/base:1")))
    pairs = zip(layers_of(first)[base:], layers_of(again)[base:], strict=True)
    assert [before != after for before, after in pairs] == expected


def test_a_legal_order_of_the_lines_gives_the_same_files(
    builder: Builder, lines: list[str]
) -> None:
    steps = parse("\n".join(lines))
    pairs = list(fixed_pairs(steps))
    orders = [
        (0, *order)
        for order in itertools.permutations(range(1, len(lines)))
        if all((0, *order).index(a) < (0, *order).index(b) for a, b, _ in pairs)
    ]
    assert len(orders) > 20
    seen = set()
    for order in (orders[0], orders[len(orders) // 2], orders[-1]):
        image = builder.build([lines[line] for line in order], files("first"))
        command = "cat app.py deps.txt; head -n 1 /deps; pwd; echo $PORT; wc -c < /stamp"
        seen.add(builder.client.containers.run(image, ["sh", "-c", command], remove=True))
    assert len(seen) == 1


def test_the_widget_reads_a_real_image(builder: Builder, lines: list[str]) -> None:
    widget = ImageLayers(builder.build(lines, files("x")), "\n".join(lines))
    added = [line.rpartition(": ")[2] for line in repr(widget).splitlines()[1:9]]
    assert added[0].endswith(" MB (varies)")
    tiny = "under 0.1 MB"
    assert added[1:] == [tiny, tiny, tiny, "2.0 MB", "0 bytes", tiny, "0 bytes"]
    assert "sha256" not in widget.markup


def test_the_widget_reads_an_image_that_the_lab_has_built(
    lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_LEARNER", f"test-{uuid.uuid4().hex[:8]}")
    text = "\n".join(lines)
    for name, content in {**files("x"), "Dockerfile": text}.items():
        (tmp_path / name).write_text(content)
    lab = open_lab("04-images")
    try:
        late, _ = lab.docker.images.build(path=str(tmp_path), tag=lab.name("late"), rm=True)
        said = [entry["CreatedBy"] for entry in late.history()]
        assert any("LABEL course=" in each and "learner=test-" in each for each in said)
        widget = ImageLayers(late, dockerfile=text)
    finally:
        lab.close()
    shown = [layer.text for layer in widget._layers]
    assert shown[1:4] == lines[1:4]
    assert len(shown) == len(lines)
    assert "learner" not in widget.markup


class Box:
    """A container with what a reader can do to a file of it."""

    def __init__(self, builder: Builder, image: Image) -> None:
        self.builder = builder
        self.image = image
        self.container: Container | None = None

    def act(self, act: str, path: str) -> bool:
        """Does it, and says whether the file was there."""
        if act == "run":
            labels = {"course": COURSE, "chapter": "04-images", "learner": self.builder.learner}
            self.container = self.builder.client.containers.run(
                self.image, detach=True, labels=labels
            )
            return True
        assert self.container is not None
        if act == "remove":
            self.container.remove(force=True)
            self.container = None
            return True
        command = {"read": "cat {0}", "change": "echo more >> {0}", "delete": "rm {0}"}[act]
        there = self.container.exec_run(["test", "-e", path]).exit_code == 0
        done = self.container.exec_run(["sh", "-c", command.format(path)]).exit_code == 0
        assert done is (there or act == "change")
        return there

    def diff(self) -> list[str]:
        assert self.container is not None
        marks = "CAD"  # as the engine numbers them
        return sorted(
            (f"{marks[row['Kind']]} {row['Path']}" for row in self.container.diff() or ()),
            key=lambda row: row[2:],
        )


ACTS = ["run", "read", "change", "read", "change", "delete", "read", "delete", "change", "delete"]


@pytest.mark.browser
def test_a_container_writes_what_the_page_says(
    builder: Builder, lines: list[str], open_page: Callable[..., Page]
) -> None:
    image = builder.build(lines, files("x"))
    widget = ImageLayers(image, "\n".join(lines))
    paths = [str(file["path"]) for file in widget._files]
    assert paths == [f"/app/{builder.learner}/app.py", "/etc/passwd", "/note"]
    page = open_page(widget)
    box = Box(builder, image)
    try:
        for number, path in enumerate(paths):
            page.locator('[name="file"]').nth(number).check()
            for act in ACTS:
                there = box.act(act, path)
                page.locator(f'[data-act="{act}"]').dispatch_event("click")
                said = page.locator('[data-slot="happens"]').inner_text()
                assert said.startswith("No such file") is (not there and act != "change")
                shown = page.locator('[data-slot="diff"]').inner_text()
                assert box.diff() == ([] if shown == "nothing" else shown.splitlines())
            box.act("remove", path)
            page.locator('[data-act="remove"]').click()
        box.act("run", "")
        page.locator('[data-act="run"]').click()
        assert box.diff() == [] == diff({})
        assert box.act("read", paths[0])  # the image has kept its own
    finally:
        if box.container is not None:
            box.container.remove(force=True)
