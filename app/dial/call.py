"""A whole call: connect as a gateway does, hear the greeting, press keys, say the recording, hear the answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from app.dial.credentials import headers
from app.dial.manners import is_over, may_speak
from app.dial.phone import Happened, Phone, Room
from app.wav import Recording
from app.wire.phone.api import PhoneCall
from app.wire.phone.far.catalogue import GATEWAYS
from providers.resample import Resampler

__all__ = ("DialError", "Dialled", "dial", "open_call", "phone_at")


_CLOSING_S = 2.0


class DialError(Exception):
    """The call did not come about. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """``delay_ms``: how long the gateway buffers audio before it plays it. ``wait_ms``: the longest to wait for an
    answer to begin."""

    gateway: str
    url: str
    secret: str | None = None
    token: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    caller: str = "+15550100"
    callee: str = "+15550199"
    delay_ms: int = 60
    wait_ms: int = 15_000


def phone_at(
    dialled: Dialled, *, room: Room | None = None, tell: Callable[[Happened], None] = lambda _happened: None
) -> Phone:
    """A phone behind the gateway, in the gateway's usual format."""
    gateway = GATEWAYS[dialled.gateway]()
    form = gateway.formats[0]
    call = PhoneCall(
        gateway.name,
        str(uuid.uuid4()),
        form,
        form,
        str(uuid.uuid4()),
        dialled.caller,
        dialled.callee,
        dict(dialled.parameters),
    )
    return Phone(gateway, call, delay_ms=dialled.delay_ms, room=room, tell=tell)


async def open_call(dialled: Dialled, phone: Phone) -> ClientConnection:
    """
    :raises DialError:
    """
    try:
        proof = headers(dialled.gateway, dialled.secret, dialled.url, phone.call.stream_id)
    except ValueError as error:
        raise DialError(f"--secret: {error}") from None
    if dialled.token:
        proof = {"Authorization": f"Bearer {dialled.token}"} | proof
    local = urlsplit(dialled.url).hostname in ("127.0.0.1", "localhost", "::1")
    try:
        return await connect(
            dialled.url,
            additional_headers=proof,
            subprotocols=[Subprotocol(each) for each in phone.subprotocols] or None,
            compression=None,
            max_size=None,
            close_timeout=_CLOSING_S,
            proxy=None if local else True,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        hint = " (is --secret or --token right?)" if status in (401, 403) else ""
        raise DialError(f"{dialled.url} refused the call: HTTP {status}{hint}") from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise DialError(f"no server answers at {dialled.url}: start one with `beluga-voice serve`") from error


async def dial(
    dialled: Dialled, recording: Recording, digits: str, tell: Callable[[Happened], None], stopping: asyncio.Event
) -> Phone:
    """Stay in the call until the recording was answered, ``stopping`` is set, or the server ends it.

    :raises DialError: when no connection comes about.
    """
    phone = phone_at(dialled, tell=tell)
    rate_hz = phone.call.input.rate_hz
    pcm = Resampler(recording.rate_hz, rate_hz).process(recording.pcm, last=True)
    async with await open_call(dialled, phone) as socket:
        calling = asyncio.create_task(phone.run(socket))
        await phone.until(lambda phone: stopping.is_set() or may_speak(phone.now_ms, phone.heard_ms))
        if digits:
            for digit in digits:
                await phone.press(digit)
            await _answered(phone, dialled.wait_ms, stopping)
        phone.say(pcm)
        await phone.until(lambda phone: stopping.is_set() or not phone.is_speaking)
        await _answered(phone, dialled.wait_ms, stopping)
        with suppress(asyncio.TimeoutError):
            await phone.hang_up()
        await calling
    return phone


async def _answered(phone: Phone, wait_ms: int, stopping: asyncio.Event) -> None:
    said_ms = phone.now_ms
    await phone.until(lambda phone: stopping.is_set() or is_over(phone.now_ms, phone.heard_ms, said_ms, wait_ms))
