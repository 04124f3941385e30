"""A session without a conversation: it does what it is called for, keeps note of it, and tells what the test wants."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from providers.api import Message
from session.aio.callbacks import StateCallback, StateCallbacks
from session.aio.mouth import OutputQueue
from session.aio.say_handle import SayHandle
from session.config import SayOptions
from session.errors import ErrorCode, SessionError
from session.notices import Ended, EndReason, Latency, Notice, ReplyDone, StateChanged
from session.states import SessionState, transition

__all__ = ("Called", "MockSession")

logger = logging.getLogger(__name__)

_COROUTINES = ("start", "stop", "process_audio", "process_transcript", "dtmf", "interrupt", "say", "wait_ended")
_FUNCTIONS = ("hold", "go_on", "played", "mark_reached", "room_changed", "output")

Errors = Mapping[str, Exception | Sequence[Exception | None]]


@dataclass(frozen=True, slots=True)
class Called:
    """One call of a method, also one that raised."""

    method: str
    arguments: Mapping[str, object] = field(default_factory=dict)


class MockSession:
    """Has the methods of ``VoiceSession``, with their signatures, and raises what they raise.

    ``errors``: what a method raises, each time, or for a sequence at the n-th call (None: nothing). ``delays_s``: how
    long it takes. Both by the name of the method; only coroutines are delayed. An ``active`` session is ``listening``
    from the start. What is to be said counts as heard at once, or where ``plays`` is false when ``finish`` is called.

    :raises ValueError: for a method that there is not, or that cannot be delayed.
    """

    def __init__(  # noqa: PLR0913 -- everything that a test may want to be so, by name
        self,
        session_id: str | None = None,
        *,
        active: bool = False,
        auto_start: bool = False,
        plays: bool = True,
        history: Sequence[Message] = (),
        output_rate_hz: int = 16_000,
        on_state_changed: StateCallback | None = None,
        errors: Errors | None = None,
        delays_s: Mapping[str, float] | None = None,
    ) -> None:
        _check_names("errors", errors or {}, _COROUTINES + _FUNCTIONS)
        _check_names("delays_s", delays_s or {}, _COROUTINES)
        self.calls: list[Called] = []
        self.handles: list[SayHandle] = []
        self.plays = plays
        self._session_id = session_id or str(uuid.uuid4())
        self._state = SessionState.LISTENING if active else SessionState.INITIAL
        self._auto_start = auto_start
        self._history = list(history)
        self._output = OutputQueue(output_rate_hz)
        self._errors = {
            method: error if isinstance(error, Exception) else deque(error) for method, error in (errors or {}).items()
        }
        self._delays_s = dict(delays_s or {})
        self._callbacks = StateCallbacks()
        self._subscribers: list[Callable[[Notice], None]] = []
        self._waiting: dict[str, str] = {}
        self._turns = 0
        self._reason = EndReason.CLIENT
        self._ended = asyncio.Event()
        if on_state_changed is not None:
            self._callbacks.add(on_state_changed)

    # --- for the test -------------------------------------------------------------------------------------------

    def called(self, method: str) -> list[Called]:
        """The calls of one method, in order."""
        return [call for call in self.calls if call.method == method]

    @property
    def said(self) -> list[str]:
        """What ``say`` was called with."""
        return [str(call.arguments["text"]) for call in self.called("say")]

    def tell(self, notice: Notice) -> None:
        """Let the session tell this to its subscribers."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(notice)
            except Exception:  # as in a session: somebody else's code must not break it
                logger.exception("a subscriber raised")

    def become(self, state: SessionState) -> None:
        """Change the state, as far as the table of states allows, and tell.

        :raises SessionError: ``invalid_state``.
        """
        if state is self._state:
            return
        previous, self._state = self._state, transition(self._state, state)
        if previous in (SessionState.INITIAL, SessionState.ENDED):
            self._ended.clear()
            self._output.reopen()
        self.tell(StateChanged(state, previous))
        self._callbacks.call(state)

    def finish(self, handle: SayHandle, *, heard_text: str | None = None, interrupted: bool = False) -> None:
        """What ``handle`` stands for is over: heard to its end, or only so far."""
        text = self._waiting.pop(handle.utterance_id, None)
        if text is None:
            return
        self._turns += 1
        heard = text if heard_text is None else heard_text
        if heard:
            self._history.append(Message("assistant", heard, interrupted))
        done = ReplyDone(str(self._turns), text, heard, interrupted, Latency(), handle.utterance_id)
        handle.finish(done)
        self.tell(done)

    async def end(self, reason: EndReason = EndReason.CLIENT) -> None:
        """The session ends by itself: the agent hung up, nobody spoke, the server goes down."""
        for handle in self.handles:
            self.finish(handle, heard_text="", interrupted=True)
        self._reason = reason
        self.become(SessionState.ENDED)
        await self._output.aclose()
        self.tell(Ended(reason))
        self._ended.set()

    def put_out(self, pcm: bytes) -> None:
        """Audio for whoever iterates over ``output()``."""
        self._output.send_audio(pcm)

    # --- as a session -------------------------------------------------------------------------------------------

    @property
    def session_id(self) -> str:
        return self._session_id

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def history(self) -> tuple[Message, ...]:
        """As given, and what was typed and heard since."""
        return tuple(self._history)

    @property
    def output_rate_hz(self) -> int:
        return self._output.rate_hz

    @property
    def callback_failures(self) -> int:
        return self._callbacks.failures

    async def __aenter__(self) -> Self:
        if self._auto_start:
            await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._active:
            await self.stop()

    async def start(self) -> None:
        await self._begin("start")
        if self._active:
            raise SessionError("start", ErrorCode.SESSION_ALREADY_ACTIVE, f"the session is {self._state}")
        self.become(SessionState.LISTENING)

    async def stop(self, reason: EndReason = EndReason.CLIENT) -> None:
        await self._begin("stop", reason=reason)
        self._need_active("stop")
        await self.end(reason)

    async def process_audio(self, pcm: bytes) -> None:
        await self._begin("process_audio", pcm=pcm)
        self._need_active("process_audio")

    async def process_transcript(self, text: str) -> None:
        await self._begin("process_transcript", text=text)
        self._need_active("process_transcript")
        if not text.strip():
            raise SessionError("process_transcript", ErrorCode.INVALID_INPUT, "the text is empty")
        self._history.append(Message("user", text.strip()))

    async def dtmf(self, digits: str) -> None:
        await self._begin("dtmf", digits=digits)
        self._need_active("dtmf")

    async def interrupt(self) -> None:
        """Whatever waits to be heard is over."""
        await self._begin("interrupt")
        self._need_active("interrupt")
        for handle in self.handles:
            self.finish(handle, heard_text="", interrupted=True)

    async def say(self, text: str, options: SayOptions | None = None) -> SayHandle:
        await self._begin("say", text=text, options=options)
        self._need_active("say")
        if not text.strip():
            raise SessionError("say", ErrorCode.INVALID_INPUT, "the text is empty")
        handle = SayHandle(str(uuid.uuid4()), self._cancel)
        self.handles.append(handle)
        self._waiting[handle.utterance_id] = text
        if self.plays:
            self.finish(handle)
        return handle

    def hold(self) -> None:
        self._note("hold")
        self._need_active("hold")

    def go_on(self) -> None:
        self._note("go_on")
        self._need_active("go_on")

    def played(self, played_ms: int) -> None:
        self._note("played", played_ms=played_ms)

    def mark_reached(self, number: int) -> None:
        self._note("mark_reached", number=number)

    def room_changed(self, *, has_room: bool) -> None:
        self._note("room_changed", has_room=has_room)

    def on_state_changed(self, callback: StateCallback) -> None:
        self._callbacks.add(callback)

    def subscribe(self, callback: Callable[[Notice], None]) -> Callable[[], None]:
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def output(self) -> AsyncIterator[bytes]:
        """What ``put_out`` was given, until the session ends."""
        self._note("output")
        return self._output.frames()

    async def wait_ended(self) -> EndReason:
        await self._begin("wait_ended")
        if self._state is SessionState.INITIAL:
            raise SessionError("wait_ended", ErrorCode.SESSION_NOT_ACTIVE, f"the session is {self._state}")
        await self._ended.wait()
        return self._reason

    # --- small things -------------------------------------------------------------------------------------------

    @property
    def _active(self) -> bool:
        return self._state not in (SessionState.INITIAL, SessionState.ENDED)

    def _need_active(self, op: str) -> None:
        if not self._active:
            raise SessionError(op, ErrorCode.SESSION_NOT_ACTIVE, f"the session is {self._state}")

    async def _begin(self, method: str, **arguments: object) -> None:
        """Noted when it is called, and late where it is to be."""
        self.calls.append(Called(method, arguments))
        if method in self._delays_s:
            await asyncio.sleep(self._delays_s[method])
        self._raise(method)

    def _note(self, method: str, **arguments: object) -> None:
        self.calls.append(Called(method, arguments))
        self._raise(method)

    def _raise(self, method: str) -> None:
        errors = self._errors.get(method)
        error = (errors.popleft() if errors else None) if isinstance(errors, deque) else errors
        if error is not None:
            raise error

    def _cancel(self, utterance_id: str) -> None:
        for handle in self.handles:
            if handle.utterance_id == utterance_id:
                self.finish(handle, heard_text="", interrupted=True)


def _check_names(what: str, given: Mapping[str, object], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{what}: {name!r} given, {', '.join(known)} allowed")
