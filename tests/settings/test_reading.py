from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, MinLen
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from understudy import settings
from understudy.errors import ConfigError
from understudy.settings.yaml_tree import dump, parse


@dataclass(frozen=True, kw_only=True, slots=True)
class GAIL:
    strength: Annotated[float, Gt(0)] = 1.0
    """How much it counts."""
    num_updates: Annotated[int, Ge(1)] = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomNetwork:
    width: Annotated[int, Ge(1)] = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class PPOConfig:
    learning_rate: Annotated[float, Gt(0)] = 3e-4
    """Adam's step size,
    at the start."""
    clip_range: Annotated[float, Interval(gt=0, le=1)] = 0.2
    hidden: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (64, 64)
    normalize: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class SAC:
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    target_rate: Annotated[float, Interval(gt=0, le=1)] = 0.005


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    until: Annotated[float, Ge(0)]
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Video:
    frames: Annotated[int, Ge(1)] = 300
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    seed: Annotated[int, Ge(0)] = 0
    total_steps: Annotated[int, Ge(1)] = 1000
    device: Literal["cpu", "cuda"] = "cpu"
    label: str = ""
    time_limit: float | None = None
    learner: PPOConfig | SAC = PPOConfig(clip_range=0.3)
    signals: dict[str, GAIL | RandomNetwork] = field(default_factory=lambda: {"gail": GAIL()})
    weights: dict[str, Annotated[float, Ge(0)]] = field(default_factory=dict)
    lessons: tuple[Lesson, ...] = ()
    video: Video | None = None

    def __post_init__(self) -> None:
        if self.seed > self.total_steps:
            raise ValueError(f"seed {self.seed} is more than total_steps {self.total_steps}")


def problems(*overrides: str, text: str | None = None, folder: Path | None = None) -> list[str]:
    """What is said about this text and these overrides, the folder's name left out."""
    files = []
    if text is not None:
        assert folder is not None
        files.append(folder / "run.yaml")
        files[0].write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        settings.read(Run, files=files, overrides=overrides)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_nothing_said_gives_the_defaults() -> None:
    assert settings.read(Run) == Run()


