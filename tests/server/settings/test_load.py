"""Settings out of an environment: defaults, values, every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.nets.ort import SPECS
from server.settings import readers
from server.settings.load import ConfigError, command_line, load, of_services

HOME = {"HOME": "/home/somebody"}


def test_defaults_are_enough() -> None:
    settings = load(HOME)
    assert settings.port == 8470
    assert settings.public_url == "http://localhost:8470"
    assert settings.data_dir == Path("/home/somebody/.local/share/lookgate")
    assert settings.workers >= 1
    assert settings.turn_urls == ()
    assert settings.rtc_ports is None


def test_values_are_read() -> None:
    settings = load(
        {
            **HOME,
            "LOOKGATE_PUBLIC_URL": "https://face.example/",
            "LOOKGATE_RTC_PORTS": "50000-50010",
            "LOOKGATE_RTC_ADDRESSES": "127.0.0.1, ::1",
            "LOOKGATE_TURN_URL": "turn:t:3478?transport=udp,turns:t:5349",
            "LOOKGATE_TURN_SECRET": "0123456789abcdef",
            "LOOKGATE_ALLOW_NO_ORIGIN": "no",
            "LOOKGATE_DATA_DIR": "/srv/lookgate",
            "LOOKGATE_STORE": "mongodb://user:pw@db/lookgate",
            "LOOKGATE_WORKERS": "3",
            "LOOKGATE_LOG_LEVEL": "",
        }
    )
    assert settings.public_url == "https://face.example"
    assert settings.rtc_ports == (50000, 50010)
    assert settings.rtc_addresses == ("127.0.0.1", "::1")
    assert settings.turn_urls == ("turn:t:3478?transport=udp", "turns:t:5349")
    assert settings.allow_no_origin is False
    assert settings.data_dir == Path("/srv/lookgate")
    assert settings.workers == 3
    assert settings.log_level == "info"


def test_nets_elsewhere_have_an_address_and_names() -> None:
    assert load(HOME).inference is None
    assert load(HOME).inference_nets == ("embed",)
    there = {**HOME, "LOOKGATE_INFERENCE": "grpc://nets.example:8001"}
    settings = load({**there, "LOOKGATE_INFERENCE_NETS": "embed, mesh"})
    assert settings.inference == "nets.example:8001"
    assert settings.inference_nets == ("embed", "mesh")
    strange = ("nets:8001", "http://nets:8001", "grpc://nets", "grpc://nets:8001/x", "grpc://:1")
    for address in (*strange, "grpc://u@nets:1", "grpc://nets:99999"):
        with pytest.raises(ConfigError, match=r"LOOKGATE_INFERENCE must be grpc://host:port"):
            load({**HOME, "LOOKGATE_INFERENCE": address})
    with pytest.raises(ConfigError, match=r"LOOKGATE_INFERENCE_NETS must be some of"):
        load({**there, "LOOKGATE_INFERENCE_NETS": "embed, other"})
    other = {"LOOKGATE_EMBEDDER": "/srv/w600k.onnx", "LOOKGATE_MATCH_SCORE": "0.4"}
    with pytest.raises(ConfigError, match="one of the two"):
        load({**there, **other})
    assert load({**there, **other, "LOOKGATE_INFERENCE_NETS": "mesh"}).inference_nets == ("mesh",)


def test_the_names_of_nets_are_those_that_see_asks_for() -> None:
    assert set(readers.NETS) == set(SPECS)


def test_all_problems_at_once_each_with_its_name() -> None:
    wrong = {
        "PORT": "70000",
        "PUBLIC_URL": "ftp://x",
        "STORE": "postgres://x",
        "MAX_SESSIONS": "0",
        "TOKEN_TTL_S": "3600",
        "ALLOW_NO_ORIGIN": "perhaps",
        "RTC_PORTS": "9-8",
        "RTC_PUBLIC_ADDRESS": "example.org",
        "STUN_URL": "http://x",
        "TURN_URL": "stun:x",
        "TURN_SECRET": "short",
        "MATCH_SCORE": "0.1",
        "LOG_FORMAT": "xml",
        "PROT": "8471",
    }
    with pytest.raises(ConfigError) as caught:
        load({**HOME, **{f"LOOKGATE_{name}": value for name, value in wrong.items()}})
    told = caught.value.problems
    assert len(told) == len(wrong)
    for name in wrong:
        assert sum(line.startswith(f"LOOKGATE_{name} ") for line in told) == 1, name
    assert "short" not in caught.value.text  # a secret's value is not repeated


@pytest.mark.parametrize(
    ("given", "missing"),
    [("TURN_URL", "LOOKGATE_TURN_SECRET"), ("TURN_SECRET", "LOOKGATE_TURN_URL")],
)
def test_turn_needs_both(given: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        load({**HOME, f"LOOKGATE_{given}": "turn:0123456789abcdef"})


@pytest.mark.parametrize(
    ("given", "value", "missing"),
    [
        ("EMBEDDER", "/packs/w600k_r50.onnx", "LOOKGATE_MATCH_SCORE is missing"),
        ("MATCH_SCORE", "0.4", "LOOKGATE_EMBEDDER is missing"),
    ],
)
def test_another_embedder_needs_its_own_threshold(given: str, value: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        load({**HOME, f"LOOKGATE_{given}": value})
    both = load({**HOME, "LOOKGATE_EMBEDDER": "/packs/a.onnx", "LOOKGATE_MATCH_SCORE": "0.4"})
    assert (both.embedder, both.match_score) == (Path("/packs/a.onnx"), 0.4)


def test_command_line_settings() -> None:
    found = command_line({"LOOKGATE_CLIENT_SECRET": "s"})
    assert found == {"server": "http://127.0.0.1:8470", "client_secret": "s"}
    with pytest.raises(ConfigError, match="LOOKGATE_SERVER"):
        command_line({"LOOKGATE_SERVER": "face.example"})


SERVICE = {
    "LOOKGATE_SERVICE_HOST": "10.96.12.7",
    "LOOKGATE_SERVICE_PORT": "8470",
    "LOOKGATE_PORT": "tcp://10.96.12.7:8470",
    "LOOKGATE_PORT_8470_TCP": "tcp://10.96.12.7:8470",
    "LOOKGATE_PORT_8470_TCP_PROTO": "tcp",
    "LOOKGATE_PORT_8470_TCP_PORT": "8470",
    "LOOKGATE_PORT_8470_TCP_ADDR": "10.96.12.7",
}
"""What Kubernetes puts into every pod beside a Service named `lookgate`."""
MORE = {
    "LOOKGATE_SERVICE_PORT_HTTP": "8470",
    "LOOKGATE_PORT_3478_UDP": "udp://[fd00::7]:3478",
    "LOOKGATE_PORT_3478_UDP_ADDR": "fd00::7",
    "LOOKGATE_MONGO_SERVICE_HOST": "10.96.12.8",
    "LOOKGATE_MONGO_PORT": "tcp://10.96.12.8:27017",
    "LOOKGATE_MONGO_PORT_27017_TCP_PROTO": "tcp",
}
"""Named ports, IPv6, and a Service named `lookgate-mongo`."""


def test_variables_of_a_kubernetes_service_are_no_settings() -> None:
    settings = load({**HOME, **SERVICE, **MORE, "LOOKGATE_MAX_SESSIONS": "3"})
    assert settings == load({**HOME, "LOOKGATE_MAX_SESSIONS": "3"})
    assert of_services({**HOME, **SERVICE, **MORE}) == sorted({**SERVICE, **MORE})
    assert of_services(HOME) == []
    # One that somebody wrote takes the place of the injected one.
    assert load({**HOME, **SERVICE, "LOOKGATE_PORT": "9000"}).port == 9000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "tcp://10.96.12.7"),
        ("PORT", "http://10.96.12.7:8470"),
        ("PORT", "tcp://lookgate:8470"),
        ("PORT", "8470x"),
        ("SERVICE_HOST", "lookgate.default.svc"),
        ("SERVICE_PORT", "http://10.96.12.7:8470"),
        ("SERVICE_PORTS", "8470"),
        ("PORT_8470_TCP_PROTO", "http"),
        ("PORT_TCP", "tcp://10.96.12.7:8470"),
        ("SERVICE", "10.96.12.7"),
    ],
)
def test_nothing_else_is_ignored(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"LOOKGATE_{name} "):
        load({**HOME, f"LOOKGATE_{name}": value})
