"""LeRobot's videos: frames and their order, several episodes in a file, limits, damage."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import arrow_files as a
import hdf5_files as h
from understudy.data.demos import Demos
from understudy.data.formats import (
    deferred,
    lerobot_video_writer,
    lerobot_videos,
    lerobot_writer,
    video,
)
from understudy.data.formats.door import load_demos
from understudy.data.formats.wire import WireError
from understudy.data.formats.writers import WRITERS
from understudy.data.spec import Obs, Spec
from understudy.errors import DemoError, MissingExtraError

PEER = Path(__file__).parent / "peers" / "lerobot_video"
VIDEO = "videos/observation.images.top/chunk-000/file-000.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
OURS = "videos/observation.image/chunk-000/file-000.mp4"
COUNTS = (200, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]))
needs_av = pytest.mark.skipif(
    find_spec("av") is None, reason="PyAV is not installed (the extra `video`)"
)


def numbered(shape: tuple[int, int, int], lengths: tuple[int, ...] = (5, 3, 1)) -> Demos:
    """Episodes whose every frame is as bright as it has a place among all of them, times 20."""
    demos, place = h.demos_of("vector", lengths), 0
    spec = Spec(
        obs={"obs": Obs(kind="image", shape=shape, dtype="uint8")}, action=demos.spec.action
    )
    episodes = []
    for episode in demos:
        rows = np.arange(place, place + len(episode) + 1) * 20 + 20
        place += len(episode)
        pixels = np.broadcast_to(rows[:, None, None, None], (len(rows), *shape))
        episodes.append(replace(episode, obs={"obs": pixels.astype(np.uint8)}))
    return Demos(spec, episodes)


def colored(num_frames: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A smooth picture in every channel, which moves."""
    axes = np.meshgrid(np.arange(num_frames), *map(np.arange, shape), indexing="ij")
    waves = np.sin(sum(axis * rate for axis, rate in zip(axes, (0.5, 0.2, 0.1, 2), strict=True)))
    return (127 + 100 * waves).astype(np.uint8)


def read_video(path: Path) -> str:
    """A digest of a data set whose video is damaged."""
    return a.read_beside(path, PEER, VIDEO)


def read_places(path: Path) -> str:
    """A digest of a data set that says damaged things of where its videos are."""
    return a.read_beside(path, PEER, EPISODES)


@needs_av
@pytest.mark.parametrize("shape", [(16, 20, 3), (15, 17, 3), (9, 16, 1), (8, 8, 3)])
def test_every_frame_comes_back_in_its_place(shape: tuple[int, int, int], tmp_path: Path) -> None:
    demos = numbered(shape)
    lost = lerobot_writer.write(tmp_path / "set", demos, fps=30, video=True)
    assert "pixels are what the codec keeps of them" in lost
    assert [str(p.relative_to(tmp_path / "set")) for p in tmp_path.rglob("*.mp4")] == [OURS]
    back = load_demos(tmp_path / "set", spec=demos.spec)
    assert back.lengths.tolist() == [5, 3, 1]
    for before, after in zip(demos, back, strict=True):
        seen = after.obs["image"] if "image" in after.obs else after.obs["obs"]
        assert seen.dtype == np.uint8
        assert seen.shape == (len(before) + 1, *shape)
        np.testing.assert_allclose(seen[:-1], before.obs["obs"][:-1].astype(int), atol=3)
        np.testing.assert_array_equal(seen[-1], seen[-2])
        np.testing.assert_array_equal(after.action.continuous, before.action.continuous)


@needs_av
def test_colors_and_where_they_are_come_back_within_the_codecs_error(tmp_path: Path) -> None:
    before = colored(12, (33, 41, 3))
    file = video.VideoFile(tmp_path / "a.mp4", shape=(33, 41, 3), fps=25)
    file.add(before[:7])
    file.add(before[7:])
    file.close()
    after = video.decode(tmp_path / "a.mp4", shape=(33, 41, 3), fps=25, start=0, count=12)
    assert np.abs(after - before.astype(int)).mean() < 4
    for start in range(12):
        some = video.decode(
            tmp_path / "a.mp4", shape=(33, 41, 3), fps=25, start=start / 25, count=12 - start
        )
        np.testing.assert_array_equal(some, after[start:])
    with pytest.raises(WireError, match=r"12 frames from 0\.0000 seconds on; expected 13"):
        video.decode(tmp_path / "a.mp4", shape=(33, 41, 3), fps=25, start=0, count=13)


