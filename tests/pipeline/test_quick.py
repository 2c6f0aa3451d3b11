from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from pipeline.quick import quick


@dataclass(frozen=True, slots=True)
class Slow:
    one: int
    two: float = 2.0
    many: dict[str, float] = field(default_factory=dict)


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    one: int
    two: float = 2.0
    many: dict[str, float] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("given", "named"), [((1,), {}), ((1, 3.0), {"many": {"a": 1.0}}), ((), {"one": 4})]
)
def test_it_holds_what_an_ordinary_one_holds(given, named):
    slow, made = Slow(*given, **named), Quick(*given, **named)
    assert (made.one, made.two, made.many) == (slow.one, slow.two, slow.many)
    assert repr(made) == repr(slow).replace("Slow", "Quick")
    assert made == Quick(*given, **named)
    assert pickle.loads(pickle.dumps(made)) == made
    assert replace(made, two=9.0) == Quick(slow.one, 9.0, slow.many)


def test_it_is_frozen_and_shares_nothing():
    made = Quick(1)
    with pytest.raises(FrozenInstanceError):
        made.one = 2
    with pytest.raises((AttributeError, TypeError)):
        made.other = 2
    assert made.many is not Quick(1).many


@pytest.mark.parametrize(("given", "named"), [((), {}), ((1, 2, 3, 4), {}), ((1,), {"x": 1})])
def test_what_is_missing_or_too_much_is_refused(given, named):
    with pytest.raises(TypeError):
        Quick(*given, **named)
