"""What can be wrong with a mesh configuration or with starting the control plane.

ControlError
├── ConfigRefused    the configuration as a whole is not taken; lists every mistake with its path
├── Conflict         a document is no longer what whoever changes it has seen
├── NoDocument       there is no document of that name
├── NotAllowed       whoever asks may not
├── NotLeading       another control plane leads; what was to be changed is to be asked of it
├── NotStarted       an address or what is kept for the authority cannot be had
├── StateUnusable    the state cannot be opened or written
└── UnknownProxy     a proxy asks for a snapshot under a name that the configuration does not have
"""

from __future__ import annotations


class ControlError(Exception):
    """Anything the control plane refuses."""


class ConfigRefused(ControlError):
    """The configuration is not taken; `mistakes` has one line for each, path first."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class UnknownProxy(ControlError):
    """No proxy of that name is in the configuration."""


class Conflict(ControlError):
    """A document is not as whoever wants to change it believes; `current` is its text now, None for none."""

    def __init__(self, sentence: str, key: str, current: str | None, mine: str | None) -> None:
        super().__init__(sentence)
        self.key, self.current, self.mine = key, current, mine


class NoDocument(ControlError):
    """There is no such document, or none any more."""


class NotLeading(ControlError):
    """Another control plane leads; `url` says where it is, empty when that is not known."""

    def __init__(self, url: str) -> None:
        super().__init__(f"another control plane leads: {url or 'which one is not settled yet; try again'}")
        self.url = url


class NotStarted(ControlError):
    """What the control plane needs to serve cannot be had; the message says what."""


class StateUnusable(ControlError):
    """The state on disk; the message says what to do."""


class NotAllowed(ControlError):
    """Whoever asks may not; the message says what would be needed."""
