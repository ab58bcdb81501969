"""What queries through the doors may cost, and the advice given when one would cost more."""

from collections.abc import Mapping
from dataclasses import dataclass

from collector.store import errors


@dataclass(frozen=True)
class Bounds:
    """Upper bounds; a client may ask for less, never for more.

    Rows and bytes are those of the result, memory is bytes of the engine, time is seconds. `at_once` queries run;
    one more waits `wait_seconds` for its turn.
    """

    seconds: float = 60
    rows: int = 1_000_000
    result_bytes: int = 512 << 20
    memory: int = 4 << 30
    threads: int = 4
    at_once: int = 16
    wait_seconds: float = 5

    def settings(self) -> dict[str, str]:
        """The same bounds under ClickHouse's names."""
        return {
            "max_execution_time": f"{self.seconds:g}",
            "max_result_rows": str(self.rows),
            "max_result_bytes": str(self.result_bytes),
            "max_memory_usage": str(self.memory),
            "max_threads": str(self.threads),
        }

    def within(self, asked: Mapping[str, str]) -> dict[str, str]:
        """What a client asked for, lowered to the bounds; 0 is ClickHouse's "no bound" and gets all there is."""
        lowered = dict(asked)
        for name, most in self.settings().items():
            if name in asked and not 0 < _number(asked[name]) <= float(most):
                lowered[name] = most
        return lowered


def _number(text: str) -> float:
    """Text that is not a number is kept as it is: the engine words that error best."""
    try:
        return float(text)
    except ValueError:
        return 1


_ADVICE = {
    errors.TOO_MANY_ROWS: "Narrow the time range or add a condition on the leading key columns.",
    errors.TOO_MANY_BYTES: "Narrow the time range or name the columns you need instead of *.",
    errors.TOO_MANY_ROWS_OR_BYTES: "Add LIMIT, aggregate, or narrow the time range.",
    errors.TIMEOUT_EXCEEDED: "Narrow the time range, or read a roll-up (mesh_edges, mesh_routes) instead of spans.",
    errors.MEMORY_LIMIT_EXCEEDED: "Group by fewer keys, sort with LIMIT, or narrow the time range.",
}


def advice(code: int) -> str:
    """How to make a query cheaper after ClickHouse gave it up with `code`; empty for other errors."""
    return _ADVICE.get(code, "")
