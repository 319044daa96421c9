from __future__ import annotations

from types import SimpleNamespace

import pytest

from lab.display import Table, Varies, table_of
from lab.errors import LabError


def thing(name: str, **attrs: object) -> SimpleNamespace:
    return SimpleNamespace(name=name, attrs=attrs, reload=lambda: None)


def test_rows_are_sorted_and_columns_named_by_their_last_part() -> None:
    things = [thing("b", State={"ExitCode": 1}), thing("a", State={"ExitCode": 0})]
    assert repr(table_of(things, ("name", "State.ExitCode"))).splitlines() == [
        "name  ExitCode",
        "----  --------",
        "a     0",
        "b     1",
    ]


def test_columns_that_would_read_the_same_get_a_longer_name() -> None:
    one = thing("a", State={"Status": "running", "Health": {"Status": "healthy"}})
    table = table_of(one, ("State.Status", "State.Health.Status"))
    assert table.columns == ("State.Status", "Health.Status")


def test_html_escapes_what_containers_say() -> None:
    assert "&lt;b&gt;" in Table(("log",), (("<b>",),))._repr_html_()


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(4242, "", "4242 (varies)"), (0.414, "s", "0.41 s (varies)"), (12, "MB", "12 MB (varies)")],
)
def test_a_varying_value_is_marked(value: float, unit: str, text: str) -> None:
    assert repr(Varies(value, unit)) == text


def test_a_misspelt_column_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(LabError, match="no 'ExitCod'") as caught:
        table_of(thing("a", State={"ExitCode": 0, "Pid": 1}), ("name", "State.ExitCod"))
    assert "ExitCode, Pid" in caught.value.next_step


def test_no_column_at_all_is_an_error() -> None:
    with pytest.raises(LabError, match="no column"):
        table_of(thing("a"), ())


def test_what_only_some_have_is_empty_for_the_others() -> None:
    good, bad = {"Slot": 1, "Status": {}}, {"Slot": 2, "Status": {"Err": "exit (3)"}}
    assert table_of([bad, good], ["Slot", "Status.Err"]).rows == ((1, None), (2, "exit (3)"))
    with pytest.raises(LabError, match="There is no 'Err'"):
        table_of([good], ["Slot", "Status.Err"])
