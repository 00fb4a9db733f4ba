"""What a run is made of, by name: its state in a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.errors import CheckpointError
from understudy.run.watch import Stateful


def states_of(parts: Mapping[str, Stateful]) -> dict[str, Any]:
    """The state of every part."""
    return {name: part.state_dict() for name, part in parts.items()}


def load_states(parts: Mapping[str, Stateful], states: Mapping[str, Any]) -> None:
    """Give every part its state.

    Raises:
        CheckpointError: It is the state of other parts.
        EnvError: An environment is not determined by its seed and actions.
    """
    if set(states) != set(parts):
        raise CheckpointError(
            f"the checkpoint is of a run made of {', '.join(sorted(states))}; this one is made of "
            f"{', '.join(sorted(parts))}: are the settings the same?"
        )
    try:
        for name, part in parts.items():
            part.load_state_dict(states[name])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint does not fit this run: {error}; are the settings and the "
            "demonstrations the same?"
        ) from None
