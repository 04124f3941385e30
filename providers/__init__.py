"""What a session needs of the world, and who offers it. ``create("stt", "moonshine")`` makes a provider."""

from __future__ import annotations

import os

from providers.registry import available, create, names

__all__ = ("available", "create", "names")

# ONNX Runtime tells its maker how it is used, and keeps a database for that in the home directory, unless this stands
# in the environment before it is imported. A server that people speak to tells nobody anything.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
