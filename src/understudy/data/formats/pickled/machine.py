"""A pickle as plain values: a small machine for its opcodes that can run nothing.

A pickle is a program. This machine knows the opcodes that make numbers, texts, lists, tuples and
dictionaries; of the names in a file it imports none. A name is looked up in a table of functions of
ours, each of which makes a description of an array or a dictionary; any other name is refused.
Opcodes are those of protocols 2 to 5 (documented in CPython's `pickletools`); those of protocols 0
and 1 that spell values out as text, those of extension registries and persistent ids, and sets are
refused.

Every opcode costs a bounded amount of time and memory, lengths are compared with the bytes that are
left before anything is taken, and nesting costs no stack of Python's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from understudy.data.formats.wire import WireError

EXPECTED = "lists, dictionaries, numbers, texts, numpy arrays and torch tensors alone"
MOST_STACKED = 1 << 20
MOST_MARKS = 1 << 10
LONGEST_NUMBER = 32
LONGEST_NAME = 256
LEAST_PROTOCOL, LAST_PROTOCOL = 2, 5


class Name(NamedTuple):
    """A name that a file asks for; never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


Maker = Callable[..., Any]
Finish = Callable[[Any, Any], None]


class Machine:
    """Runs one pickle after the other out of the same bytes.

    Attributes:
        at: Where the next opcode is.
    """

    def __init__(
        self,
        data: bytes,
        makers: Mapping[Name, Maker],
        finish: Finish,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            data: The pickles.
            makers: Name to function of the values that the file gives. They raise ValueError, with
                what was found.
            finish: Takes what a maker made and the state that the file adds to it.
            persistent: Makes a value of a persistent id; None refuses them.
        """
        self.at = 0
        self._data, self._makers, self._finish = data, makers, finish
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value of the pickle that starts here.

        Raises:
            WireError: There is none, it is damaged, or it holds something else.
        """
        self._stack, self._marks, self._memo = [], [], {}
        data, stack, table = self._data, self._stack, _TABLE
        here = self.at
        try:
            while True:
                here = self.at
                op = data[here]
                self.at = here + 1
                if op == _STOP:
                    break
                table[op](self)
                if len(stack) > MOST_STACKED:
                    raise WireError(here, f"more than {MOST_STACKED} values side by side", "fewer")
            (value,) = stack
        except WireError:
            raise
        except (IndexError, struct.error):
            # Past the end of the bytes, or of what lies on the stack.
            raise WireError(here, "a pickle that is cut off or damaged", "a whole one") from None
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise WireError(here, _said(error), EXPECTED) from None
        return value

    def take(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            WireError: There are not so many.
        """
        left = len(self._data) - self.at
        if size > left:
            raise WireError(self.at, f"a length of {size}", f"at most the {left} bytes left")
        self.at += size
        return self._data[self.at - size : self.at]

    def _number(self, form: struct.Struct) -> Any:
        return form.unpack(self.take(form.size))[0]

    def _line(self) -> str:
        end = self._data.find(b"\n", self.at, self.at + LONGEST_NAME)
        if end < 0:
            raise ValueError("a name without end")
        text = self.take(end - self.at).decode()
        self.at += 1
        return text

    def _pop(self) -> Any:
        if self._marks and len(self._stack) <= self._marks[-1]:
            raise IndexError
        return self._stack.pop()

    def _top(self) -> Any:
        self._stack.append(self._pop())
        return self._stack[-1]

    def _marked(self) -> list[Any]:
        mark = self._marks.pop()
        out = self._stack[mark:]
        del self._stack[mark:]
        return out

    def _named(self, name: Name) -> None:
        if name not in self._makers:
            raise ValueError(f"{_shown(name)}, which is none of these and was not run")
        self._stack.append(name)

    # Numbers, texts and bytes.

    def _none(self) -> None:
        self._stack.append(None)

    def _true(self) -> None:
        self._stack.append(True)

    def _false(self) -> None:
        self._stack.append(False)

    def _byte(self) -> None:
        self._stack.append(self.take(1)[0])

    def _short(self) -> None:
        self._stack.append(self._number(_U2))

    def _int(self) -> None:
        self._stack.append(self._number(_I4))

    def _long(self) -> None:
        size = self.take(1)[0]
        if size > LONGEST_NUMBER:
            raise ValueError(f"a whole number of {size} bytes")
        self._stack.append(int.from_bytes(self.take(size), "little", signed=True))

    def _float(self) -> None:
        self._stack.append(self._number(_F8))

    def _bytes1(self) -> None:
        self._stack.append(self.take(self.take(1)[0]))

    def _bytes4(self) -> None:
        self._stack.append(self.take(self._number(_U4)))

    def _bytes8(self) -> None:
        self._stack.append(self.take(self._number(_U8)))

    def _text1(self) -> None:
        self._stack.append(_text(self.take(self.take(1)[0])))

    def _text4(self) -> None:
        self._stack.append(_text(self.take(self._number(_U4))))

    def _text8(self) -> None:
        self._stack.append(_text(self.take(self._number(_U8))))

    # Containers.

    def _mark(self) -> None:
        if len(self._marks) >= MOST_MARKS:
            raise ValueError(f"nesting deeper than {MOST_MARKS}")
        self._marks.append(len(self._stack))

    def _tuple0(self) -> None:
        self._stack.append(())

    def _tuple1(self) -> None:
        self._stack.append((self._pop(),))

    def _tuple2(self) -> None:
        last = self._pop()
        self._stack.append((self._pop(), last))

    def _tuple3(self) -> None:
        last, middle = self._pop(), self._pop()
        self._stack.append((self._pop(), middle, last))

    def _tuple(self) -> None:
        self._stack.append(tuple(self._marked()))

    def _list(self) -> None:
        self._stack.append([])

    def _append(self) -> None:
        value = self._pop()
        _of(list, self._top()).append(value)

    def _appends(self) -> None:
        values = self._marked()
        _of(list, self._top()).extend(values)

    def _dict(self) -> None:
        self._stack.append({})

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        _of(dict, self._top())[_of(str, key)] = value

    def _set_items(self) -> None:
        values = self._marked()
        if len(values) % 2:
            raise ValueError("a key without its value")
        out = _of(dict, self._top())
        for key, value in zip(values[::2], values[1::2], strict=True):
            out[_of(str, key)] = value

    # The stack and the memo.

    def _drop(self) -> None:
        self._pop()

    def _drop_marked(self) -> None:
        self._marked()

    def _double(self) -> None:
        self._stack.append(self._top())

    def _put1(self) -> None:
        self._memo[self.take(1)[0]] = self._top()

    def _put4(self) -> None:
        place = self._number(_U4)
        if place > len(self._data):
            raise ValueError(f"a memo of {place} entries")
        self._memo[place] = self._top()

    def _memoize(self) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get1(self) -> None:
        self._stack.append(self._memo[self.take(1)[0]])

    def _get4(self) -> None:
        self._stack.append(self._memo[self._number(_U4)])

    # What is made by name.

    def _global(self) -> None:
        self._named(Name(self._line(), self._line()))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._named(Name(_of(str, module), _of(str, name)))

    def _reduce(self) -> None:
        given, name = self._pop(), self._pop()
        maker = self._makers[_of(Name, name)]
        self._stack.append(maker(*_of(tuple, given)))

    def _build(self) -> None:
        state = self._pop()
        self._finish(self._top(), state)

    def _persistent_id(self) -> None:
        if self._persistent is None:
            raise ValueError("a reference to something outside of the file")
        self._stack.append(self._persistent(self._pop()))

    # How the bytes are arranged.

    def _protocol(self) -> None:
        version = self.take(1)[0]
        if not LEAST_PROTOCOL <= version <= LAST_PROTOCOL:
            raise ValueError(f"pickle protocol {version}")

    def _frame(self) -> None:
        size, left = self._number(_U8), len(self._data) - self.at
        if size > left:
            raise WireError(self.at, f"a frame of {size} bytes", f"at most the {left} left")

    def _unknown(self) -> None:
        op = self._data[self.at - 1]
        what = _UNKNOWN.get(op, "which makes something else")
        raise ValueError(f"pickle opcode {bytes((op,))!r}, {what}")

    _KNOWN: ClassVar[dict[bytes, Callable[[Any], None]]] = {
        b"N": _none,
        b"\x88": _true,
        b"\x89": _false,
        b"K": _byte,
        b"M": _short,
        b"J": _int,
        b"\x8a": _long,
        b"G": _float,
        b"C": _bytes1,
        b"B": _bytes4,
        b"\x8e": _bytes8,
        b"\x96": _bytes8,  # a bytearray: nobody here changes it
        b"\x8c": _text1,
        b"X": _text4,
        b"\x8d": _text8,
        b"(": _mark,
        b")": _tuple0,
        b"\x85": _tuple1,
        b"\x86": _tuple2,
        b"\x87": _tuple3,
        b"t": _tuple,
        b"]": _list,
        b"a": _append,
        b"e": _appends,
        b"}": _dict,
        b"s": _set_item,
        b"u": _set_items,
        b"0": _drop,
        b"1": _drop_marked,
        b"2": _double,
        b"q": _put1,
        b"r": _put4,
        b"\x94": _memoize,
        b"h": _get1,
        b"j": _get4,
        b"c": _global,
        b"\x93": _stack_global,
        b"R": _reduce,
        b"\x81": _reduce,  # a new object of a class: a maker is both
        b"b": _build,
        b"Q": _persistent_id,
        b"\x80": _protocol,
        b"\x95": _frame,
    }

    @classmethod
    def table(cls) -> list[Callable[[Any], None]]:
        """What to do at each of the 256 opcodes."""
        return [cls._KNOWN.get(bytes((op,)), cls._unknown) for op in range(256)]


def _text(data: bytes) -> str:
    # As CPython does: what is no character of its own comes back as it was.
    return data.decode("utf-8", "surrogatepass")


def _of(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} where {kind.__name__} should be")
    return value


def _shown(name: Name) -> str:
    text = str(name)
    return text if len(text) <= 80 else text[:77] + "..."


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return "something that was not made before"
    return " ".join(str(error).split())[:200] or type(error).__name__


_STOP = ord(".")
_U2, _I4, _U4, _U8 = (struct.Struct(form) for form in ("<H", "<i", "<I", "<Q"))
_F8 = struct.Struct(">d")
_UNKNOWN = {
    **dict.fromkeys(b"FILSTUVdgilop", "which only protocols 0 and 1 use"),
    **dict.fromkeys(b"\x82\x83\x84", "which names something in a registry"),
    **dict.fromkeys(b"\x8f\x90\x91", "which makes a set"),
    **dict.fromkeys(b"\x97\x98", "which asks for memory outside of the file"),
}
_TABLE = Machine.table()
