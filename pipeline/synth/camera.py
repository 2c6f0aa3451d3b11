"""The camera: size, rate, noise, and what it does to a picture that the scene delivered.

Here: from a rendered picture to one as a browser gets it. Not here: encoders and networks; send the
film through the real ones for those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.synth import Image

LARGEST_PX = 4096
ROOM_PX = 97
"""How far the noise pattern is shifted at most from picture to picture; a prime, so that rows and
columns come back together only after thousands of pictures."""


@dataclass(frozen=True, slots=True)
class Camera:
    """What it is set to. Raises ValueError for what no camera does."""

    width_px: int = 640
    height_px: int = 480
    fps: float = 15.0
    """Pictures a second."""
    jitter: float = 0.0
    """0..0.9: each gap between pictures is up to this share shorter or longer."""
    noise: float = 2.2
    """Standard deviation of the sensor's noise, grey levels."""
    gain: float = 1.0
    """Exposure: below 1 dark, above 1 bright and burnt."""
    mirrored: bool = False
    """Left and right exchanged."""
    grayscale: bool = False
    """Three equal channels."""

    def __post_init__(self) -> None:
        sides = (self.width_px, self.height_px)
        if not all(16 <= side <= LARGEST_PX and side % 2 == 0 for side in sides):
            raise ValueError(f"width and height must be even and in 16..{LARGEST_PX}")
        if not 0.1 <= self.fps <= 240:
            raise ValueError("fps must be in 0.1..240")
        if not 0 <= self.jitter <= 0.9:
            raise ValueError("jitter must be in 0..0.9")
        if not 0 <= self.noise <= 100 or not 0 <= self.gain <= 100:
            raise ValueError("noise and gain must be in 0..100")

    @property
    def size(self) -> tuple[int, int]:
        """Width, height."""
        return self.width_px, self.height_px

    def times_s(self, rng: np.random.Generator, seconds: float) -> Iterator[float]:
        """When pictures are taken, from 0 to before `seconds`."""
        if not self.jitter:
            n = 0
            while n / self.fps < seconds - 1e-9:
                yield n / self.fps
                n += 1
            return
        t_s = 0.0
        while t_s < seconds:
            yield t_s
            t_s += (1 + float(rng.uniform(-self.jitter, self.jitter))) / self.fps


class Sensor:
    """One camera in use: optics, exposure and noise."""

    def __init__(self, camera: Camera, rng: np.random.Generator) -> None:
        self._camera = camera
        self._rng = rng
        shape = (camera.height_px + ROOM_PX, camera.width_px + ROOM_PX, 3)
        noise = rng.standard_normal(shape, np.float32) * np.float32(camera.noise)
        self._noise = np.rint(noise).astype(np.int16)

    def take(self, scene: Image) -> Image:
        """uint8 HxWx3, a new array: the scene as this camera delivers it."""
        camera = self._camera
        soft = cv2.GaussianBlur(scene, (3, 3), 0.6)
        if camera.gain != 1.0:
            soft = cv2.convertScaleAbs(soft, alpha=camera.gain)
        # One pattern, shifted and turned: fresh noise for 1920x1080 costs more than the scene
        dx, dy = (int(k) for k in self._rng.integers(0, ROOM_PX, 2))
        noise = self._noise[dy : dy + camera.height_px, dx : dx + camera.width_px]
        turned = cv2.flip(noise, int(self._rng.integers(-1, 2)))
        picture = np.asarray(cv2.add(soft, turned, dtype=cv2.CV_8U), np.uint8)
        if camera.grayscale:
            luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
            picture = np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR), np.uint8)
        return np.ascontiguousarray(picture[:, ::-1] if camera.mirrored else picture)
