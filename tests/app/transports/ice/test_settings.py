from typing import Any

import pytest

from app.transports.ice.settings import NetworkSettings


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"addresses": ("localhost",)}, "'localhost' is not an IP address"),
        ({"addresses": ("0.0.0.0",)}, "every address"),
        ({"addresses": ("fe80::1",)}, "link-local"),
        ({"addresses": ("10.0.0.1",), "advertised": {"10.0.0.2": "192.0.2.1"}}, "10.0.0.2 is not among"),
        ({"advertised": {"10.0.0.2": "2001:db8::1"}}, "same IP version"),
        ({"ports": (5_000, 4_000)}, "5000-4000"),
        ({"ports": (0, 4_000)}, "0-4000"),
        ({"ports": (4_000, 5_000), "shared_port": 4_000}, "exclude"),
        ({"shared_port": 70_000}, "70000"),
        ({"consent_expiry_ms": 500}, "consent_interval_ms"),
        ({"gather_timeout_ms": 0}, "gather_timeout_ms"),
    ],
)
def test_a_mistake_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NetworkSettings(**values)


def test_the_defaults_hold() -> None:
    assert NetworkSettings().consent_expiry_ms < 5_000
