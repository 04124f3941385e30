from __future__ import annotations

from pathlib import Path

from app.settings import load
from tests.app.settings.given import mistakes, written


def test_what_kubernetes_adds_is_no_setting() -> None:
    environment = {
        "BELUGA_SERVICE_HOST": "10.0.0.1",
        "BELUGA_SERVICE_PORT_HTTP": "80",
        "BELUGA_PORT": "tcp://10.0.0.1:80",
        "BELUGA_VOICE_PORT_80_TCP_ADDR": "10.0.0.1",
    }

    assert load(environment=environment) == load()


def test_a_file_that_is_not_there_or_not_toml_is_one_line(tmp_path: Path) -> None:
    (missing,) = mistakes(config=tmp_path / "none.toml")
    (broken,) = mistakes(config=written(tmp_path, "[[["))

    assert missing.endswith("cannot be read: No such file or directory")
    assert "not TOML" in broken


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
