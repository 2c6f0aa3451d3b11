from __future__ import annotations

from pipeline.decision import Evidence, Species, Stand, Topic
from pipeline.tape.explain import explain
from tests.pipeline.observations import Camera
from tests.pipeline.session.test_session import started, watched


def test_one_line_for_each_table_and_the_last_in_full():
    session, camera = started(), Camera(person=1)
    history, limits = [], []
    while not session.over:
        watched(session, camera, 1 / camera.fps)
        if rows := session.evidence():
            history.append((camera.now_s - 100.0, rows))
            limits.append(session.limits)
    text = explain(history, limits)
    lines = text.splitlines()
    head = lines.index(next(line for line in lines if line.lstrip().startswith("time")))
    assert lines[head].split()[5:] == [row.cue for row in session.evidence()]
    body = lines[head + 1 : lines.index("", head)]
    assert [line.split()[0] for line in body] == [f"{at_s:.2f}" for at_s, _ in history]
    # What a sum must reach is there once it can be reached.
    early = session.limits
    assert limits[0] is None
    assert early is not None
    sides = [f"{early.accept_llr:+.2f}", f"{early.reject_llr:+.2f}"]
    assert body[-1].split()[4:6] == sides
    assert body[0].split()[4:6] != sides
    for row in session.evidence():
        assert any(row.cue in line and row.reason in line for line in lines[head + len(body) :])


def test_the_sum_leaves_out_what_was_not_measured():
    rows = [
        Evidence("spoof", Topic.LIVENESS, Stand.FOR, "live", 2.0),
        Evidence("glow", Topic.LIVENESS, Stand.OPEN, "glow", -0.5),
        Evidence("micro", Topic.LIVENESS, Stand.UNKNOWN, "too_few_samples", 9.0),
        Evidence("bezel", Topic.LIVENESS, Stand.AGAINST, "border", -2.0, certain=True),
    ]
    line = explain([(1.5, rows)]).splitlines()[3]
    assert line.split() == ["1.50", "s", "-0.50", "-0.50", "++2.00", "~-0.50", "?", "!-2.00"]
    assert "against (certain)" in explain([(1.5, rows)])


def test_each_attack_has_its_sum():
    rows = [
        Evidence("spoof", Topic.LIVENESS, Stand.FOR, "live", 2.0),
        Evidence("micro", Topic.LIVENESS, Stand.FOR, "eyes_live", 0.5, species=(Species.PRINT,)),
        Evidence("glow", Topic.LIVENESS, Stand.OPEN, "glow", -0.75, species=(Species.SCREEN,)),
    ]
    lines = explain([(1.5, rows)]).splitlines()
    assert lines[2].split() == ["time", "print", "screen", "from", "to", "spoof", "micro", "glow"]
    assert lines[3].split()[:4] == ["1.50", "s", "+2.50", "+1.25"]
    assert [("(print)" in line, "(screen)" in line) for line in lines[-3:]] == [
        (False, False),
        (True, False),
        (False, True),
    ]


def test_nothing_gathered_is_said():
    assert explain([]) == "no evidence was gathered\n"
