"""What is in demonstrations, as JSON values: the facts behind `demos show`.

Every episode is looked at once, so episodes that are read from disk when asked for are read once.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.catalog import numbers_of
from understudy.data.demos import Demos
from understudy.data.episode import ActedBy, Episode, Tree
from understudy.data.spec import Obs, Spec, present

MOST_LISTED = 100
"""Episodes whose return and length are listed one by one."""
MOST_BINS = 24
GROUP_BYTES = 4 << 20
"""Short episodes are looked at together, up to so many bytes: arithmetic on many rows at once."""
MOST_COLUMNS = 256
"""Constant columns that are listed."""


def summarize(demos: Demos) -> dict[str, Any]:
    """Everything worth knowing of demonstrations before learning from them.

    Returns:
        JSON values; what is not known is None. Spreads are those of the population, in the units of
        the data:

        - `format`, `files`, `env_id`, `versions`, `actor`, `alignment` with its `reason`, `notes`
        - `episodes`, `steps`
        - `spec`: as JSON, and `sees` and `does` in words
        - `returns`, `lengths`: `mean`, `std`, `min`, `max`, a `histogram` (`edges`, `counts`), and
          `each` for at most `MOST_LISTED` episodes
        - `ends`: episodes by how they ended; `acted_by`: steps by who chose
        - `unseen_ends`: episodes whose last observation was not recorded
        - `corrected_steps`: steps on which something else was meant than was executed
        - `actions`: `branches` (`counts` and `shares` by choice) and `continuous` (`mean`, `std`,
          `min`, `max`, share `outside` the bounds)
        - `observations`: by name, `min` and `max`, `constant` columns; how many entities were
          `present`; the share of choices that a mask `forbids`
        - `duplicates`: pairs of episode numbers (see `understudy.data.catalog`), the later one and
          the one that it repeats
    """
    found = _Facts(demos.spec)
    for episodes in _together(demos):
        found.see(episodes)
    p = demos.provenance
    if found.duplicates:
        numbers = numbers_of(demos)
        found.duplicates = [[numbers[i] for i in pair] for pair in found.duplicates]
    return {
        "format": p.format,
        "files": list(p.files),
        "env_id": p.env_id,
        "versions": dict(p.versions),
        "actor": p.actor,
        "alignment": p.alignment,
        "reason": p.reason,
        "notes": list(p.notes),
        **found.to_json(),
    }


def numbers(x: NDArray[np.float64]) -> dict[str, Any] | None:
    """Mean, spread, range and histogram of `[E]` numbers; None if none of them is known."""
    known = x[np.isfinite(x)]
    if not len(known):
        return None
    bins = int(np.clip(2 * math.sqrt(len(known)), 1, MOST_BINS))
    low, high = float(known.min()), float(known.max())
    bins, span = (bins, (low, high)) if high > low else (1, (low - 0.5, low + 0.5))
    counts, edges = np.histogram(known, bins, span)
    return {
        "mean": float(known.mean()),
        "std": float(known.std()),
        "min": low,
        "max": high,
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "each": [_known(v) for v in x.tolist()] if len(x) <= MOST_LISTED else None,
    }


def _together(demos: Demos) -> Iterator[list[Episode]]:
    row = sum(math.prod(f.shape) * f.dtype.itemsize for f in demos.spec.fields.values()) + 1
    group: list[Episode] = []
    size = 0
    for episode in demos:
        size += (len(episode) + 1) * row
        if group and size > GROUP_BYTES:
            yield group
            group, size = [], (len(episode) + 1) * row
        group.append(episode)
    if group:
        yield group


def _rows(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """One after the other; a single one as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


