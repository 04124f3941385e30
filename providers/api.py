"""What a session needs of the world: seven small protocols and their values.

Audio is signed 16-bit little-endian mono everywhere in this module, at the rate that the provider declares as
``rate_hz``; whoever calls converts. A provider object holds what is loaded once per process (a model, a connection
pool) and is shared by all sessions; what one session needs of it is a *stream*. Everything is called from one event
loop, and nothing here blocks it: what computes longer than a fraction of a millisecond does so on a worker.

The methods raise ``providers.errors.ProviderError`` and nothing else; any of the coroutines may be cancelled at any
await. Closing twice is allowed and does nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

__all__ = (
    "ActionKind",
    "Agent",
    "AgentAction",
    "AgentEvent",
    "AgentOutput",
    "AgentRequest",
    "AgentText",
    "BatchSpeechToText",
    "EchoCanceller",
    "EchoStream",
    "Message",
    "NoiseFilter",
    "NoiseStream",
    "Role",
    "SpeechChunk",
    "SpeechOptions",
    "SpeechToText",
    "SttStream",
    "TextToSpeech",
    "Transcript",
    "TurnDetector",
    "TurnSoFar",
    "VadStream",
    "VoiceActivity",
    "WordTiming",
)


# --- speech to text ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in this stream from its first sample on: a later transcript replaces an earlier one.

    ``final`` answers one ``finalise()`` and covers every sample that was fed before it. An empty text is a valid
    answer: nothing was said.
    """

    text: str
    final: bool
    confidence: float | None = None
    language: str | None = None


class SttStream(Protocol):
    """One utterance of one caller, from its pre-roll to the end of the turn."""

    def feed(self, pcm: bytes) -> None:
        """Take audio of any length, in order. Never blocks; memory is bounded by the provider."""

    def finalise(self) -> None:
        """Ask for a final transcript of what was fed so far. More may be fed and finalised afterwards."""

    def __aiter__(self) -> AsyncIterator[Transcript]:
        """Yield interims as they come and exactly one final per ``finalise()``, in order. Ends with ``aclose()``."""

    async def aclose(self) -> None:
        """Drop what is pending and end the iteration."""


class SpeechToText(Protocol):
    name: str
    rate_hz: int

    async def warm_up(self) -> None:
        """Load the model, or connect. Afterwards the first request is as fast as any other."""

    def open(self, *, language: str | None = None) -> SttStream: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class BatchSpeechToText(Protocol):
    """A recogniser that takes a recording: a session gives it an utterance in chunks (``session.chunking``)."""

    name: str
    rate_hz: int

    async def warm_up(self) -> None: ...

    async def transcribe(self, pcm: bytes, *, language: str | None = None) -> Transcript:
        """What is said in ``pcm``, from a word to the longest chunk that is configured. Several may be asked for at
        once."""

    async def aclose(self) -> None: ...


# --- text to speech ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """``voice`` as the provider names it, ``speed`` 0.5 to 2.0, ``volume`` 0 to 1."""

    voice: str | None = None
    speed: float = 1.0
    volume: float = 1.0


@dataclass(frozen=True, slots=True)
class WordTiming:
    """A word of the text and the sample, from the start of the piece, at which it has been spoken."""

    word: str
    end_sample: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    pcm: bytes
    words: tuple[WordTiming, ...] = ()


class TextToSpeech(Protocol):
    name: str
    rate_hz: int

    async def warm_up(self) -> None: ...

    def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        """Yield the speech of ``text`` in order, as soon as it exists. Empty text yields nothing.

        Closing the generator stops the synthesis.
        """

    async def aclose(self) -> None: ...


# --- voice activity ---------------------------------------------------------------------------------------------


class VadStream(Protocol):
    async def detect(self, window: bytes) -> float:
        """The probability, 0 to 1, that this window of exactly ``window_samples`` samples is speech."""

    def close(self) -> None: ...


