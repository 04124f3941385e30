# Everything runs in .venv, installed from the lock files with their hashes checked.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run setup test test-conversations test-parts browser relay check bench docs lock clean

run: setup
	$(BIN)/beluga-voice serve

setup: .venv/run.stamp

.venv/run.stamp: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/test.stamp: .venv/run.stamp requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	touch $@

check: .venv/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Conversations mostly wait for somebody to finish speaking: the rest is tested meanwhile.
test: .venv/test.stamp browser relay
	$(MAKE) --jobs 2 --output-sync=target test-conversations test-parts

CONVERSATIONS := tests/browser tests/e2e

test-conversations:
	$(BIN)/python -m pytest $(CONVERSATIONS)

test-parts:
	$(BIN)/python -m pytest $(CONVERSATIONS:%=--ignore %)

# For the tests of the page.
browser:
	@test -x /usr/bin/chromium || { \
		test "$$(id -u)" = 0 || { echo "The tests of the page need Chromium: apt-get install chromium (as root)" >&2; exit 1; }; \
		apt-get install -y --no-install-recommends chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; }; \
	}

# For the tests of WebRTC's way through networks: a TURN server, and namespaces (as root).
relay:
	@command -v turnserver >/dev/null && command -v ip >/dev/null || { \
		test "$$(id -u)" = 0 || { echo "The tests of WebRTC need coturn and iproute2: apt-get install coturn iproute2 (as root)" >&2; exit 1; }; \
		apt-get install -y --no-install-recommends coturn iproute2 || { apt-get update && apt-get install -y --no-install-recommends coturn iproute2; }; \
	}

bench: .venv/test.stamp
	for script in engine models response interruption preemptive echo loudness heard operations sessions webrtc; do $(BIN)/python -m bench.$$script || exit 1; done

# What is drawn and written from the code; the tests tell when it is out of date.
docs: .venv/run.stamp
	$(BIN)/python -m docs.generators.states_diagram
	$(BIN)/python -m docs.generators.reference

# Needs uv; names no index.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" --extra local --group dev --no-emit-package beluga-voice --output-file requirements-dev.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" --extra local --group build --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml

clean:
	rm -rf .venv build dist *.egg-info
