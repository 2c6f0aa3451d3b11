from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.quantile import quantile


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=70), st.floats(0.0, 1.0))
def test_it_is_numpys_bit_for_bit(values: list[float], share: float):
    assert quantile(values, share) == float(np.quantile(values, share))