def test_defaults_give_way_to_base_then_files_then_overrides(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("seed: 2\ntotal_steps: 20\nlabel: first\n")
    second.write_text("total_steps: 30\nlabel: second\n")
    base = {"seed": 1, "total_steps": 10, "device": "cuda", "label": "base"}
    got = settings.read(Run, files=[first, second], overrides=["label=last"], base=base)
    assert got == Run(seed=2, total_steps=30, device="cuda", label="last")


def test_nested_defaults_stay_where_nothing_is_said() -> None:
    got = settings.read(Run, overrides=["learner.hidden=[128, 128]"])
    assert got.learner == PPOConfig(clip_range=0.3, hidden=(128, 128))


def test_another_kind_starts_from_its_own_defaults(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("learner: {clip_range: 0.5}")
    got = settings.read(Run, files=[file], overrides=["learner=sac", "learner.learning_rate=1"])
    assert got.learner == SAC(learning_rate=1.0)
    assert settings.read(Run, overrides=["learner.kind=sac"]).learner == SAC()


def test_table_in_a_file_replaces_the_default_table(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("signals:\n  random_network: {width: 3}\n  mine: {kind: gail}\n")
    got = settings.read(Run, files=[file])
    assert got.signals == {"random_network": RandomNetwork(width=3), "mine": GAIL()}


def test_override_reaches_into_a_table_and_keeps_the_rest() -> None:
    got = settings.read(Run, overrides=["signals.gail.strength=2", "signals.random_network={}"])
    assert got.signals == {"gail": GAIL(strength=2), "random_network": RandomNetwork()}
    assert settings.read(Run, overrides=["signals={}"]).signals == {}


def test_whole_numbers_may_be_written_as_people_write_millions() -> None:
    assert settings.read(Run, overrides=["total_steps=5e6"]).total_steps == 5_000_000
    assert problems("total_steps=1.5e0") == [
        "override 'total_steps=1.5e0': expected a whole number >= 1, found 1.5e0"
    ]
    assert problems("total_steps=2.0")


def test_every_problem_is_said_at_once_with_its_place(tmp_path: Path) -> None:
    text = """seed: -1
learner:
  lrr: 3
  clip_range: 2
  normalize: 1
signals:
  gail: {strength: 0}
  other: {strength: 1}
learning_rate: 1
lessons: [{until: 1}, {name: a}]
seed: 3
weights: {a: -1}
"""
    assert problems("video.frames=x", "nonsense", text=text, folder=tmp_path) == [
        "run.yaml:11: seed: set twice, first on line 1",
        "override 'nonsense': expected name=value, such as learner.epochs=3",
        "run.yaml:1: seed: expected a whole number >= 0, found -1",
        "run.yaml:3: learner.lrr: unknown setting; did you mean learning_rate?",
        "run.yaml:4: learner.clip_range: expected a number > 0 and <= 1, found 2",
        "run.yaml:5: learner.normalize: expected true or false, found 1",
        "run.yaml:7: signals.gail.strength: expected a number > 0, found 0",
        "run.yaml:8: signals.other: needs kind: one of gail, random_network",
        "run.yaml:9: learning_rate: unknown setting; did you mean learner.learning_rate?",
        "run.yaml:10: lessons[1].until: is missing; expected a number >= 0",
        "run.yaml:12: weights.a: expected a number >= 0, found -1",
        """override 'video.frames=x': expected a whole number >= 1, found the text "x\"""",
    ]


def test_text_that_looks_like_a_number_is_asked_for_in_quotes() -> None:
    assert problems("label=007") == [
        "override 'label=007': expected text, found 007; for text, put it in quotes"
    ]
    assert settings.read(Run, overrides=["label='007'"]).label == "007"


def test_unknown_kind_suggests_the_nearest_even_when_more_is_said_about_it() -> None:
    assert problems("learner.kind=sacc", "learner.learning_rate=1") == [
        "override 'learner.kind=sacc': no kind 'sacc'; did you mean sac?"
    ]


def test_what_no_field_can_say_alone_is_said_with_its_place() -> None:
    assert problems("seed=5000") == ["seed 5000 is more than total_steps 1000"]


def test_nan_is_no_setting() -> None:
    assert problems("time_limit=.nan")
    assert settings.read(Run, overrides=["time_limit=.inf"]).time_limit == float("inf")


@pytest.mark.parametrize(
    "override",
    ["", "=", "seed", ".seed=1", "seed.=1", "seed.x=1", "seed=[1", "seed=*a", "seed=!!int 1",
     "learner=3", "learner=[1]", "signals=3", "lessons={}", "video=3", "label=\ud800",
     "seed=" + "9" * 5000, "learner={kind: [1]}", "label=" + "[" * 40, "seed=", "weights.a=null"],
)  # fmt: skip
def test_nonsense_is_refused_in_one_line(override: str) -> None:
    assert len(problems(override)) == 1


# --- For every setting: misspelt, of the wrong type, twice, out of range --------------------------

CHOSEN = {"learner": "ppo", "signals": "gail"}


def every_setting() -> list[settings.Setting]:
    """Each setting that stands alone in a file, tables and lists aside."""
    return [
        row
        for row in settings.describe(Run)
        if "<" not in row.path and "[" not in row.path and "kind" not in row.path
    ]


def written(row: settings.Setting, name: str, *values: str) -> tuple[str, int]:
    """A file with this setting under this name, and the line of its last value."""
    *above, _ = row.path.split(".")
    lines = [f"{'  ' * depth}{group}:" for depth, group in enumerate(above)]
    indent = "  " * len(above)
    if row.when.startswith("learner.kind="):
        lines.append(f"{indent}kind: {row.when.removeprefix('learner.kind=')}")
    lines += [f"{indent}{name}: {value}" for value in values]
    return "\n".join(lines) + "\n", len(lines)


def misspellings(name: str) -> Iterator[str]:
    for i in range(len(name)):
        yield name[:i] + name[i + 1 :]
        yield name[:i] + name[i] + name[i:]
        yield name[:i] + name[i : i + 2][::-1] + name[i + 2 :]
    yield name.upper()
    yield name.replace("_", "-")
    yield name + "s"


def test_every_misspelling_is_refused_and_the_right_name_suggested(tmp_path: Path) -> None:
    tried = right = 0
    for row in every_setting():
        name = row.path.split(".")[-1]
        group = row.path.removesuffix(name)
        known = {other.path for other in settings.describe(Run)}
        for wrong in set(misspellings(name)) - {name, ""}:
            if f"{group}{wrong}" in known:
                continue
            text, line = written(row, wrong, "1")
            said = problems(text=text, folder=tmp_path)
            assert said[0].startswith(f"run.yaml:{line}: {group}{wrong}: unknown setting; "), said
            tried += 1
            right += f"did you mean {name}?" in said[0]
    assert tried > 300
    assert right >= 0.95 * tried


def wrong_values(kind: str) -> list[str]:
    wrong = ["{a: 1}", "[[1]]", "!x 1"]
    if "text" not in kind and "path" not in kind:
        wrong += ["nonsense", "'1'", "no", "1:30"]
    if "number" not in kind:
        wrong += ["1", "1e-4", "010"]
    if "whole" in kind:
        wrong += ["1.5", "1.0", ".inf"]
    if "null" not in kind:
        wrong += ["~", "", "null"]
    if "true" not in kind:
        wrong += ["true"]
    return wrong


def test_every_wrong_type_is_refused_with_file_and_line(tmp_path: Path) -> None:
    tried = 0
    for row in every_setting():
        if "table" in row.type or "settings" in row.type:
            continue
        for value in wrong_values(row.type):
            text, line = written(row, row.path.split(".")[-1], value)
            said = problems(text=text, folder=tmp_path)
            assert len(said) == 1, (row, value, said)
            assert said[0].startswith(f"run.yaml:{line}: "), (row, value, said)
            tried += 1
    assert tried > 100


def test_everything_out_of_range_is_refused_with_the_range(tmp_path: Path) -> None:
    tried = 0
    for row in every_setting():
        name = row.path.split(".")[-1]
        ranges = {"> 0": ["0", "-1", "-.inf"], ">= 0": ["-1"], ">= 1": ["0", "-3"], "<= 1": ["2"]}
        for bound, values in ranges.items():
            for value in values if bound in row.type and "list" not in row.type else ():
                if "whole" in row.type and "inf" in value:
                    continue
                text, line = written(row, name, value)
                where = f"run.yaml:{line}: {row.path}: "
                wanted = f"{where}expected {row.type}, found {value}"
                assert problems(text=text, folder=tmp_path) == [wanted]
                tried += 1
    assert tried >= 15


def test_everything_said_twice_is_refused(tmp_path: Path) -> None:
    for row in every_setting():
        text, line = written(row, row.path.split(".")[-1], "1", "1")
        said = problems(text=text, folder=tmp_path)
        assert said[0] == f"run.yaml:{line}: {row.path}: set twice, first on line {line - 1}"


# --- YAML -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("1E5", 1e5), ("5.0e6", 5e6), ("-1e+3", -1e3), (".5", 0.5), ("5.", 5.0),
     ("+12", 12), ("-0", 0), ("010", 10), ("0o17", 15), ("0x1F", 31), ("0b11", "0b11"),
     ("1_000", "1_000"), ("1:30", "1:30"), ("1:30:00", "1:30:00"), ("2024-01-01", "2024-01-01"),
     ("no", "no"), ("No", "No"), ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("off", "off"),
     ("y", "y"), ("n", "n"), ("true", True), ("True", True), ("TRUE", True), ("tRUE", "tRUE"),
     ("false", False), ("null", None), ("~", None), ("", None), ("Null", None), ("none", "none"),
     (".inf", float("inf")), ("-.Inf", float("-inf")), ("inf", "inf"), ("nan", "nan"),
     ("'1'", "1"), ('"1e-4"', "1e-4"), ("<<", "<<"), ("=", "="), ("1e", "1e"), (".", "."),
     ("1.2.3", "1.2.3"), ("1,5", "1,5"), ("[1e3, no]", [1000.0, "no"]), ("{a: 010}", {"a": 10}),
     ("CartPole-v1", "CartPole-v1"), ("c:\\x", "c:\\x")],
)  # fmt: skip
def test_yaml_means_what_it_looks_like(text: str, value: object) -> None:
    said: list[str] = []
    node = parse(f"a: {text}\n", "x.yaml", said)
    assert said == []
    assert node is not None
    got = node.plain()["a"]
    assert (got, type(got)) == (value, type(value))


HOSTILE = {
    "object": "a: !!python/object/apply:os.system ['true']\n",
    "name": "a: !!python/name:os.system\n",
    "local tag": "a: !mine 3\n",
    "laughs": "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "own alias": "a: &a [*a]\n",
    "merge key": "a: &a {b: 1}\nc: {<<: *a}\n",
    "deep": "[" * 5000,
    "deep mappings": "".join("  " * i + "a:\n" for i in range(200)),
    "long": "a: " + "x" * (2 << 20),
    "documents": "a: 1\n---\nb: 2\n",
    "no scalar key": "? [a, b]\n: 1\n",
    "control": "a: \x00\n",
    "torn": "a: [1, 2\n",
    "torn text": 'a: "abc\n',
    "tab": "a:\n\tb: 1\n",
    "long number": "seed: " + "9" * 10_000 + "\n",
    "anchored key": "&a seed: 1\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.timeout(20)
def test_hostile_yaml_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    said = problems(text=HOSTILE[kind], folder=tmp_path)
    assert len(said) == 1
    assert said[0].startswith("run.yaml")


def test_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"label: caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        settings.read(Run, files=[tmp_path / "none.yaml", tmp_path / "latin.yaml", tmp_path])
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/none.yaml: cannot be read: No such file or directory",
        f"{tmp_path}/latin.yaml: not UTF-8 text, at byte 10",
        f"{tmp_path}: cannot be read: Is a directory",
    ]


def test_libyaml_and_the_python_parser_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    text = "a: {b: 010, c: [1e-4, no]}\nd: 'x'\na: 2\n"

    def got() -> tuple[Any, list[str]]:
        said: list[str] = []
        node = parse(text, "x.yaml", said)
        return node and node.plain(), said

    fast = got()
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert got() == fast


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=12)
    | st.sampled_from(["1e-4", "no", "010", "1:30", "0o17", "~", ".inf", "true", "=", "<<", " a"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=6), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@hypothesis_settings(derandomize=True, deadline=None, max_examples=300)
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=6), plain, max_size=4))
def test_any_tree_is_read_back_as_it_was_written(tree: dict[str, Any]) -> None:
    said: list[str] = []
    node = parse(dump(tree), "x.yaml", said)
    assert said == []
    assert node is not None
    assert node.plain() == tree


