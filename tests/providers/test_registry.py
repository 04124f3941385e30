from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any, cast

import pytest
from pydantic import BaseModel, ConfigDict

import providers
from providers import registry
from providers.agent.webhook import Webhook
from providers.errors import Rejected
from providers.turn.silence import Silence


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_shipped_provider_bears_its_registered_name(kind: registry.Kind) -> None:
    for entry in registry._SHIPPED:
        if entry.kind == kind and entry.target:
            module, _, name = entry.target.partition(":")

            assert entry.name == getattr(importlib.import_module(module), name).name


def test_a_provider_is_made_with_its_options() -> None:
    detector = providers.create("turn", "silence", finished=0.7)

    assert isinstance(detector, Silence)
    assert "silence" == detector.name


def test_no_echo_cancellation_and_no_noise_cancellation_are_none() -> None:
    assert providers.create("echo", "none") is None
    assert providers.create("noise", "none") is None


def test_an_unknown_name_lists_what_exists() -> None:
    with pytest.raises(Rejected, match="no agent provider 'parrot', there are webhook, openai, demo, echo"):
        providers.create("agent", "parrot")


def test_an_unknown_kind_lists_what_exists() -> None:
    with pytest.raises(Rejected, match="'smell', there are stt, tts, vad, echo, noise, turn, agent"):
        providers.create(cast("Any", "smell"), "nose")


def test_every_mistake_in_the_options_has_a_line() -> None:
    with pytest.raises(Rejected) as raised:
        providers.create("agent", "webhook", secret="whsec_?", timeout_s=0, colour="red")

    assert [
        "agent.webhook.url: required",
        "agent.webhook.secret: *** given, a secret is whsec_ followed by base64",
        "agent.webhook.timeout_s: 0 given, Input should be greater than 0",
        f"agent.webhook.colour: unknown, there are {', '.join(Webhook.Options.model_fields)}",
    ] == str(raised.value).splitlines()


def test_a_missing_package_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registry._Entry("stt", "gone", "no_such_package_of_ours.stt:Gone", "", "gone", ("no_such_package_of_ours",))
    monkeypatch.setattr(registry, "_SHIPPED", (entry,))

    with pytest.raises(Rejected, match=r"pip install 'beluga-voice\[gone\]'"):
        providers.create("stt", "gone")

    assert [False] == [row.installed for row in providers.available() if row.name == "gone"]


def test_everything_registered_is_listed_with_its_extra_and_licence() -> None:
    rows = {(row.kind, row.name): row for row in providers.available()}

    assert len(rows) == len(providers.available())
    assert ("piper", "piper-tts is GPL-3.0, the voice MIT") == (
        rows["tts", "piper"].extra,
        rows["tts", "piper"].licence,
    )
    assert rows["agent", "demo"].installed
    assert ("transcript", "silence") == registry.names("turn")
    assert all(row.description for row in rows.values())


def test_listing_imports_no_provider() -> None:
    script = (
        "import sys, providers\n"
        "before = set(sys.modules)\n"
        "providers.available()\n"
        "heavy = {'pydantic', 'httpx2', 'numpy', 'onnxruntime', 'piper', 'moonshine_voice'}\n"
        "print(sorted(name for name in sys.modules if name.startswith('providers.') or name in heavy))\n"
    )
    listed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "['providers.errors', 'providers.registry']" == listed.stdout.strip()


# --- third parties ------------------------------------------------------------------------------------------------


class Parrot:
    """What another package might bring: it imports nothing of ours."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")
        word: str = "polly"

    name = "parrot"

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("parrot", f"{__name__}:Parrot", "beluga_voice.agent"),
            EntryPoint("demo", f"{__name__}:Parrot", "beluga_voice.agent"),
            EntryPoint("broken", "no_such_package_of_theirs:Broken", "beluga_voice.agent"),
        ]
    )
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Parrot.__module__])
    monkeypatch.setattr(registry, "entry_points", lambda *, group: points.select(group=group))


@pytest.mark.usefixtures("third_party")
def test_a_third_party_adds_a_provider_by_an_entry_point() -> None:
    made = cast("Parrot", providers.create("agent", "parrot", word="crackers"))

    assert "crackers" == made.options.word
    assert "parrot" in [row.name for row in providers.available() if row.kind == "agent"]


@pytest.mark.usefixtures("third_party")
def test_a_name_that_ships_is_not_taken_over() -> None:
    assert type(providers.create("agent", "demo")).__name__ == "Demo"


@pytest.mark.usefixtures("third_party")
def test_a_third_party_that_cannot_be_imported_is_refused() -> None:
    with pytest.raises(Rejected, match="agent provider broken cannot be imported"):
        providers.create("agent", "broken")
