from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import demo_files as w
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.formats import mlagents
from understudy.data.spec import ActionSpec, Obs
from understudy.errors import DemoError


@pytest.fixture
def demo(tmp_path: Path):
    """Writes a file and reads it."""

    def read(data: bytes, **options) -> Demos:
        path = tmp_path / "a.demo"
        path.write_bytes(data)
        return mlagents.read(path, **options)

    return read


def _numbers(array: np.ndarray) -> list[float]:
    return np.round(array.astype(np.float64), 4).reshape(-1).tolist()


ONE = w.old_brain([1], continuous=True)


def test_the_recorder_writes_an_action_into_the_record_after_it(demo) -> None:
    """Records 0 1 2 | 3 4: obs k, reward k/10, action k + 1/2; record 2 ends an episode."""
    demos = demo(w.demo_file(ONE, w.walk(5, done=[2]), num_episodes=2))
    first, second = demos
    assert demos.provenance.alignment == "next_record"
    assert first.obs["obs_0"].tolist() == [[0, 0], [1, -1], [2, -2]]
    assert _numbers(first.action.continuous) == [1.5, 2.5]
    assert _numbers(first.reward) == [0.1, 0.2]
    assert first.end is End.TERMINATED
    # Not the reward of record 3, which was received before its observation, nor action 3.5.
    assert second.obs["obs_0"].tolist() == [[3, -3], [4, -4]]
    assert _numbers(second.action.continuous) == [4.5]
    assert _numbers(second.reward) == [0.4]
    assert second.end is End.OPEN
    assert second.info["reward_before"] == pytest.approx(0.3)


def test_a_converted_file_has_an_action_in_the_record_that_it_was_taken_at(demo) -> None:
    demos = demo(w.demo_file(ONE, w.walk(5, done=[2]), trailing=False, num_episodes=2))
    first, second = demos
    assert demos.provenance.alignment == "same_record"
    assert _numbers(first.action.continuous) == [0.5, 1.5]
    assert _numbers(first.reward) == [0.1, 0.2]
    assert _numbers(second.action.continuous) == [3.5]
    assert _numbers(second.reward) == [0.4]


@pytest.mark.parametrize("trailing", [True, False])
def test_the_alignment_may_be_asked_for(demo, trailing: bool) -> None:
    data = w.demo_file(ONE, w.walk(4), trailing=trailing)
    assert _numbers(demo(data, alignment="next_record").episodes[0].action.continuous) == [
        1.5, 2.5, 3.5,
    ]  # fmt: skip
    same = demo(data, alignment="same_record")
    assert _numbers(same.episodes[0].action.continuous) == [0.5, 1.5, 2.5]
    assert (same.provenance.alignment, same.provenance.reason) == ("same_record", "asked for")
    with pytest.raises(DemoError, match="next_record, same_record"):
        demo(data, alignment="both")


def test_the_reason_for_an_alignment_is_said_in_words(demo) -> None:
    assert "ends with a copy" in demo(w.demo_file(ONE, w.walk(3))).provenance.reason
    converted = demo(w.demo_file(ONE, w.walk(3), trailing=False))
    assert "converted this file" in converted.provenance.reason


def test_new_action_fields_mean_the_next_record(demo) -> None:
    records = [w.record([w.observation([k])], continuous=[k + 0.5]) for k in range(3)]
    demos = demo(w.demo_file(w.brain(1), records, trailing=False))
    assert demos.provenance.alignment == "next_record"
    assert "2021" in demos.provenance.reason
    assert _numbers(demos.episodes[0].action.continuous) == [1.5, 2.5]


def test_ends_are_told_apart(demo) -> None:
    demos = demo(w.demo_file(ONE, w.walk(6, done=[1], interrupted=[3]), num_episodes=3))
    assert [e.end for e in demos] == [End.TERMINATED, End.TRUNCATED, End.OPEN]
    assert [e.truncated for e in demos] == [False, True, False]


def test_a_file_may_end_with_an_ended_episode(demo) -> None:
    demos = demo(w.demo_file(ONE, w.walk(4, done=[1, 3]), num_episodes=3))
    assert [e.end for e in demos] == [End.TERMINATED, End.TERMINATED]
    assert demos.provenance.notes == ()


def test_an_episode_without_a_step_is_left_out_and_noted(demo) -> None:
    demos = demo(w.demo_file(ONE, w.walk(5, done=[1, 2]), num_episodes=3))
    assert demos.lengths.tolist() == [1, 1]
    assert "1 episodes without a single step" in demos.provenance.notes[0]


