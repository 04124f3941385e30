from __future__ import annotations

from pathlib import Path

from app.settings import Part, load
from tests.app.settings.given import mistakes, written


def test_the_defaults_are_those_of_the_protocol() -> None:
    settings = load()

    assert ("moonshine", "piper") == (settings.stt.provider, settings.tts.provider)
    assert ("silero", "aec3", "webrtc", "transcript", "demo") == (
        settings.vad.provider,
        settings.echo.provider,
        settings.noise.provider,
        settings.turn.provider,
        settings.agent.provider,
    )
    assert ("127.0.0.1", 8080, 100) == (settings.server.host, settings.server.port, settings.limits.max_sessions)
    assert 1_800_000 == settings.session.timeout_ms


def test_later_sources_win(tmp_path: Path) -> None:
    config = written(tmp_path, '[server]\nhost = "localhost"\nport = 1\n[stt]\nprovider = "fixed"\n')
    environment = {"BELUGA_SERVER__PORT": "2", "BELUGA_LIMITS__MAX_SESSIONS": "7"}
    settings = load(config=config, environment=environment, flags={"server": {"port": 3}})

    assert ("localhost", 3) == (settings.server.host, settings.server.port)
    assert ("fixed", 7) == (settings.stt.provider, settings.limits.max_sessions)


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    config = written(tmp_path, "[limits]\nmax_sessions = 5\n")

    assert 5 == load(environment={"BELUGA_CONFIG": str(config)}).limits.max_sessions


def test_the_environment_reaches_every_level() -> None:
    settings = load(
        environment={
            "BELUGA_STT__PROVIDER": "fixed",
            "BELUGA_STT__OPTIONS": '{"text": "hi"}',
            "BELUGA_TTS__FALLBACK": '["tone"]',
            "BELUGA_SESSION__INTERRUPTION__WORDS": "1",
            "BELUGA_SESSION__USER_AWAY_TIMEOUT": "none",
            "BELUGA_AUTH__API_KEYS": "first-key,second-key",
            "BELUGA_LIMITS__CONNECT_WITHIN": "2m",
            "BELUGA_LOG__TRANSCRIPTS": "true",
            "PATH": "not ours",
        }
    )

    assert {"text": "hi"} == settings.stt.options
    assert [Part(provider="tone")] == settings.tts.fallback
    assert (1, None) == (settings.session.interruption.words, settings.session.user_away_timeout)
    assert ["first-key", "second-key"] == [key.get_secret_value() for key in settings.auth.api_keys]
    assert (120.0, True) == (settings.limits.connect_within, settings.log.transcripts)


def test_options_replace_those_of_an_earlier_source(tmp_path: Path) -> None:
    config = written(tmp_path, "[tts]\nprovider = 'tone'\n[tts.options]\nduration_ms = 100\n")
    settings = load(config=config, environment={"BELUGA_TTS__OPTIONS": '{"frequency_hz": 300}'})

    assert ("tone", {"frequency_hz": 300}) == (settings.tts.provider, settings.tts.options)


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    text = '[session]\ntimeout = "5s"\nmax_retries = 99\n[server]\nport = -1\n[wrong]\n[stt]\nprovider = "nobody"\n'
    config = written(tmp_path, text)

    assert ["server.port", "session.max_retries", "session.timeout", "stt.provider", "wrong"] == sorted(
        line.split(":")[0] for line in mistakes(config=config)
    )
