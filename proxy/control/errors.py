"""What can be wrong with a mesh configuration or with starting the control plane.

ControlError
├── ConfigRefused    the configuration as a whole is not taken; lists every mistake with its path
└── UnknownInstance  a proxy asks for a snapshot of an instance that no Service names
"""

from __future__ import annotations


class ControlError(Exception):
    """Anything the control plane refuses."""


class ConfigRefused(ControlError):
    """The configuration is not taken; `mistakes` has one line for each, path first."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class UnknownInstance(ControlError):
    """No Service has an endpoint of that name."""
