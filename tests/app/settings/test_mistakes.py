from __future__ import annotations

import pytest

from app.settings import load
from tests.app.settings.given import mistakes


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
