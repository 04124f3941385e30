"""A codec and the gateway's side of it, joined in memory: what one writes, the other reads."""

from __future__ import annotations

from dataclasses import dataclass

from app.wire.phone.api import Codec, Command, Event, PhoneCall, Started
from app.wire.phone.far.api import Gateway


@dataclass(frozen=True, slots=True)
class Pair:
    codec: Codec
    gateway: Gateway

    def tell(self, *events: Event) -> list[Event]:
        """What the server hears of it."""
        messages = [message for event in events for message in self.gateway.encode(event)]
        return [heard for message in messages for heard in self.codec.decode(message)]

    def ask(self, *commands: Command) -> list[Command]:
        """What reaches the gateway of it."""
        messages = [message for command in commands for message in self.codec.encode(command)]
        return [asked for message in messages for asked in self.gateway.decode(message)]

    def start(self, call: PhoneCall) -> Pair:
        assert Started(call) in self.tell(Started(call))
        return self
