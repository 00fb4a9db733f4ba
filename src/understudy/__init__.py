"""Learn what to do from being shown.

The names below are loaded when they are first used, so that importing the package costs nothing.

Example:
    `agent = BC("LunarLander-v3", "demos/lander").learn()`, then `evaluate(agent, "LunarLander-v3")`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from understudy.data.arrays import from_arrays
    from understudy.data.demos import Demos
    from understudy.data.formats.door import load_demos
    from understudy.data.formats.native import write_demos
    from understudy.data.spec import Spec
    from understudy.imitators import AIRL, DAC, GAIL, LSIQ, PWIL, RLPD, SQIL, Guided
    from understudy.interactive import DAgger
    from understudy.presets import BC, PPO, SAC, evaluate, record
    from understudy.run.policy import Policy

__all__ = [
    "AIRL",
    "BC",
    "DAC",
    "GAIL",
    "LSIQ",
    "PPO",
    "PWIL",
    "RLPD",
    "SAC",
    "SQIL",
    "DAgger",
    "Demos",
    "Guided",
    "Policy",
    "Spec",
    "evaluate",
    "from_arrays",
    "load_demos",
    "record",
    "write_demos",
]

_HOMES = {
    "AIRL": "understudy.imitators",
    "BC": "understudy.presets",
    "DAC": "understudy.imitators",
    "DAgger": "understudy.interactive",
    "GAIL": "understudy.imitators",
    "PPO": "understudy.presets",
    "PWIL": "understudy.imitators",
    "SAC": "understudy.presets",
    "SQIL": "understudy.imitators",
    "Demos": "understudy.data.demos",
    "Policy": "understudy.run.policy",
    "Spec": "understudy.data.spec",
    "evaluate": "understudy.presets",
    "from_arrays": "understudy.data.arrays",
    "load_demos": "understudy.data.formats.door",
    "record": "understudy.presets",
    "write_demos": "understudy.data.formats.native",
    "LSIQ": "understudy.imitators",
    "RLPD": "understudy.imitators",
    "Guided": "understudy.imitators",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
