from __future__ import annotations

import json
import struct

import pytest

from lab.aws.data_channel import (
    ALONE,
    HEADER,
    OUTPUT,
    Message,
    MessageError,
    PayloadType,
    acknowledgement_of,
)


@pytest.mark.parametrize("size", [0, 1, HEADER.size - 1])
def test_a_message_that_is_cut_in_its_header_is_refused(size: int) -> None:
    packed = Message(OUTPUT, b"said").packed()
    with pytest.raises(MessageError, match=f"{size} bytes"):
        Message.unpacked(packed[:size])


def test_a_payload_that_was_changed_on_the_way_is_refused() -> None:
    packed = bytearray(Message(OUTPUT, b"said").packed())
    packed[-1] ^= 1
    with pytest.raises(MessageError, match="digest"):
        Message.unpacked(bytes(packed))


def test_a_payload_that_is_cut_is_refused() -> None:
    with pytest.raises(MessageError, match="digest"):
        Message.unpacked(Message(OUTPUT, b"said").packed()[:-1])


@pytest.mark.parametrize("payload", [b"", b"\xff", b"{", b"[]"])
def test_a_payload_that_should_be_an_object_and_is_not_is_refused(payload: bytes) -> None:
    with pytest.raises(MessageError, match="payload"):
        Message(OUTPUT, payload).read()


def test_what_is_packed_is_unpacked_again() -> None:
    message = Message(OUTPUT, "größer".encode(), PayloadType.OUTPUT, sequence=7, flags=1)
    assert Message.unpacked(message.packed()) == message


def test_a_header_has_the_places_that_the_plugin_reads() -> None:
    message = Message(OUTPUT, b"said", PayloadType.SIZE, sequence=5, flags=3)
    packed = message.packed()
    assert struct.unpack(">I", packed[:4]) == (116,)
    assert packed[4:36].rstrip() == b"output_stream_data"
    assert struct.unpack(">I", packed[36:40]) == (1,)
    assert struct.unpack(">qQ", packed[48:64]) == (5, 3)
    # The plugin reads the lower half of the id first.
    assert packed[72:80] + packed[64:72] == message.id.bytes
    assert struct.unpack(">II", packed[112:120]) == (3, 4)
    assert packed[120:] == b"said"


def test_an_acknowledgement_names_its_message() -> None:
    message = Message(OUTPUT, b"said", PayloadType.OUTPUT, sequence=9)
    acknowledgement = acknowledgement_of(message)
    assert acknowledgement.kind == "acknowledge"
    assert acknowledgement.flags == ALONE
    assert json.loads(acknowledgement.payload) == {
        "AcknowledgedMessageType": "output_stream_data",
        "AcknowledgedMessageId": str(message.id),
        "AcknowledgedMessageSequenceNumber": 9,
        "IsSequentialMessage": True,
    }