# --- Writing --------------------------------------------------------------------------------------

positive = st.floats(min_value=0, exclude_min=True)
fraction = st.floats(min_value=0, max_value=1, exclude_min=True)
words = st.text(st.characters(codec="utf-8"), max_size=8)
ppos = st.builds(
    PPOConfig,
    learning_rate=positive,
    clip_range=fraction,
    hidden=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    normalize=st.booleans(),
)
runs = st.builds(
    Run,
    seed=st.integers(0, 10),
    total_steps=st.integers(10, 10**20),
    device=st.sampled_from(["cpu", "cuda"]),
    label=words,
    time_limit=st.none() | st.floats(allow_nan=False),
    learner=ppos | st.builds(SAC, learning_rate=positive, target_rate=fraction),
    signals=st.dictionaries(
        words, st.builds(GAIL, strength=positive) | st.just(RandomNetwork(width=3)), max_size=3
    ),
    weights=st.dictionaries(words, st.floats(min_value=0), max_size=3),
    lessons=st.lists(st.builds(Lesson, until=st.floats(min_value=0), name=words)).map(tuple),
    video=st.none() | st.builds(Video, folder=st.none() | words.map(Path)),
)


@hypothesis_settings(derandomize=True, deadline=None, max_examples=200)
@given(run=runs)
def test_what_ran_is_what_is_written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "run.yaml"
    file.write_bytes(settings.to_yaml(run).encode())
    again = settings.read(Run, files=[file])
    assert again == run
    assert settings.digest(again) == settings.digest(run)
    assert settings.read(Run, base=settings.as_tree(run)) == run


