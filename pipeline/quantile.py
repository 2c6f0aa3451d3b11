"""Quantiles of a few plain numbers. Source: Hyndman and Fan (1996), definition 7."""

from __future__ import annotations

from collections.abc import Iterable


def quantile(values: Iterable[float], share: float) -> float:
    """Of one number or more, none of them nan, between the neighbouring ones: to the bit what
    np.quantile says of floats, which takes 60 us for it."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    one, other, t = ordered[low], ordered[min(low + 1, len(ordered) - 1)], at - low
    # From the nearer of the two: so least is lost by rounding.
    return other - (other - one) * (1 - t) if t >= 0.5 else one + (other - one) * t
