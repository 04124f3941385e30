"""Everything an operator can set: defaults, then a TOML file, then the environment, then flags; later wins.

The environment names a setting by its path, as ``BELUGA_STT__PROVIDER``; a value that looks like JSON is read as JSON.
Every mistake is one line, ``session.timeout: 5s given, 1m to 24h allowed``, and all of them are reported at once.
"""

from __future__ import annotations

from app.settings.hosts import is_loopback
from app.settings.loading import load
from app.settings.mistakes import WrongSettings
from app.settings.tables import (
    AgentChoice,
    AgentPart,
    Auth,
    Limits,
    Log,
    Part,
    Server,
    Settings,
    SpeechPart,
    VoicePart,
    WebRtc,
    in_order,
)

__all__ = (
    "AgentChoice",
    "AgentPart",
    "Auth",
    "Limits",
    "Log",
    "Part",
    "Server",
    "Settings",
    "SpeechPart",
    "VoicePart",
    "WebRtc",
    "WrongSettings",
    "in_order",
    "is_loopback",
    "load",
)
