"""The sessions of this server: made, found, connected, ended. Nothing here outlives the session it belongs to."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry.context import Context

from app.auth import digest
from app.parts import Parts
from app.spans import Tracing, within
from app.transports.jack import Jack, Plug
from providers.api import Agent
from session import FrameCounts, SayHandle, SayOptions, SessionConfig, SessionState, VoiceSession, agents_told
from session.errors import ErrorCode, SessionError
from session.notices import Ended, EndReason, Latency, Notice, TurnDone
from session.transport import Transport

__all__ = ("Call", "Calls", "Listener", "Operation")

Listener = Callable[[Notice], None]
"""Called in the event loop for every notice of a session, in order. Must not block, nor raise."""

Operation = Callable[[str], AbstractContextManager[None]]
"""Measures what runs inside it, under the name of an operation."""


def _new_resume_token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(slots=True, eq=False)
class Call:
    """One session. Until somebody connects there is a call but no ``session``; ``transport`` says how they did."""

    session_id: str
    token: str = field(repr=False)
    metadata: dict[str, object]
    greeting: str | None
    agent: Agent | None
    """An agent of its own, closed with the call."""
    created_at_s: float = field(default_factory=time.time)
    connected_at_s: float | None = None
    resume_token: str = field(default_factory=_new_resume_token, repr=False)
    """Takes the call over from a connection that was lost. Good for once; its successor comes with each ``ready``."""
    transport: str | None = None
    jack: Jack | None = None
    """Where the call's connection is plugged in, of a transport that can be taken over."""
    session: VoiceSession | None = None
    turns: int = 0
    latency: Latency | None = None
    """Of the last turn."""
    listeners: list[Listener] = field(default_factory=list)
    expiry: asyncio.TimerHandle | None = None
    context: Context = field(default_factory=Context, repr=False)
    """Of the trace: who made the call, and once it is connected the call itself."""

    @property
    def state(self) -> SessionState:
        return SessionState.INITIAL if self.session is None else self.session.state

    def active_session(self) -> VoiceSession:
        """
        :raises SessionError: ``session_not_active`` while nobody has connected.
        """
        if self.session is None:
            raise SessionError("find", ErrorCode.SESSION_NOT_ACTIVE, "nobody has connected to this session yet")
        return self.session

    def tell(self, notice: Notice) -> None:
        if isinstance(notice, TurnDone):
            self.turns += 1
            self.latency = notice.latency
        for listener in tuple(self.listeners):
            listener(notice)


