"""What understudy says when it cannot go on.

Each of these is the user's to mend, so the command prints it as one sentence and exits with 2;
anything else that is raised is our fault. A message says what was found, what was expected, where
it came from and what to do.
"""

from __future__ import annotations


class UnderstudyError(Exception):
    """Something that the user can mend."""


class ConfigError(UnderstudyError):
    """A setting that is unknown, of the wrong type or out of range."""


class DemoError(UnderstudyError):
    """A demonstration that cannot be read, or does not fit."""


class EnvError(UnderstudyError):
    """An environment that cannot be made, breaks its contract, or does not fit."""


class CheckpointError(UnderstudyError):
    """A run folder or checkpoint that is missing, damaged, or from another version."""


class NonFiniteError(UnderstudyError):
    """A number that is learned from is nan or infinite; the weights are as they were before it."""


class MissingExtraError(UnderstudyError):
    """A feature whose optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs an extra: pip install "understudy[{extra}]"')
        self.extra = extra
