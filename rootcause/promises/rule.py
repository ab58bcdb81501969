"""A rule in SQL: whoever can ask a question can have an alarm of it.

In: an open Reader, a rule. Out: what fires: the rows that the query returns; or that the query is refused.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.promises.alarms import CALM_S, Firing, Severity

_SHOWN = 3
_LONGEST_WHY = 300


def _asks(text: str) -> str:
    if not re.match(r"\s*(SELECT|WITH)\b", text, re.IGNORECASE):
        raise ValueError("a rule asks: its sql starts with SELECT or WITH")
    return text


class Rule(BaseModel):
    """Fires while `sql` returns a row, once for each value of a column `service`, if there is one; a column `value` is
    what is told as its figure. Its alarm is over when it did not fire for `over_after_s`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    sql: Annotated[str, AfterValidator(_asks)]
    severity: Severity = "warning"
    every_s: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    over_after_s: Annotated[float, Field(ge=0, le=86_400)] = CALM_S


def ask(reader: Reader, rule: Rule) -> list[Firing]:
    """Asks once. Raises StoreUnavailable, QueryFailed."""
    by_service: dict[str, list[dict[str, object]]] = {}
    for row in reader.rows(rule.sql):
        by_service.setdefault(str(row.get("service", "")), []).append(row)
    return [_firing(rule, service, rows) for service, rows in by_service.items()]


def refused(rule: Rule, error: QueryFailed) -> Firing:
    """What fires of a rule that cannot be asked: nobody may wait for an alarm that will never come."""
    return Firing(
        kind="rule",
        rule=refused_name(rule),
        service="",
        severity="warning",
        title=f"rule {rule.name} cannot be asked",
        why=" ".join(str(error).split())[:_LONGEST_WHY],
        value=0.0,
        limit=0.0,
        sql=rule.sql,
    )


def refused_name(rule: Rule) -> str:
    """Under which name that is an alarm."""
    return f"{rule.name} (refused)"


def _firing(rule: Rule, service: str, rows: list[dict[str, object]]) -> Firing:
    value = rows[0].get("value")
    shown = "; ".join(", ".join(f"{name} {cell}" for name, cell in row.items()) for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return Firing(
        kind="rule",
        rule=rule.name,
        service=service,
        severity=rule.severity,
        title=f"{rule.name}: {service}" if service else rule.name,
        why=f"{shown}{more}",
        value=float(value) if isinstance(value, int | float) else float(len(rows)),
        limit=0.0,
        sql=rule.sql,
    )
