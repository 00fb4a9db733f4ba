"""Reading expert trajectories of Stable-Baselines 2 (`generate_expert_traj`).

One flat `.npz`: `actions`, `obs`, `rewards`, `episode_starts` with a row for every step, and
`episode_returns`. Choices are stored `(N, 1)`; pictures as the paths of files beside it. The last
observation of an episode was never stored, and neither was why it ended; what we write says that in
`episode_ends`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode, check_episode
from understudy.data.formats.bare import Bare, describe
from understudy.data.formats.images import decode_picture
from understudy.data.formats.npz import Npz
from understudy.data.formats.refusal import (
    MOST_EPISODES,
    label,
    refusal,
    too_many_episodes,
)
from understudy.data.formats.wire import WireError
from understudy.data.spec import Spec

MEMBERS = frozenset({"actions", "obs", "rewards", "episode_starts"})
ENDS = "episode_ends"
LARGEST_PICTURE = 32 << 20
MOST_PICTURE_BYTES = 8 << 30
_PICTURES = (".png", ".jpg", ".jpeg")


def recognizes(names: Sequence[str]) -> bool:
    """Whether an `.npz` with these arrays is one of Stable-Baselines 2."""
    return set(names) >= MEMBERS


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in an expert file of Stable-Baselines 2.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, or does not fit the spec.
    """
    with Npz(path) as file:
        bare, starts, rewards = _steps(file, spec)
        reasons = _reasons(file, int(starts.sum()))
    firsts = np.flatnonzero(starts)
    if len(firsts) > MOST_EPISODES:
        raise too_many_episodes(path, len(firsts))
    ends = [*firsts[1:].tolist(), len(starts)]
    episodes = [
        _episode(path, index, bare, rewards, start, end, reasons[index])
        for index, (start, end) in enumerate(zip(firsts.tolist(), ends, strict=True))
    ]
    return Demos(
        bare.spec,
        episodes,
        Provenance(
            format="stable-baselines expert",
            files=(os.fspath(path),),
            notes=(
                *bare.notes,
                "the last observation of every episode is missing"
                + (", and so is why it ended" if End.UNKNOWN in reasons else ""),
            ),
        ),
    )


def _steps(file: Npz, spec: Spec | None) -> tuple[Bare, NDArray[np.bool_], NDArray[Any]]:
    """What was seen and done at every step, where episodes start, and the rewards."""
    actions = file.rows("actions")
    starts = file.rows("episode_starts").astype(bool).reshape(-1)
    rewards = file.rows("rewards", "iuf").reshape(-1)
    obs = file.rows("obs", "biufUS")
    if obs.dtype.kind in "US":
        obs = _pictures(file, obs.reshape(-1))
    for name, array in (("actions", actions), ("rewards", rewards), ("obs", obs)):
        if len(array) != len(starts):
            expected = f"{len(starts)} as episode_starts"
            raise file.refusal(name, f"has {len(array)} rows", expected)
    if not len(starts) or not starts[0]:
        raise file.refusal("episode_starts", "does not begin with a start", "True at step 0")
    return describe(file, ("obs", obs), ("actions", actions), spec), starts, rewards


def _reasons(file: Npz, count: int) -> list[End]:
    """How every episode ended."""
    if ENDS not in file.names:
        return [End.UNKNOWN] * count
    said = file.rows(ENDS, "U").reshape(-1)
    _check_text(file, ENDS, said)
    words: list[str] = said.tolist()
    if len(words) != count or not set(words) <= set(End):
        raise file.refusal(ENDS, f"has {len(words)} words", f"{count} of {', '.join(End)}")
    return [End(word) for word in words]


def _episode(
    path: str | os.PathLike[str],
    index: int,
    bare: Bare,
    rewards: NDArray[Any],
    start: int,
    end: int,
    reason: End,
) -> Episode:
    rows = np.minimum(np.arange(start, end + 1), end - 1)  # the last one twice
    name = label(path, index)
    episode = Episode(
        obs={key: array[rows] for key, array in bare.obs.items()},
        action=bare.action.at(slice(start, end)),
        reward=rewards[start:end],
        end=reason,
        final_obs_known=False,
        acted_by=np.zeros(end - start, np.uint8),
        label=name,
    )
    return check_episode(episode, bare.spec, name)


def _pictures(file: Npz, paths: NDArray[Any]) -> NDArray[np.uint8]:
    """`[N, H, W, C]` the pictures whose files are named, which must lie beside the recording."""
    folder = Path(file.path).resolve().parent
    _check_text(file, "obs", paths)
    out = np.zeros((0, 1, 1, 1), np.uint8)
    for row, given in enumerate(paths.tolist()):
        name = given.decode("utf-8", "replace") if isinstance(given, bytes) else given
        place, picture = _picture(file, folder, name)
        if not row:
            if len(paths) * picture.size > MOST_PICTURE_BYTES:
                raise file.refusal("obs", "names too many pictures", f"{MOST_PICTURE_BYTES} bytes")
            out = np.empty((len(paths), *picture.shape), np.uint8)
        if picture.shape != out.shape[1:]:
            found = f"a picture of {list(picture.shape)}"
            raise refusal(place, None, found, f"{list(out.shape[1:])} as the first one")
        out[row] = picture
    return out


def _check_text(file: Npz, name: str, texts: NDArray[Any]) -> None:
    if texts.dtype.kind == "U" and texts.view(np.uint32).max(initial=0) > sys.maxunicode:
        raise file.refusal(name, "holds text that is none", "characters")


def _picture(file: Npz, folder: Path, name: str) -> tuple[Path, NDArray[np.uint8]]:
    place = _beside(file, folder, name)
    try:
        picture = decode_picture(_bounded(place))
    except WireError as error:
        raise refusal(place, error.offset, error.found, error.expected) from None
    except OSError as error:
        found = f"names {name!r} ({error.strerror or error})"
        raise file.refusal("obs", found, "a picture beside it") from None
    # OpenCV wrote four stacked frames as blue, green, red and alpha.
    return place, picture[:, :, [2, 1, 0, 3]] if picture.shape[2] == 4 else picture


def _beside(file: Npz, folder: Path, name: str) -> Path:
    # The recorder wrote the folder that it was told, relative to where it ran: what counts are the
    # last two parts, such as recorded_images/17.png.
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or "\0" in name or parts[-1].startswith("/"):
        raise file.refusal("obs", f"names {name[:80]!r}", "a picture beside it")
    if not parts[-1].lower().endswith(_PICTURES):
        raise file.refusal("obs", f"names {name[:80]!r}", f"{', '.join(_PICTURES)}")
    if name.startswith("/") or ":" in parts[0]:
        raise file.refusal("obs", f"names {name[:80]!r}", "a path relative to it")
    try:
        for some in (parts, parts[-2:]):
            place = folder.joinpath(*some).resolve()
            if not place.is_relative_to(folder):
                raise file.refusal("obs", f"names {name[:80]!r}, which leads out", "one beside it")
            if place.is_file():
                return place
    except (OSError, RuntimeError, ValueError):
        pass  # such as a name that is too long or no text, or links in a circle
    raise file.refusal("obs", f"names {name[:80]!r}, which is not there", "a picture beside it")


def _bounded(place: Path) -> bytes:
    with place.open("rb") as file:
        data = file.read(LARGEST_PICTURE + 1)
    if len(data) > LARGEST_PICTURE:
        raise WireError(0, f"more than {LARGEST_PICTURE} bytes", "a picture")
    return data
