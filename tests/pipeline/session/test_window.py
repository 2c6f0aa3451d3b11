from __future__ import annotations

from dataclasses import replace

from pipeline.policy import POLICIES
from pipeline.reasons import Purpose
from pipeline.session.window import Window
from tests.pipeline.observations import Camera, gallery
from tests.pipeline.session.test_rules import EVERYTHING

POLICY = POLICIES["standard"]


def asked(n: int):
    """What a session asks for, in other rhythms: every cue hears something, at its own pace."""
    return replace(
        EVERYTHING,
        spoof=n % 2 == 0,
        edges=n % 5 == 0,
        glow=n % 7 == 0,
        eyes=n % 3 == 0,
        motion=n % 4 == 0,
    )


def test_rows_that_are_kept_are_those_that_would_be_worked_out_anew():
    camera = Camera(blink_s=0.7)
    often = Window(Purpose.LOGIN, gallery(1), "test", 100.0)
    shots = []
    for n in range(40):
        camera.margin, camera.glow, camera.flat = 4.0 - n % 6, 0.1 * (n % 3), n > 20
        shots.append(camera.shot(asked(n)))
        once = Window(Purpose.LOGIN, gallery(1), "test", 100.0)
        for obs in shots:
            once.add(obs, POLICY, usable=True)
        often.add(shots[-1], POLICY, usable=True)
        assert often.rows(POLICY, camera.now_s) == once.rows(POLICY, camera.now_s)


def test_rows_are_of_the_policy_that_asks():
    camera, window = Camera(), Window(Purpose.LOGIN, gallery(1), "test", 100.0)
    for n in range(30):
        window.add(camera.shot(asked(n)), POLICY, usable=True)
    strict = replace(POLICY, spoof_offset=-3.0)
    ratios = {
        policy: next(row.llr for row in window.rows(policy, camera.now_s) if row.cue == "spoof")
        for policy in (POLICY, strict, POLICY)
    }
    assert ratios[strict] < ratios[POLICY]
    assert window.rows(POLICY, camera.now_s) == window.rows(replace(POLICY), camera.now_s)
