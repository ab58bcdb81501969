"""What text indexes cost and give: a million spans and log lines stored and searched with either kind of index.

`python -m tests.bench.indexes [ROWS]`. Each kind runs in a process of its own, over rows that the engine makes itself,
so that its CPU time is that of storing them: columns, indexes, roll-ups and merges.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import get_args

from collector.store.bounds import Bounds
from collector.store.engine import Engine, Session
from collector.store.indexes import Indexes
from collector.store.layout import Layout
from collector.store.migrate import apply

ROWS = 1_000_000
BLOCK = 50_000
SPANS = """
INSERT INTO otel.otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind, ServiceName, ResourceAttributes,
    SpanAttributes, Duration, StatusCode)
SELECT toDateTime64('2026-11-20 10:00:00', 9) + number / 500, hex(sipHash128(intDiv(number, 8))),
    hex(sipHash64(number)), 'GET /r' || toString(number % 40), 'Server', 'svc' || toString(number % 12),
    map('service.name', 'svc' || toString(number % 12), 'host.name', 'host-' || toString(number % 30)),
    map('http.request.method', 'GET', 'http.response.status_code', if(number % 500 = 0, '503', '200'),
        'url.path', '/r' || toString(number % 40) || '/' || toString(sipHash64(number) % 5000),
        'user.id', toString(sipHash64(number, 1) % 200000), 'mesh.route', '/r' || toString(number % 40),
        'mesh.time.own_us', toString(sipHash64(number, 2) % 9000), 'client.address', '10.0.' || toString(number % 250)),
    sipHash64(number, 3) % 100000000, if(number % 500 = 0, 'Error', 'Unset')
FROM numbers({}, {})
"""
LINES = """
INSERT INTO otel.otel_logs (Timestamp, TraceId, SeverityText, ServiceName, Body, ResourceAttributes, LogAttributes)
SELECT toDateTime64('2026-11-20 10:00:00', 9) + number / 500, hex(sipHash128(intDiv(number, 8))), 'INFO',
    'svc' || toString(number % 12),
    concat('order ', toString(sipHash64(number, 4) % 300000), ' of customer c', toString(sipHash64(number, 5) % 50000),
        if(number % 100000 = 7, ' Refused: no funds', ' accepted'), ' in ', toString(number % 97), ' ms'),
    map('service.name', 'svc' || toString(number % 12)),
    map('order.id', toString(sipHash64(number, 4) % 300000), 'thread', toString(number % 16))
FROM numbers({}, {})
"""
SEARCHES = {
    "spans by user.id": "otel_traces WHERE SpanAttributes['user.id'] = '4242'",
    "spans by any value": "otel_traces WHERE has(mapValues(SpanAttributes), '4242')",
    "spans of a trace": "otel_traces WHERE TraceId = (SELECT hex(sipHash128(intDiv(toUInt64(400000), 8))))",
    "lines by order.id": "otel_logs WHERE LogAttributes['order.id'] = '4242'",
    "lines with a rare word": "otel_logs WHERE hasToken(lower(Body), 'refused')",
    "lines with two words": "otel_logs WHERE hasToken(lower(Body), 'c4242') AND hasToken(lower(Body), 'accepted')",
}


def measured(folder: Path, kind: Indexes, rows: int) -> dict[str, float]:
    """Figures of one kind, by name."""
    engine = Engine.open(folder, Bounds())
    session = engine.session()
    apply(session.execute, session.rows, layout=Layout(indexes=kind))
    begun = cpu()
    for table, sql in (("otel_traces", SPANS), ("otel_logs", LINES)):
        for first in range(0, rows, BLOCK):
            session.execute(sql.format(first, BLOCK))
        session.execute(f"OPTIMIZE TABLE otel.{table} FINAL")
    figures = {"CPU s": cpu() - begun}
    sizes = session.rows(
        "SELECT table, sum(bytes_on_disk), sum(secondary_indices_compressed_bytes) FROM system.parts"
        " WHERE active AND table IN ('otel_traces', 'otel_logs') GROUP BY table ORDER BY table"
    )
    for table, size, index in sizes:
        figures |= {f"{table} bytes/row": int(size) / rows, f"{table} of them indexes": int(index) / rows}
    for name, search in SEARCHES.items():
        figures[f"{name}, CPU ms"] = milliseconds(session, f"SELECT count(), max(Timestamp) FROM otel.{search}")
    session.close()
    engine.close()
    return figures


def milliseconds(session: Session, sql: str) -> float:
    """CPU time of the engine, the median of nine, warm."""
    took = []
    for _ in range(9):
        begun = cpu()
        session.run(sql)
        took.append((cpu() - begun) * 1000)
    return statistics.median(took)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    figures = {}
    for kind in get_args(Indexes):
        command = [sys.executable, "-m", "tests.bench.indexes", str(rows), kind]
        figures[kind] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    print(f"{rows:,} spans and as many log lines{'bloom':>17}{'text':>12}")
    for name, bloom in figures["bloom"].items():
        print(f"{name:34}{bloom:12.1f}{figures['text'][name]:12.1f}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(Path(folder), "text" if sys.argv[2] == "text" else "bloom", int(sys.argv[1]))))
    else:
        main()
