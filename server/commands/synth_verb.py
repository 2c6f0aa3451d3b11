"""`lookgate synth`: what it is given, what it prints.

Not here: the scenes (pipeline/synth), the file of pictures (tools/synth.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from pipeline.synth.camera import Camera
from pipeline.synth.scenes import KINDS, Scene
from server.settings.load import Settings
from server.tools import synth
from server.tools.synth import SynthError


def run(given: argparse.Namespace, settings: Callable[[], Settings]) -> int:
    """Film what was asked for. Raises SynthError, and what `synth.make` does."""
    if given.kind == "list":
        print("\n".join(f"{name:15} {kind.says}" for name, kind in KINDS.items()))
        return 0
    if given.out is None:
        raise SynthError("synth_out_missing", "give --out")
    width, by, height = given.size.partition("x")
    if not (by and width.isdecimal() and height.isdecimal()):
        raise SynthError("synth_wrong", "size must be WIDTHxHEIGHT, as in 640x480")
    try:
        camera = Camera(
            width_px=int(width),
            height_px=int(height),
            fps=given.fps,
            jitter=given.jitter,
            gain=given.gain,
            mirrored=given.mirrored,
            grayscale=given.grayscale,
        )
        scene = Scene(
            given.kind,
            seconds=given.seconds,
            seed=given.seed,
            camera=camera,
            face=given.face,
            place=(given.x, 0.5),
            yaw_deg=given.yaw,
            worn=tuple(given.worn),
        )
    except ValueError as error:
        raise SynthError("synth_wrong", str(error)) from None
    count = synth.make(
        scene, photo=given.photo, other=given.other, out=given.out, models_dir=settings().models_dir
    )
    print(f"{given.out}: {count} pictures, {width}x{height}, {scene.kind}")
    return 0
