"""Messages as in amigniter/mod_audio_stream's README and drachtio-freeswitch-modules' mod_audio_fork; playback as bolna
writes it.
"""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    HangUp,
    Mark,
    MarkReached,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.freeswitch import AudioFork, AudioStream

L16 = SoundFormat("l16le", 8000)
METADATA = '{"uuid": "u-1", "from": "6173333456", "to": "6172221234", "plan": "gold"}'


@pytest.mark.parametrize("make", [AudioFork, AudioStream])
def test_metadata_tells_of_the_call(make: type[AudioFork | AudioStream]) -> None:
    call = PhoneCall(make.name, "u-1", L16, L16, caller="6173333456", callee="6172221234", parameters={"plan": "gold"})

    assert [Started(call)] == make().decode(METADATA)


@pytest.mark.parametrize("make", [AudioFork, AudioStream])
@pytest.mark.parametrize(("given", "rate_hz"), [("16000", 16_000), ('"24000"', 24_000), ("44100", 8000), ('"x"', 8000)])
def test_metadata_may_tell_the_rate(make: type[AudioFork | AudioStream], given: str, rate_hz: int) -> None:
    (event,) = make().decode(f'{{"sampleRate": {given}}}')

    assert isinstance(event, Started)
    assert SoundFormat("l16le", rate_hz) == event.call.input == event.call.output


@pytest.mark.parametrize("make", [AudioFork, AudioStream])
@pytest.mark.parametrize("text", ["any text, by any dialplan", "[1]", ""])
def test_metadata_may_be_any_text(make: type[AudioFork | AudioStream], text: str) -> None:
    assert [Started(PhoneCall(make.name, "", L16, L16, parameters={"metadata": text}))] == make().decode(text)


@pytest.mark.parametrize("make", [AudioFork, AudioStream])
def test_without_metadata_the_call_starts_with_its_audio(make: type[AudioFork | AudioStream]) -> None:
    assert [Started(PhoneCall(make.name, "", L16, L16)), Audio(b"\1\0")] == make().decode(b"\1\0")


@pytest.mark.parametrize("make", [AudioFork, AudioStream])
def test_the_caller_is_in_the_first_of_two_channels(make: type[AudioFork | AudioStream]) -> None:
    codec = make(16_000, "stereo")
    events = codec.decode(b"\1\0\x7f\x7f\2\0\x7f\x7f\3") + codec.decode(b"\0\x7f\x7f")

    assert [Audio(b"\1\0\2\0"), Audio(b"\3\0")] == events[1:]


def test_later_texts_of_the_dialplan_are_not_for_us() -> None:
    codec = AudioStream()
    codec.decode(METADATA)

    assert [] == codec.decode("what send_text sends")


def test_speech_goes_to_audio_stream_as_json() -> None:
    codec = AudioStream(16_000)
    codec.decode(METADATA)
    data = {"audioDataType": "raw", "sampleRate": 16_000, "audioData": "AQA="}

    assert [{"type": "streamAudio", "data": data}] == [json.loads(str(each)) for each in codec.encode(Speak(b"\1\0"))]


def test_audio_stream_is_cleared_if_its_build_can() -> None:
    patched, published = AudioStream(), AudioStream(can_clear=False)
    for codec in (patched, published):
        codec.decode(METADATA)

    assert (['{"type":"killAudio"}'], []) == (patched.encode(Clear()), published.encode(Clear()))
    assert (True, False) == (patched.abilities.clear, published.abilities.clear)


def test_audio_stream_has_neither_marks_nor_an_end() -> None:
    codec = AudioStream()
    codec.decode(METADATA)

    assert ([], []) == (codec.encode(Mark("1")), codec.encode(HangUp()))


def test_audio_fork_plays_binary_and_has_marks() -> None:
    codec = AudioFork()
    codec.decode(METADATA)

    assert [b"\1\0"] == codec.encode(Speak(b"\1\0"))
    assert [MarkReached("7")] == codec.decode('{"type": "mark", "data": {"name": "7", "event": "playout"}}')


def test_audio_fork_has_an_older_name_for_its_subprotocol() -> None:
    assert ("audio.drachtio.org", "audiostream.drachtio.org") == AudioFork.subprotocols


def test_what_follows_the_metadata_of_a_fork_is_json() -> None:
    codec = AudioFork()
    codec.decode(METADATA)

    with pytest.raises(WireError, match="not JSON"):
        codec.decode("hello")


def test_a_text_without_end_is_a_mistake() -> None:
    with pytest.raises(WireError, match="longer than"):
        AudioStream().decode("x" * (1 << 21))
