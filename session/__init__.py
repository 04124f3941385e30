"""A conversation between a caller and an agent: the engine that decides, and the shell that runs it."""

from session.aio.failover import SpeechToTextInOrder, TextToSpeechInOrder
from session.aio.mouth import FrameCounts
from session.aio.runner import agents_told
from session.aio.say_handle import SayHandle
from session.aio.voice_session import VoiceSession
from session.config import (
    Chunking,
    Endpointing,
    Interruption,
    Preemptive,
    SayOptions,
    SessionConfig,
)
from session.errors import ErrorCode, SessionError
from session.states import SessionState

__all__ = (
    "Chunking",
    "Endpointing",
    "ErrorCode",
    "FrameCounts",
    "Interruption",
    "Preemptive",
    "SayHandle",
    "SayOptions",
    "SessionConfig",
    "SessionError",
    "SessionState",
    "SpeechToTextInOrder",
    "TextToSpeechInOrder",
    "VoiceSession",
    "agents_told",
)