def test_digest_tells_every_difference_and_no_other() -> None:
    assert settings.digest(Run()) == settings.digest(Run(weights={}))
    assert settings.digest(Run(time_limit=1)) == settings.digest(Run(time_limit=1.0))
    assert settings.digest(Run(learner=SAC())) != settings.digest(Run())
    assert len({settings.digest(Run(seed=seed)) for seed in range(20)}) == 20


def test_config_made_in_python_is_checked_as_a_written_one() -> None:
    wrong: Any = {"seed": -1, "learner": 3, "device": "tpu", "video": Video(frames=0)}
    with pytest.raises(ConfigError) as caught:
        settings.check(Run(**wrong))
    assert str(caught.value).splitlines() == [
        "seed: expected a whole number >= 0, found -1",
        'device: expected one of cpu, cuda, found the text "tpu"',
        "learner: expected settings with kind ppo or sac, found 3",
        "video.frames: expected a whole number >= 1, found 0",
    ]
    checked = settings.check(Run(time_limit=3))
    assert type(checked.time_limit) is float
    wrong = {"label": object()}
    with pytest.raises(ConfigError, match="label: expected text"):
        settings.check(Run(**wrong))


def test_replace_changes_what_is_named_and_leaves_the_rest() -> None:
    run = Run(learner=SAC(target_rate=0.5), signals={})
    got = settings.replace(run, "learner.learning_rate=0.1", "seed=3")
    assert got == Run(seed=3, learner=SAC(target_rate=0.5, learning_rate=0.1), signals={})


