"""Log lines of the process: plain on a terminal, one JSON object a line everywhere else."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from aiohttp.http_exceptions import HttpProcessingError


class JsonLines(logging.Formatter):
    """Time, level, logger and message; `fields` of a record's `extra` beside them."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _is_ours(record: logging.LogRecord) -> bool:
    """Bytes that are no HTTP are answered with 400; they are the sender's trouble and need no traceback here."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def set_up() -> None:
    """Sends everything from INFO up to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    if not sys.stderr.isatty():
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    handler.addFilter(_is_ours)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
