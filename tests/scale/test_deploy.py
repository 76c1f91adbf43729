"""What stands in deploy/, by the validators of the tools that read it, and by what this project asks of it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from rasa.shared.utils.common import class_from_module_path
from sanic.config import DEFAULT_CONFIG

from assistant.messaging import worker
from tests.scale.cluster import rendered
from tests.support.packages import PackageUnavailable, do_without, program
from tests.support.servers import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
OBJECTS = [each for path in KUBERNETES for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
WORKLOADS = {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] in ("Deployment", "Job")}
DEPLOYMENTS = [name for name, each in WORKLOADS.items() if each["kind"] == "Deployment"]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
OWN_SERVICES = [name for name, each in COMPOSE["services"].items() if each["image"].startswith("clinic-")]
BALANCER = WORKLOADS["balancer"]["spec"]["template"]["spec"]["containers"][0]
# How long a server may take to end well, in seconds: the worker for conversations, Sanic for requests.
SECONDS_TO_DRAIN = worker._SECONDS_TO_DRAIN + DEFAULT_CONFIG["GRACEFUL_SHUTDOWN_TIMEOUT"]
_OLDEST_KUBERNETES, _NEWEST_KUBERNETES = "1.30", "1.37"


@pytest.fixture(scope="module")
def lint() -> Path:
    """The folder of the validators' programs, made from deploy/lint/uv.lock."""
    project = DEPLOY / "lint"
    command = ["sync", "--frozen", "--quiet", "--project", str(project), "--python", sys.executable]
    run(sys.executable, "-m", "uv", *command)
    return project / ".venv" / "bin"


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pod(name: str) -> dict[str, Any]:
    return dict(WORKLOADS[name]["spec"]["template"]["spec"])


# ---------------------------------------------------------------- validators


def test_the_image_is_built_as_hadolint_advises(lint: Path) -> None:
    run(lint / "hadolint", DEPLOY / "Dockerfile")


