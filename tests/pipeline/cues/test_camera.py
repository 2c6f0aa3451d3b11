"""What a page says of its camera against what comes: never for a face, hardly ever against one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.cues.camera import KINDS, CameraCheck, Claim
from pipeline.decision import Evidence, Stand
from tests.pipeline.lights import POLICY, observation

HONEST = Claim(640, 480, 15, "integrated")


def row(
    claim: Claim | None, *, size: tuple[int, int] = (640, 480), fps: float = 15, n: int = 40
) -> Evidence:
    check = CameraCheck(claim)
    for seq in range(n):
        obs = observation(seq, 100 + seq / fps, None)
        check.add(replace(obs, width_px=size[0], height_px=size[1]))
    return check.row(POLICY)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "virtual"])
@pytest.mark.parametrize("size", [(640, 480), (480, 360), (320, 240), (480, 640)])
def test_an_honest_camera_agrees(kind: str, size: tuple[int, int]) -> None:
    found = row(replace(HONEST, kind=kind), size=size)
    assert (found.stand, found.reason, found.llr) == (Stand.OPEN, "agrees", 0.0)


@pytest.mark.parametrize(
    ("claim", "size", "fps", "reason"),
    [
        (replace(HONEST, kind="virtual"), (640, 480), 15, "virtual"),
        (HONEST, (1280, 960), 15, "size"),
        (HONEST, (640, 360), 15, "size"),
        (HONEST, (640, 480), 30, "rate"),
        (replace(HONEST, kind="virtual"), (1280, 960), 30, "virtual_and_size_and_rate"),
        (Claim(0, 0, 0), (640, 480), 15, "size_and_rate"),
        (Claim(-5, 1e300, 15), (640, 480), 15, "size"),
    ],
)
def test_what_does_not_fit_costs_a_little(
    claim: Claim, size: tuple[int, int], fps: float, reason: str
) -> None:
    found = row(claim, size=size, fps=fps)
    assert (found.stand, found.reason) == (Stand.OPEN, reason)
    assert -POLICY.camera_clip <= found.llr < 0


def test_it_is_never_for_and_never_a_veto() -> None:
    assert row(None).stand is Stand.UNKNOWN
    assert row(HONEST, n=5).stand is Stand.UNKNOWN
    assert row(HONEST, fps=6).llr == 0.0  # a busy machine is no attack
