"""The course's facts about AWS and Docker: dated, sourced records, and what connects them.

A fact that ages lives here and nowhere else; pages, charts and the chooser read it. A table says
of which day it is and after how many days it should be looked at again.
"""

import datetime as dt
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

__all__ = [
    "DUTIES",
    "ApiCount",
    "ApiModel",
    "Call",
    "Claim",
    "Fact",
    "Facts",
    "FactsError",
    "Inputs",
    "Option",
    "Price",
    "Record",
    "Source",
    "Table",
    "Version",
    "load_facts",
    "read_as",
    "refuse_faults",
]

_HERE = Path(__file__).parent
_Words = Annotated[str, Field(min_length=1)]
_SourceId = Annotated[str, Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$")]

DUTIES = {
    "control-plane": "runs the part that decides what runs where",
    "capacity": "adds and removes hosts",
    "host-patches": "patches the hosts' operating system",
    "agent": "updates the container runtime and the agent on the hosts",
    "placement": "chooses the host of each container",
    "healing": "replaces a container that failed",
    "load-balancer": "sets up a load balancer and its health checks",
    "scaling": "sets up a first rule for scaling",
    "deployment": "rolls a bad version back without your having set it up",
    "logs": "sends the containers' output to a log service without your having set it up",
}
"""What somebody has to do so that containers run: either AWS or you."""


class FactsError(ValueError):
    """Says which table and which record is wrong, and what to do about it."""


class Record(BaseModel):
    """What every record is: complete, and never changed by a program."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Record):
    """Where something was read.

    Attributes:
        title: What it is called.
        url: Where it is; for a package, its project.
        kind: ``aws`` is AWS's own text, ``model`` an API model in botocore, ``upstream`` a
            project's own file or text, ``paper`` a paper; ``third-party`` is everybody else.
        read: The day of the copy that was read; never later than the table.
    """

    title: _Words
    url: Annotated[str, Field(pattern=r"^https://")]
    kind: Literal["aws", "model", "upstream", "paper", "third-party"]
    read: dt.date


class Sourced(Record):
    """A record that rests on sources.

    Attributes:
        sources: The ids of its sources in ``sources.yaml``, the best one first.
        confidence: ``first-hand`` was read in AWS's or the project's own text or model;
            ``second-hand`` only in a text by somebody else, and the page says so.
    """

    sources: Annotated[tuple[_SourceId, ...], Field(min_length=1)]
    confidence: Literal["first-hand", "second-hand"]


class Fact(Sourced):
    """One statement about one thing: a limit, an end, a beginning.

    Attributes:
        about: The service, option or tool.
        says: The statement, one sentence of Markdown.
        since: The day from which it holds, where there is one.
        value: Its number, where a page calculates with it.
        unit: The number's unit.
    """

    about: _Words
    says: _Words
    since: dt.date | None = None
    value: float | None = None
    unit: str = ""


class Claim(Sourced):
    """One claim of the talk of June 2019, and what became of it.

    Attributes:
        slide: What the slide was about.
        said: What it said, in English.
        holds: Whether it still holds: ``yes``, ``partly``, ``no``, or ``gone`` where the thing
            that it speaks of is no longer there.
        today: What holds today.
        since: The day on which the decisive change came; ``None`` where none did.
        chapters: The stems of the chapters that carry it, whether they exist yet or not.
    """

    slide: _Words
    said: _Words
    holds: Literal["yes", "partly", "no", "gone"]
    today: _Words
    since: dt.date | None = None
    chapters: Annotated[tuple[_Words, ...], Field(min_length=1)]


class Option(Sourced):
    """One way to run containers on AWS, or the honest answer that it should be none.

    Attributes:
        name: What it is called.
        service: ``EB``, ``ECS``, ``EKS``, ``Lambda``, or ``none``.
        is_for: What it is for, one sentence.
        since: The day on which it could first be used; ``None`` where that was not found out.
        until: The day on which it ends or closes for new customers.
        aws_does: Which of ``DUTIES`` AWS takes; the others are yours.
        billed: What you pay for.
        in_2019: Whether the talk could have named it.
    """

    name: _Words
    service: Literal["EB", "ECS", "EKS", "Lambda", "none"]
    is_for: _Words
    since: dt.date | None
    until: dt.date | None = None
    aws_does: tuple[str, ...]
    billed: _Words
    in_2019: bool


class ApiModel(Record):
    """A part of AWS's API models that proves some facts; a test looks it up in botocore.

    Attributes:
        service: The service, as botocore calls it.
        operations: Operations that it has.
        shape: A shape of it.
        values: All values of that shape, if it is an enumeration; else members that it has.
        says: Words that the documentation of the operations or of the shape has.
        proves: The facts, as ``table.id``.
    """

    service: _Words
    operations: tuple[str, ...] = ()
    shape: str = ""
    values: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    proves: Annotated[tuple[str, ...], Field(min_length=1)]


class ApiCount(Sourced):
    """How much an API lets its user set; a test counts it again.

    Attributes:
        service: The service whose users set it.
        api: What was counted.
        counted_in: The package whose models were counted, as ``name==version``.
        parts: What the API has most of: its operations or its kinds.
        things: What these are called.
        fields: The fields of a request that its user may fill in, through structures, lists and
            maps, cut where a structure holds itself.
    """

    service: Literal["EB", "ECS", "EKS"]
    api: _Words
    counted_in: _Words
    parts: Annotated[int, Field(gt=0)]
    things: Literal["operations", "kinds"]
    fields: Annotated[int, Field(gt=0)]


class Call(Record):
    """One request and what has to be filled in.

    Attributes:
        call: The service and its operation, as botocore calls them; or ``kubernetes`` and a model
            of its client.
        inputs: Each field with why it is needed; ``required`` if the API model requires it.
    """

    call: Annotated[str, Field(pattern=r"^[a-z0-9]+\.\w+$")]
    inputs: dict[str, _Words]


class Inputs(Sourced):
    """What one option needs until the course's application answers.

    Attributes:
        calls: The requests in their order.
        left_out: Why it could not be counted, if it was not.
    """

    calls: tuple[Call, ...] = ()
    left_out: str = ""

    @model_validator(mode="after")
    def _is_counted_or_says_why_not(self) -> Self:
        if bool(self.calls) == bool(self.left_out):
            raise ValueError("give it either calls or 'left_out'")
        return self

    @property
    def count(self) -> int:
        """Number of the fields that have to be filled in."""
        return sum(len(call.inputs) for call in self.calls)


class Price(Sourced):
    """One list price.

    Attributes:
        what: What is paid for.
        amount: US dollars a unit.
        unit: Such as ``vCPU-hour``.
        region: The region that it is of.
    """

    what: _Words
    amount: Annotated[float, Field(ge=0)]
    unit: _Words
    region: _Words


class Version(Sourced):
    """One minor version of Kubernetes on EKS.

    Attributes:
        upstream: The day of its release.
        on_eks: The day from which EKS has it.
        standard_until: The last day of standard support.
        extended_until: The last day of extended support.
    """

    upstream: dt.date
    on_eks: dt.date
    standard_until: dt.date
    extended_until: dt.date

    def support(self, today: dt.date) -> Literal["not yet", "standard", "extended", "ended"]:
        """Tell which support it has on a day.

        Example:
            >>> load_facts().versions.rows["1.34"].support(dt.date(2026, 11, 23))
            'standard'
        """
        if today < self.on_eks:
            return "not yet"
        if today <= self.standard_until:
            return "standard"
        return "extended" if today <= self.extended_until else "ended"


Row = TypeVar("Row", bound=Record)
_Kind = TypeVar("_Kind")


class Table(Record, Generic[Row]):
    """Records by their id, with the day that they are of.

    Attributes:
        as_of: The day on which they were last looked at.
        amber_after_days: The age at which they should be looked at again.
        rows: The records.
    """

    as_of: dt.date
    amber_after_days: Annotated[int, Field(gt=0)]
    rows: dict[str, Row]

    def is_amber(self, today: dt.date) -> bool:
        """Tell whether the table is so old on a day that it should be looked at again."""
        return (today - self.as_of).days > self.amber_after_days


class Facts(Record):
    """All tables.

    Example:
        >>> load_facts().claims.rows["T27"].holds
        'partly'
    """

    sources: Table[Source]
    claims: Table[Claim]
    options: Table[Option]
    limits: Table[Fact]
    services: Table[Fact]
    prices: Table[Price]
    versions: Table[Version]
    models: Table[ApiModel]
    inputs: Table[Inputs]
    counts: Table[ApiCount]

    def find(self, name: str) -> Record | None:
        """Find a record by its table and id; ``None`` if there is none.

        Example:
            >>> load_facts().find("claims.T27").slide
            'Fargate'
        """
        table, _, key = name.partition(".")
        found: Record | None = (
            getattr(self, table).rows.get(key) if table in type(self).model_fields else None
        )
        return found

    def faults(self) -> list[str]:
        """List what does not fit together: unknown sources, dates after the table's own."""
        found = []
        for name in type(self).model_fields:
            table: Table[Any] = getattr(self, name)
            for key, row in table.rows.items():
                found += [f"{name}.yaml, {key}: {fault}" for fault in self._faults_of(table, row)]
        return found

    def _faults_of(self, table: Table[Any], row: Record) -> list[str]:
        found = []
        if isinstance(row, Source) and row.read > table.as_of:
            found.append(f"read on {row.read}, after the table's own day, {table.as_of}")
        if isinstance(row, Sourced):
            unknown = [name for name in row.sources if name not in self.sources.rows]
            if unknown:
                found.append(f"unknown source {', '.join(unknown)}: add it to sources.yaml")
            elif row.confidence == "first-hand" and all(
                self.sources.rows[name].kind == "third-party" for name in row.sources
            ):
                found.append("first-hand, and all of its sources are third-party")
        if isinstance(row, Option):
            unknown = [duty for duty in row.aws_does if duty not in DUTIES]
            if unknown:
                found.append(f"unknown duty {', '.join(unknown)}: one of {', '.join(DUTIES)}")
        if isinstance(row, ApiModel):
            found += [f"unknown fact {name}" for name in row.proves if not self.find(name)]
        if isinstance(row, Version):
            days = [row.upstream, row.on_eks, row.standard_until, row.extended_until]
            if days != sorted(days):
                found.append("its days are out of order")
        return found


def refuse_faults(path: Path, faults: Iterable[str], wrong: str = "is not complete") -> None:
    """Refuse a table of which something is missing or can't be.

    Args:
        path: The table's file.
        faults: What is wrong with it, each in a line; none is fine.
        wrong: What that makes of the table.

    Raises:
        FactsError: There are faults; the message has each of them.

    Example:
        >>> refuse_faults(Path("times.yaml"), [])
    """
    found = list(faults)
    if found:
        raise FactsError("\n".join([f"{path.name} {wrong}:", *found]))


def read_as(kind: type[_Kind], path: Path) -> _Kind:
    """Read a table that stands in a file of its own.

    Args:
        kind: What it has to be: a record, or a type made of records.
        path: Its file.

    Raises:
        FactsError: The file is no YAML, or a record in it is not complete.
    """
    try:
        return TypeAdapter(kind).validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise FactsError(
            f"{path.name} can't be used: it is no YAML, or it is not complete. "
            f"Mend this place: {error}"
        ) from error


@cache
def load_facts(folder: Path = _HERE) -> Facts:
    """Read all tables, and prove that they fit together.

    Args:
        folder: Where the tables are.

    Raises:
        FactsError: A table is missing, is no YAML, or has a record that is not complete, names an
            unknown source or has impossible dates. The message names each.
    """
    tables = {}
    for name in Facts.model_fields:
        path = folder / f"{name}.yaml"
        try:
            tables[name] = yaml.safe_load(path.read_text("utf-8"))
        except FileNotFoundError:
            raise FactsError(f"{path} is missing: restore it from git.") from None
        except yaml.YAMLError as error:
            raise FactsError(f"{path} is no YAML. Mend this place: {error}") from error
    try:
        facts = Facts.model_validate(tables)
    except ValidationError as error:
        raise FactsError(_explain(error)) from error
    faults = facts.faults()
    if faults:
        raise FactsError("\n".join(["The tables in facts/ do not fit together:", *faults]))
    return facts


def _explain(error: ValidationError) -> str:
    lines = ["The tables in facts/ have records that are not complete:"]
    for fault in error.errors():
        table, *rest = map(str, fault["loc"])
        where = ", ".join(part for part in rest if part != "rows")
        lines.append(f"{table}.yaml, {where}: {fault['msg']}")
    return "\n".join(lines)