class Calls:
    """``watchers`` are asked, for each call that connects, for somebody to listen to it, and ``trace`` for what takes
    the lines of its recording."""

    def __init__(  # noqa: PLR0913 - what every call shares, by name
        self,
        parts: Parts,
        config: SessionConfig,
        *,
        frames: FrameCounts,
        connect_within_s: float,
        watchers: tuple[Callable[[Call], Listener], ...] = (),
        operation: Operation = lambda _name: contextlib.nullcontext(),
        trace: Callable[[Call], Callable[[str], None] | None] = lambda _call: None,
        tracing: Tracing | None = None,
    ) -> None:
        self._parts = parts
        self._config = config
        self._frames = frames
        self._connect_within_s = connect_within_s
        self._watchers = watchers
        self._operation = operation
        self._tracing = tracing or Tracing()
        self._trace = trace
        self._calls: dict[str, Call] = {}
        self._by_token: dict[str, str] = {}
        self._held: dict[str, Call] = {}  # the longest first; at most as many as there are calls
        self._endings: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def taken(self) -> int:
        """How many there are room for less: calls whose client is gone make room for new ones."""
        return len(self._calls) - len(self._held)

    def make_room(self, most: int) -> None:
        """End the call that has waited longest for its client, where there are ``most`` or more."""
        if len(self._calls) >= most and self._held:
            longest = next(iter(self._held))
            self._spawn(self.end(self._held.pop(longest), EndReason.CLIENT))

    def all(self) -> tuple[Call, ...]:
        """In the order in which they were made."""
        return tuple(self._calls.values())

    def find(self, session_id: str) -> Call:
        """
        :raises SessionError: ``session_not_found``.
        """
        try:
            return self._calls[session_id]
        except KeyError:
            raise SessionError("find", ErrorCode.SESSION_NOT_FOUND, "there is no such session") from None

    def session_of(self, token_digest: str) -> str | None:
        """The id of the session that the token was minted for."""
        return self._by_token.get(token_digest)

    def prepare(
        self, *, metadata: Mapping[str, object], greeting: str | None = None, agent: Agent | None = None
    ) -> Call:
        """Make a call, to be connected before it expires."""
        call = Call(str(uuid.uuid4()), secrets.token_urlsafe(32), dict(metadata), greeting, agent)
        self._calls[call.session_id] = call
        self._empty.clear()
        self._by_token[digest(call.token)] = call.session_id
        loop = asyncio.get_running_loop()
        call.expiry = loop.call_later(self._connect_within_s, self._forget, call, EndReason.TIMEOUT)
        return call

    async def connect(  # noqa: PLR0913 - what a connection brings, by name
        self,
        call: Call,
        name: str,
        transport: Transport,
        *,
        input_rate_hz: int,
        listener: Listener,
        echo_cancelled: bool = False,
    ) -> VoiceSession:
        """Start the session of ``call`` on a transport called ``name``. ``listener`` hears its notices first.
        ``echo_cancelled``: the caller's side does that, and it is not done again.

        :raises SessionError: ``session_already_active`` when somebody else has connected.
        """
        if call.session is not None:
            raise SessionError("start", ErrorCode.SESSION_ALREADY_ACTIVE, "somebody is connected to this session")
        if call.expiry is not None:
            call.expiry.cancel()
        parts = self._parts
        call.transport, call.connected_at_s = name, time.time()
        spans = self._tracing.begin(call)
        session = VoiceSession(
            stt=parts.stt,
            tts=parts.tts,
            vad=parts.vad,
            turn_detector=parts.turn,
            echo_cancellation=None if echo_cancelled else parts.echo,
            noise_cancellation=parts.noise,
            agent=call.agent or parts.agent,
            transport=transport,
            config=replace(self._config, session_id=call.session_id),
            input_rate_hz=input_rate_hz,
            metadata=call.metadata,
            greeting=call.greeting,
            frames=self._frames,
            spans=spans,
            trace=self._trace(call),
        )
        call.session = session
        call.listeners[:0] = [listener, spans.note, *(watch(call) for watch in self._watchers)]
        session.subscribe(lambda notice: self._tell(call, notice))
        with within(call.context), self._operation("start"):
            await session.start()
        return session

    def find_by_resume_token(self, token: str) -> Call:
        """A call that has been connected. Every token is compared, in constant time: how long it takes tells nothing.

        :raises SessionError: ``session_not_found`` for a token that is unknown, used, or too late.
        """
        given = digest(token)
        matches = [call for call in self.all() if hmac.compare_digest(digest(call.resume_token), given)]
        if not matches or matches[0].jack is None:
            raise SessionError("resume", ErrorCode.SESSION_NOT_FOUND, "there is nothing to resume")
        return matches[0]

    async def hold(self, call: Call) -> None:
        """The connection is lost: keep the session for the grace, or end it where there is none."""
        grace_ms = self._config.resume_grace_ms
        if call.session is None or call.jack is None or not grace_ms:
            await self.end(call, EndReason.CLIENT)
        elif self._calls.get(call.session_id) is call:
            call.jack.unplug()
            call.session.hold()
            self._held[call.session_id] = call
            loop = asyncio.get_running_loop()
            call.expiry = loop.call_later(grace_ms / 1000, lambda: self._spawn(self.end(call, EndReason.CLIENT)))

    def resume(self, call: Call, name: str, plug: Plug, ready: Callable[[str], str]) -> VoiceSession:
        """Go on with another connection, on a transport called ``name``, whatever became of the one before. ``ready``
        is told the next resume token.

        :raises SessionError: ``session_not_active``.
        """
        session = call.active_session()
        session.hold()
        self._held.pop(call.session_id, None)
        if call.expiry is not None:
            call.expiry.cancel()
        call.resume_token, call.transport = _new_resume_token(), name
        if call.jack is not None:
            call.jack.take_over(plug, ready(call.resume_token))
        session.go_on()
        return session

    async def say(self, call: Call, text: str, options: SayOptions) -> SayHandle:
        """
        :raises SessionError: as ``VoiceSession.say``.
        """
        with self._operation("say"):
            return await call.active_session().say(text, options)

    async def end(self, call: Call, reason: EndReason) -> None:
        """Ends once; what has ended stays as it is."""
        session = call.session
        if session is None:
            self._forget(call, reason)
            return
        try:
            with self._operation("stop"):
                await session.stop(reason)
        except SessionError as error:
            if error.code is not ErrorCode.SESSION_NOT_ACTIVE:
                raise
        self._forget(call, reason)

    async def wait_empty(self, limit_s: float) -> None:
        """Until the last call has ended, or the limit is over."""
        try:
            async with asyncio.timeout(limit_s):
                await self._empty.wait()
        except TimeoutError:
            return

    async def end_all(self, reason: EndReason) -> None:
        """Also waits for what is still being freed."""
        await asyncio.gather(*(self.end(call, reason) for call in self.all()))
        if self._endings:
            await asyncio.wait(self._endings)

    def _tell(self, call: Call, notice: Notice) -> None:
        call.tell(notice)
        if isinstance(notice, Ended):
            self._drop(call)

    def _forget(self, call: Call, reason: EndReason) -> None:
        """End what never got a session, or failed to start one: nobody else tells its listeners."""
        if self._calls.get(call.session_id) is call:
            call.tell(Ended(reason))
            self._drop(call)

    def _drop(self, call: Call) -> None:
        if self._calls.pop(call.session_id, None) is None:
            return
        if not self._calls:
            self._empty.set()
        self._held.pop(call.session_id, None)
        self._by_token.pop(digest(call.token), None)
        call.listeners.clear()
        if call.expiry is not None:
            call.expiry.cancel()
        if call.agent is not None:
            self._spawn(_close(call.agent))

    def _spawn(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(ending)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)


async def _close(agent: Agent) -> None:
    """An agent of one call's own, once it has heard that the call is over."""
    await agents_told()
    await agent.aclose()
