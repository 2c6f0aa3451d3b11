from __future__ import annotations

import numpy as np
import pytest

from pipeline.synth.camera import Camera, Sensor

SCENE = np.dstack([np.full((48, 64), level, np.uint8) for level in (60, 120, 180)])


def take(**settings: object) -> np.ndarray:
    camera = Camera(width_px=64, height_px=48, **settings)
    return Sensor(camera, np.random.default_rng(1)).take(SCENE)


def times(seconds: float = 2.0, **settings: float) -> list[float]:
    return list(Camera(**settings).times_s(np.random.default_rng(1), seconds))


def test_rates() -> None:
    assert times(fps=15) == pytest.approx([n / 15 for n in range(30)])
    assert times(fps=1) == [0, 1]
    assert len(times(fps=60)) == 120


def test_an_uneven_rate_is_uneven_about_the_same_mean() -> None:
    gaps = np.diff(times(60, fps=15, jitter=0.8))
    assert gaps.mean() == pytest.approx(1 / 15, rel=0.05)
    assert gaps.min() >= 0.2 / 15 - 1e-9
    assert gaps.max() <= 1.8 / 15 + 1e-9
    assert gaps.std() > 0.3 / 15


def test_noise_is_as_strong_as_said_and_new_in_every_picture() -> None:
    sensor = Sensor(Camera(width_px=64, height_px=48, noise=5), np.random.default_rng(1))
    one, other = (sensor.take(SCENE).astype(int) for _ in range(2))
    assert (one - SCENE).std() == pytest.approx(5, rel=0.1)
    assert abs((one - SCENE).mean()) < 0.3
    assert abs(np.corrcoef((one - SCENE).ravel(), (other - SCENE).ravel())[0, 1]) < 0.1


def test_exposure_mirror_and_gray() -> None:
    assert take(noise=0)[10, 10].tolist() == [60, 120, 180]
    assert take(noise=0, gain=0.5)[10, 10].tolist() == [30, 60, 90]
    assert take(noise=0, gain=3)[10, 10].tolist() == [180, 255, 255]
    gray = take(noise=0, grayscale=True)
    assert len(set(gray[10, 10].tolist())) == 1
    assert np.array_equal(take(mirrored=True), take()[:, ::-1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"width_px": 639},
        {"height_px": 8},
        {"width_px": 9000},
        {"fps": 0},
        {"fps": float("nan")},
        {"jitter": 1.0},
        {"noise": -1},
        {"gain": -1},
    ],
)
def test_no_such_camera(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Camera(**wrong)
