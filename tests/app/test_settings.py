from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.settings import AgentChoice, Part, WrongSettings, is_loopback, load


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


@pytest.mark.parametrize(
    ("fallback", "line"),
    [
        ('{"provider": "echo"}', "agent.fallback: *** given, a list allowed"),
        ('[{"secret": "hush"', "agent.fallback: *** given, a list of names and tables in JSON allowed"),
        ("[5]", "agent.fallback.0: 5 given, a name or a table allowed"),
        ('["echo", ["hush"]]', "agent.fallback.1: a list given, a name or a table allowed"),
        ('[{"provider": ""}]', "agent.fallback.0.provider: '' given, a string that is not empty allowed"),
        (
            '[{"provider": "echo", "colour": 1}]',
            "agent.fallback.0.colour: unknown setting; known are provider, options, url, secret",
        ),
        ('[{"provider": "echo", "options": 1}]', "agent.fallback.0.options: *** given, a JSON object allowed"),
        ('[{"provider": "echo", "secret": ["hush"]}]', "agent.fallback.0.secret: *** given, a string allowed"),
    ],
)
def test_a_mistake_in_a_fallback_is_one_line_with_its_path(fallback: str, line: str) -> None:
    assert [line] == mistakes({"BELUGA_AGENT__FALLBACK": fallback})


def test_an_unknown_fallback_is_told_those_that_exist() -> None:
    (line,) = mistakes({"BELUGA_TTS__FALLBACK": '["tone", "nobody"]'})

    assert line.startswith("tts.fallback.1.provider: 'nobody' given, piper,")


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"BELUGA_SESSION__TIMEOUT": "5s"}, "session.timeout: 5s given, 1m to 24h allowed"),
        ({"BELUGA_SESSION__TIMEOUT": "soon"}, "session.timeout: soon given, a duration, 1m to 24h allowed"),
        ({"BELUGA_SERVER__PORT": "99999"}, "server.port: '99999' given, 0 to 65535 allowed"),
        ({"BELUGA_TTS__CACHE_BYTES": "-1"}, "tts.cache_bytes: '-1' given, 0 to 1000000000 allowed"),
        ({"BELUGA_TTS__CACHE_BYTES": "2000000000"}, "tts.cache_bytes: '2000000000' given, 0 to 1000000000 allowed"),
        ({"BELUGA_TTS__CACHE_BYTES": "16MB"}, "tts.cache_bytes: '16MB' given, a whole number allowed"),
        ({"BELUGA_STT__CACHE_BYTES": "1"}, "stt.cache_bytes: unknown setting; known are provider, options, fallback"),
        ({"BELUGA_LIMITS__START_WITHIN": "1ms"}, "limits.start_within: '1ms' given, 0.1 to 300 allowed"),
        ({"BELUGA_LIMITS__MAX_SESSIONS": "many"}, "limits.max_sessions: 'many' given, a whole number allowed"),
        (
            {"BELUGA_LIMITS__START_WITHIN": "soon"},
            "limits.start_within: 'soon' given, a duration such as 500ms, 30s or 5m allowed",
        ),
        ({"BELUGA_LOG__FORMAT": "xml"}, "log.format: 'xml' given, auto, console or json allowed"),
        ({"BELUGA_LOG__TRANSCRIPTS": "perhaps"}, "log.transcripts: 'perhaps' given, true or false allowed"),
        ({"BELUGA_STT__OPTIONS": "{broken"}, "stt.options: *** given, a JSON object allowed"),
        ({"BELUGA_STT": "fixed"}, "stt: 'fixed' given, a table allowed"),
        ({"BELUGA_STT__PROVIDER": ""}, "stt.provider: '' given, a string that is not empty allowed"),
        (
            {"BELUGA_AUTH__ALLOWED_ORIGINS": "example.com"},
            "auth.allowed_origins: 'example.com' given, origins such as https://example.com allowed",
        ),
        (
            {"BELUGA_STT": "fixed", "BELUGA_STT__PROVIDER": "fixed"},
            "BELUGA_STT__PROVIDER: given together with the whole table as JSON, one of them allowed",
        ),
    ],
)
def test_a_bad_value_is_one_line_with_path_given_and_allowed(environment: dict[str, str], line: str) -> None:
    assert line in mistakes(environment)


def test_an_unknown_provider_is_told_those_that_exist() -> None:
    (line,) = mistakes({"BELUGA_STT__PROVIDER": "moonshin"})

    assert line.startswith("stt.provider: 'moonshin' given, moonshine,")


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"BELUGA_PORT": "1"}, "port: unknown setting; known are server, stt"),
        ({"BELUGA_SERVER__PRT": "1"}, "server.prt: unknown setting; known are host, port"),
        ({"BELUGA_SESSION__TIMEOUTS": "1m"}, "session.timeouts: unknown setting; known are timeout"),
    ],
)
def test_an_unknown_key_is_told_the_known_ones(environment: dict[str, str], path: str) -> None:
    (line,) = mistakes(environment)

    assert line.startswith(path)


