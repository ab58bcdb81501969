"""Says how grave a log line is in one spelling, whatever its logger calls that.

In: the severity as recorded. Out: it again where it is a word, a word where it is a letter or a number.
"""

from __future__ import annotations

_OPENTELEMETRY = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""In steps of four from 1 (log data model, SeverityNumber)."""
_LETTERS = {"T": "TRACE", "D": "DEBUG", "I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL", "C": "FATAL"}
_TENS = {40: "ERROR", 50: "ERROR", 60: "FATAL"}
"""Of loggers that count in tens. 30 is a warning to some of them and nothing to speak of to others."""


def severity_of(recorded: str) -> str:
    """The severity in a word; empty where a number says nothing."""
    said = recorded.strip().strip("[]")
    if not said.isdigit():
        return _LETTERS.get(said.upper(), said)
    number = int(said)
    if 1 <= number <= 4 * len(_OPENTELEMETRY):
        return _OPENTELEMETRY[(number - 1) // 4]
    return _TENS.get(number, "")
