"""Has the mesh record everything around a suspect for some minutes, as soon as an incident opens.

In: findings that open. Out: an order to the control plane, which takes it back by itself when its time is over. Never:
a reason for anything else to wait or fail.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import aiohttp

from rootcause.explain.finding import Finding
from rootcause.settings import Recording

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
_LONGEST_WORD = 500


class CloserLook:
    """`told` says where the control plane is, None that there is none to ask; `token` is empty for none."""

    def __init__(self, told: Recording | None, token: str) -> None:
        self._told = told
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def order(self, finding: Finding) -> None:
        """Asks for it once; what becomes of that is logged."""
        if self._told is None:
            return
        body = {"services": suspects(finding), "for_s": self._told.for_s}
        url = f"{self._told.control.rstrip('/')}/v1/recording"
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=self._headers, trust_env=False) as session,
                session.post(url, json=body, ssl=_known_by(self._told.root_file)) as answer,
            ):
                if answer.status >= 300:
                    word = (await answer.text(errors="replace"))[:_LONGEST_WORD]
                    log.warning("no closer look at %s: %s answered %d: %s", body["services"], url, answer.status, word)
                    return
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("no closer look at %s: %s: %s", body["services"], url, error or type(error).__name__)
            return
        log.info("%s record everything for %.0f s", ", ".join(suspects(finding)), self._told.for_s)


def _known_by(root: Path | None) -> ssl.SSLContext | bool:
    """By what the control plane is known at https; raises OSError when the file cannot be used."""
    return ssl.create_default_context(cafile=root) if root else True


def suspects(finding: Finding) -> list[str]:
    """The culprit, who calls it on the link that is to blame, and where the symptom is felt."""
    source, _, _ = finding.culprit.link.partition(" -> ")
    return list(dict.fromkeys(filter(None, (finding.culprit.service, source, finding.symptom.service))))
