"""Numbers as a person reads them at night. In: figures. Out: a few characters; what is not nothing never reads so."""

from __future__ import annotations


def ms(value: float) -> str:
    """`<0.1 ms`, `0.4 ms`, `38 ms`, `2.1 s`."""
    size = abs(value)
    if 0 < size < 0.05:
        return "<0.1 ms"
    if size >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if 0 < size < 9.95 else f"{value:.0f} ms"


def added_ms(value: float) -> str:
    """`+38 ms`, `-0.4 ms`."""
    return f"{'-' if value < 0 else '+'}{ms(abs(value))}"


def percent(share: float) -> str:
    """`<0.1 %`, `0.4 %`, `38 %`, `99.6 %`."""
    size = abs(share)
    if 0 < size < 0.0005:
        return "<0.1 %"
    near_an_end = 0 < size < 0.01 or 0.99 < size < 0.9995
    return f"{100 * share:.1f} %" if near_an_end else f"{100 * share:.0f} %"


def amount(value: float, unit: str) -> str:
    """A figure in the unit of a symptom: ms, share, requests/s."""
    if unit == "requests/s":
        return f"{value:.1f} requests/s"
    return ms(value) if unit == "ms" else percent(value)