def test_a_pause_of_the_recording_cuts_an_episode(demo) -> None:
    records = [
        w.record([w.observation([k])], vector=[k], id=7 if k < 3 else 9, done=k == 5)
        for k in range(6)
    ]
    demos = demo(w.demo_file(ONE, records))
    assert [(len(e), e.end, e.info["id"]) for e in demos] == [
        (2, End.OPEN, 7),
        (2, End.TERMINATED, 9),
    ]
    assert _numbers(demos.episodes[1].action.continuous) == [4, 5]


def test_the_id_of_an_ending_record_does_not_cut(demo) -> None:
    records = [
        w.record([w.observation([k])], vector=[k], id=7 + (k == 2), done=k == 2) for k in range(3)
    ]
    assert [(len(e), e.end) for e in demo(w.demo_file(ONE, records))] == [(2, End.TERMINATED)]


def test_group_rewards_are_added_and_groups_and_teams_kept(demo) -> None:
    records = [
        w.record([w.observation([k])], reward=k, group_reward=10 * k, group=4, continuous=[k])
        for k in range(3)
    ]
    (episode,) = demo(w.demo_file(w.brain(1, name="Push?team=1"), records))
    assert _numbers(episode.reward) == [11, 22]
    assert (episode.group, episode.team, episode.info["behavior"]) == (4, 1, "Push?team=1")


def test_old_choices_are_floats_and_new_ones_whole_numbers(demo) -> None:
    old = [w.record([w.observation([k])], vector=[k % 3, 1]) for k in range(4)]
    demos = demo(w.demo_file(w.old_brain([3, 2]), old))
    assert demos.spec.action == ActionSpec(branches=(3, 2))
    assert demos.episodes[0].action.discrete.tolist() == [[1, 1], [2, 1], [0, 1]]
    new = [w.record([w.observation([k])], discrete=[k % 3, 1]) for k in range(4)]
    again = demo(w.demo_file(w.brain(0, [3, 2]), new))
    assert again.episodes[0].action.discrete.tolist() == [[1, 1], [2, 1], [0, 1]]


def test_hybrid_actions_have_both_parts_in_either_field(demo) -> None:
    new = [w.record([w.observation([k])], continuous=[k, -k], discrete=[k % 2]) for k in range(3)]
    old = [w.record([w.observation([k])], vector=[k, -k, k % 2]) for k in range(3)]
    for records in (new, old):
        (episode,) = demo(w.demo_file(w.brain(2, [2]), records))
        assert episode.action.continuous.tolist() == [[1, -1], [2, -2]]
        assert episode.action.discrete.tolist() == [[1], [0]]


def test_observations_keep_their_names_or_get_numbers(demo) -> None:
    seen = [
        w.observation([1, 2], name="rays"),
        w.observation([3]),
        w.observation([], shape=[0]),
        w.observation([5], name="rays"),
        w.observation([6], name="goal", goal=True),
    ]
    demos = demo(w.demo_file(ONE, [w.record(seen, vector=[0])] * 2))
    assert list(demos.spec.obs) == ["rays", "obs_1", "obs_2", "rays_3", "goal"]
    assert demos.spec.obs["obs_2"] == Obs(kind="vector", shape=(0,))
    assert demos.spec.obs["goal"].goal
    assert demos.episodes[0].obs["obs_2"].shape == (2, 0)


def test_unpacked_numbers_are_read_as_packed_ones_are(demo) -> None:
    records = [w.record([w.observation([k, 2.5], packed=False)], vector=[k]) for k in range(3)]
    (episode,) = demo(w.demo_file(ONE, records))
    assert episode.obs["obs_0"].tolist() == [[0, 2.5], [1, 2.5], [2, 2.5]]


def test_a_wire_mask_forbids_and_ours_allows(demo) -> None:
    records = [
        w.record([w.observation([k])], discrete=[0, 1], mask=[0, 1, 0, 0, 0] if k == 1 else ())
        for k in range(3)
    ]
    demos = demo(w.demo_file(w.brain(0, [3, 2]), records))
    assert demos.spec.obs["action_mask"] == Obs(kind="mask", shape=(5,), dtype="bool")
    allowed = demos.episodes[0].obs["action_mask"]
    assert allowed.tolist() == [[True] * 5, [True, False, True, True, True], [True] * 5]


def test_no_mask_is_made_up_and_one_of_another_length_is_noted(demo) -> None:
    records = [w.record([w.observation([k])], discrete=[0], mask=[0, 1]) for k in range(3)]
    demos = demo(w.demo_file(w.brain(0, [3]), records))
    assert "action_mask" not in demos.spec.obs
    assert "3 action masks of the wrong length" in demos.provenance.notes[0]


