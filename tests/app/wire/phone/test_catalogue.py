"""Every gateway with its codec, in all that both can say: what one side means, the other understands."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Codec,
    Command,
    Continue,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HangUp,
    HungUp,
    Mark,
    MarkReached,
    Pause,
    PhoneCall,
    Respond,
    SendDigits,
    SoundFormat,
    Speak,
    Started,
)
from app.wire.phone.asterisk import Asterisk
from app.wire.phone.audiohook import AudioHook
from app.wire.phone.catalogue import CODECS
from app.wire.phone.exotel import Exotel
from app.wire.phone.far.api import Gateway
from app.wire.phone.far.asterisk import AsteriskGateway
from app.wire.phone.far.audiohook import AudioHookGateway
from app.wire.phone.far.catalogue import GATEWAYS
from app.wire.phone.far.exotel import ExotelGateway
from app.wire.phone.far.freeswitch import AudioForkGateway, AudioStreamGateway
from app.wire.phone.far.jambonz import JambonzGateway
from app.wire.phone.far.plivo import PlivoGateway
from app.wire.phone.far.telnyx import TelnyxGateway
from app.wire.phone.far.twilio import TwilioGateway
from app.wire.phone.far.vonage import VonageGateway
from app.wire.phone.freeswitch import AudioFork, AudioStream
from app.wire.phone.jambonz import Jambonz
from app.wire.phone.plivo import Plivo
from app.wire.phone.sound import Decoder, Encoder
from app.wire.phone.telnyx import Telnyx, TelnyxCodec
from app.wire.phone.twilio import Twilio
from app.wire.phone.vonage import Vonage
from tests.app.wire.phone.pairs import Pair
from tests.recordings import BECKETT

STREAM = "6f1d9c2a-0000-4000-8000-000000000001"
CALL = PhoneCall("", "call-1", SoundFormat("mulaw", 8000), SoundFormat("mulaw", 8000), stream_id=STREAM)
NUMBERS = {"caller": "+15550100", "callee": "+15550199"}
GIVEN = {"parameters": {"token": "abc"}}
TELNYX: dict[str, TelnyxCodec] = {"mulaw": "PCMU", "alaw": "PCMA", "g722": "G722", "l16be": "L16"}


def telnyx(form: SoundFormat) -> tuple[Codec, Gateway, PhoneCall]:
    call = replace(CALL, gateway="telnyx", **NUMBERS, **GIVEN)  # type: ignore[arg-type]  # of several types
    return Telnyx(TELNYX[form.encoding], form.rate_hz), TelnyxGateway(), call


def simple(
    codec: Callable[[], Codec], gateway: Callable[[], Gateway], **facts: object
) -> Callable[[SoundFormat], tuple[Codec, Gateway, PhoneCall]]:
    return lambda _form: (codec(), gateway(), replace(CALL, gateway=codec().name, **facts))  # type: ignore[arg-type]  # as above


MAKERS: dict[str, Callable[[SoundFormat], tuple[Codec, Gateway, PhoneCall]]] = {
    "twilio": simple(Twilio, TwilioGateway, **GIVEN),
    "telnyx": telnyx,
    "vonage": simple(Vonage, VonageGateway, stream_id="", **GIVEN),
    "plivo": simple(Plivo, PlivoGateway, **GIVEN),
    "exotel": simple(Exotel, ExotelGateway, **NUMBERS, **GIVEN),
    "asterisk": simple(Asterisk, AsteriskGateway, **GIVEN),
    "asterisk, plain text": simple(Asterisk, lambda: AsteriskGateway(speaks_json=False)),
    "freeswitch": lambda form: (
        AudioStream(form.rate_hz),
        AudioStreamGateway(),
        replace(CALL, gateway="freeswitch", stream_id="", **NUMBERS, **GIVEN),  # type: ignore[arg-type]  # as above
    ),
    "freeswitch-fork": lambda form: (
        AudioFork(form.rate_hz),
        AudioForkGateway(),
        replace(CALL, gateway="freeswitch-fork", stream_id="", **NUMBERS, **GIVEN),  # type: ignore[arg-type]  # as above
    ),
    "jambonz": simple(Jambonz, JambonzGateway, stream_id="", **NUMBERS, **GIVEN),
    "audiohook": simple(AudioHook, AudioHookGateway, **NUMBERS, **GIVEN),
    "audiohook, both channels": simple(
        AudioHook, lambda: AudioHookGateway((("internal", "external"),)), **NUMBERS, **GIVEN
    ),
}
CASES = [(name, form) for name, make in MAKERS.items() for form in make(CALL.input)[1].formats]


def name_of(value: object) -> str:
    return f"{value.encoding} {value.rate_hz}" if isinstance(value, SoundFormat) else str(value)


@pytest.fixture
def pair(name: str, form: SoundFormat) -> Pair:
    codec, gateway, call = MAKERS[name](form)
    events = Pair(codec, gateway).tell(Started(replace(call, input=form, output=form)))
    for event in events:
        if isinstance(event, Respond):
            gateway.decode(event.message)
    assert Started(replace(call, input=form, output=form)) in events
    return Pair(codec, gateway)


def test_a_gateway_has_a_codec_and_a_far_side_by_the_same_name() -> None:
    assert {name: name for name in CODECS} == {name: make().name for name, make in CODECS.items()}
    assert list(CODECS) == list(GATEWAYS) == [make().name for make in GATEWAYS.values()]


def test_both_sides_agree_on_the_subprotocol() -> None:
    for name, make in GATEWAYS.items():
        assert set(make().subprotocols) <= set(CODECS[name]().subprotocols)


@pytest.mark.parametrize(("name", "form"), CASES, ids=name_of)
def test_the_callers_voice_arrives(pair: Pair, form: SoundFormat) -> None:
    speech = BECKETT.pcm(form.rate_hz, from_ms=500, to_ms=700)
    packet = form.rate_hz // 50 * 2
    events = pair.tell(*(Audio(speech[at : at + packet]) for at in range(0, len(speech), packet)))

    assert Decoder(form).decode(Encoder(form).encode(speech)) == b"".join(heard(events))


def heard(events: list[Event]) -> list[bytes]:
    return [event.pcm for event in events if isinstance(event, Audio)]


@pytest.mark.parametrize(("name", "form"), CASES, ids=name_of)
def test_what_is_said_arrives(pair: Pair, form: SoundFormat) -> None:
    speech = BECKETT.pcm(form.rate_hz, from_ms=500, to_ms=900)
    packet = form.rate_hz * pair.codec.abilities.packet_ms // 1000 * 2
    commands = pair.ask(*(Speak(speech[at : at + packet]) for at in range(0, len(speech), packet)))

    assert distance(Decoder(form).decode(Encoder(form).encode(speech)), b"".join(said(commands))) <= 1


def distance(one: bytes, other: bytes) -> int:
    """The largest between two samples. mod_audio_fork gets no sample of -1."""
    return max(abs(sample - copy) for sample, copy in zip(array("h", one), array("h", other), strict=True))


def said(commands: list[Command]) -> list[bytes]:
    return [command.pcm for command in commands if isinstance(command, Speak)]


@pytest.mark.parametrize(("name", "form"), CASES, ids=name_of)
def test_the_end_of_a_reply_is_said_even_if_it_is_no_whole_packet(pair: Pair, form: SoundFormat) -> None:
    rest = BECKETT.pcm(form.rate_hz, from_ms=500, to_ms=507)
    played = b"".join(said(pair.ask(Speak(rest))))

    assert len(rest) <= len(played)
    assert (
        form.encoding == "g722" or distance(Decoder(form).decode(Encoder(form).encode(rest)), played[: len(rest)]) <= 1
    )


FIRST = [(name, MAKERS[name](CALL.input)[1].formats[0]) for name in MAKERS]


@pytest.mark.parametrize(("name", "form"), FIRST, ids=name_of)
def test_a_key_arrives_where_there_are_keys(pair: Pair) -> None:
    expected = [Digit(digit) for digit in "0123456789*#ABCD"] if pair.codec.abilities.digits_in else []

    assert expected == pair.tell(*(Digit(digit) for digit in "0123456789*#ABCD"))


@pytest.mark.parametrize(("name", "form"), FIRST, ids=name_of)
def test_a_mark_goes_out_and_comes_back_where_there_are_marks(pair: Pair) -> None:
    expected = [Mark("7")] if pair.codec.abilities.marks else []

    assert expected == pair.ask(Mark("7"))
    assert [MarkReached("7") for _ in expected] == pair.tell(MarkReached("7"))


@pytest.mark.parametrize(("name", "form"), FIRST, ids=name_of)
def test_a_mark_before_a_clear_is_never_told_as_heard(pair: Pair) -> None:
    pair.ask(Mark("7"), Clear())

    assert not [event for event in pair.tell(MarkReached("7", heard=False)) if event != MarkReached("7", heard=False)]


@pytest.mark.parametrize(("name", "form"), FIRST, ids=name_of)
def test_what_a_gateway_is_able_to_it_is_asked_for(pair: Pair) -> None:
    able = pair.codec.abilities
    asked: list[Command] = [Clear()] if able.clear else []
    asked += [Pause(), Continue()] if able.pause else []
    asked += [SendDigits("12")] if able.digits_out else []
    asked += [HangUp()] if able.hang_up else []

    assert asked == pair.ask(Clear(), Pause(), Continue(), SendDigits("12"), HangUp())


OPTIONAL: list[tuple[Event, set[str]]] = [
    (Cleared(), {"vonage", "plivo", "asterisk"}),
    (FlowChanged(open=False), {"asterisk"}),
    (FlowChanged(open=True), {"asterisk"}),
    (Failed("100002: no such codec"), {"telnyx", "asterisk", "audiohook"}),
    (HungUp(), {"twilio", "telnyx", "exotel", "audiohook"}),
    (Respond("never"), set()),
]


@pytest.mark.parametrize(("name", "form"), FIRST, ids=name_of)
def test_what_only_some_tell_arrives_from_those(pair: Pair, name: str) -> None:
    pair.ask(Clear())
    told = [event for event, _ in OPTIONAL for event in pair.tell(event) if not isinstance(event, Respond)]

    assert [event for event, gateways in OPTIONAL if name.partition(",")[0] in gateways] == told


@pytest.mark.parametrize(("name", "form"), FIRST, ids=name_of)
def test_no_audio_is_no_message(pair: Pair) -> None:
    assert [] == pair.codec.encode(Speak(b""))


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("command", [Speak(bytes(320)), Mark("1"), Clear(), HangUp()])
def test_nothing_can_be_asked_before_the_start(name: str, command: Command) -> None:
    with pytest.raises(RuntimeError, match="the call has not started"):
        CODECS[name]().encode(command)
