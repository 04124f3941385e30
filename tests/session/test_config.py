"""Every setting: its default, both ends of its range, what lies just outside, and what is no value at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.config import (
    BACKCHANNELS,
    Chunking,
    Duration,
    Endpointing,
    Interruption,
    Preemptive,
    SayOptions,
    SessionConfig,
    duration_ms,
)
from session.errors import ErrorCode, SessionError

PARTS: dict[str, Callable[..., object]] = {
    "": SessionConfig,
    "interruption": Interruption,
    "preemptive": Preemptive,
    "endpointing": Endpointing,
    "chunking": Chunking,
}

DURATIONS = {
    "timeout": ("1m", "24h"),
    "keep_alive_interval": ("5s", "5m"),
    "retry_delay": ("100ms", "10s"),
    "user_away_timeout": ("5s", "1h"),
    "max_duration": ("1m", "24h"),
    "resume_grace": ("0ms", "10m"),
    "max_utterance": ("1s", "10m"),
    "stt_timeout": ("100ms", "2m"),
    "agent_timeout": ("100ms", "2m"),
    "tts_timeout": ("100ms", "2m"),
    "interruption.duration": ("0ms", "10s"),
    "interruption.pause_after": ("0ms", "5s"),
    "interruption.resume_after": ("0ms", "10s"),
    "interruption.protect_first": ("0ms", "60s"),
    "endpointing.minimum_silence": ("0ms", "10s"),
    "endpointing.minimum_silence_without_verdict": ("0ms", "10s"),
    "endpointing.maximum_silence": ("0ms", "60s"),
}

NUMBERS = {
    "max_retries": (0, 10, 1),
    "interruption.words": (0, 100, 1),
    "preemptive.similarity": (0.0, 1.0, 0.001),
    "chunking.size": (2, 2**24, 2),
    "chunking.overlap": (0, 2**24 - 2, 2),
}

FLAGS = ["auto_start", "enable_keep_alive", "interruption.enabled", "preemptive.enabled"]

CHOICES = {
    "interruption.combine": ("and", "or"),
    "preemptive.strategy": ("discard", "use_if_similar", "always_use"),
    "chunking.strategy": ("sequential", "parallel", "streaming"),
}

ROOM: dict[str, dict[str, object]] = {
    "endpointing.minimum_silence": {"maximum_silence": "60s"},
    "endpointing.minimum_silence_without_verdict": {"maximum_silence": "60s"},
    "endpointing.maximum_silence": {"minimum_silence": 0, "minimum_silence_without_verdict": 0},
    "chunking.size": {"overlap": 0},
    "chunking.overlap": {"size": 2**24},
}
"""What the neighbours of a setting must be, so that nothing but the setting itself is tried."""


def made(name: str, given: object) -> object:
    part, _, field = name.rpartition(".")
    return PARTS[part](**{field: given}, **ROOM.get(name, {}))


def refused(name: str, given: object) -> SessionError:
    with pytest.raises(SessionError) as error:
        made(name, given)
    return error.value


# --- defaults ---------------------------------------------------------------------------------------------------


def test_the_defaults_are_the_published_ones() -> None:
    config = SessionConfig()

    assert None is config.session_id
    assert 30 * 60_000 == config.timeout_ms
    assert (False, True, 30_000) == (config.auto_start, config.enable_keep_alive, config.keep_alive_interval_ms)
    assert (3, 1_000) == (config.max_retries, config.retry_delay_ms)
    assert (30_000, 30_000) == (config.user_away_timeout_ms, config.resume_grace_ms)
    assert (4 * 3_600_000, 60_000) == (config.max_duration_ms, config.max_utterance_ms)
    assert (5_000, 10_000, 5_000) == (config.stt_timeout_ms, config.agent_timeout_ms, config.tts_timeout_ms)
    assert config.apology


def test_the_defaults_of_an_interruption() -> None:
    rules = SessionConfig().interruption

    assert (True, 3, 500, "and") == (rules.enabled, rules.words, rules.duration_ms, rules.combine)
    assert (200, 1_000, 0) == (rules.pause_after_ms, rules.resume_after_ms, rules.protect_first_ms)
    assert BACKCHANNELS == rules.backchannels


def test_the_defaults_of_the_other_parts() -> None:
    config = SessionConfig()

    assert Preemptive(enabled=False, strategy="use_if_similar", similarity=0.8) == config.preemptive
    assert (200, 500, 2_500) == (
        config.endpointing.minimum_silence_ms,
        config.endpointing.minimum_silence_without_verdict_ms,
        config.endpointing.maximum_silence_ms,
    )
    assert Chunking(8192, 1024, "sequential") == config.chunking
    assert SayOptions(None, 1.0, 1.0, allow_interruptions=True) == SayOptions()


# --- ranges -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "ends"), DURATIONS.items())
def test_both_ends_of_a_duration_are_in(name: str, ends: tuple[str, str]) -> None:
    for end in ends:
        config = made(name, end)

        assert duration_ms(end) == getattr(config, f"{name.rpartition('.')[2]}_ms", duration_ms(end))
        assert end == getattr(config, name.rpartition(".")[2])


@pytest.mark.parametrize(("name", "ends"), DURATIONS.items())
def test_a_millisecond_outside_a_duration_is_out(name: str, ends: tuple[str, str]) -> None:
    least_ms, most_ms = map(duration_ms, ends)
    for outside_ms in (least_ms - 1, most_ms + 1):
        error = refused(name, outside_ms / 1000)

        assert ErrorCode.INVALID_CONFIG is error.code
        assert {"field": name, "given": outside_ms / 1000, "allowed": f"{ends[0]} to {ends[1]}"} == error.details


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("given", ["soon", "", True, math.nan, math.inf, [], object()])
def test_what_is_no_duration_is_refused_by_name(name: str, given: object) -> None:
    assert (ErrorCode.INVALID_CONFIG, name) == ((error := refused(name, given)).code, error.details["field"])


@pytest.mark.parametrize(("name", "bounds"), NUMBERS.items())
def test_both_ends_of_a_number_are_in(name: str, bounds: tuple[float, float, float]) -> None:
    least, most, _ = bounds

    assert [least, most] == [getattr(made(name, end), name.rpartition(".")[2]) for end in (least, most)]


@pytest.mark.parametrize(("name", "bounds"), NUMBERS.items())
def test_a_step_outside_a_number_is_out(name: str, bounds: tuple[float, float, float]) -> None:
    least, most, step = bounds

    assert [name, name] == [refused(name, outside).details["field"] for outside in (least - step, most + step)]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("given", ["3", True, None, math.nan])
def test_what_is_no_number_is_refused_by_name(name: str, given: object) -> None:
    assert (ErrorCode.INVALID_CONFIG, name) == ((error := refused(name, given)).code, error.details["field"])


@pytest.mark.parametrize("name", ["max_retries", "interruption.words", "chunking.size", "chunking.overlap"])
def test_a_count_is_whole(name: str) -> None:
    assert name == refused(name, 2.0).details["field"]


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_true_or_false_and_nothing_like_it(name: str) -> None:
    assert [True, False] == [getattr(made(name, flag), name.rpartition(".")[2]) for flag in (True, False)]
    assert [name] * 3 == [refused(name, other).details["field"] for other in (1, "true", None)]


@pytest.mark.parametrize(("name", "choices"), CHOICES.items())
def test_a_choice_is_one_of_its_words(name: str, choices: tuple[str, ...]) -> None:
    assert list(choices) == [getattr(made(name, choice), name.rpartition(".")[2]) for choice in choices]
    assert {"field": name, "given": "xor", "allowed": ", ".join(choices)} == refused(name, "xor").details


# --- what is more than a range ----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", 5, b"id"])
def test_a_session_id_is_a_string_that_is_not_empty(given: object) -> None:
    assert "session_id" == refused("session_id", given).details["field"]


def test_nobody_is_ever_away_where_the_timeout_is_none() -> None:
    assert None is SessionConfig(user_away_timeout=None).user_away_timeout_ms


def test_no_call_is_too_long_where_there_is_no_longest() -> None:
    assert None is SessionConfig(max_duration=None).max_duration_ms


@pytest.mark.parametrize(("name", "given"), [("apology", None), ("apology", 5), ("preemptive.scorer", 0.8)])
def test_what_is_neither_a_text_nor_a_function_is_refused_where_it_must_be(name: str, given: object) -> None:
    error = refused(name, given)

    assert (name, given) == (error.details["field"], error.details["given"])


@pytest.mark.parametrize("least", ["minimum_silence", "minimum_silence_without_verdict"])
def test_the_most_silence_is_no_less_than_the_least(least: str) -> None:
    made_endpointing = PARTS["endpointing"]

    assert made_endpointing(**{least: "2500ms"})
    with pytest.raises(SessionError) as error:
        made_endpointing(**{least: "2501ms"})
    assert "endpointing.maximum_silence" == error.value.details["field"]


@pytest.mark.parametrize(("size", "overlap", "field"), [(7, 2, "size"), (8, 3, "overlap"), (8, 8, "overlap")])
def test_chunks_are_of_whole_samples_and_overlap_by_less_than_one(size: int, overlap: int, field: str) -> None:
    with pytest.raises(SessionError) as error:
        Chunking(size, overlap)

    assert f"chunking.{field}" == error.value.details["field"]


@pytest.mark.parametrize("given", ["okay", ("okay", 5), None, 5])
def test_backchannels_are_a_list_of_strings(given: object) -> None:
    assert "interruption.backchannels" == refused("interruption.backchannels", given).details["field"]


def test_without_backchannels_nothing_is_one() -> None:
    assert () == Interruption(backchannels=()).backchannels


@pytest.mark.parametrize("name", ["interruption", "preemptive", "endpointing", "chunking"])
def test_a_part_is_given_as_itself(name: str) -> None:
    assert name == refused(name, {"enabled": True}).details["field"]


def test_the_message_says_what_was_given_and_what_is_allowed() -> None:
    error = refused("timeout", "10s")

    assert "session config: timeout is '10s', allowed is 1m to 24h (code: invalid_config)" == str(error)


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        SessionConfig().timeout = 60  # type: ignore[misc] # that it cannot be done is what is tested


@pytest.mark.parametrize(("field", "least", "most"), [("speed", 0.5, 2.0), ("volume", 0.0, 1.0)])
def test_how_a_text_is_said_has_ranges_too(field: str, least: float, most: float) -> None:
    options: Callable[..., SayOptions] = SayOptions

    assert [least, most] == [getattr(options(**{field: end}), field) for end in (least, most)]
    for outside in (least - 0.01, most + 0.01):
        with pytest.raises(SessionError) as error:
            options(**{field: outside})
        assert (ErrorCode.INVALID_INPUT, "say") == (error.value.code, error.value.op)
        assert field == error.value.details["field"]


# --- durations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("500ms", 500),
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("1.5s", 1_500),
        (" 2 s ", 2_000),
        (30, 30_000),
        (0.25, 250),
        (0.0004, 0),
        (0.0006, 1),
        (-1, -1_000),
        (timedelta(minutes=2, milliseconds=5), 120_005),
    ],
)
def test_a_duration_is_seconds_a_timedelta_or_words(given: Duration, expected: int) -> None:
    assert expected == duration_ms(given)


@pytest.mark.parametrize(
    "given", ["", "30", "s", "-1s", "1d", "1e3s", "1 000ms", "1s 500ms", True, None, b"1s", math.nan]
)
def test_anything_else_is_not(given: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration_ms(given)  # type: ignore[arg-type] # the wrong type is what is tested


@given(st.integers(0, 10**9))
def test_a_duration_is_the_same_in_every_form(ms: int) -> None:
    assert {ms} == {duration_ms(f"{ms}ms"), duration_ms(ms / 1000), duration_ms(timedelta(milliseconds=ms))}


def test_a_timedelta_may_be_given_where_a_duration_is() -> None:
    assert 90_000 == SessionConfig(timeout=timedelta(seconds=90)).timeout_ms


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("voice", 7),
        ("voice", ""),
        ("speed", "fast"),
        ("speed", 2.1),
        ("speed", True),
        ("volume", -0.1),
        ("volume", None),
        ("allow_interruptions", "no"),
        ("allow_interruptions", 1),
    ],
)
def test_how_a_text_is_said_is_looked_at(field: str, given: Any) -> None:
    with pytest.raises(SessionError) as error:
        SayOptions(**{field: given})

    assert ("say", ErrorCode.INVALID_INPUT) == (error.value.op, error.value.code)
    assert (field, given) == (error.value.details["field"], error.value.details["given"])
