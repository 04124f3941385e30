from __future__ import annotations

import pytest

from app.transports.phone.farewell import Farewell, message_of
from app.wire.messages import MAX_MESSAGE_BYTES


def test_a_message_is_text_or_binary() -> None:
    assert "hello" == message_of({"type": "websocket.receive", "text": "hello"})
    assert b"hello" == message_of({"type": "websocket.receive", "text": None, "bytes": b"hello"})


@pytest.mark.parametrize("kind", ["text", "bytes"])
def test_one_that_is_too_long_is_the_last(kind: str) -> None:
    message = bytes(MAX_MESSAGE_BYTES + 1)
    with pytest.raises(Farewell) as farewell:
        message_of({"type": "websocket.receive", kind: message if kind == "bytes" else message.decode()})

    assert (1009, "a message has at most 1 MiB") == (farewell.value.code, str(farewell.value))