def test_the_compose_file_keeps_to_the_compose_specification(lint: Path) -> None:
    run(lint / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yml")


@pytest.mark.parametrize("version", [_OLDEST_KUBERNETES, _NEWEST_KUBERNETES])
def test_kubernetes_takes_what_it_is_given(lint: Path, version: str) -> None:
    said = run(lint / "kubernetes-validate", "-k", version, "--strict", *KUBERNETES)
    assert said.count(" passed ") == len(OBJECTS)


def test_kustomize_puts_it_together(lint: Path, tmp_path: Path) -> None:
    """By kubectl where that is; its parts are known to be there and valid anywhere."""
    named = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(DEPLOY / each for each in named["resources"]) == KUBERNETES
    for generator in named["configMapGenerator"]:
        assert all((DEPLOY / each).is_file() for each in generator["files"])
    if shutil.which("kubectl"):
        whole = tmp_path / "whole.yaml"
        whole.write_text(run("kubectl", "kustomize", DEPLOY))
        assert run(lint / "kubernetes-validate", "--strict", whole).count(" passed ") == len(OBJECTS) + 1
        assert not re.search(r"image: clinic-\w+\n", whole.read_text())


def compose_settings() -> dict[str, str]:
    settings = {
        name: value.replace("$$", "$") for name, value in COMPOSE["services"]["balancer"]["environment"].items()
    }
    return settings | {"TRUSTED_PROXY": "unix:", "CLINIC_PHONE": "1"}


def kubernetes_settings() -> dict[str, str]:
    return {each["name"]: each.get("value", "1") for each in BALANCER["env"]}


@pytest.mark.parametrize("settings", [compose_settings(), kubernetes_settings()], ids=["compose", "kubernetes"])
def test_nginx_takes_its_configuration(settings: dict[str, str], tmp_path: Path) -> None:
    try:
        nginx = program("nginx", "nginx-light")
    except PackageUnavailable as error:
        do_without(error)
    # Names are those of a network that is not here, and asking for them again is known from nginx 1.27.3 on.
    written = re.sub(r"server [\w.-]+:(\d+) resolve", r"server 127.0.0.1:\1", rendered(**settings))
    written = re.sub("resolver [^ ]+", "resolver 127.0.0.1", written)
    assert "${" not in written
    (tmp_path / "chat.conf").write_text(written)
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { include chat.conf; }\n")
    run(nginx, "-t", "-q", "-p", tmp_path, "-c", "nginx.conf", "-g", "pid nginx.pid;")


# ---------------------------------------------------------------- what is asked of it


@pytest.mark.parametrize("name", WORKLOADS)
def test_nothing_runs_as_root_or_writes_to_its_image(name: str) -> None:
    assert pod(name)["securityContext"]["runAsNonRoot"]
    assert pod(name)["securityContext"]["runAsUser"] > 0
    assert not pod(name)["automountServiceAccountToken"]
    for container in pod(name)["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"].keys() == {"requests", "limits"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_roll_out_drops_no_message(name: str) -> None:
    spec = WORKLOADS[name]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    for container in pod(name)["containers"]:
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
        pause = sum(
            int(each) for each in re.findall(r"\d+", " ".join(container["lifecycle"]["preStop"]["exec"]["command"]))
        )
        assert pod(name)["terminationGracePeriodSeconds"] >= pause + (SECONDS_TO_DRAIN if name != "balancer" else 0)


def test_what_there_are_several_of_is_not_taken_away_at_once() -> None:
    budgets = {each["metadata"]["name"]: each["spec"] for each in OBJECTS if each["kind"] == "PodDisruptionBudget"}
    assert budgets.keys() == {name for name in DEPLOYMENTS if WORKLOADS[name]["spec"]["replicas"] > 1}
    assert all(budget["maxUnavailable"] == 1 for budget in budgets.values())


def test_secrets_come_from_outside() -> None:
    assert not [each for each in OBJECTS if each["kind"] == "Secret"]
    written = (DEPLOY / "compose.yml").read_text(encoding="utf-8")
    given = re.findall(r"^ *(\w*(?:PASSWORD|SECRET|TOKEN)): *(.*)$", written, re.MULTILINE)
    assert given
    for name, value in given:
        assert re.fullmatch(rf"\$\{{{name}:[?-]\}}", value), f"{name} is written down"
    assert all(each.startswith("${") for each in re.findall(r"://\w*:([^@\s]+)@", written))
    for each in OBJECTS:
        assert not re.search(r"postgresql://|redis://", json.dumps(each))


@pytest.mark.parametrize("name", OWN_SERVICES)
def test_compose_runs_this_project_without_rights(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service


def test_compose_knows_the_variables_of_every_channel() -> None:
    given = COMPOSE["services"]["chat-1"]["environment"].keys()
    channels = map(class_from_module_path, yaml.safe_load((ROOT / "credentials.yml").read_text(encoding="utf-8")))
    required = {name for channel in channels for name in getattr(channel, "REQUIRED", ())}
    assert "PUBLIC_URL" in required
    assert required <= given


def stages() -> dict[str, str]:
    """Return what each stage of the image adds, by its name."""
    written = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    return dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", written, re.DOTALL | re.MULTILINE))


def test_an_image_runs_as_a_user_without_rights_and_carries_only_what_serves() -> None:
    found = stages()
    assert list(found)[-1] == "assistant"
    assert "USER 10001:10001" in found["base"]
    assert "assistant train" in found["build"]
    assert "--group build" not in found["serving-packages"] + found["booking-packages"]
    for name in ("booking", "assistant"):
        assert "USER" not in found[name]
        assert re.findall("--from=(\\S+) /app/.venv", found[name]) in (["booking-packages"], ["serving-packages"])
    assert "models" in found["assistant"]
    for name in re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8"), re.MULTILINE):
        assert (ROOT / name).exists()


def test_what_hands_bookings_on_needs_only_its_own_packages() -> None:
    alone = ("uv", "run", "--frozen", "--quiet", "--isolated", "--only-group", "booking", "--python", sys.executable)
    run(sys.executable, "-m", *alone, "python", "-c", "import booking.delivery, booking.frontdesk.__main__")


@pytest.mark.parametrize("module", ["assistant", "actions", "booking.store", "booking.delivery"])
def test_what_is_started_is_there(module: str) -> None:
    commands = [each.get("args", [])[:1] for name in WORKLOADS for each in pod(name)["containers"]]
    assert [module] in commands
    path = ROOT / module.replace(".", "/")
    assert (path / "__main__.py").is_file() or path.with_suffix(".py").is_file()
