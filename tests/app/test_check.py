from __future__ import annotations

import io

from rich.console import Console

from app.check import check_all, show_providers
from app.settings import load
from providers.registry import available
from tests.server import QUICK


def paper() -> Console:
    return Console(file=io.StringIO(), width=200)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_when_everything_works_each_part_is_ok() -> None:
    console = paper()
    code = check_all(load(environment=QUICK), console)

    assert 0 == code
    assert 7 == written(console).count(" ok")


def test_what_fails_is_said_with_its_reason_and_the_rest_is_checked_all_the_same() -> None:
    console = paper()
    code = check_all(load(environment=QUICK | {"BELUGA_TTS__OPTIONS": '{"duration_ms": -5}'}), console)

    assert 1 == code
    assert "tts    tone         failed" in written(console)
    assert "tts.options.duration_ms" in written(console)
    assert 6 == written(console).count(" ok")


def test_fallbacks_are_checked_too() -> None:
    console = paper()
    fallback = '["demo", {"provider": "webhook", "url": "no url"}]'
    code = check_all(load(environment=QUICK | {"BELUGA_AGENT__FALLBACK": fallback}), console)

    assert 1 == code
    assert "agent  demo         ok agent.fallback.0" in written(console)
    assert "agent  webhook      failed agent.fallback.1" in written(console)
    assert "agent.fallback.1.url: " in written(console)


def test_every_provider_is_listed_with_what_installs_it() -> None:
    console = paper()
    show_providers(console)

    assert all(f"{provider.name} " in written(console) for provider in available())
    assert all(provider.extra in written(console) for provider in available())
    assert "pip install 'beluga-voice[EXTRA]'" in written(console)
