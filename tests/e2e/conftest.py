"""Servers with real models, started once; they take a few seconds to warm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server import ServerHandle, serving


@pytest.fixture(scope="module")
def echo_server() -> Iterator[ServerHandle]:
    with serving({"BELUGA_AGENT__PROVIDER": "echo"}) as server:
        yield server


@pytest.fixture(scope="module")
def demo_server() -> Iterator[ServerHandle]:
    with serving({}) as server:
        yield server
