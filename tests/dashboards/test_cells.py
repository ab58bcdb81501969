"""Results of any query as table, CSV and JSON."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

from collector.store.client import Table
from dashboards import cells

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
TABLE = Table(
    [("name", "String"), ("n", "UInt8"), ("tags", "Map(String, String)"), ("n", "Decimal(9, 2)"), ("at", "DateTime")],
    [("=HYPERLINK(1)", 1, {"a": "ä"}, Decimal("1.50"), MOMENT), ("plain, text", None, {}, None, None)],
)


def test_nested_values_become_json_text_on_the_screen() -> None:
    columns = cells.columns(TABLE)
    assert columns["tags"] == ['{"a": "ä"}', "{}"]
    assert columns["n (4)"] == ["1.50", None]
    assert columns["at"] == [MOMENT, None]


def test_csv_is_quoted_and_runs_no_formula() -> None:
    rows = list(csv.reader(io.StringIO(cells.as_csv(TABLE))))
    assert rows[0] == ["name", "n", "tags", "n", "at"]
    assert rows[1][0] == "'=HYPERLINK(1)"
    assert rows[2][0] == "plain, text"


def test_json_keeps_nested_values_nested() -> None:
    first = json.loads(cells.as_json(TABLE))[0]
    assert first["tags"] == {"a": "ä"}
    assert first["n (4)"] == "1.50"
