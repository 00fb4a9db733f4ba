"""Settings that were tuned for single environments: a YAML file each, in a folder per method.

They are what `understudy learn ENV --with METHOD` and the presets begin with; each says in its
first lines what it reached, and `benchmarks/learning` runs it again.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def tuned(method: str, env_id: str | None) -> Path | None:
    """The file with a method's settings for an environment; None where none were tuned.

    Args:
        method: Such as `ppo`.
        env_id: A Gymnasium id, with or without a module in front.
    """
    known = {file.stem: file for file in (FOLDER / method).glob("*.yaml")}
    name = str(env_id).rpartition(":")[2]
    return known.get(name.replace("/", "."))
