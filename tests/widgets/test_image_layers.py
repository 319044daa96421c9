from __future__ import annotations

import doctest
import itertools
import re
from configparser import RawConfigParser
from pathlib import Path
from types import SimpleNamespace

import docker.errors
import pytest
from docker.models.images import Image

from widgets import ImageLayers, dockerfile, image_layers
from widgets.dockerfile import copied_files, fixed_pairs, parse
from widgets.image_layers import diff, rebuilt

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM course/base:1
WORKDIR /app
ARG X=1
COPY app.py ./
COPY --chown=1000:1000 requirements.txt ./
RUN head -c 3000000 /dev/zero > /deps && echo \\
    done
RUN ["true"]
ENV PORT=8080
LABEL x=y
CMD ["python3", "app.py"]
"""
FOUND = 'CMD ["python3" "app.py"]'
# What an engine told about this Dockerfile, newest first: Docker 20.10, each of its builders.
BASE = [
    ("/bin/sh -c #(nop)  LABEL course=a ", 0),
    ("/bin/sh -c #(nop) COPY dir:b4d in / ", 34300145),
]
TAGS = {
    BASE[0][0]: ["course/base:1"],
    "/bin/sh -c #(nop)  LABEL course.source=packages: Debian 12": ["course/base:1"],
}
CLASSIC = [
    ("/bin/sh -c #(nop)  LABEL learner=ada", 0),
    ("/bin/sh -c #(nop)  LABEL course=a", 0),
    (f"/bin/sh -c #(nop)  {FOUND}", 0),
    ("/bin/sh -c #(nop)  LABEL x=y", 0),
    ("/bin/sh -c #(nop)  ENV PORT=8080", 0),
    ("|1 X=1 true", 0),
    ("|1 X=1 /bin/sh -c head -c 3000000 /dev/zero > /deps && echo     done", 3000000),
    ("/bin/sh -c #(nop) COPY --chown=1000:1000file:9a1 in ./ ", 2),
    ("/bin/sh -c #(nop) COPY file:27c in ./ ", 9),
    ("/bin/sh -c #(nop)  ARG X=1", 0),
    ("/bin/sh -c #(nop) WORKDIR /app", 0),
    *BASE,
]
BUILDKIT = [
    (FOUND, 0),
    ("LABEL x=y", 0),
    ("ENV PORT=8080", 0),
    ("RUN |1 X=1 true # buildkit", 0),
    (
        "RUN |1 X=1 /bin/sh -c head -c 3000000 /dev/zero > /deps && echo     done # buildkit",
        3000000,
    ),
    ("COPY requirements.txt ./ # buildkit", 2),
    ("COPY app.py ./ # buildkit", 9),
    ("ARG X=1", 0),
    ("WORKDIR /app", 0),
    *BASE,
]
# An engine with containerd's store counts blocks and the folders above a file.
BLOCKS = [(said, size + 12288 if said[0] in "RCW" else size) for said, size in BUILDKIT]
# A build through a learner's own client, which writes a LABEL behind FROM. The base ends with one.
LATE = """\
FROM course/base:1
WORKDIR /app
COPY app.py ./
COPY requirements.txt ./
RUN head -c 3000000 /dev/zero > /deps
ENV PORT=8080
CMD ["python3", "app.py"]
"""
LABELLED = [
    (f"/bin/sh -c #(nop)  {FOUND}", 0),
    ("/bin/sh -c #(nop)  ENV PORT=8080", 0),
    ("/bin/sh -c head -c 3000000 /dev/zero > /deps", 3000000),
    ("/bin/sh -c #(nop) COPY file:5b1 in ./ ", 2),
    ("/bin/sh -c #(nop) COPY file:72c in ./ ", 9),
    ("/bin/sh -c #(nop) WORKDIR /app", 0),
    ("/bin/sh -c #(nop)  LABEL course=a chapter=04-images learner=ada", 0),
    ("/bin/sh -c #(nop)  LABEL course.source=packages: Debian 12", 0),
    ("/bin/sh -c #(nop)  LABEL course=a", 0),
    ('/bin/sh -c #(nop)  CMD ["sh"]', 0),
    ("/bin/sh -c #(nop) COPY dir:b4d in / ", 34300145),
]


def image(history: list[tuple[str, int]], *, layers: list[int] | None = None) -> Image:
    """Makes docker-py's object for an image that an engine would tell this history of.

    `layers` holds how many layers there are up to each entry; without it the engine does not keep
    the images in between.
    """
    ids = ["<missing>" if layers is None else f"sha256:{i}" for i in range(len(history))]
    entries = [
        {"Id": name, "CreatedBy": said, "Size": size, "Tags": TAGS.get(said)}
        for name, (said, size) in zip(ids, history, strict=True)
    ]

    def get(name: str) -> Image:
        if layers is None:
            raise docker.errors.NotFound("no such image")
        return Image(attrs={"RootFS": {"Layers": ["x"] * layers[ids.index(name)]}})

    api = SimpleNamespace(history=lambda _id: entries)
    client = SimpleNamespace(api=api, images=SimpleNamespace(get=get))
    return Image(attrs={"Id": "sha256:f00d", "RootFS": {}}, client=client)


def html(widget: ImageLayers) -> str:
    return str(widget._repr_mimebundle_()[0]["text/html"])


def sanitised(text: str) -> str:
    rules = RawConfigParser()
    rules.read(Path(__file__).parents[2] / "nbval.cfg")
    rule = rules["marked numbers"]
    return re.sub(rule["regex"], rule["replace"], text)


@pytest.mark.parametrize("module", [image_layers, dockerfile], ids=lambda module: module.__name__)
def test_the_examples_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("changed", "expected"),
    [(set(), "...."), ({0}, "xxxx"), ({2}, "..xx"), ({3}, "...x"), ({1, 3}, ".xxx"), ({9}, "....")],
    ids=str,
)
def test_everything_from_the_first_change_on_is_rebuilt(changed: set[int], expected: str) -> None:
    assert "".join(".x"[mark] for mark in rebuilt(range(4), changed)) == expected


def test_diff_names_the_folders_above_once() -> None:
    assert diff({}) == []
    assert diff({"/a/b/c": "deleted", "/a/b/d": "added"}) == [
        "C /a",
        "C /a/b",
        "D /a/b/c",
        "A /a/b/d",
    ]


def test_a_dockerfile_is_read_without_comments_and_earlier_stages() -> None:
    text = (
        "ARG V=1\nFROM a AS build\nRUN make\n\n"
        "FROM b\n  # why\ncopy \\\n # inside\n  --from=build /x /y\n"
    )
    assert [str(step) for step in parse(text)] == ["FROM b", "COPY --from=build /x /y"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("FROM a\nCOPPY b c", "no instruction 'COPPY'. Did you mean COPY?"),
        ("FROM a\n&& b", "no instruction '&&'. Known: ADD, COPY"),
        ("Dockerfile", "no instruction 'Dockerfile'"),
        ("", "has no FROM. Give its whole text"),
        ("FROM a\nRUN <<EOF\nls\nEOF", "Here-documents can't be read"),
    ],
)
def test_what_is_no_dockerfile_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(hint)):
        parse(text)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("RUN make", "COPY . .", ""),
        ("COPY app.py ./", "RUN pip install -r requirements.txt", ""),
        ("COPY app.py ./", "COPY requirements.txt ./", ""),
        ("COPY app.py /srv/", "WORKDIR /app", ""),
        ("ENV A=1", "COPY app.py ./", ""),
        ("RUN make", "ENV A=1", ""),
        ("EXPOSE 80", "RUN make", ""),
        ("COPY requirements.txt ./", "RUN pip install -r requirements.txt", "RUN names"),
        ("RUN rm -f app.py", "COPY app.py ./", "RUN names app.py"),
        ("COPY app.py /srv/", "RUN ls /srv", "RUN names /srv"),
        ("COPY . .", "RUN make", "a line of its own"),
        ("COPY src/ src/", "RUN make", "a line of its own"),
        ("COPY setup.py ./", "RUN pip install .", "a line of its own"),
        ("COPY app.py ./", "COPY . .", "the later wins"),
        ("COPY a/app.py ./", "COPY b/app.py ./", "the later wins"),
        ("WORKDIR /app", "COPY app.py ./", "where WORKDIR says"),
        ("COPY app.py ./", "WORKDIR /app", "where WORKDIR says"),
        ("WORKDIR /app", "RUN make", "where RUN works"),
        ("RUN make", "USER app", "as whom RUN works"),
        ("RUN adduser app", "COPY --chown=app app.py ./", "an owner whom RUN may have made"),
        ("ENV A=1", "RUN make", "RUN may read what ENV sets"),
        ("ARG V=1", "LABEL version=${V}", "LABEL uses $V"),
        ("RUN make", "RUN make install", "Two RUN stay in order"),
        ("VOLUME /data", "COPY app.py /data/", "may be lost"),
        ('SHELL ["sh", "-c"]', "CMD ls", "which shell"),
    ],
)
def test_two_lines_stay_in_order_where_one_may_need_the_other(
    first: str, second: str, why: str
) -> None:
    pairs = {(i, k): reason for i, k, reason in fixed_pairs(parse(f"FROM a\n{first}\n{second}"))}
    assert pairs.keys() >= {(0, 1), (0, 2)}
    assert why in pairs.get((1, 2), "")
    assert ((1, 2) in pairs) is bool(why)


def test_files_lie_where_the_last_copy_put_them() -> None:
    text = (
        "FROM a\nWORKDIR /app\nCOPY a.py b.py ./\nCOPY c.py d.py\nCOPY e.py /app\nWORKDIR sub\n"
        "COPY f.py $HOME/\nCOPY g.py .\nRUN cc g.py\nCOPY --from=b h.py ./\nCOPY . /app/"
    )
    files = copied_files(parse(text))
    assert files == {
        **dict.fromkeys(["/app/a.py", "/app/b.py", "/app/c.py", "/app/e.py"], 10),
        **dict.fromkeys(["/app/f.py", "/app/g.py"], 10),
        "/app/d.py": 3,
    }
    assert copied_files(parse("FROM a\nCOPY a.py /app/\nRUN chmod -R a+r /app")) == {}


@pytest.mark.parametrize("history", [CLASSIC, BUILDKIT, BLOCKS], ids=["classic", "kit", "blocks"])
def test_each_builder_and_store_gives_the_same_page(history: list[tuple[str, int]]) -> None:
    widget = ImageLayers(image(history), DOCKERFILE)
    assert html(widget) == html(ImageLayers(image(CLASSIC), DOCKERFILE))
    assert repr(widget).splitlines()[1:8] == [
        "1. FROM course/base:1: 34 MB (varies)",
        "2. WORKDIR /app: under 0.1 MB",
        "3. ARG X=1: 0 bytes",
        "4. COPY app.py ./: under 0.1 MB",
        "5. COPY --chown=1000:1000 requirements.txt ./: under 0.1 MB",
        "6. RUN head -c 3000000 /dev/zero > /deps && echo done: 3.0 MB",
        '7. RUN ["true"]: under 0.1 MB',
    ]
    for word in ("sha256", "learner", "nop", "buildkit", "missing"):
        assert word not in html(widget).replace("BuildKit", "")


@pytest.mark.parametrize("given", [[], [("LABEL team=a", 0)]], ids=["lab", "both"])
def test_labels_that_stand_in_no_dockerfile_are_passed_over(given: list[tuple[str, int]]) -> None:
    assert repr(ImageLayers(image([*given, *LABELLED]), LATE)).splitlines()[1:8] == [
        "1. FROM course/base:1: 34 MB (varies)",
        "2. WORKDIR /app: under 0.1 MB",
        "3. COPY app.py ./: under 0.1 MB",
        "4. COPY requirements.txt ./: under 0.1 MB",
        "5. RUN head -c 3000000 /dev/zero > /deps: 3.0 MB",
        "6. ENV PORT=8080: 0 bytes",
        '7. CMD ["python3", "app.py"]: 0 bytes',
    ]
    hint = "it has 5 steps after FROM, the image's history 6"
    with pytest.raises(ValueError, match=hint):
        ImageLayers(image([*given, *LABELLED]), LATE.replace("WORKDIR /app\n", ""))


def test_a_label_of_the_dockerfile_is_a_step_beside_those_that_were_given() -> None:
    history = [*LABELLED[:6], ("/bin/sh -c #(nop)  LABEL x=y", 0), *LABELLED[6:]]
    text = LATE.replace("WORKDIR", "LABEL x=y\nWORKDIR")
    assert "2. LABEL x=y: 0 bytes" in repr(ImageLayers(image(history), text))
    with pytest.raises(ValueError, match=r"step 2 is 'LABEL x=y', where .* has 'nothing'"):
        ImageLayers(image(LABELLED), text)


def test_another_base_differs_only_where_the_page_says_so() -> None:
    other = [
        *BUILDKIT[:-2],
        ("ENV PATH=/bin", 0),
        ("RUN /bin/sh -c make", 5),
        ("ADD x", 121_000_000),
    ]
    one, two = ImageLayers(image(BUILDKIT), DOCKERFILE), ImageLayers(image(other), DOCKERFILE)
    assert html(one) != html(two)
    assert sanitised(html(one)) == sanitised(html(two))
    assert sanitised(repr(one)) == sanitised(repr(two))


def test_a_step_that_changed_no_file_is_no_layer_where_the_engine_made_none() -> None:
    # WORKDIR, COPY, COPY and the first RUN have made one each; `RUN ["true"]` none.
    layers = [5, 5, 5, 5, 5, 5, 5, 4, 3, 2, 2, 1, 1]
    widget = ImageLayers(image(CLASSIC, layers=layers), DOCKERFILE)
    assert '7. RUN ["true"]: 0 bytes' in repr(widget)
    assert "2. WORKDIR /app: under 0.1 MB" in repr(widget)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (DOCKERFILE.replace("COPY app.py ./\n", ""), "step 3 is 'ARG X=1', where"),
        (DOCKERFILE.replace("ENV PORT=8080\n", ""), "history has 'ENV PORT=8080'"),
        (DOCKERFILE.replace("3000000", "4000000"), "step 6 is 'RUN head -c 4000000"),
        (DOCKERFILE + "USER 1000\n", "step 11 is 'USER 1000', where the image's history has 'CMD"),
        (DOCKERFILE.replace("1\nWORK", "1\nRUN x\nCOPY . /\nWORK"), "has 'nothing'"),
        (
            DOCKERFILE.replace("WORKDIR /app\n", ""),
            "it has 8 steps after FROM, the image's history 9",
        ),
    ],
)
def test_a_dockerfile_of_another_image_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(hint)):
        ImageLayers(image(CLASSIC), text)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["web", DOCKERFILE], "needs an image as docker-py gives it, not str"),
        ([None, DOCKERFILE], "not NoneType"),
        ([image(CLASSIC)], "needs the text that the image was built from"),
        ([image(CLASSIC), Path("Dockerfile")], "needs the text"),
    ],
)
def test_what_is_no_image_or_text_is_refused(arguments: list[object], hint: str) -> None:
    with pytest.raises(TypeError, match=re.escape(hint)):
        ImageLayers(*arguments)


@pytest.mark.parametrize(
    ("options", "error", "hint"),
    [
        ({"change": "app.py"}, TypeError, "no option 'change'. Did you mean 'changed'?"),
        ({"changed": "ap.py"}, ValueError, "Did you mean 'app.py'?"),
        ({"changed": "xyz"}, ValueError, "What can: '', 'app.py', 'requirements.txt', 'step 1'"),
        ({"order": [1, 2]}, ValueError, "must hold each of 1 to 7 once"),
        ({"order": [1, 2, 5, 4, 3, 6, 7]}, ValueError, "Step 4 must come before step 5. RUN names"),
    ],
)
def test_an_option_that_does_not_fit_gets_a_hint(
    options: dict[str, object], error: type[Exception], hint: str
) -> None:
    with pytest.raises(error, match=re.escape(hint)):
        ImageLayers(**options)


def legal(widget: ImageLayers) -> list[tuple[int, ...]]:
    return [
        order
        for order in itertools.permutations(range(len(widget._layers)))
        if all(order.index(first) < order.index(second) for first, second, _ in widget._keeps)
    ]


@pytest.mark.parametrize("late", [False, True], ids=["example", "late"])
def test_no_legal_order_rebuilds_less_than_the_best(*, late: bool) -> None:
    widget = ImageLayers(image(LABELLED), LATE) if late else ImageLayers()
    orders = legal(widget)
    assert len(orders) > 10

    def cost(order: tuple[int, ...], changed: tuple[int, ...]) -> tuple[int, int]:
        again = list(itertools.compress(order, rebuilt(order, changed)))
        return sum(widget._layers[line].size for line in again), len(again)

    for change in widget._changes.values():
        assert change.best in orders
        least = min(cost(order, change.lines) for order in orders)
        assert cost(change.best, change.lines) == least


def test_the_best_order_moves_settings_too_and_nothing_without_need() -> None:
    widget = ImageLayers()
    best = {name: change.best for name, change in widget._changes.items()}
    assert best["app.py"] == (0, 1, 3, 4, 5, 6, 2)
    assert best[""] == best["step 1"] == best["step 7"] == (0, 1, 2, 3, 4, 5, 6)
    assert "In the best order for this change: 1 of 7, under 0.1 MB." in repr(widget)


def test_a_file_changes_each_copy_that_takes_it() -> None:
    text = (
        "FROM a\nCOPY deps.txt ./\nRUN get deps.txt\nCOPY . .\nCOPY src/ src/\nADD https://a/b c\n"
    )
    said = [
        ("ADD x", 1),
        ("COPY x", 1),
        ("COPY x", 1),
        ("RUN get deps.txt", 900_000),
        ("COPY x", 1),
    ]
    changes = ImageLayers(image([*said, ("ADD x", 1)]), text)._changes
    lines = {change.label: change.lines for change in changes.values() if change.kind == "file"}
    assert lines == {"deps.txt": (1, 3), "another file of the folder": (3,), "src/": (3, 4)}


def test_the_first_paint_shows_the_answer() -> None:
    widget = ImageLayers(changed="app.py", order=[1, 2, 4, 5, 3, 6, 7])
    assert (
        "When app.py changes, step 5 and all after it are rebuilt: 3 of 7, under 0.1 MB."
        in repr(widget)
    )
    states = re.findall(r'data-line="(\d)" data-state="(\w+)"', widget.markup)
    assert states == [
        *[(line, "reused") for line in "0134"],
        ("2", "changed"),
        *[(line, "rebuilt") for line in "56"],
    ]


def test_a_long_dockerfile_keeps_to_the_budget() -> None:
    many = [(f"RUN echo {i:03}{'x' * 100}", 0) for i in range(16)]
    text = "FROM scratch\n" + "\n".join(said for said, _ in many)
    widget = ImageLayers(image(many[::-1]), text)
    lines = repr(widget).splitlines()
    assert len(lines) <= 20
    assert "… and 3 more" in lines
    assert max(map(len, lines)) < 130
    assert len(html(widget).encode()) <= 40_000
