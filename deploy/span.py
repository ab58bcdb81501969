"""A length of time as people type it."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_SPAN = re.compile(r"(\d{1,5})(s|m|h|d)")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Span(click.ParamType[timedelta]):
    """A time back from now, such as 30m, 6h or 2d."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = _SPAN.fullmatch(str(value))
        if isinstance(value, timedelta) or found is None:
            return value if isinstance(value, timedelta) else self.fail(f"{value}: expected 30m, 6h or 2d", param, ctx)
        return timedelta(**{_UNIT[found[2]]: int(found[1])})