@needs_av
def test_what_lerobot_wrote_is_read() -> None:
    demos = load_demos(PEER)
    assert demos.spec.describe() == "sees images.top image 64x72x3 uint8; does 1 continuous"
    assert demos.lengths.tolist() == [4, 3]
    for index, episode in enumerate(demos):
        drawn = 100 * index + 20 + 25 * np.arange(len(episode))
        seen = episode.obs["images.top"][:-1]
        bright = np.broadcast_to(drawn[:, None, None, None], seen.shape)
        np.testing.assert_allclose(seen, bright, atol=3)
    assert any("pixels are what a codec kept" in note for note in demos.provenance.notes)


@needs_av
def test_videos_roll_over_and_are_decoded_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lerobot_video_writer, "FILE_BYTES", 0)
    monkeypatch.setattr(deferred, "SMALL", 0)
    monkeypatch.setattr(deferred, "KEPT", 1)
    demos = numbered((16, 20, 3), (40, 30, 2))
    lerobot_writer.write(tmp_path / "set", demos, video=True)
    files = sorted((tmp_path / "set").rglob("*.mp4"))
    assert [file.name for file in files] == ["file-000.mp4", "file-001.mp4", "file-002.mp4"]
    back = load_demos(tmp_path / "set", spec=demos.spec)
    files[1].write_bytes(files[1].read_bytes()[:-2000])
    assert len(back.episodes[0]) == 40
    assert len(back.episodes[2]) == 2
    with pytest.raises(DemoError, match=r"file-001\.mp4: episode 1 has .*; expected ") as caught:
        back.episodes[1]
    assert "\n" not in str(caught.value)


@needs_av
def test_only_who_asks_gets_videos(tmp_path: Path) -> None:
    demos = h.demos_of("image")
    assert "pixels" not in " ".join(lerobot_writer.write(tmp_path / "set", demos))
    assert not list(tmp_path.rglob("*.mp4"))
    info = json.loads((tmp_path / "set" / "meta" / "info.json").read_text())
    assert info["video_path"] is None
    lost = WRITERS["lerobot-video"].write(tmp_path / "lossy", demos)
    assert "pixels are what the codec keeps of them" in lost
    of = json.loads((tmp_path / "lossy" / "meta" / "info.json").read_text())["features"]
    assert of["observation.image"]["dtype"] == "video"
    assert of["observation.image"]["info"]["video.codec"] == "h264"
    # What has no pictures loses nothing by it.
    lost = WRITERS["lerobot-video"].write(tmp_path / "vectors", h.demos_of("vector"))
    assert not any("pixels" in what for what in lost)


@needs_av
def test_frames_that_the_encoder_does_not_take_are_refused(tmp_path: Path) -> None:
    said = r"observation\.image: frames of 20000 x 2 pixels that cannot be encoded"
    with pytest.raises(DemoError, match=said):
        lerobot_writer.write(tmp_path / "set", numbered((2, 20000, 3), (1,)), video=True)
    assert not list(tmp_path.iterdir())


@needs_av
def test_an_episode_that_lacks_a_frame_is_refused(tmp_path: Path) -> None:
    lerobot_writer.write(tmp_path / "set", demos := numbered((16, 20, 3)), video=True)
    file = video.VideoFile(tmp_path / "set" / OURS, shape=(16, 20, 3), fps=10)
    file.add(np.zeros((7, 16, 20, 3), np.uint8))
    file.close()
    said = r"file-000\.mp4: episode 1 has 2 frames from 0\.5000 seconds on; expected 3"
    with pytest.raises(DemoError, match=said):
        load_demos(tmp_path / "set", spec=demos.spec)
    file = video.VideoFile(tmp_path / "set" / OURS, shape=(16, 20, 3), fps=5)
    file.add(np.zeros((9, 16, 20, 3), np.uint8))
    file.close()
    said = r"episode 0 has frame 1 at 0\.2000 seconds; expected 0\.1000, at 10 frames a second"
    with pytest.raises(DemoError, match=said):
        load_demos(tmp_path / "set", spec=demos.spec)
    file = video.VideoFile(tmp_path / "set" / OURS, shape=(16, 22, 3), fps=10)
    file.add(np.zeros((9, 16, 22, 3), np.uint8))
    file.close()
    with pytest.raises(DemoError, match=r"has frames of 22 x 16 pixels; expected 20 x 16"):
        load_demos(tmp_path / "set", spec=demos.spec)


