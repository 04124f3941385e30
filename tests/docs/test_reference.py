"""The page of the Python interface: whole, the same every time, and the committed file up to date."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from docs.generators.reference import MODULES, TARGET, main, public_names, write
from providers.registry import KINDS


def section(name: str) -> str:
    return write().split(f"### `{name}`\n", 1)[1].split("\n### ", 1)[0]


def test_the_committed_page_is_what_is_written() -> None:
    assert write() == TARGET.read_text(encoding="utf-8"), "run: make docs"


def test_it_is_written_the_same_twice() -> None:
    assert write() == write()


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_described(module: str) -> None:
    described = set(re.findall(r"^### `(\w+)`$", write(), re.MULTILINE))

    assert set() == set(import_module(module).__all__) - described


def test_a_name_is_described_once() -> None:
    names = [name for each in public_names().values() for name in each]

    assert sorted(set(names)) == sorted(names)


def test_a_class_has_the_parameters_of_its_constructor_with_types_and_defaults() -> None:
    told = section("VoiceSession")

    assert "| `tts` | `TextToSpeech` |  |" in told
    assert "| `vad` | `VoiceActivity \\| None` | `None` |" in told


def test_a_dataclass_has_its_fields_and_a_factory_is_shown_as_what_it_makes() -> None:
    assert "| `interruption` | `Interruption` | `Interruption()` |" in section("SessionConfig")


def test_a_coroutine_is_awaited_and_a_property_is_not_called() -> None:
    told = section("VoiceSession")

    assert "**`await stop(reason: EndReason=EndReason.CLIENT) -> None`**" in told
    assert "**`history: tuple[Message, ...]`**" in told


def test_a_function_with_overloads_is_shown_with_each() -> None:
    assert len(KINDS) == section("create").count("`create(kind: Literal[")


def test_an_enumeration_lists_its_values() -> None:
    assert "`server_shutdown`" in section("EndReason")


def test_what_is_raised_is_told_and_literals_are_markdown() -> None:
    told = section("VoiceSession")

    assert "Raises `SessionError`: `session_not_active`." in told
    assert [] == re.findall(r"``|:raises", write())


def test_a_block_of_a_docstring_stays_a_block() -> None:
    assert "\n    ProviderError\n    ├── RetryableError" in write()


def test_nothing_private_is_shown() -> None:
    assert [] == re.findall(r"^\*\*`(?:await )?_(?!_aiter__)\w*", write(), re.MULTILINE)
    assert [] == re.findall(r"^\| `_", write(), re.MULTILINE)


def test_the_program_writes_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("docs.generators.reference.TARGET", tmp_path / "reference.md")
    main()

    assert write() == (tmp_path / "reference.md").read_text(encoding="utf-8")
