"""Rules that the container files keep, read as text and YAML: no engine is needed for them."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.settings.load import load
from server.settings.table import TABLE
from web.demo.config import read_settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LAST_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
HOST = {
    "LOGIN_HOST": "login.example.org",
    "DEMO_HOST": "demo.example.org",
    "PUBLIC_ADDRESS": "203.0.113.7",
}
"""What .env is filled in with here."""


def _filled(value: object) -> str:
    """`${NAME}`, `${NAME:?text}` and `${NAME:-default}`, as compose fills them in."""

    def one(match: re.Match[str]) -> str:
        name, operator, default = match["name"], match["operator"], match["default"]
        return HOST.get(name) or (default if operator == ":-" else HOST[name])

    pattern = r"\$\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<default>[^}]*))?\}"
    return re.sub(pattern, one, str(value))


def test_every_stage_has_the_one_pinned_base() -> None:
    argument = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert argument is not None
    assert re.fullmatch(r"python:3\.1[1-3]-slim-bookworm(@sha256:[0-9a-f]{64})?", argument[1])
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases == ["${PYTHON_IMAGE}"] * 3


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert re.findall(r"^USER (.+)$", LAST_STAGE, re.MULTILINE) == ["10001:10001"]
    after = LAST_STAGE[LAST_STAGE.index("\nUSER ") :]
    assert "\nRUN " not in after
    assert "\nCOPY " not in after


def test_nothing_is_fetched_by_url_and_every_install_has_hashes() -> None:
    assert not re.search(r"^ADD ", DOCKERFILE, re.MULTILINE)
    assert "http://" not in re.sub(r"http://127\.0\.0\.1", "", DOCKERFILE)
    assert "https://" not in DOCKERFILE
    assert not re.search(r"\b(curl|wget|apt-get|git clone)\b", DOCKERFILE)
    commands = DOCKERFILE.replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?install ([^&\n]*)", commands)
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or "--no-deps" in install


def test_the_last_stage_takes_only_nets_and_packages_without_converters() -> None:
    copies = re.findall(r"^COPY --from=(\S+) (\S+) ", LAST_STAGE, re.MULTILINE)
    assert copies == [("models", "/opt/lookgate-models"), ("packages", "/opt/lookgate")]
    packages = DOCKERFILE[DOCKERFILE.index("AS packages") : DOCKERFILE.rindex("\nFROM ")]
    assert "requirements-server.lock" in packages
    locked = (ROOT / "requirements-server.lock").read_text()
    assert not re.search(r"^(onnx|tflite|pytest|playwright|secantusdb)==", locked, re.MULTILINE)


def test_the_image_can_be_watched_and_stopped() -> None:
    for line in ("HEALTHCHECK ", "STOPSIGNAL SIGTERM", "EXPOSE 8470/tcp", 'VOLUME ["/data"]'):
        assert f"\n{line}" in LAST_STAGE
    assert "/healthz" in LAST_STAGE


def test_the_build_is_sent_everything_that_it_copies() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.rstrip('/')}" in ignored, source


def test_the_server_understands_the_settings_it_is_given() -> None:
    image = dict(re.findall(r"(LOOKGATE_\w+)=(\S+)", LAST_STAGE[LAST_STAGE.index("ENV ") :]))
    compose = {name: _filled(value) for name, value in SERVICES["lookgate"]["environment"].items()}
    secrets = {
        "LOOKGATE_STORE": "mongodb://lookgate:x@mongo:27017/lookgate?replicaSet=rs0",
        "LOOKGATE_TURN_SECRET": "0" * 64,
    }
    settings = load({**image, **compose, **secrets})
    assert settings.public_url == "https://login.example.org"
    assert settings.rtc_public_address == "203.0.113.7"
    assert settings.turn_urls == (
        "turn:203.0.113.7:3478?transport=udp",
        "turn:203.0.113.7:3478?transport=tcp",
    )
    assert settings.rtc_ports is not None
    first, last = settings.rtc_ports
    assert last - first + 1 >= 2 * settings.max_sessions
    assert SERVICES["lookgate"]["ports"] == [f"{first}-{last}:{first}-{last}/udp"]


def test_the_demo_app_understands_the_settings_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the client")
    compose = {name: _filled(value) for name, value in SERVICES["demo"]["environment"].items()}
    settings = read_settings([], compose | {"LOOKGATE_DEMO_SECRET_FILE": str(tmp_path / "secret")})
    known = {f"LOOKGATE_DEMO_{field.name.upper()}" for field in fields(settings)}
    assert set(compose) - {"LOOKGATE_DEMO_SECRET_FILE"} <= known
    assert settings.public_server == "https://login.example.org"
    assert settings.secure_cookies


def test_every_secret_of_the_server_is_a_setting() -> None:
    known = {f"lookgate_{row.name.lower()}" for row in TABLE if row.secret}
    assert set(SERVICES["lookgate"]["secrets"]) <= known


def test_no_service_holds_a_secret_or_a_default_for_one() -> None:
    made = (ROOT / "docker" / "make-secrets").read_text()
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"docker/secrets/{name}"}
        assert name == "demo_client_secret" or f"make_secret {name}" in made
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            told = re.search(r"PASSWORD|SECRET|KEY|TOKEN|STORE", variable)
            assert not told or str(value).startswith("/run/secrets/"), (name, variable)
    example = (ROOT / ".env.example").read_text()
    assert not re.search(r"^[^#\n]*(PASSWORD|SECRET|KEY|TOKEN)", example, re.MULTILINE)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {".env", "docker/secrets/"} <= set(ignored)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", [])) <= {"NET_BIND_SERVICE"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert "privileged" not in service
    assert service.get("network_mode") != "host"
    assert re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", service["image"]), "pinned by a tag"


def test_the_database_is_out_of_reach() -> None:
    assert "ports" not in SERVICES["mongo"]
    assert SERVICES["mongo"]["networks"] == ["store"]
    assert COMPOSE["networks"]["store"] == {"internal": True}
    assert [n for n, s in SERVICES.items() if "store" in s["networks"]] == ["lookgate", "mongo"]


def test_the_relay_reaches_nothing_but_the_server() -> None:
    conf = (ROOT / "docker" / "turnserver.conf").read_text().splitlines()
    for line in (
        "use-auth-secret",
        "denied-peer-ip=0.0.0.0-255.255.255.255",
        "no-multicast-peers",
        "no-tcp-relay",
        "no-cli",
    ):
        assert line in conf
    assert not any(line.startswith(("static-auth-secret", "user=", "lt-cred")) for line in conf)
    ports = [int(line.partition("=")[2]) for line in conf if re.match(r"m(in|ax)-port=", line)]
    published = f"{ports[0]}-{ports[1]}:{ports[0]}-{ports[1]}/udp"
    assert published in SERVICES["turn"]["ports"]


def test_secrets_are_made_once_and_are_all_different(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets"
    script.write_bytes((ROOT / "docker" / "make-secrets").read_bytes())
    subprocess.run(["sh", str(script)], check=True, capture_output=True)
    folder = tmp_path / "secrets"
    made = {f.name: f.read_bytes() for f in folder.iterdir()}
    assert set(made) == set(COMPOSE["secrets"]) - {"demo_client_secret"}
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert made["mongo_password"] in made["lookgate_store"]
    again = subprocess.run(["sh", str(script)], check=True, capture_output=True, text=True)
    assert "made " not in again.stdout
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == made


def test_the_entrypoint_turns_secret_files_into_settings(tmp_path: Path) -> None:
    (tmp_path / "lookgate_turn_secret").write_text("from the file\n")
    (tmp_path / "lookgate_store").write_text("from the file")
    (tmp_path / "mongo_password").write_text("not a setting")
    text = (ROOT / "docker" / "entrypoint").read_text()
    script = tmp_path / "entrypoint"
    script.write_text(text.replace("/run/secrets", str(tmp_path)))
    done = subprocess.run(
        ["sh", str(script), "env"],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "LOOKGATE_STORE": "set by hand"},
    )
    lines = done.stdout.splitlines()
    assert "LOOKGATE_TURN_SECRET=from the file" in lines
    assert "LOOKGATE_STORE=set by hand" in lines
    assert "not a setting" not in done.stdout
