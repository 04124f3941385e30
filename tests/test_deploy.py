"""The container and the manifests, as far as they can be checked without an engine: they agree with the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import load
from session.config import duration_ms

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def manifest(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "k8s" / name).read_text(encoding="utf-8"))
    return read


DEPLOYMENT = manifest("deployment.yaml")
SERVICE = manifest("service.yaml")
POD = DEPLOYMENT["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
ENVIRONMENT = {each["name"]: each.get("value") for each in CONTAINER["env"]}


def docker_environment() -> dict[str, str]:
    return dict(re.findall(r"\b(BELUGA_\w+)=(\S+)", DOCKERFILE.split("FROM")[-1]))


def routes() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "app" / "routes").glob("*.py"))


def test_the_image_does_not_run_as_root() -> None:
    user = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)

    assert [(str(POD["securityContext"]["runAsUser"]), str(POD["securityContext"]["runAsGroup"]))] == user
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["runAsUser"] != 0


def test_the_container_can_neither_write_nor_rise() -> None:
    context = CONTAINER["securityContext"]

    assert (False, True, {"drop": ["ALL"]}) == (
        context["allowPrivilegeEscalation"],
        context["readOnlyRootFilesystem"],
        context["capabilities"],
    )


def test_the_image_is_built_in_stages_from_the_lock_file() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert ["python:3.11-slim"] * 2 == stages
    assert "--require-hashes --requirement requirements.lock" in DOCKERFILE


def test_everything_that_is_copied_exists_and_reaches_the_builder() -> None:
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    passed = {line.removeprefix("!") for line in ignored if line.startswith("!")}

    assert copied == passed
    assert [] == [name for name in copied if not (ROOT / name).exists()]


def test_the_ports_agree() -> None:
    port = int(docker_environment()["BELUGA_SERVER__PORT"])
    (container_port,) = CONTAINER["ports"]
    (service_port,) = SERVICE["spec"]["ports"]

    assert [str(port)] == re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
    assert f"http://127.0.0.1:{port}/healthz" in DOCKERFILE
    assert port == container_port["containerPort"]
    assert service_port["targetPort"] == container_port["name"]
    assert str(port) == DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"]


@pytest.mark.parametrize(
    ("probe", "path"), [("startupProbe", "/healthz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")]
)
def test_a_probe_asks_a_route_that_exists(probe: str, path: str) -> None:
    asked = CONTAINER[probe]["httpGet"]

    assert {"path": path, "port": CONTAINER["ports"][0]["name"]} == asked
    assert f'"{path}"' in routes()


def test_the_labels_agree() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]

    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert SERVICE["spec"]["selector"] == labels


def test_kubernetes_waits_longer_than_the_calls_may_go_on() -> None:
    grace_s = duration_ms(ENVIRONMENT["BELUGA_SERVER__SHUTDOWN_GRACE"] or "") / 1000
    pre_stop_s = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])

    assert POD["terminationGracePeriodSeconds"] > grace_s + pre_stop_s


def test_keys_come_from_a_secret_only() -> None:
    (keys,) = [each for each in CONTAINER["env"] if each["name"] == "BELUGA_AUTH__API_KEYS"]

    assert {"secretKeyRef": {"name": "beluga-voice", "key": "api-keys"}} == keys["valueFrom"]


def test_the_server_takes_the_settings_of_the_manifests() -> None:
    given = {**docker_environment(), **ENVIRONMENT, "BELUGA_AUTH__API_KEYS": '["a-key-of-the-tests"]'}
    settings = load(environment={name: value or "" for name, value in given.items()})

    assert ("0.0.0.0", 8080, 300.0, 20) == (
        settings.server.host,
        settings.server.port,
        settings.server.shutdown_grace,
        settings.limits.max_sessions,
    )


def test_the_image_of_the_manifest_has_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert CONTAINER["image"] == f"{project['name']}:{project['version']}"


def test_pre_commit_runs_what_make_check_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = [hook["entry"].replace(".venv/bin", "$(BIN)") for hook in hooks]

    assert ["$(BIN)/ruff format", "$(BIN)/ruff check", "$(BIN)/mypy"] == commands
    assert all(f"\t{command}" in make for command in commands)
