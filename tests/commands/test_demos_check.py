"""`understudy demos check` as a person and a program meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy import record
from understudy.cli import main
from understudy.data.demos import Demos, Provenance
from understudy.data.formats.door import load_demos
from understudy.data.formats.native import write_demos

Say = Callable[..., str]
UNITY = Path(__file__).parents[3] / "shared" / "data" / "demos"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("check")
    facts = Provenance(format="understudy", env_id="Acrobot-v1")
    good = record("Acrobot-v1", episodes=8, seed=0)
    write_demos(place / "good", Demos(good.spec, good.episodes, facts))
    write_demos(place / "twice", Demos(good.spec, [*good.episodes, good.episodes[2]], facts))
    return place


@pytest.fixture
def say(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """`say(words, code)`: what `understudy demos WORDS` answers where the recordings are."""
    monkeypatch.chdir(place)

    def said(*words: str, code: int = 0) -> str:
        assert main(["demos", *words]) == code
        told = capsys.readouterr()
        assert (told.err == "") == (code != 2)
        return told.err if code == 2 else told.out

    return said


def test_sound_demonstrations_are_said_to_be_so(say: Say) -> None:
    said = say("check", "good")
    assert said.startswith("8 episodes, ")
    assert "--env ENV also compares them" in said
    assert said.splitlines()[-1].startswith("nothing found, of ")


def test_their_environment_is_asked_where_it_is_named(say: Say) -> None:
    said = say("check", "good", "--env", "Acrobot-v1")
    assert "compared with Acrobot-v1: 90 of 90 steps of 3 episodes came back as recorded" in said
    said = say("check", "good", "--env", "CartPole-v1", code=1)
    assert "wrong (other_task): this was not recorded in CartPole-v1 as it is" in said


def test_what_is_wrong_is_said_with_the_command_that_mends_it(say: Say) -> None:
    said = say("check", "twice", "--quiet", code=1)
    assert said.startswith("wrong (duplicates): 1 of 9 episodes repeat an earlier one: 9 as 3\n")
    advice = said.splitlines()[-1].removeprefix("  -> ")
    assert advice == "demos delete twice --episodes 9"
    say("convert", "twice", "-o", "mended")
    say(*advice.removeprefix("demos ").replace("twice", "mended").split())
    say("check", "mended")


def test_only_chosen_episodes_are_looked_at(say: Say) -> None:
    say("check", "twice", "--episodes", "1-8")


def test_a_program_is_told_the_same(say: Say) -> None:
    told = json.loads(say("check", "twice", "--json", code=1))
    assert (told["episodes"], told["looked_at"], told["sound"]) == (9, 9, False)
    (finding,) = told["findings"]
    assert set(finding) == {"name", "severity", "says", "means", "advice"}
    assert finding["severity"] == "wrong"


def test_exit_codes_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demos", "check", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Exit code 1 if something is wrong" in said


def test_what_cannot_be_read_or_made_is_one_line(say: Say) -> None:
    assert "nowhere" in say("check", "nowhere", code=2)
    assert "Did you mean" in say("check", "good", "--env", "Acrobo-v1", code=2)


@pytest.mark.skipif(not UNITY.is_dir(), reason=f"no recordings of Unity at {UNITY}")
def test_recordings_of_unity_are_checked_and_a_wrong_pairing_is_found(tmp_path: Path) -> None:
    from understudy.data.diagnoses.evidence import gather
    from understudy.data.diagnoses.table import diagnose

    names = {
        "Expert3DBallHard": {"few_episodes"},
        "ExpertBasic": {"duplicates", "constant"},
        "ExpertPyramid": set(),
        "test_3DBall": set(),
        "testdcvis_visual": {"few_episodes", "constant_rewards"},
    }
    for name, expected in names.items():
        found = diagnose(gather(load_demos(UNITY / f"{name}.demo")))
        assert {finding.name for finding in found} == expected, name
    late = load_demos(UNITY / "test_3DBall.demo", alignment="same_record")
    assert "misaligned" in {finding.name for finding in diagnose(gather(late))}
