from __future__ import annotations

from typing import Any

import docker.errors
import pytest
import requests
from IPython.testing.globalipapp import start_ipython

from lab.notebook import next_step_for, shorten_errors

NO_POOL = (
    "could not find an available, non-overlapping IPv4 address pool among the defaults "
    "to assign to the network"
)
NO_SUBNET = "all predefined address pools have been fully subnetted"


def conflict(explanation: str) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = 409
    return docker.errors.APIError("", response=response, explanation=explanation)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (docker.errors.NotFound("No such container: x"), "run the cell that starts it again"),
        (conflict("Container x is not running"), "or it has ended. Run the cell that starts it"),
        (conflict("Container x is not paused"), "it was not paused, or it goes on already"),
        (KeyboardInterrupt(), "You have stopped this cell"),
        (docker.errors.ImageNotFound("No such image: x"), "lab images prepare"),
        (docker.errors.APIError("write: no space left on device"), "lab doctor"),
        (docker.errors.APIError("", explanation=NO_POOL), "lab clean"),
        (docker.errors.APIError("", explanation=NO_SUBNET), "lab clean"),
        (conflict("remove x: volume is in use - [y]"), "still mounts it"),
        (docker.errors.APIError("network x has active endpoints"), "disconnect them first"),
        (conflict("unable to delete x - image has dependent child images"), "built on this one"),
        (conflict("unable to delete x - image is being used by y"), "was made of this image"),
        (conflict("Container x is already paused"), "does not fit the state"),
        (requests.exceptions.ConnectionError("refused"), "Nobody answers"),
    ],
)
def test_errors_of_the_engine_get_a_next_step(error: BaseException, said: str) -> None:
    assert said in str(next_step_for(error))


def test_other_errors_are_left_as_they_are() -> None:
    assert next_step_for(docker.errors.APIError("teapot")) is None


@pytest.fixture(scope="module")
def shell() -> Any:  # noqa: ANN401  # IPython has no types here
    # There is one in a process, and only who asks first gets it.
    return start_ipython()  # type: ignore[no-untyped-call]


def test_a_deleted_container_shows_as_one_line_and_a_next_step(
    shell: Any,  # noqa: ANN401
    capsys: pytest.CaptureFixture[str],
) -> None:
    shorten_errors()
    shell.run_cell("import docker.errors\nraise docker.errors.NotFound('No such container: web')")
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "NotFound: No such container: web" in said.out + said.err
    assert "Next: It was removed" in said.out + said.err


def test_a_refusal_of_aws_shows_in_its_own_words(
    shell: Any,  # noqa: ANN401
    capsys: pytest.CaptureFixture[str],
) -> None:
    shorten_errors()
    shell.run_cell(
        "import botocore.exceptions\n"
        "error = {'Code': 'ClientException', 'Message': 'Family can not be blank.'}\n"
        "raise botocore.exceptions.ClientError({'Error': error}, 'RegisterTaskDefinition')"
    )
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said
    assert said.strip() == (
        "ClientError: An error occurred (ClientException) when calling the "
        "RegisterTaskDefinition operation: Family can not be blank."
    )
