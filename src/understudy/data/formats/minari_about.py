"""What Minari's `metadata.json` says of a data set, however its episodes are stored.

Source: https://minari.farama.org/content/dataset_standards/.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode
from understudy.data.formats.left_out import left_out
from understudy.data.formats.minari_spaces import InSpaces, described, in_spaces, spec_of_texts
from understudy.data.formats.refusal import read_json, refusal
from understudy.data.spec import Spec
from understudy.errors import DemoError, EnvError

METADATA_FILE = "metadata.json"
LONGEST_METADATA = 64 << 20


def read_metadata(path: Path) -> dict[str, Any]:
    """What the file says; nothing if it is not there.

    Raises:
        DemoError: It is no JSON object, or too long.
    """
    return read_json(path, LONGEST_METADATA, "Minari's metadata") if path.is_file() else {}


def spec_said(path: str | os.PathLike[str], about: dict[str, Any]) -> Spec | None:
    """The spec of the spaces in the metadata; None if it has none.

    Raises:
        DemoError: They are no spaces, or not supported.
    """
    seen, done = about.get("observation_space"), about.get("action_space")
    if not isinstance(seen, str) or not isinstance(done, str):
        return None
    try:
        return spec_of_texts(seen, done)
    except EnvError as error:
        raise refusal(path, None, f"its spaces: {error}", "spaces of Gymnasium") from None


def provenance_said(
    path: str | os.PathLike[str], about: dict[str, Any], notes: tuple[str, ...]
) -> Provenance:
    """Where the data set came from, as its metadata says."""
    try:
        env_id = json.loads(about["env_spec"])["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        env_id = None
    actor, version = about.get("algorithm_name"), about.get("minari_version")
    return Provenance(
        format="minari",
        files=(os.fspath(path),),
        env_id=env_id if isinstance(env_id, str) else None,
        actor=actor if isinstance(actor, str) and actor else None,
        versions={"minari": version} if isinstance(version, str) else {},
        notes=notes,
    )


def told_in_spaces(path: str | os.PathLike[str], demos: Demos) -> InSpaces:
    """The spec of what is to be written, with spaces that Minari can describe.

    Raises:
        DemoError: There are none.
    """
    try:
        told = in_spaces(demos.spec)
        described(told.spec)
    except EnvError as error:
        raise DemoError(f"{os.fspath(path)}: {error}") from None
    return told


def write_metadata(
    path: Path, name: str, demos: Demos, told: InSpaces, *, steps: int, data_format: str
) -> set[str]:
    """Writes the metadata of a new data set; returns what it has no place for.

    Args:
        path: The file.
        name: What the data set is called, such as `expert-v0`.
        demos: What is in it.
        told: The spec with its spaces.
        steps: How many steps there are.
        data_format: How episodes are stored: `hdf5` or `arrow`.
    """
    observation_space, action_space = described(told.spec)
    metadata: dict[str, Any] = {
        "total_episodes": len(demos),
        "total_steps": steps,
        "data_format": data_format,
        "jpeg_encoding": False,
        "observation_space": observation_space,
        "action_space": action_space,
        "dataset_id": name,
        "minari_version": "0.5.3",
        "author": [],
        "author_email": [],
    }
    if demos.provenance.actor:
        metadata["algorithm_name"] = demos.provenance.actor
    path.write_text(json.dumps(metadata))
    if demos.provenance.env_id:
        return {"the environment's id, which Minari keeps with all of its registration"}
    return set()


def lost_of(episode: Episode) -> set[str]:
    """What an episode has that no data set of Minari has a place for."""
    lost = left_out(episode)
    if not episode.final_obs_known:
        lost.add("that last observations are missing (the one before stands there again)")
    if episode.end is End.OPEN:
        lost.add("which recordings stopped in the middle")
    return lost
