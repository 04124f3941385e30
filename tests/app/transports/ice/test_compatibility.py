import pytest
from aiortc import RTCPeerConnection

from app.transports.ice.compatibility import CREATE_DTLS_TRANSPORT, UnsupportedLibrary, require_known_names


def test_the_installed_libraries_have_every_name() -> None:
    require_known_names()


def test_a_name_that_is_gone_is_reported_with_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(RTCPeerConnection, CREATE_DTLS_TRANSPORT)
    with pytest.raises(UnsupportedLibrary, match=r"aiortc 1\..*RTCPeerConnection has no"):
        require_known_names()
