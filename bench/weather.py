"""Thousands of generated calls, each held to every property of ``tests/sim/test_properties.py``.

The suite runs a hundred calls a property. This takes each call through all of them, other calls each time, and stops at
the first that breaks one: hypothesis then shows the smallest such call.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from bench.lib import machine
from tests.sim import test_properties
from tests.sim.world import World


def properties() -> list[Callable[[World], None]]:
    """The bodies of the tests that are given a call."""
    tests = [getattr(test_properties, name) for name in dir(test_properties) if name.startswith("test_")]
    return [test.hypothesis.inner_test for test in tests if hasattr(test, "hypothesis")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=10_000)
    arguments = parser.parse_args()
    held, checked, began_s = properties(), 0, time.monotonic()

    @settings(
        max_examples=arguments.calls,
        deadline=None,
        database=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(test_properties.calls)
    def holds(world: Any) -> None:
        nonlocal checked
        for each in held:
            each(world)
        checked += 1

    holds()
    print(f"{len(held)} properties held over {checked} calls in {time.monotonic() - began_s:.0f} s ({machine()})")


if __name__ == "__main__":
    main()
