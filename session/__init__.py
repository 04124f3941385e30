"""A conversation between a caller and an agent: the engine that decides, and the shell that runs it."""

from session.aio.agent_in_order import AgentInOrder
from session.aio.mouth import FrameCounts
from session.aio.runner import agents_told
from session.aio.say_handle import SayHandle
from session.aio.speech_to_text_in_order import SpeechToTextInOrder
from session.aio.text_to_speech_in_order import TextToSpeechInOrder
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
    "AgentInOrder",
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
