"""What a package hands out can be had: every name of every ``__all__`` exists, and the public API is whole."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import session

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("app", "providers", "session")
    for path in (ROOT / package).rglob("*.py")
)

PUBLIC = {
    "Chunking",
    "Endpointing",
    "ErrorCode",
    "Interruption",
    "Preemptive",
    "SayHandle",
    "SayOptions",
    "SessionConfig",
    "SessionError",
    "SessionState",
    "VoiceSession",
}


@pytest.mark.parametrize("name", MODULES)
def test_every_exported_name_exists(name: str) -> None:
    module = import_module(name)

    assert [] == [each for each in getattr(module, "__all__", ()) if not hasattr(module, each)]


def test_the_session_package_hands_out_its_public_names() -> None:
    assert set() == PUBLIC - set(session.__all__)