def test_a_choice_that_was_taken_is_allowed_whatever_its_mask_says(demo) -> None:
    records = [w.record([w.observation([k])], discrete=[1], mask=[0, 1, 0]) for k in range(3)]
    demos = demo(w.demo_file(w.brain(0, [3]), records))
    assert demos.episodes[0].obs["action_mask"].tolist() == [[True] * 3] * 2 + [[True, False, True]]
    assert "2 steps took a choice that their own mask forbids" in demos.provenance.notes[0]


def test_a_mask_that_forbids_everything_is_refused(demo) -> None:
    records = [w.record([w.observation([k])], discrete=[1], mask=[1, 1, 1]) for k in range(3)]
    with pytest.raises(DemoError, match="forbids every choice of branch 0"):
        demo(w.demo_file(w.brain(0, [3]), records))


def _pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def _pictures(demo, pixels: np.ndarray, shape: tuple[int, ...], **options) -> Demos:
    seen = w.observation([], shape, pngs=w.png(pixels), **options)
    return demo(w.demo_file(ONE, [w.record([seen], vector=[0])] * 3))


@pytest.mark.parametrize(
    ("shape", "properties"),
    [((6, 9, 3), [2, 2, 1]), ((3, 6, 9), [1, 2, 2]), ((6, 9, 3), []), ((3, 6, 9), [])],
)
def test_pngs_stay_bytes_and_channels_go_last(demo, shape, properties) -> None:
    pixels = _pixels(6, 9, 3)
    demos = _pictures(demo, pixels, shape, properties=properties)
    assert demos.spec.obs["obs_0"] == Obs(kind="image", shape=(6, 9, 3), dtype="uint8")
    for picture in demos.episodes[0].obs["obs_0"]:
        np.testing.assert_array_equal(picture, pixels)


def test_a_grey_sensor_sends_colours_and_gets_their_mean(demo) -> None:
    grey = _pixels(4, 5, 1)
    demos = _pictures(demo, np.repeat(grey, 3, axis=2), (4, 5, 1))
    np.testing.assert_array_equal(demos.episodes[0].obs["obs_0"][0], grey)
    mapped = _pictures(demo, np.repeat(grey, 3, axis=2), (1, 4, 5), mapping=[0, 0, 0])
    np.testing.assert_array_equal(mapped.episodes[0].obs["obs_0"][0], grey)


def test_stacked_pictures_are_several_pngs_with_a_mapping(demo) -> None:
    one, two = _pixels(4, 5, 3), _pixels(4, 5, 3)[::-1]
    seen = w.observation(
        [], [4, 5, 4], pngs=w.png(one) + w.png(two), mapping=[0, 1, 2, 3, -1, -1],
        properties=[2, 2, 1],
    )  # fmt: skip
    demos = demo(w.demo_file(ONE, [w.record([seen], vector=[0])] * 2))
    expected = np.concatenate([one, two[:, :, :1]], axis=2)
    np.testing.assert_array_equal(demos.episodes[0].obs["obs_0"][1], expected)


@pytest.mark.parametrize(
    ("shape", "properties", "stored"),
    [
        ((4, 5, 2), [2, 2, 1], (4, 5, 2)),
        ((2, 4, 5), [1, 2, 2], (4, 5, 2)),
        ((2, 4, 5), [0, 0, 0], (4, 5, 2)),
        ((4, 5, 2), [], (4, 5, 2)),
    ],
)
def test_uncompressed_pictures_have_their_channels_last_too(
    demo, shape, properties, stored
) -> None:
    values = np.arange(40, dtype=np.float32).reshape(shape)
    seen = w.observation(values, properties=properties)
    demos = demo(w.demo_file(ONE, [w.record([seen], vector=[0])] * 2))
    assert demos.spec.obs["obs_0"] == Obs(kind="image", shape=stored)
    expected = values if shape == stored else np.moveaxis(values, 0, -1)
    np.testing.assert_array_equal(demos.episodes[0].obs["obs_0"][0], expected)


def test_variable_length_observations_are_entities(demo) -> None:
    values = [[[1, 2], [0, 0], [3, 0], [0, 0]], [[0, 0]] * 4]
    records = [
        w.record([w.observation(v, properties=[4, 1], name="balls")], vector=[0]) for v in values
    ]
    demos = demo(w.demo_file(ONE, records))
    assert demos.spec.obs["balls"] == Obs(kind="entities", shape=(4, 2))
    there = demos.episodes[0].obs["balls.present"]
    # A zero row before a filled one is an entity, those after the last one are room.
    assert there.tolist() == [[True, True, True, False], [False] * 4]
    assert demos.episodes[0].obs["balls"].tolist() == values


