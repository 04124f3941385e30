"""What a client's text messages ask of its session, whatever brought them."""

from __future__ import annotations

import asyncio

from app.calls import Call
from app.edge import Edge
from app.transports.farewell import Farewell, too_long
from app.transports.jack import Plug
from app.wire import messages
from app.wire.messages import BadMessage, Dtmf, Interrupt, Ping, Playout, Start, Stop, TypedText
from session import VoiceSession
from session.errors import ErrorCode, SessionError
from session.notices import EndReason

__all__ = ("Commands",)


class Commands:
    """Of one connection, whose rate of messages is limited."""

    def __init__(self, edge: Edge, call: Call, session: VoiceSession, plug: Plug) -> None:
        self._edge = edge
        self._call = call
        self._session = session
        self._plug = plug
        self._bucket = edge.admission.message_bucket()

    async def obey(self, text: str) -> None:
        """What was wrong with a message is told to its client.

        :raises Farewell: when the connection must end for it.
        """
        if messages.is_too_long(text):
            raise too_long()
        if not self._bucket.take(asyncio.get_running_loop().time()):
            raise Farewell(4429, ErrorCode.CAPACITY, "too many messages", retryable=True)
        try:
            await self._obey(text)
        except BadMessage as error:
            self._plug.send(messages.error(ErrorCode.INVALID_INPUT, str(error)))
        except SessionError as error:
            self._plug.send(messages.error(error.code, error.message, retryable=error.retryable))

    async def _obey(self, text: str) -> None:
        match messages.decode(text):
            case TypedText(text=typed):
                await self._session.process_transcript(typed)
            case Dtmf(digit=digit):
                await self._session.dtmf(digit)
            case Interrupt():
                await self._session.interrupt()
            case Playout(played_ms=played_ms):
                self._session.played(int(played_ms))
            case Ping():
                self._plug.send(messages.pong())
            case Stop():
                await self._edge.calls.end(self._call, EndReason.CLIENT)
            case Start():
                raise BadMessage("start: the session has started")
