from __future__ import annotations

from pathlib import Path

from app.settings import AgentChoice, Part, load
from tests.app.settings.given import written


def test_the_agent_is_made_with_its_url_and_secret() -> None:
    agent = load(
        environment={
            "BELUGA_AGENT__PROVIDER": "webhook",
            "BELUGA_AGENT__URL": "http://127.0.0.1:9000",
            "BELUGA_AGENT__SECRET": "whsec_c2VjcmV0",
            "BELUGA_AGENT__OPTIONS": '{"more": 1}',
        }
    ).agent

    assert {"url": "http://127.0.0.1:9000", "secret": "whsec_c2VjcmV0", "more": 1} == agent.all_options()


def test_a_fallback_is_a_name_or_a_table(tmp_path: Path) -> None:
    text = "stt.fallback = ['fixed', {provider = 'moonshine', options = {model = 'base'}}]\n[[agent.fallback]]\n"
    config = written(tmp_path, text + "provider = 'webhook'\nurl = 'http://127.0.0.1:9000'\n")
    settings = load(
        config=config,
        environment={"BELUGA_TTS__FALLBACK": '["tone", {"provider": "piper", "options": {"threads": 1}}]'},
    )

    assert [Part(provider="fixed"), Part(provider="moonshine", options={"model": "base"})] == settings.stt.fallback
    assert [Part(provider="tone"), Part(provider="piper", options={"threads": 1})] == settings.tts.fallback
    assert [AgentChoice(provider="webhook", url="http://127.0.0.1:9000")] == settings.agent.fallback
    assert {"url": "http://127.0.0.1:9000"} == settings.agent.fallback[0].all_options()


def test_the_same_provider_may_follow_itself_with_other_options() -> None:
    fallback = '[{"provider": "webhook", "url": "http://127.0.0.1:2"}]'
    first = {"BELUGA_AGENT__PROVIDER": "webhook", "BELUGA_AGENT__URL": "http://127.0.0.1:1"}

    assert 1 == len(load(environment=first | {"BELUGA_AGENT__FALLBACK": fallback}).agent.fallback)
