"""YAML as a tree that remembers where everything was written.

Only what JSON can say is read, with the words of YAML 1.2's core schema: `1e-4` is a number, `no`
and `on` are text, `010` is ten and `1:30` is text. There are no tags, anchors or aliases, so
nothing can be built and nothing can grow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

Scalar = str | int | float | bool | None

# YAML 1.2.2, section 10.3.2. A plain scalar that matches none of these is text.
_FIXED: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class UnreadableError(Exception):
    """The text is not YAML as we read it; says where and why."""


@dataclass(slots=True)
class Node:
    """A value and where it was written.

    Attributes:
        value: A scalar, a list of nodes, or a mapping of names to nodes.
        where: Such as `run.yaml:12`; empty if it was not written but made in Python.
        text: A plain scalar as it was written.
        partial: Whether a mapping says only what to change, not all there is.
    """

    value: Scalar | list[Node] | dict[str, Node]
    where: str = ""
    text: str = ""
    partial: bool = False

    @classmethod
    def of(cls, value: Any, where: str = "") -> Node:
        """The tree of a plain Python value, everything at one place."""
        if isinstance(value, Mapping):
            return cls({str(key): cls.of(child, where) for key, child in value.items()}, where)
        if isinstance(value, (list, tuple)):
            return cls([cls.of(child, where) for child in value], where)
        return cls(value, where)

    def plain(self, *, whole: bool = False) -> Any:
        """The plain Python value.

        Args:
            whole: Read whole numbers in scientific notation, such as `5e6`, as integers.
        """
        if isinstance(self.value, dict):
            return {key: child.plain(whole=whole) for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain(whole=whole) for child in self.value]
        if whole and isinstance(self.value, float) and "e" in self.text.lower():
            return int(self.value) if self.value.is_integer() else self.value
        return self.value


def scalar(text: str) -> Scalar:
    """What an unquoted scalar means in YAML 1.2's core schema.

    Raises:
        ValueError: An integer of thousands of digits.
    """
    if text in _FIXED:
        return _FIXED[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    return float(text) if _FLOAT.fullmatch(text) else text


def parse(text: str, source: str, problems: list[str], *, numbered: bool = True) -> Node | None:
    """The tree that a text holds, an empty mapping if it holds nothing.

    Args:
        text: One YAML document.
        source: What to call it in messages, such as a file's name.
        problems: A line is added for each key that is there twice, and for what stopped the
            reading.
        numbered: Whether messages carry line numbers.

    Returns:
        The tree, or None if it could not be read to its end.
    """
    import yaml

    reader = _Reader(source, numbered, problems)
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        problems.append(f"{source}: longer than {MAX_BYTES} bytes, which no settings file is")
        return None
    try:
        # libyaml's parser is about ten times as fast; wheels have it everywhere.
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return reader.document(events)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        problems.append(f"{reader.place(mark)}: not valid YAML: {said}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position if isinstance(error.position, int) else 0)
        problems.append(f"{reader.at(line)}: not valid YAML: {error.reason}")
    except UnicodeEncodeError:
        problems.append(f"{source}: not valid Unicode text")
    except UnreadableError as error:
        problems.append(str(error))
    return None


def dump(tree: Mapping[str, Any]) -> str:
    """A plain tree as YAML that `parse` reads back to the same, keys in their order."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes text whenever YAML 1.2, or the older 1.1 of other tools, reads something else."""

        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            older = super().resolve(kind, value, implicit)
            if kind is not yaml.ScalarNode or not implicit[0]:
                return older
            name: dict[type, str] = {type(None): "null", bool: "bool", int: "int", float: "float"}
            found = name.get(type(scalar(value)))
            return f"tag:yaml.org,2002:{found}" if found else older

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def quoted(dumper: Any, text: str) -> Any:
        # PyYAML would write U+0085 and its like as they are, where they read as line breaks.
        style = None if text.isprintable() else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, quoted)
    return yaml.dump(
        tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=96
    )


class _Reader:
    """Builds nodes from parser events; depth is bounded, so recursion is."""

    def __init__(self, source: str, numbered: bool, problems: list[str]) -> None:
        self.source, self.numbered, self.problems = source, numbered, problems
        self.path: list[str] = []

    def at(self, line: int) -> str:
        return f"{self.source}:{line + 1}" if self.numbered else self.source

    def place(self, mark: Any) -> str:
        return self.at(mark.line) if mark else self.source

    def refuse(self, event: Any, why: str) -> UnreadableError:
        return UnreadableError(f"{self.place(event.start_mark)}: {why}")

    def document(self, events: Iterator[Any]) -> Node:
        import yaml

        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.refuse(event, "a second document; one file holds one")
            elif isinstance(event, yaml.NodeEvent):
                root = self.node(event, events)
        return Node({}, self.at(0)) if root is None else root

    def node(self, event: Any, events: Iterator[Any]) -> Node:
        import yaml

        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.refuse(
                event, "anchors (&) and aliases (*) are not read; write it out, or quote the text"
            )
        if event.tag is not None:
            raise self.refuse(event, f"tags such as {event.tag} are not read; leave it out")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        self.path.append("")
        if len(self.path) > MAX_DEPTH:
            raise self.refuse(event, f"nested more than {MAX_DEPTH} deep")
        build = self.mapping if isinstance(event, yaml.MappingStartEvent) else self.sequence
        made = Node(build(events), self.place(event.start_mark))
        self.path.pop()
        return made

    def scalar(self, event: Any) -> Node:
        plain = event.implicit[0]
        try:
            value = scalar(event.value) if plain else event.value
        except ValueError:
            raise self.refuse(event, f"a number of {len(event.value)} digits") from None
        return Node(value, self.place(event.start_mark), event.value if plain else "")

    def sequence(self, events: Iterator[Any]) -> list[Node]:
        import yaml

        found: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            self.path[-1] = str(len(found))
            found.append(self.node(event, events))
        return found

    def mapping(self, events: Iterator[Any]) -> dict[str, Node]:
        import yaml

        found: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
                raise self.refuse(event, "a key must be a plain name")
            self.path[-1] = key = event.value
            where = self.place(event.start_mark)
            child = self.node(next(events), events)
            if key in found:
                first = found[key].where.removeprefix(f"{self.source}:")
                said = f", first on line {first}" if self.numbered else ""
                self.problems.append(f"{where}: {'.'.join(self.path)}: set twice{said}")
            else:
                child.where = where
                found[key] = child
        return found
