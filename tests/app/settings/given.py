"""Settings as they are given, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.settings import WrongSettings, load

__all__ = ("mistakes", "written")


def mistakes(
    environment: Mapping[str, str] | None = None, config: Path | None = None, flags: Mapping[str, Any] | None = None
) -> list[str]:
    with pytest.raises(WrongSettings) as raised:
        load(config=config, environment=environment, flags=flags)
    return raised.value.lines


def written(folder: Path, text: str) -> Path:
    file = folder / "voice.toml"
    file.write_text(text, "utf-8")
    return file