class _Facts:
    """What was seen of the episodes so far."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.returns: list[float] = []
        self.lengths: list[int] = []
        self.ends: Counter[str] = Counter()
        self.acted_by: Counter[str] = Counter()
        self.unseen_ends = self.corrected = 0
        self.branches = [np.zeros(size, np.int64) for size in spec.action.branches]
        self.continuous = _Continuous(spec)
        self.observed = {name: _observed(name, obs) for name, obs in spec.obs.items()}
        self.prints: dict[bytes, int] = {}
        self.duplicates: list[list[int]] = []

    def see(self, episodes: list[Episode]) -> None:
        for episode in episodes:
            self._see_print(episode)
            self.returns.append(episode.return_)
            self.lengths.append(len(episode))
            self.ends[episode.end.value] += 1
            self.unseen_ends += not episode.final_obs_known
            if episode.proposed is not None:
                differs = (episode.proposed.continuous != episode.action.continuous).any(1)
                differs |= (episode.proposed.discrete != episode.action.discrete).any(1)
                self.corrected += int(differs.sum())
        acted_by = np.bincount(_rows([episode.acted_by for episode in episodes]))
        for who in np.flatnonzero(acted_by).tolist():
            self.acted_by[ActedBy(who).name.lower()] += int(acted_by[who])
        discrete = _rows([episode.meant.discrete for episode in episodes])
        for k, counts in enumerate(self.branches):
            counts += np.bincount(discrete[:, k], minlength=len(counts))
        self.continuous.see(_rows([episode.meant.continuous for episode in episodes]))
        seen = {name: _rows([e.obs[name] for e in episodes]) for name in self.spec.fields}
        for observed in self.observed.values():
            observed.see(seen)

    def _see_print(self, episode: Episode) -> None:
        if not len(episode):
            return
        digest = hashlib.blake2b(digest_size=16)
        for array in (*episode.obs.values(), episode.action.continuous, episode.action.discrete):
            digest.update(np.ascontiguousarray(array).data)
        number = len(self.lengths)
        first = self.prints.setdefault(digest.digest(), number)
        if first != number:
            self.duplicates.append([number, first])

    def to_json(self) -> dict[str, Any]:
        sees, does = self.spec.describe().removeprefix("sees ").rsplit("; does ", 1)
        return {
            "episodes": len(self.lengths),
            "steps": sum(self.lengths),
            "spec": json.loads(json.dumps(self.spec.to_json())),  # tuples become lists
            "sees": sees,
            "does": does,
            "returns": numbers(np.array(self.returns, np.float64)),
            "lengths": numbers(np.array(self.lengths, np.float64)),
            "ends": dict(self.ends),
            "acted_by": dict(self.acted_by),
            "unseen_ends": self.unseen_ends,
            "corrected_steps": self.corrected,
            "actions": {
                "branches": [
                    {"counts": c.tolist(), "shares": (c / max(1, c.sum())).tolist()}
                    for c in self.branches
                ],
                "continuous": self.continuous.to_json(),
            },
            "observations": {name: o.to_json() for name, o in self.observed.items()},
            "duplicates": self.duplicates,
        }


class _Continuous:
    """Moments and range of the continuous actions."""

    def __init__(self, spec: Spec) -> None:
        width = spec.action.continuous
        self.low, self.high = np.array(spec.action.low), np.array(spec.action.high)
        self.count = 0
        self.mean, self.squares = np.zeros(width), np.zeros(width)
        self.least, self.most = np.full(width, np.inf), np.full(width, -np.inf)
        self.outside = np.zeros(width, np.int64)

    def see(self, x: NDArray[Any]) -> None:
        if not len(x) or not x.shape[1]:
            return
        x = x.astype(np.float64)
        # Chan et al. (1983): two sets' moments as one's; sums of squares would cancel.
        count, mean = self.count + len(x), x.mean(0)
        delta = mean - self.mean
        self.squares += ((x - mean) ** 2).sum(0) + delta**2 * self.count * len(x) / count
        self.mean += delta * len(x) / count
        self.count = count
        np.minimum(self.least, x.min(0), out=self.least)
        np.maximum(self.most, x.max(0), out=self.most)
        self.outside += ((x < self.low) | (x > self.high)).sum(0)

    def to_json(self) -> list[dict[str, Any]]:
        std = np.sqrt(self.squares / max(1, self.count))
        return [
            {
                "mean": float(self.mean[c]) if self.count else None,
                "std": float(std[c]) if self.count else None,
                "min": _known(float(self.least[c])),
                "max": _known(float(self.most[c])),
                "outside": float(self.outside[c] / max(1, self.count)),
            }
            for c in range(len(self.mean))
        ]


def _observed(name: str, obs: Obs) -> _Vector | _Image | _Entities | _Mask:
    return {"image": _Image, "entities": _Entities, "mask": _Mask}.get(obs.kind, _Vector)(name, obs)


class _Vector:
    """Range of every column."""

    def __init__(self, name: str, obs: Obs) -> None:
        self.name, self.obs = name, obs
        self.least = np.full(obs.size, np.inf)
        self.most = np.full(obs.size, -np.inf)

    def see(self, seen: Tree) -> None:
        rows = seen[self.name]
        rows = rows.reshape(len(rows), self.obs.size)
        np.minimum(self.least, rows.min(0), out=self.least)
        np.maximum(self.most, rows.max(0), out=self.most)

    def to_json(self) -> dict[str, Any]:
        constant = np.flatnonzero(self.least == self.most)
        return {
            "kind": self.obs.kind,
            "shape": list(self.obs.shape),
            "dtype": self.obs.dtype,
            "min": _known(float(self.least.min(initial=math.inf))),
            "max": _known(float(self.most.max(initial=-math.inf))),
            "num_constant": len(constant),
            "constant": constant[:MOST_COLUMNS].tolist(),
        }


class _Image:
    """Range of all pixels, and whether they ever change."""

    def __init__(self, name: str, obs: Obs) -> None:
        self.name, self.obs = name, obs
        self.least, self.most = math.inf, -math.inf
        self.first: NDArray[Any] | None = None
        self.moves = False

    def see(self, seen: Tree) -> None:
        images = seen[self.name]
        if not images.size:
            return
        self.least = min(self.least, float(images.min()))
        self.most = max(self.most, float(images.max()))
        if self.first is None:
            self.first = images[0].copy()
        self.moves = self.moves or bool((images != self.first).any())

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "image",
            "shape": list(self.obs.shape),
            "dtype": self.obs.dtype,
            "channels_first": self.obs.channels_first,
            "min": _known(self.least),
            "max": _known(self.most),
            "frozen": not self.moves,
        }


class _Entities:
    """How many there were, and the range of their features."""

    def __init__(self, name: str, obs: Obs) -> None:
        self.name, self.obs = name, obs
        self.least, self.most = math.inf, -math.inf
        self.rows = self.there = 0
        self.fewest, self.largest = obs.shape[0], 0

    def see(self, seen: Tree) -> None:
        there = seen[present(self.name)]
        features, counts = seen[self.name][there], there.sum(1)
        self.rows, self.there = self.rows + len(there), self.there + int(counts.sum())
        self.fewest = min(self.fewest, int(counts.min()))
        self.largest = max(self.largest, int(counts.max()))
        if features.size:
            self.least = min(self.least, float(features.min()))
            self.most = max(self.most, float(features.max()))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "entities",
            "shape": list(self.obs.shape),
            "dtype": self.obs.dtype,
            "min": _known(self.least),
            "max": _known(self.most),
            "present": {
                "mean": self.there / max(1, self.rows),
                "min": self.fewest if self.rows else None,
                "max": self.largest if self.rows else None,
            },
        }


class _Mask:
    """How many choices were forbidden."""

    def __init__(self, name: str, obs: Obs) -> None:
        self.name, self.obs = name, obs
        self.forbidden = self.entries = 0

    def see(self, seen: Tree) -> None:
        mask = seen[self.name]
        self.forbidden += int((mask == 0).sum())
        self.entries += mask.size

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "mask",
            "shape": list(self.obs.shape),
            "dtype": self.obs.dtype,
            "forbids": self.forbidden / max(1, self.entries),
        }


def _known(x: float) -> float | None:
    return x if math.isfinite(x) else None
