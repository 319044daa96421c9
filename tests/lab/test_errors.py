from __future__ import annotations

import pickle

import pytest
from IPython.core.interactiveshell import InteractiveShell

from lab import errors

EVERY_ERROR = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_says_what_happened_and_what_to_do_next(kind: type[errors.LabError]) -> None:
    error = kind("The kettle is empty.", next_step="fill it")

    assert isinstance(error, errors.LabError)
    assert str(error) == "The kettle is empty.\nNext: fill it"
    assert (error.what, error.next_step) == ("The kettle is empty.", "fill it")


def test_an_error_without_a_next_step_is_refused() -> None:
    with pytest.raises(TypeError, match="next_step"):
        errors.LabError("The kettle is empty.")  # type: ignore[call-arg]


def test_an_error_survives_the_way_between_two_processes() -> None:
    error = pickle.loads(pickle.dumps(errors.DiskFullError("full", next_step="make room")))  # noqa: S301

    assert type(error) is errors.DiskFullError
    assert str(error) == "full\nNext: make room"


def test_a_notebook_shows_the_message_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    shell = InteractiveShell(colors="nocolor")

    shell.run_cell(
        "from lab.errors import NoEngineError\nraise NoEngineError('none', next_step='start one')"
    )

    assert capsys.readouterr().out == "NoEngineError: none\nNext: start one\n"