def test_what_kubernetes_adds_is_no_setting() -> None:
    environment = {
        "BELUGA_SERVICE_HOST": "10.0.0.1",
        "BELUGA_SERVICE_PORT_HTTP": "80",
        "BELUGA_PORT": "tcp://10.0.0.1:80",
        "BELUGA_VOICE_PORT_80_TCP_ADDR": "10.0.0.1",
    }

    assert load(environment=environment) == load()


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    text = '[session]\ntimeout = "5s"\nmax_retries = 99\n[server]\nport = -1\n[wrong]\n[stt]\nprovider = "nobody"\n'
    config = written(tmp_path, text)

    assert ["server.port", "session.max_retries", "session.timeout", "stt.provider", "wrong"] == sorted(
        line.split(":")[0] for line in mistakes(config=config)
    )


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"BELUGA_SERVER__HOST": "0.0.0.0"}, "server.host"),
        ({"BELUGA_AGENT__URL": "http://127.0.0.1"}, "agent.url"),
        ({"BELUGA_STT__FALLBACK": '["moonshine"]'}, "stt.fallback.0"),
        ({"BELUGA_TTS__FALLBACK": "tone,tone"}, "tts.fallback.1"),
        ({"BELUGA_AGENT__FALLBACK": '[{"provider": "echo", "url": "http://127.0.0.1"}]'}, "agent.fallback.0.url"),
        (
            {"BELUGA_AGENT__FALLBACK": '[{"provider": "webhook", "url": "u", "options": {"url": "u"}}]'},
            "agent.fallback.0.options.url",
        ),
        ({"BELUGA_SESSION__ENDPOINTING__MAXIMUM_SILENCE": "100ms"}, "session.endpointing.maximum_silence"),
    ],
)
def test_what_does_not_fit_together_is_refused(environment: dict[str, str], path: str) -> None:
    (line,) = mistakes(environment)

    assert path == line.split(":")[0]


def test_beyond_loopback_there_is_a_credential_or_the_flag() -> None:
    everywhere = {"BELUGA_SERVER__HOST": "0.0.0.0"}

    assert load(environment=everywhere | {"BELUGA_AUTH__API_KEYS": "a-good-key"})
    assert load(environment=everywhere, flags={"server": {"insecure": True}})


def test_no_line_holds_a_secret() -> None:
    lines = mistakes(
        {
            "BELUGA_AUTH__API_KEYS": "hush",
            "BELUGA_AUTH__JWT_SECRET": "hush",
            "BELUGA_AGENT__SECRET": "hush",
            "BELUGA_TTS__OPTIONS": '["hush"]',
        }
    )

    assert "hush" not in "\n".join(lines)
    assert "hush-hush" not in repr(load(environment={"BELUGA_AUTH__API_KEYS": "hush-hush"}))


def test_a_file_that_is_not_there_or_not_toml_is_one_line(tmp_path: Path) -> None:
    (missing,) = mistakes(config=tmp_path / "none.toml")
    (broken,) = mistakes(config=written(tmp_path, "[[["))

    assert missing.endswith("cannot be read: No such file or directory")
    assert "not TOML" in broken


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_is_known_by_its_addresses_and_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def webrtc(**given: object) -> dict[str, Any]:
    return {"webrtc": given}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (webrtc(port_min=5_000), "webrtc.port_min: given together with webrtc.port_max"),
        (webrtc(port_min=6_000, port_max=5_000), "webrtc.port_min: 6000 given, at most webrtc.port_max (5000)"),
        (webrtc(port_min=5_000, port_max=6_000, shared_port=7_000), "webrtc.shared_port: given together with"),
        (webrtc(port_min=0, port_max=6_000), "webrtc.port_min: 0 given, 1 to 65535 allowed"),
        (webrtc(stun=["turn:a:1"]), "webrtc.stun: 'turn:a:1' given"),
        (webrtc(turn=["turns:a?transport=udp"]), "webrtc.turn: 'turns:a?transport=udp' given"),
        (webrtc(turn=["turn:a:70000"]), "webrtc.turn: 'turn:a:70000' given"),
        (webrtc(turn=["turn:a:1"]), "webrtc.turn: given together with webrtc.turn_secret"),
        (webrtc(turn_secret="hush"), "webrtc.turn: given together with webrtc.turn_secret"),
        (webrtc(turn=["turn:a"], turn_username="me"), "webrtc.turn_username: given together with"),
        (
            webrtc(turn=["turn:a"], turn_secret="hush", turn_username="me", turn_password="hush"),
            "webrtc.turn_secret: given together with webrtc.turn_password",
        ),
        (webrtc(relay_only=True), "webrtc.relay_only: true given"),
        (webrtc(addresses=["localhost"]), "webrtc.addresses: 'localhost' given"),
        (webrtc(addresses=["0.0.0.0"]), "webrtc.addresses: '0.0.0.0' given"),
        (webrtc(addresses=["10.0.0.5"], advertised={"10.0.0.6": "1.2.3.4"}), "webrtc.advertised: '10.0.0.6' given"),
        (webrtc(advertised={"10.0.0.5": "2001:db8::1"}), "webrtc.advertised: 10.0.0.5=2001:db8::1 given"),
    ],
)
def test_what_webrtc_cannot_do_is_one_line(given: dict[str, Any], line: str) -> None:
    lines = mistakes(flags=given)

    assert any(each.startswith(line) for each in lines)
    assert "hush" not in str(lines)


def test_webrtc_may_be_set_by_the_environment_without_json() -> None:
    settings = load(
        environment={
            "BELUGA_WEBRTC__ADDRESSES": "10.0.0.5",
            "BELUGA_WEBRTC__ADVERTISED": "10.0.0.5=203.0.113.7",
            "BELUGA_WEBRTC__STUN": "stun:a:1,stun:b:2",
        }
    ).webrtc

    assert {"10.0.0.5": "203.0.113.7"} == settings.advertised
    assert ["stun:a:1", "stun:b:2"] == settings.stun
