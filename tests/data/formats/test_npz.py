from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.data.formats.npz import Npz
from understudy.errors import DemoError


def _file(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def _raw(path: Path, name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr(f"{name}.npy", data)
    return path


def _npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def _refused(path: Path, name: str, found: str, kinds: str = "biuf") -> None:
    with pytest.raises(DemoError, match=found) as caught, Npz(path) as file:
        file.array(name, kinds)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "<i8", ">i4", "<f4", ">f8", "<f2", "u8"])
def test_every_plain_array_comes_back(tmp_path: Path, dtype: str, compressed: bool) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    for shape in [(), (0,), (7,), (3, 4), (2, 0, 3), (2, 3, 4)]:
        array = np.asarray(rng.integers(0, 100, shape)).astype(dtype)
        (np.savez_compressed if compressed else np.savez)(path, a=array)
        with Npz(path) as file:
            read = file.array("a")
        np.testing.assert_array_equal(read, array)
        assert read.dtype == array.dtype.newbyteorder("=")
        assert read.shape == shape
        assert read.flags.writeable


def test_columns_first_and_text_come_back(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))
    path = _file(tmp_path / "a.npz", a=array, t=np.array(["one", "twö"]))
    with Npz(path) as file:
        np.testing.assert_array_equal(file.array("a"), array)
        assert file.array("t", "U").tolist() == ["one", "twö"]
        assert file.names == ("a", "t")


def test_headers_of_all_versions_are_read(tmp_path: Path) -> None:
    for version in ((1, 0), (2, 0), (3, 0)):
        out = io.BytesIO()
        np.lib.format.write_array(out, np.arange(3), version=version)
        with Npz(_raw(tmp_path / "a.npz", "a", out.getvalue())) as file:
            assert file.array("a").tolist() == [0, 1, 2]


def test_a_header_written_by_python_2_is_read(tmp_path: Path) -> None:
    header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2L, 1L), }"
    path = _raw(tmp_path / "a.npz", "a", _npy(header, struct.pack("<2i", 5, 6)))
    with Npz(path) as file:
        assert file.array("a").tolist() == [[5], [6]]


def test_objects_are_refused_and_never_opened_where_nobody_asks(tmp_path: Path) -> None:
    infos = np.array([{"a": 1}], object)
    path = tmp_path / "a.npz"
    np.savez(path, infos=infos, a=np.arange(2))
    with Npz(path) as file:
        assert file.array("a").tolist() == [0, 1]
    _refused(path, "infos", "pickled Python objects, which could run any code")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "never loaded"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "has the header"),
        ("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,), }", "holds dtype"),
        ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "holds dtype"),
        ("{'descr': '|V9', 'fortran_order': False, 'shape': (1,), }", "holds dtype"),
        ("{'descr': '<f3', 'fortran_order': False, 'shape': (1,), }", "holds dtype"),
        ("{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", "expected flags or"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "has the header"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1e9,), }", "has the header"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (99" + "9" * 30 + ",), }", "shape"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, , 2), }", "shape"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 9 + "), }", "shape"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (35184372088832,), }", "in 4 bytes"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "expected 8 bytes"),
        ("{'descr': '<f4', 'fortran_order': 1, 'shape': (1,), }", "has the header"),
        ("__import__('os').system('echo')", "has the header"),
        ("{'descr': " * 900, "has the header"),
        ("\n" * 20000, "a header of 20000 bytes"),
    ],
)
def test_odd_headers_are_refused(tmp_path: Path, header: str, found: str) -> None:
    path = _raw(tmp_path / "a.npz", "a", _npy(header, bytes(4)))
    _refused(path, "a", found)


def test_members_that_are_no_arrays_are_refused(tmp_path: Path) -> None:
    for data in (b"", b"\x93NUMPY", b"\x93NUMPY\x01", b"\x93NUMPY\x01\0", b"\x93NUMPY\x09\0\1\0x"):
        path = _raw(tmp_path / "a.npz", "a", data)
        _refused(path, "a", "no numpy array|ends in its header|has the header")
    _refused(path, "b", "arrays a; expected an array 'b'")


def test_other_compressions_and_damage_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.save(out, np.arange(100))
    path = _raw(tmp_path / "a.npz", "a", out.getvalue(), zipfile.ZIP_BZIP2)
    _refused(path, "a", "compressed by method 12")
    path = _raw(tmp_path / "a.npz", "a", out.getvalue())
    data = bytearray(path.read_bytes())
    data[80] ^= 255
    path.write_bytes(bytes(data))
    _refused(path, "a", "is damaged")
    path.write_bytes(bytes(data[:100]))
    with pytest.raises(DemoError, match="a damaged zip file"):
        Npz(path)


def test_a_small_file_that_becomes_half_a_gigabyte_is_refused_before_it_is_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.npz"
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (536870912,), }"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("a.npy", "w", force_zip64=True) as member,
    ):
        member.write(_npy(header))
        for _ in range(32):
            member.write(bytes(1 << 24))
    assert path.stat().st_size < 4 << 20
    _refused(path, "a", "takes 536870912 bytes in memory; expected at most")


def test_all_arrays_share_the_memory_that_a_file_may_take(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays: dict[str, Any] = {f"a{i}": np.zeros(140 << 20, np.uint8) for i in range(2)}
    np.savez_compressed(path, **arrays)
    with Npz(path) as file:
        file.array("a0")
        with pytest.raises(DemoError, match="in memory"):
            file.array("a1")


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", b"")
        file.writestr("a", b"")
    with pytest.raises(DemoError, match="2 members of 1 different names"):
        Npz(path)


def test_flags_are_true_or_false_whatever_their_byte(tmp_path: Path) -> None:
    header = "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }"
    path = _raw(tmp_path / "a.npz", "a", _npy(header, b"\x00\x01\x07"))
    with Npz(path) as file:
        assert file.array("a").view(np.uint8).tolist() == [0, 1, 1]


def test_an_array_that_damage_hides_from_the_list_is_not_passed_over(tmp_path: Path) -> None:
    """The length of the first entry's comment grows until it holds the whole second entry."""
    path = _file(tmp_path / "a.npz", a=np.arange(3), b=np.arange(4))
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 1)
    size = data.index(b"PK\x05\x06") - second
    for place in (30, 32):  # of its extra field, of its comment
        damaged = bytearray(data)
        damaged[first + place : first + place + 2] = struct.pack("<H", size)
        path.write_bytes(damaged)
        with pytest.raises(DemoError, match=r"has another one for a comment|damaged zip"):
            Npz(path)


def test_a_damaged_name_is_not_taken_for_another_array(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.npz", rews=np.arange(3))
    data = path.read_bytes()
    last = data.rindex(b"rews")
    path.write_bytes(data[:last] + b"rewt" + data[last + 4 :])
    with pytest.raises(DemoError, match="array 'rewt' is damaged"):
        Npz(path)
