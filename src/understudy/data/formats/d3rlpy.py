"""Reading d3rlpy's HDF5 files (`ReplayBuffer.dump`, version 2.1).

`columns`, `num_episodes` and `version` at the top, and for episode 7 the arrays `observations_7`
(`observations_7_0`, `observations_7_1` ... where an observation has several parts), `actions_7`,
`rewards_7` and `terminated_7`. The last observation of an episode is not stored.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End
from understudy.data.formats.grouped import Grouped, Part, Said, lengths_of, read_grouped
from understudy.data.formats.hdf5 import Hdf5
from understudy.data.spec import Spec

MEMBERS = frozenset({"columns", "num_episodes", "version"})
COLUMNS = {"observations", "actions", "rewards", "terminated"}


def recognizes(names: Sequence[str]) -> bool:
    """Whether an HDF5 file with these names at its top is one of d3rlpy."""
    return set(names) >= MEMBERS


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in an HDF5 file of d3rlpy.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, or does not fit the spec.
        MissingExtraError: h5py is not installed.
    """
    file = Hdf5(path)
    columns = set(file.texts("columns"))
    if not columns >= COLUMNS:
        found = f"names {', '.join(sorted(columns))[:200]}"
        raise file.refusal("columns", found, ", ".join(sorted(COLUMNS)))
    names = set(file.names())
    count = int(file.number("num_episodes"))
    if count != sum(name.startswith("actions_") for name in names):
        raise file.refusal("num_episodes", f"is {count}", "the number of episodes in the file")
    seen = _parts(names, "observations", 0)
    if len(_parts(names, "actions", 0)) > 1 or len(_parts(names, "rewards", 0)) > 1:
        raise file.refusal("actions_0", "are several arrays", "one")

    def part(index: int) -> Part:
        obs = {key: f"observations_{index}{key and '_' + key}" for key in seen}
        return Part(obs=obs, action={"": f"actions_{index}"}, reward=f"rewards_{index}")

    def said(index: int) -> Said:
        ended = file.number(f"terminated_{index}")
        return Said(end=End.TERMINATED if ended else End.TRUNCATED)

    rows = (f"actions_{index}" for index in range(count))
    grouped = Grouped(
        file=file,
        lengths=lengths_of(file, rows, count),
        part=part,
        said=said,
        fetch=file.array,
        shape=file.shaped,
    )
    version = (file.texts("version") or [""])[0][:20]
    versions = {"d3rlpy data set": version}
    origin = Provenance(format="d3rlpy", files=(os.fspath(path),), versions=versions)
    return read_grouped(grouped, spec, origin)


def _parts(names: set[str], column: str, index: int) -> list[str]:
    """The names of the parts of a column: one without a name, or 0, 1, 2 ..."""
    if f"{column}_{index}" in names:
        return [""]
    count = 0
    while f"{column}_{index}_{count}" in names:
        count += 1
    return [str(place) for place in range(count)]
