"""Makes the body of one post from the messages that go out in it. Pure.

In: a target, what it is to be told. Out: JSON as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rootcause.alerts import digest, formats
from rootcause.alerts.formats import Format, Told
from rootcause.alerts.notice import linked
from rootcause.alerts.targets import Target

MOST = 100
"""Messages in one post, where a format can say several."""
_TOGETHER: Mapping[Format, Callable[[Sequence[Told]], Any]] = {
    "alertmanager": formats.alertmanager,
    "slack": digest.slack,
    "teams": digest.teams,
}


def together(target: Target) -> int:
    """How many messages may go out in one post."""
    return MOST if target.template is None and target.format in _TOGETHER else 1


def forgets(target: Target) -> bool:
    """Whether it takes for over what it does not hear of again. Source: Alertmanager, "Sending alerts": clients send an
    alert again for as long as it goes on, every 30 s to 3 min."""
    return target.template is None and target.format == "alertmanager"


def compose(target: Target, told: Sequence[Told], sent_at: datetime) -> bytes:
    """The body; as many notices as `together` allows, the oldest first. Raises TemplateRefused."""
    told = [(event, linked(notice, target.ui)) for event, notice in told]
    event, notice = told[0]
    if target.template is not None:
        return target.template.render(event, notice, sent_at)
    if len(told) > 1:
        return json.dumps(_TOGETHER[target.format](told)).encode()
    return json.dumps(formats.body(target.format, event, notice, sent_at, target.key)).encode()