def test_description_says_type_default_and_doc_of_every_setting() -> None:
    rows = {(row.path, row.when): row for row in settings.describe(Run)}
    ppo = "learner.kind=ppo"
    assert rows["learner.kind", ""].type == "ppo or sac"
    row = rows["learner.learning_rate", ppo]
    assert row[:4] == (
        "learner.learning_rate",
        "a number > 0",
        "0.0003",
        "Adam's step size, at the start.",
    )
    assert str(row) == (
        "learner.learning_rate: 0.0003  (a number > 0, if learner.kind=ppo)\n"
        "    Adam's step size, at the start."
    )
    assert rows["learner.clip_range", ppo].default == "0.3"
    assert rows["learner.hidden", ppo].type == "a list of whole numbers >= 1, at least 1 long"
    assert rows["signals.<name>.strength", "signals.<name>.kind=gail"].doc == "How much it counts."
    assert rows["lessons[].until", ""].default == "required"
    assert rows["video.folder", "video is set"].type == "a path or null"


def test_type_that_settings_cannot_have_is_refused_when_the_class_is_read() -> None:
    with pytest.raises(TypeError, match="cannot be of type"):
        settings.describe(Impossible)


@dataclass(frozen=True, kw_only=True, slots=True)
class Impossible:
    either: SAC | int = 3


def test_importing_settings_imports_neither_yaml_nor_pydantic_nor_numpy() -> None:
    code = """
import sys
import understudy.settings as settings
heavy = {"yaml", "pydantic", "pydantic_core", "numpy", "torch"} & set(sys.modules)
assert not heavy, heavy
from dataclasses import make_dataclass
Small = make_dataclass("Small", [("a", float, 1.0)], kw_only=True, frozen=True)
assert settings.read(Small, overrides=["a=2"]).a == 2
"""
    subprocess.run([sys.executable, "-c", code], check=True)
