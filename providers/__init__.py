"""What a session needs of the world, and who offers it. ``create("stt", "moonshine")`` makes a provider."""

from __future__ import annotations

from providers.registry import available, create, names

__all__ = ("available", "create", "names")
