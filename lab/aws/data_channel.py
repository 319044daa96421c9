"""The messages between Session Manager's plugin and the agent in a container.

AWS describes them nowhere but in the plugin's source: a header of fixed width, then the payload.
https://github.com/aws/session-manager-plugin/blob/mainline/src/message/clientmessage.go
"""

from __future__ import annotations

import enum
import hashlib
import json
import struct
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = [
    "ACKNOWLEDGE",
    "CHANNEL_CLOSED",
    "INPUT",
    "OUTPUT",
    "Message",
    "MessageError",
    "PayloadType",
    "acknowledgement_of",
]

INPUT: Final = "input_stream_data"
OUTPUT: Final = "output_stream_data"
ACKNOWLEDGE: Final = "acknowledge"
CHANNEL_CLOSED: Final = "channel_closed"

# Header length, type, version, milliseconds since 1970, sequence number, flags, id, SHA-256 of the
# payload, its type, its length. The header length does not count the last one.
HEADER: Final = struct.Struct(">I32sIQqQ16s32sII")
HEADER_LENGTH: Final = HEADER.size - 4
VERSION: Final = 1
# A message that is the first and the last one of its kind: no sequence.
ALONE: Final = 3


class PayloadType(enum.IntEnum):
    """What the payload of a message of one of the two streams is."""

    OUTPUT = 1
    ERROR = 2
    SIZE = 3
    PARAMETER = 4
    HANDSHAKE_REQUEST = 5
    HANDSHAKE_RESPONSE = 6
    HANDSHAKE_COMPLETE = 7
    ENCRYPTION_CHALLENGE_REQUEST = 8
    ENCRYPTION_CHALLENGE_RESPONSE = 9
    FLAG = 10
    STANDARD_ERROR = 11
    EXIT_CODE = 12


class MessageError(ValueError):
    """Says what is wrong with the bytes of a message."""


@dataclass(frozen=True)
class Message:
    """A message of the data channel.

    Attributes:
        kind: The message's type, such as ``output_stream_data``.
        payload: What it carries.
        payload_type: What that is; 0 where the type of the message says it.
        sequence: Its number in its stream, from 0.
        flags: Whether it stands outside of a stream.
        id: What an acknowledgement names.

    Example:
        >>> Message.unpacked(Message("acknowledge", b"{}").packed()).kind
        'acknowledge'
    """

    kind: str
    payload: bytes
    payload_type: int = 0
    sequence: int = 0
    flags: int = 0
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    def packed(self) -> bytes:
        """Write it as it is sent."""
        return (
            HEADER.pack(
                HEADER_LENGTH,
                self.kind.encode().ljust(32),
                VERSION,
                time.time_ns() // 1_000_000,
                self.sequence,
                self.flags,
                # Java's order of the two halves.
                self.id.bytes[8:] + self.id.bytes[:8],
                hashlib.sha256(self.payload).digest(),
                self.payload_type,
                len(self.payload),
            )
            + self.payload
        )

    @classmethod
    def unpacked(cls, data: bytes) -> Message:
        """Read one.

        Raises:
            MessageError: It is cut, or its payload is not what was sent.
        """
        if len(data) < HEADER.size:
            raise MessageError(f"{len(data)} bytes are less than a header")
        length, kind, _, _, sequence, flags, halves, digest, payload_type, _ = HEADER.unpack(
            data[: HEADER.size]
        )
        payload = data[length + 4 :]
        if payload and hashlib.sha256(payload).digest() != digest:
            raise MessageError("the payload does not fit its digest")
        return cls(
            kind=kind.decode(errors="replace").strip("\0 "),
            payload=payload,
            payload_type=payload_type,
            sequence=sequence,
            flags=flags,
            id=uuid.UUID(bytes=halves[8:] + halves[:8]),
        )

    def read(self) -> dict[str, Any]:
        """Read a payload that is JSON.

        Raises:
            MessageError: It is not, or no object.
        """
        try:
            found = json.loads(self.payload)
        except ValueError as error:
            raise MessageError(f"the payload is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise MessageError("the payload is no object")
        return found


def acknowledgement_of(message: Message) -> Message:
    """Say that a message has come."""
    content = {
        "AcknowledgedMessageType": message.kind,
        "AcknowledgedMessageId": str(message.id),
        "AcknowledgedMessageSequenceNumber": message.sequence,
        "IsSequentialMessage": True,
    }
    return Message(ACKNOWLEDGE, json.dumps(content).encode(), flags=ALONE)
