"""What is asked of a transport is little, and what the session ships keeps to it."""

from __future__ import annotations

from session.aio.mouth import OutputQueue
from session.transport import Transport


async def test_the_queue_of_a_session_without_a_transport_is_a_transport() -> None:
    transport: Transport = OutputQueue(8_000)
    transport.send_audio(bytes(320))
    transport.clear()
    await transport.aclose()

    assert 8_000 == transport.rate_hz
