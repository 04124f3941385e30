"""The shape of a gateway's side: a ``Codec`` the other way round."""

from __future__ import annotations

from typing import ClassVar, Protocol

from app.wire.phone.api import Command, Event, Message, SoundFormat

__all__ = ("Gateway",)


class Gateway(Protocol):
    """Of one connection. The first event is ``Started``, with the call as the server shall see it."""

    name: ClassVar[str]
    subprotocols: ClassVar[tuple[str, ...]]
    """What it offers when it connects."""
    formats: ClassVar[tuple[SoundFormat, ...]]
    """Of a call both ways, the usual one first."""

    def encode(self, event: Event) -> list[Message]:
        """The messages that tell of ``event``; none for what this gateway does not tell."""

    def decode(self, message: Message) -> list[Command]:
        """What the server asks for, in order.

        :raises WireError: for what the gateway would not understand.
        """
