"""Says of a disk that does not take something what is wrong with it and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "raise the quota or make room there",
    errno.EROFS: "mount it to be written",
    errno.EACCES: "let the collector's user write there",
    errno.EPERM: "let the collector's user write there",
}


def unwritable(what: str, where: Path, error: OSError, setting: str) -> str:
    """One sentence for an operator; `setting` names what would take another place."""
    advice = _ADVICE.get(error.errno or 0, "look at the disk")
    return f"{what} {where} cannot be written: {error.strerror or error}; {advice} or give {setting} another place"
