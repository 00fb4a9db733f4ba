"""What a diagnosis says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How sure it is that something must be done.

    WRONG: learning from this as it is, or what is measured then, is not to be trusted.
    DOUBTFUL: allowed, and often a mistake; somebody who knows the task should look.
    """

    WRONG = "wrong"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong or odd.

    Attributes:
        name: Of the diagnosis, such as `duplicates`.
        severity: How sure it is that something must be done.
        says: What was found, with numbers.
        means: What comes of it if nothing is done.
        advice: What to do, with the option or the command that mends it.
    """

    name: str
    severity: Severity
    says: str
    means: str
    advice: str

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)
