from __future__ import annotations

from dataclasses import fields

import pytest

from app.settings.session import read_session
from session.config import SessionConfig


def test_nothing_given_is_the_default() -> None:
    assert (SessionConfig(), []) == read_session({})


def test_strings_of_the_environment_stand_for_numbers_and_flags() -> None:
    config, _ = read_session(
        {
            "timeout": "90",
            "max_retries": "0",
            "enable_keep_alive": "false",
            "user_away_timeout": "none",
            "apology": "sorry",
            "preemptive": {"similarity": "0.9", "strategy": "discard"},
            "interruption": {"backchannels": ["hm"]},
        }
    )

    assert config is not None
    assert (90_000, 0, False, None, "sorry") == (
        config.timeout_ms,
        config.max_retries,
        config.enable_keep_alive,
        config.user_away_timeout,
        config.apology,
    )
    assert (0.9, "discard", ("hm",)) == (
        config.preemptive.similarity,
        config.preemptive.strategy,
        config.interruption.backchannels,
    )


def test_two_fields_that_only_fit_together_are_no_mistake() -> None:
    config, mistakes = read_session({"chunking": {"size": 512, "overlap": 128}})

    assert [] == mistakes
    assert config is not None
    assert 512 == config.chunking.size


def test_each_mistake_is_a_line_with_its_path() -> None:
    config, mistakes = read_session(
        {"timeout": "5s", "nothing": 1, "interruption": {"words": "many", "combine": "xor", "duration": 1}}
    )

    assert config is None
    assert {
        "session.timeout: 5s given, 1m to 24h allowed",
        "session.interruption.words: many given, a whole number, 0 to 100 allowed",
        "session.interruption.combine: xor given, and, or allowed",
    } == {line for line in mistakes if "unknown" not in line}
    assert 4 == len(mistakes)


@pytest.mark.parametrize("name", [field.name for field in fields(SessionConfig)])
def test_every_field_of_a_session_can_be_set_but_its_name_and_its_start(name: str) -> None:
    default = getattr(SessionConfig(), name)
    config, mistakes = read_session({name: default})

    if name in {"session_id", "auto_start"}:
        assert "unknown setting" in mistakes[0]
    else:
        assert SessionConfig() == config


def test_a_table_is_needed() -> None:
    assert (None, ["session: 'x' given, a table allowed"]) == read_session("x")
