"""What is remembered, and for how long; names and files of uploads."""

import os
import sys

import pytest

from illures.web.server.limits import Limits
from illures.web.server.memoryfile import as_file
from illures.web.server.store import ForgottenError, Store, new_id
from illures.web.server.uploads import plain_name


def test_the_longest_unused_goes_first():
    store = Store(Limits(held=2))
    first, second = store.put("a", 1), store.put("b", 1)
    store.get(first, str)
    third = store.put("c", 1)
    assert store.get(first, str) == "a" and store.get(third, str) == "c"
    with pytest.raises(ForgottenError):
        store.get(second, str)


def test_bytes_are_limited():
    store = Store(Limits(held=100, held_bytes=10))
    first, second = store.put("a", 6), store.put("b", 6)
    with pytest.raises(ForgottenError):
        store.get(first, str)
    assert store.get(second, str) == "b"


def test_idle_values_are_forgotten():
    now = [0.0]
    store = Store(Limits(idle_s=10), clock=lambda: now[0])
    id = store.put("a", 1)
    now[0] = 9
    assert store.get(id, str) == "a"
    now[0] = 18
    assert store.get(id, str) == "a" and len(store) == 1
    now[0] = 29
    assert len(store) == 0
    with pytest.raises(ForgottenError):
        store.get(id, str)


def test_another_kind_of_thing_is_not_found():
    store = Store(Limits())
    with pytest.raises(ForgottenError):
        store.get(store.put("a", 1), int)


def test_ids_are_not_repeated():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000 and min(map(len, ids)) >= 22


@pytest.mark.parametrize(
    "name, plain",
    [
        ("a.jpg", "a.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\b.png", "b.png"),
        ("a\x00b\n\x1b[31m.jpg", "ab[31m.jpg"),
        ("", "photo"),
        ("..", "photo"),
        ("/", "photo"),
        ("\u202egpj.exe", "gpj.exe"),
    ],
)
def test_names_are_made_harmless(name, plain):
    assert plain_name(name) == plain


def test_long_names_keep_their_suffix():
    assert plain_name("x" * 500 + ".jpeg") == "x" * 75 + ".jpeg"


def test_bytes_as_a_file():
    data = bytes(range(256)) * 100
    with as_file(data, ".bin") as path:
        assert path.suffix == ".bin" and path.read_bytes() == data
        with path.open("rb") as file:
            assert file.seek(25_000) and file.read(3) == data[25_000:25_003]
        if sys.platform == "linux":
            assert os.readlink(path).startswith("/proc/self/fd/")
    assert not path.exists() and not path.parent.exists()
