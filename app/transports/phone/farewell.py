"""Why a gateway's socket is closed; the reason stands in the close frame and in the log."""

from __future__ import annotations

from starlette.types import Message as AsgiMessage

from app.wire.messages import MAX_MESSAGE_BYTES
from app.wire.phone.api import Message

__all__ = ("Farewell", "message_of")


class Farewell(Exception):
    """``code`` as RFC 6455, section 7.4.1: gateways know no others."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def message_of(received: AsgiMessage) -> Message:
    """
    :raises Farewell: it is too long.
    """
    text: str | None = received.get("text")
    message: Message = received["bytes"] if text is None else text
    if len(message) > MAX_MESSAGE_BYTES:
        raise Farewell(1009, "a message has at most 1 MiB")
    return message
