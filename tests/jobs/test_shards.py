"""Photos in parts, results in shards: what is read, what is written, and what is left when something dies."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fake_jobs import PhotoSizes
from illures.errors import InputError
from illures.io import webdataset
from illures.io.webdataset import add, grouped
from illures.jobs.parts import Item, items, plan
from illures.jobs.ray_photos import ShardWorker, digest
from illures.jobs.shards import Row, ShardFolder, Trying

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def jpeg(width: int, height: int = 8) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (width, height)).save(memory, "JPEG")
    return memory.getvalue()


def tar_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            add(tar, name, data)
    return path


def read(found: list[Item]) -> list[tuple[str, object]]:
    return [(item.key, str(item.path) if isinstance(item.path, InputError) else item.name) for item in found]


def all_items(paths: list[Path], scratch: Path, size: int = 2) -> list[tuple[str, int]]:
    """Key and width of each photo."""
    parts, problems = plan(paths, False, size)
    assert not problems and [part.number for part in parts] == list(range(len(parts)))
    return [(item.key, Image.open(item.path).width) for part in parts for item in items(part, scratch)]


def test_files_lists_and_folders(tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    for k in range(3):
        (tmp_path / "photos" / f"b.{k}.jpg").write_bytes(jpeg(8 + k))
    (tmp_path / "own.jpg").write_bytes(jpeg(20))
    (tmp_path / "list.txt").write_text("# a list\nown.jpg\n\nphotos/b.1.jpg\n")
    assert all_items([tmp_path / "list.txt", tmp_path / "photos"], tmp_path) == [
        ("000000000-own", 20),
        ("000000001-b_1", 9),
        ("000000002-b_0", 8),
        ("000000003-b_2", 10),
    ]


def test_tars(tmp_path) -> None:
    files = {"x/a.json": b"{}", "x/a.jpg": jpeg(9), "b.JPG": jpeg(10), "c.txt": b"no photo"}
    (part,), _ = plan([tar_of(tmp_path / "in.tar", files)], False, 2)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = []
    for item in items(part, scratch):
        found.append(item)
        assert isinstance(item.path, InputError) or Image.open(item.path).height == 8
    assert read(found) == [
        ("x_a", f"{tmp_path}/in.tar/x/a.jpg"),
        ("b", f"{tmp_path}/in.tar/b.JPG"),
        ("c", f"{tmp_path}/in.tar/c: holds no photo, but txt"),
    ]
    assert not list(scratch.iterdir())


def test_keys_are_no_longer_than_names_may_be(tmp_path) -> None:
    """In bytes, of which a letter may have four; what is cut stays apart."""
    files = {f"{chr(0x9854) * 80}{k}.jpg": jpeg(9 + k) for k in range(3)}
    found = all_items([tar_of(tmp_path / "in.tar", files)], tmp_path)
    assert [width for _, width in found] == [9, 10, 11]
    assert len({key for key, _ in found}) == 3 and all(len(key.encode()) < 150 for key, _ in found)


def test_what_unfolds_to_more_than_memory_is_not_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(webdataset, "MOST_BYTES", 1 << 20)
    with tarfile.open(tmp_path / "in.tar", "w:gz") as tar:
        add(tar, "a.jpg", jpeg(9))
        add(tar, "b.jpg", bytes(3 << 20))
    (tmp_path / "scratch").mkdir()
    (part,), _ = plan([tmp_path / "in.tar"], False, 2)
    first, last = items(part, tmp_path / "scratch")
    assert first.key == "a" and "b.jpg: unfolds to 3 MiB; at most 1 are read" in str(last.path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("target", ["secret.jpg", "../secret.jpg", "/etc/hostname"])
def test_links_in_a_tar_are_not_followed(tmp_path, kind: bytes, target: str) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg(99))
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        add(tar, "a.jpg", jpeg(9))
        link = tarfile.TarInfo("b.jpg")
        link.type, link.linkname = kind, target
        tar.addfile(link)
    (tmp_path / "scratch").mkdir()
    (part,), _ = plan([tmp_path / "in.tar"], False, 2)
    found = [(item.key, str(item.path)) for item in items(part, tmp_path / "scratch")]
    assert [key for key, _ in found] == ["a", "broken"]
    assert found[1][1] == f"{tmp_path}/in.tar: can't be read as a tar (b.jpg: not a plain file)"


@pytest.mark.parametrize("name", ["../../up.jpg", "/etc/up.jpg", "a/../../up.jpg", "..\\up.jpg", "./.up.jpg"])
def test_names_in_a_tar_do_not_leave_the_folder(tmp_path, name: str) -> None:
    scratch = tmp_path / "deep" / "er" / "scratch"
    scratch.mkdir(parents=True)
    (part,), _ = plan([tar_of(tmp_path / "in.tar", {name: jpeg(9), "b.jpg": jpeg(10)})], False, 2)
    for item, width in zip(items(part, scratch), (9, 10), strict=True):
        assert isinstance(item.path, Path) and item.path.parent == scratch and Image.open(item.path).width == width
        assert set("/\\.").isdisjoint(item.key)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["in.tar"]


def test_folders_that_cannot_be_listed_and_links_that_loop(tmp_path, monkeypatch) -> None:
    closed, loop = tmp_path / "closed", tmp_path / "loop.tar"
    closed.mkdir()
    loop.symlink_to(loop.name)
    (tmp_path / "list.txt").write_text("loop.tar\n")
    listed = Path.iterdir

    def iterdir(path: Path):  # root may list everything
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    parts, problems = plan([closed, loop, tmp_path / "list.txt"], False, 2)
    assert [str(problem) for _, problem in problems] == [
        f"{closed}: can't be listed (Permission denied)",
        f"{loop}: no such file or folder",
    ]
    assert all(isinstance(item.path, InputError) for part in parts for item in items(part, tmp_path))


def test_a_tar_that_ends_early_gives_what_it_holds(tmp_path) -> None:
    whole = tar_of(tmp_path / "in.tar", {"a.jpg": jpeg(9), "b.jpg": jpeg(10), "c.jpg": jpeg(11)})
    whole.write_bytes(whole.read_bytes()[: 512 * 2 + len(jpeg(9)) + 700])
    (part,), _ = plan([tmp_path], False, 2)
    found = list(items(part, tmp_path))
    assert found[-1].key == "broken" and isinstance(found[-1].path, InputError)
    assert str(found[-1].path).startswith(f"{whole}: can't be read as a tar")


@pytest.mark.parametrize("column", ["bytes", "path", "both"])
def test_parquet(tmp_path, column) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(9))
    cells = {
        "bytes": [jpeg(9), jpeg(10), None],
        "path": ["a.jpg", "a.jpg", ""],
        "both": [{"bytes": jpeg(9), "path": "a.jpg"}, {"bytes": None, "path": "a.jpg"}, {"bytes": None, "path": None}],
    }[column]
    name = "path" if column == "path" else "image"
    table = pa.table({"id": ["p", "q", "r"], name: cells})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    parts, _ = plan([tmp_path / "in.parquet"], False, 1)
    assert len(parts) == 2  # a row group each
    keys, widths = [], []
    for part in parts:
        for item in items(part, tmp_path):
            keys.append(item.key)
            widths.append(None if isinstance(item.path, InputError) else Image.open(item.path).width)
    assert keys == ["000000000-p", "000000001-q", "000000002-r"]
    assert widths == [9, 10 if column == "bytes" else 9, None]


def test_parquet_without_photos_is_told(tmp_path) -> None:
    pq.write_table(pa.table({"words": ["x"]}), tmp_path / "in.parquet")
    parts, ((path, problem),) = plan([tmp_path / "in.parquet"], False, 1)
    assert not parts and path == tmp_path / "in.parquet"
    assert "columns words; photos must be in one named image, " in str(problem)


def worker_on(out: Path, kind: str = "tar", job: PhotoSizes = PhotoSizes()) -> ShardWorker:  # noqa: B008 (frozen)
    out.mkdir(exist_ok=True)
    folder = ShardFolder(out, kind)
    folder.claim("it")
    return ShardWorker(job, folder, "it")


@pytest.fixture
def three(tmp_path) -> list[Path]:
    """Two photos and a file that is none, between them."""
    (tmp_path / "a.jpg").write_bytes(jpeg(9))
    (tmp_path / "b.jpg").write_bytes(b"no photo")
    (tmp_path / "c.jpg").write_bytes(jpeg(11))
    return [tmp_path / f"{name}.jpg" for name in "abc"]


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_bad_photo_is_a_row_with_its_error(three, tmp_path, kind) -> None:
    (part,), _ = plan(three, False, 10)
    rows = worker_on(tmp_path / "out", kind).rows_of(part)
    assert [(row.photo, row.faces, row.shard) for row in rows] == [
        (str(three[k]), faces, f"shard-000000.{kind}") for k, faces in enumerate((1, 0, 1))
    ]
    assert rows[0].error is rows[2].error is None
    assert rows[1].error == f"{three[1]}: not an image, or of a kind that is not read"
    # Others read it: the table by pandas, the tar as WebDataset's rule has it, the Parquet shard as a map of files.
    table = pq.read_table(tmp_path / "out" / "index").to_pylist()
    assert [row["key"] for row in table] == ["000000000-a", "000000001-b", "000000002-c"]
    want = {"more.name.txt": b"a.jpg", "size.txt": b"9 x 8"}
    if kind == "tar":
        with tarfile.open(tmp_path / "out" / "shard-000000.tar") as tar:
            samples = dict(grouped(tar))
        assert list(samples) == ["000000000-a", "000000002-c"]
        assert json.loads(samples["000000000-a"].pop("json")) == {"photo": str(three[0]), "faces": 1}
        assert samples["000000000-a"] == want
    else:
        held = pq.read_table(tmp_path / "out" / "shard-000000.parquet").to_pylist()
        assert [row["error"] for row in held] == [row.error for row in rows]
        assert dict(held[0]["files"]) == want and held[1]["files"] == []


def test_a_part_is_written_whole_or_not_at_all(three, tmp_path, monkeypatch) -> None:
    worker = worker_on(tmp_path / "out")
    (part,), _ = plan(three, False, 10)
    with monkeypatch.context() as patched:
        patched.setattr(Trying, "end", lambda self: None)
        patched.setattr(pq, "write_table", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(InputError, match="no space is left"):
            worker.rows_of(part)
    assert not worker._folder.done()
    rows = worker.rows_of(part)
    assert worker._folder.done() == {0} and len(rows) == 3
    # What is done is not done again.
    (tmp_path / "a.jpg").unlink()
    assert worker.rows_of(part) == rows


def test_a_photo_that_kills_its_workers_is_given_up(tmp_path) -> None:
    note = tmp_path / "3.json"
    for _ in range(Trying.MOST):
        trying = Trying(note)
        trying.begin("a")
        trying.begin("b")  # and dies
    trying = Trying(note)
    trying.begin("a")
    with pytest.raises(InputError, match="3 workers died"):
        trying.begin("b")
    trying.begin("c")
    trying.end()
    Trying(note).begin("b")


def test_another_job_does_not_mix_in(tmp_path) -> None:
    folder = ShardFolder(tmp_path, "tar")
    folder.claim("one")
    folder.claim("one")
    with pytest.raises(InputError, match="holds shards of other photos or options"):
        folder.claim("two")


def test_digest_tells_arrays_and_fields_apart() -> None:
    rows = [Row("a", "k", "s"), Row("a", "k", "s", faces=1)]
    values = [*rows, {"x": np.zeros(3)}, {"x": np.zeros(4)}, {"x": np.array([0, 0, 1e-9])}, [1], [2]]
    assert len({digest(value) for value in values}) == len(values)
    assert digest({"b": 1, "a": np.zeros(3)}) == digest({"a": np.zeros(3), "b": 1})