def test_a_killed_recorder_loses_only_the_record_that_it_was_writing(demo) -> None:
    data = w.demo_file(ONE, w.walk(5), meta=w.metadata(0), trailing=False)
    whole = demo(data)
    assert whole.provenance.alignment == "next_record"
    assert whole.lengths.tolist() == [4]
    torn = demo(data[:-3])
    assert torn.lengths.tolist() == [3]
    assert "4 whole records" in torn.provenance.notes[0]
    assert "bytes after them were left out" in torn.provenance.notes[0]
    assert "stopped before" in torn.provenance.reason


def test_a_recorder_killed_between_its_last_two_writes_loses_nothing(demo) -> None:
    """It had appended the metadata but not yet rewritten that at the beginning."""
    data = w.demo_file(ONE, w.walk(5), meta=w.metadata(0), trailing=False) + w.metadata(5)
    demos = demo(data)
    assert demos.lengths.tolist() == [4]
    assert "5 whole records" in demos.provenance.notes[0]


def test_damage_in_the_middle_is_not_taken_for_a_killed_recorder(demo) -> None:
    data = w.demo_file(ONE, w.walk(40), meta=w.metadata(0), trailing=False)
    place = data.index(w.walk(5)[4]) - 1
    for size in (b"\x00", b"\xff\xff\x7f"):
        _refused(demo, data[:place] + size + data[place + 1 :], f"byte {place}: a (record|message)")


def test_rewards_beyond_32_bits_are_refused(demo) -> None:
    records = [
        w.record([w.observation([k])], vector=[0], reward=3e38, group_reward=3e38) for k in range(3)
    ]
    _refused(demo, w.demo_file(ONE, records), "reward 6.*; expected a finite number of 32 bits")


def test_version_zero_is_read_and_others_are_not(demo) -> None:
    assert demo(w.demo_file(ONE, w.walk(3), meta=w.metadata(3, api=0))).num_steps == 2
    with pytest.raises(DemoError, match="byte 0: version 2; expected version 0 or 1"):
        demo(w.demo_file(ONE, w.walk(3), meta=w.metadata(3, api=2)))


def test_a_wrong_number_of_episodes_is_noted(demo) -> None:
    demos = demo(w.demo_file(ONE, w.walk(4), num_episodes=9))
    assert demos.provenance.notes == ("the metadata declares 9 episodes, the records hold 1",)


def _refused(demo, data: bytes, found: str, **options) -> str:
    with pytest.raises(DemoError, match=found) as caught:
        demo(data, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "a.demo:" in message
    return message


def test_a_record_in_the_middle_that_lacks_its_action_is_refused_with_its_place(demo) -> None:
    records = w.walk(4)
    records[2] = w.record([w.observation([2, -2])])
    data = w.demo_file(ONE, records)
    message = _refused(demo, data, "a record without an action")
    assert f"byte {data.index(records[2])}:" in message


def test_the_first_record_of_a_recording_may_lack_its_action(demo) -> None:
    records = [w.record([w.observation([0, 0])]), *w.walk(3)]
    assert demo(w.demo_file(ONE, records)).num_steps == 3


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"seen": [w.observation([1])]}, "numbers of shape \\[1\\]; expected numbers of shape"),
        ({"seen": []}, "0 observations"),
        ({"seen": [w.observation([1, np.nan])]}, "nan in observation 'obs_0'"),
        ({"seen": [w.observation([1, np.inf])]}, "inf in observation 'obs_0'"),
        ({"reward": np.nan}, "reward nan"),
        ({"vector": [np.inf]}, "an action that is not finite"),
        ({"vector": [1, 2]}, "an action of 1 numbers and 1 choices"),
        ({"seen": [w.observation([1, 2], shape=[3])]}, "2 numbers for an observation of shape"),
        ({"seen": [w.observation([1, 2], shape=[-2])]}, "an observation of shape \\[-2\\]"),
        ({"seen": [w.observation([1, 2], shape=[2**31 - 1] * 4)]}, "an observation of shape"),
        ({"seen": [w.observation([1, 2], shape=[1] * 9)]}, "9 dimensions"),
    ],
)
def test_a_record_that_is_not_like_the_others_is_refused(demo, change, found: str) -> None:
    records = w.walk(4)
    records[2] = w.record(**{"seen": [w.observation([2, -2])], "vector": [1]} | change)
    _refused(demo, w.demo_file(ONE, records), found)


