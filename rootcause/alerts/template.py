"""Says a notice as a template of the user's own has it: for listeners that no format here fits.

In: a Jinja2 template, a notice. Out: the body to post. Never: anything but the notice within a template's reach.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rootcause.alerts.notice import Event, Notice, of_finding
from rootcause.alerts.trial import trial

# What comes out is JSON, not HTML: `tojson` quotes, and JSON that does not parse is refused.
_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_ENVIRONMENT.policies["json.dumps_function"] = partial(json.dumps, default=str)  # what is undefined says its name then


class TemplateRefused(ValueError):
    """A template cannot say what it has to; the message names the file, the line and what is wrong."""


class Template:
    """One file, tried with a test message when it is read. Raises TemplateRefused.

    It sees `event`, `sent_at`, and the fields of a `Notice` as `notice`; what it makes has to be JSON.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._template = _ENVIRONMENT.from_string(path.read_text(encoding="utf-8"))
        except TemplateSyntaxError as error:
            raise TemplateRefused(f"{path}:{error.lineno}: {error.message}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateRefused(f"{path}: {error}") from None
        opened, resolved = trial(datetime.now(UTC))
        self.render("opened", of_finding(opened), opened.opened_at)
        self.render("worsened", of_finding(opened).model_copy(update={"was": "warning"}), opened.opened_at)
        self.render("resolved", of_finding(resolved), opened.opened_at)

    def render(self, event: Event, notice: Notice, sent_at: datetime) -> bytes:
        """The body of one message. Raises TemplateRefused."""
        told = notice.model_dump(mode="json")
        try:
            text = self._template.render(event=event, sent_at=sent_at.isoformat(), notice=told)
            json.loads(text)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            hint = "; write text as {{ notice.title | tojson }}" if isinstance(error, json.JSONDecodeError) else ""
            raise TemplateRefused(f"{self.path}: {event}: {error}{hint}") from None
        return text.encode()