class VoiceActivity(Protocol):
    name: str
    rate_hz: int
    window_samples: int

    async def warm_up(self) -> None: ...

    def open(self) -> VadStream: ...

    async def aclose(self) -> None: ...


# --- noise ------------------------------------------------------------------------------------------------------


class NoiseStream(Protocol):
    def process(self, frame: bytes) -> bytes:
        """One frame of exactly ``frame_samples`` samples in, as many out. Takes microseconds: it runs in the loop."""

    def close(self) -> None: ...


class NoiseFilter(Protocol):
    name: str
    rate_hz: int
    frame_samples: int

    async def warm_up(self) -> None: ...

    def open(self) -> NoiseStream: ...

    async def aclose(self) -> None: ...


# --- echo -------------------------------------------------------------------------------------------------------


class EchoStream(Protocol):
    """Both take exactly ``frame_samples`` samples, in turn: what was played, then what the microphone heard meanwhile.
    They take microseconds: they run in the loop."""

    def played(self, frame: bytes) -> None:
        """The reference: what the listener was to hear in the time of the next ``process``, silence included. Its echo
        comes with that frame or up to half a second later; how much later is found out."""

    def process(self, frame: bytes) -> bytes:
        """The microphone: one frame in, one out without the echo, ``delay_samples`` later."""

    def close(self) -> None: ...


class EchoCanceller(Protocol):
    name: str
    rate_hz: int
    frame_samples: int
    delay_samples: int
    """How far what comes out lies behind what went in: whoever goes round it holds the audio back as long."""

    async def warm_up(self) -> None: ...

    def open(self) -> EchoStream: ...

    async def aclose(self) -> None: ...


# --- the end of a turn ------------------------------------------------------------------------------------------

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the conversation as the user heard it. ``interrupted``: they heard only this much of it."""

    role: Role
    text: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class TurnSoFar:
    """``text``: the final transcript of the turn so far; ``pcm``: its last ``audio_ms``, for detectors that want it."""

    text: str
    language: str | None = None
    pcm: bytes = b""
    history: tuple[Message, ...] = ()


class TurnDetector(Protocol):
    name: str
    audio_ms: int
    """How much audio at 16 kHz ``judge`` wants to see; 0 for none."""

    async def warm_up(self) -> None: ...

    async def judge(self, turn: TurnSoFar) -> float:
        """The probability, 0 to 1, that the speaker has finished."""

    async def aclose(self) -> None: ...


# --- the agent --------------------------------------------------------------------------------------------------

AgentEvent = Literal[
    "turn",
    "session.started",
    "session.ended",
    "turn.interrupted",
    "turn.committed",
    "dtmf",
    "user.away",
    "user.back",
]
ActionKind = Literal["hangup", "transfer", "dtmf"]


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """What the agent is told. ``history`` ends before the present turn."""

    type: AgentEvent
    session_id: str
    turn_id: str = ""
    transcript: str = ""
    preemptive: bool = False
    replaces: str | None = None
    language: str | None = None
    history: tuple[Message, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    heard_text: str | None = None
    digits: str | None = None
    reason: str | None = None
    times_away: int | None = None
    """With ``user.away``: how often it has come since the user last made themselves heard, from 1."""


@dataclass(frozen=True, slots=True)
class AgentText:
    """A piece of the answer, cut anywhere; the pieces joined are the answer."""

    delta: str


@dataclass(frozen=True, slots=True)
class AgentAction:
    """``to`` goes with ``transfer``, ``digits`` with ``dtmf``."""

    action: ActionKind
    to: str | None = None
    digits: str | None = None


AgentOutput = AgentText | AgentAction


@runtime_checkable
class Agent(Protocol):
    name: str

    async def warm_up(self) -> None: ...

    def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
        """Answer ``turn``, ``session.started``, ``dtmf`` or ``user.away``: yield as it comes; nothing to stay silent.

        One attempt: the session retries. Closing the generator abandons the request.
        """

    async def notify(self, request: AgentRequest) -> None:
        """Be told of any other event; nothing is said in answer."""

    async def aclose(self) -> None: ...