def test_a_choice_that_does_not_exist_is_refused(demo) -> None:
    records = [w.record([w.observation([k])], discrete=[k]) for k in range(4)]
    data = w.demo_file(w.brain(0, [3]), records)
    _refused(demo, data, "choice 3 of branch 0; expected 0 to 2")
    halves = [w.record([w.observation([k])], vector=[0.5]) for k in range(4)]
    _refused(demo, w.demo_file(w.old_brain([3]), halves), "choice 0.5; expected a whole number")


def test_files_that_contradict_themselves_are_refused(demo) -> None:
    five = w.walk(5)
    _refused(demo, w.demo_file(ONE, five, meta=w.metadata(6), trailing=False), "after 5 records")
    _refused(demo, w.demo_file(ONE, five, meta=w.metadata(2)), "bytes after the 2 records")
    _refused(demo, w.demo_file(ONE, five, meta=w.metadata(-1)), "-1 steps")
    _refused(demo, w.demo_file(ONE, [], meta=w.metadata(0)[:-5], trailing=False), "no record")
    _refused(demo, w.demo_file(ONE, five)[:-40], "bytes that are left|after 4 records")
    _refused(demo, w.demo_file(ONE, five, meta=w.metadata(5, name="x" * 40)), "too long")


@pytest.mark.parametrize(
    ("brain", "found"),
    [
        (w.inside(7, b"nothing"), "no action at all"),
        (w.brain(2**30), "1073741824 continuous actions"),
        (w.brain(0, [0]), "a branch of 0 choices"),
        (w.brain(0, [2**30]), "a branch of 1073741824 choices"),
        (w.brain(-3, [2]), "-3 continuous"),
        (w.inside(9, w.number(2, 3) + w.numbers(3, [2])), "3 branches of sizes"),
        (w.old_brain([2, 2], continuous=True), "action space 1 with sizes"),
    ],
)
def test_behaviors_that_cannot_be_are_refused(demo, brain: bytes, found: str) -> None:
    _refused(demo, w.demo_file(brain, w.walk(3)), found)


def test_odd_dimension_properties_are_refused(demo) -> None:
    for seen, found in [
        (w.observation([[1, 2]], properties=[1, 4]), "not supported"),
        (w.observation([1, 2], properties=[4]), "not supported"),
        (w.observation([1, 2], properties=[1, 1]), "2 dimension properties"),
        (w.observation(np.zeros((2, 2, 2)), properties=[2, 1, 2]), "dimension properties"),
        (w.observation([1], name="a\nb"), "unprintable"),
    ]:
        _refused(demo, w.demo_file(ONE, [w.record([seen], vector=[0])] * 2), found)


def test_pictures_of_another_size_than_declared_are_refused(demo) -> None:
    seen = w.observation([], [6, 9, 3], pngs=w.png(_pixels(6, 8, 3)))
    data = w.demo_file(ONE, [w.record([seen], vector=[0])] * 2)
    message = _refused(demo, data, "a PNG of 8 x 6 pixels for observation 'obs_0'")
    assert f"byte {data.index(b'PNG') - 1}:" in message


def test_a_picture_that_lacks_its_data_is_refused(demo) -> None:
    seen = w.numbers(1, [6, 9, 3]) + w.number(2, 1)
    _refused(demo, w.demo_file(ONE, [w.record([seen], vector=[0])] * 2), "compression PNG with")


def test_what_takes_more_memory_than_the_file_can_need_is_refused(demo) -> None:
    """A large first record followed by a million tiny ones would be a rectangle of 40 GB."""
    first = w.record([w.observation(np.zeros(10_000))], vector=[0])
    tiny = w.record([w.observation([])], vector=[0])
    data = w.demo_file(ONE, [first, *[tiny] * 50_000])
    _refused(demo, data, "bytes in memory")


def test_a_name_with_a_line_break_still_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nb.demo"
    path.write_bytes(w.demo_file(ONE, w.walk(3))[:-30])
    with pytest.raises(DemoError) as caught:
        mlagents.read(path)
    assert "\n" not in str(caught.value)


def test_heads_of_other_files_are_not_recognized() -> None:
    good = w.demo_file(ONE, w.walk(3))
    assert mlagents.recognizes(good)
    assert mlagents.recognizes(w.demo_file(ONE, w.walk(3), meta=w.metadata(3, name="x" * 40)))
    others = [b"", b"SQLite format 3\0" + bytes(80), b"PK\x03\x04" + bytes(80), b"\x80\x04" * 40]
    others += [bytes(80), good[:20], struct.pack("<I", 8) + good, good[1:], b"# text\n" * 20]
    for head in others:
        assert not mlagents.recognizes(head), head