@needs_av
@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        ("length", lambda n: n + 1, r"expected 4 frames, as it has rows"),
        ("to_timestamp", lambda t: t + 0.1, r"expected 4 frames, as it has rows"),
        ("from_timestamp", lambda t: t * float("nan"), r"from nan to"),
        ("file_index", lambda n: n + 1, r"file-001\.mp4: no file"),
        ("chunk_index", lambda n: n - 1, r"holds other numbers"),
        ("episode_index", lambda n: n * 0, r"1 episodes in 2 rows of meta/episodes"),
        ("episode_index", lambda n: n + 1, r"2 episodes in 2 rows.*one of them for episode 0"),
    ],
)
def test_places_that_cannot_be_are_refused(
    column: str, change: Callable[[Any], Any], said: str, tmp_path: Path
) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    rows = pq.read_table(PEER / EPISODES)
    of = column if column in rows.column_names else f"videos/observation.images.top/{column}"
    changed = pa.array(change(rows[of].to_numpy()))
    pq.write_table(
        rows.set_column(rows.column_names.index(of), of, changed), tmp_path / "set" / EPISODES
    )
    with pytest.raises(DemoError, match=said) as caught:
        load_demos(tmp_path / "set")
    assert "\n" not in str(caught.value)


@needs_av
@pytest.mark.parametrize(
    ("key", "about", "said"),
    [
        ("observation.images.top", {"shape": [64, 72]}, r"of shape \[64, 72\]"),
        ("observation.images.top", {"shape": [64, 72, 4]}, "in 4 channels"),
        ("observation.images.top", {"shape": [1 << 20, 1 << 20, 3]}, "1 to 16777216 pixels"),
        ("observation.images.top", {"shape": [64, 74, 3]}, "frames of 72 x 64 pixels"),
        ("observation.images/../../top", {}, "the name of a folder"),
        ("observation.none", {}, r"a column 'videos/observation\.none/chunk_index'"),
    ],
)
def test_videos_of_other_shapes_and_names_are_refused(
    key: str, about: dict[str, Any], said: str, tmp_path: Path
) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    place = tmp_path / "set" / "meta" / "info.json"
    info = json.loads(place.read_text())
    info["features"][key] = info["features"].pop("observation.images.top") | about
    place.write_text(json.dumps(info))
    with pytest.raises(DemoError, match=said) as caught:
        load_demos(tmp_path / "set")
    assert "\n" not in str(caught.value)


@needs_av
def test_channels_that_are_noted_first_are_the_same_video(tmp_path: Path) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    place = tmp_path / "set" / "meta" / "info.json"
    info = json.loads(place.read_text())
    names = {"shape": [3, 64, 72], "names": ["channels", "height", "width"]}
    info["features"]["observation.images.top"] |= names
    place.write_text(json.dumps(info))
    assert load_demos(tmp_path / "set").spec == load_demos(PEER).spec


@needs_av
@pytest.mark.parametrize(("name", "value"), [("fps", 0), ("fps", "10"), ("video_path", "/etc/{}")])
def test_other_layouts_are_refused(name: str, value: Any, tmp_path: Path) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    place = tmp_path / "set" / "meta" / "info.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {name: value}))
    with pytest.raises(DemoError, match=name):
        load_demos(tmp_path / "set")


@needs_av
def test_memory_is_counted_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lerobot_videos, "MOST_BYTES", 4 * 64 * 72 * 3 - 1)
    with pytest.raises(DemoError, match="an episode whose frames take 55296 bytes"):
        load_demos(PEER)
    monkeypatch.undo()
    monkeypatch.setattr(lerobot_videos, "LEAST_BUDGET", 0)
    monkeypatch.setattr(lerobot_videos, "_RATIO", 50)
    with pytest.raises(DemoError, match=r"frames that take 96768 bytes.*video of this size"):
        load_demos(PEER)


@needs_av
def test_playlists_that_name_other_files_are_never_followed(tmp_path: Path) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    place = tmp_path / "set" / VIDEO
    other = place.rename(place.with_name("other.mp4"))
    for text in (
        f"ffconcat version 1.0\nfile {other.name}\n",
        f"#EXTM3U\n#EXTINF:1,\n{other.name}\n#EXT-X-ENDLIST\n",
    ):
        place.write_text(text)
        with pytest.raises(DemoError, match="episode 0 has a damaged video"):
            load_demos(tmp_path / "set")


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"understudy\[video\]"):
        load_demos(PEER)
    with pytest.raises(MissingExtraError, match=r"understudy\[video\]"):
        WRITERS["lerobot-video"].write(tmp_path / "set", h.demos_of("image"))
    assert not list(tmp_path.iterdir())
    lerobot_writer.write(tmp_path / "set", h.demos_of("image"))
    assert len(load_demos(tmp_path / "set")) == 3


@needs_av
@pytest.mark.parametrize("count", COUNTS)
def test_damaged_videos_are_read_or_refused(count: int) -> None:
    assert a.survive(read_video, (PEER / VIDEO).read_bytes(), count, 0)["refused"] > 0.3 * count


@needs_av
@pytest.mark.parametrize("count", COUNTS)
def test_damaged_places_are_read_or_refused(count: int) -> None:
    assert a.survive(read_places, (PEER / EPISODES).read_bytes(), count, 1)["refused"] > 0
