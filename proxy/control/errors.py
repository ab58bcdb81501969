"""What can be wrong with a mesh configuration or with starting the control plane.

ControlError
├── ConfigRefused    the configuration as a whole is not taken; lists every mistake with its path
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
