"""Photos over Ray Data: two nodes, one of which is killed; nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import tarfile
import threading
from pathlib import Path

import pytest

from fake_jobs import PhotoSizes, wait_for
from illures import cli
from illures.errors import InputError
from illures.io.webdataset import grouped
from illures.jobs.parts import plan
from illures.jobs.photos import Report
from illures.jobs.ray_photos import Cluster, photos_on_ray
from illures.jobs.shards import ShardFolder
from two_nodes import two_nodes

ray = pytest.importorskip("ray")
pq = pytest.importorskip("pyarrow.parquet")
from PIL import Image  # noqa: E402

PHOTOS = 14


@pytest.fixture(scope="module")
def cluster():
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(PHOTOS):
        Image.new("RGB", (20 + k, 16)).save(folder / f"{k:02d}.png")
    (folder / "07.png").write_bytes(b"broken")
    return folder


def keys_of(out: Path) -> list[str]:
    """Of all samples of all shards."""
    found = []
    for path in sorted(out.glob("shard-*.tar")):
        with tarfile.open(path) as tar:
            found += [key for key, _ in grouped(tar)]
    return found


def test_a_node_that_dies_loses_nothing_and_doubles_nothing(photos, cluster, tmp_path, capsys) -> None:
    parts, _ = plan([photos], False, 2)
    second = next(iter(cluster.worker_nodes))
    notes = tmp_path / "notes"
    notes.mkdir()

    def begun() -> list[str]:
        return [name for note in notes.glob("worker-*") for name in note.read_text().split()]

    def kill() -> None:
        """Once both nodes are in the middle of a part."""
        wait_for(lambda: len(list(notes.glob("worker-*"))) == 2 and len(begun()) == 4)
        workers = [int(note.name.removeprefix("worker-")) for note in notes.glob("worker-*")]
        cluster.remove_node(second, allow_graceful=False)
        wait_for(lambda: not all(Path(f"/proc/{worker}").exists() for worker in workers))
        (notes / "go").touch()

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    report, out = Report(True, 0), tmp_path / "out"
    photos_on_ray(PhotoSizes(notes), parts, out, "tar", report, Cluster(cluster.address))
    thread.join(60)
    assert not thread.is_alive()
    assert len(begun()) > PHOTOS  # something was done twice
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(line["photo"] for line in lines) == [str(photos / f"{k:02d}.png") for k in range(PHOTOS)]
    good = [k for k in range(PHOTOS) if k != 7]
    assert keys_of(out) == [f"{k:09d}-{k:02d}" for k in good]
    rows = pq.read_table(out / "index").to_pylist()
    assert [row["key"] for row in rows] == [f"{k:09d}-{k:02d}" for k in range(PHOTOS)]
    assert [row["key"] for row in rows if row["error"]] == ["000000007-07"]
    assert not list(out.rglob("*partial*")) and not list((out / ".trying").iterdir())
    assert not report.summary() and not ray.is_initialized()


def test_what_stopped_goes_on(photos, cluster, tmp_path, capsys) -> None:
    parts, _ = plan([photos], False, 4)
    out = tmp_path / "out"

    def run() -> list[str]:
        photos_on_ray(PhotoSizes(), parts, out, "tar", Report(True, 0), Cluster(cluster.address))
        return [json.loads(line)["photo"] for line in capsys.readouterr().out.splitlines()]

    assert len(run()) == PHOTOS
    before = {path: path.stat().st_mtime_ns for path in out.glob("shard-*")}
    (out / "index" / "shard-000002.parquet").unlink()  # as if the worker had died between the two files
    assert sorted(run()) == [str(photos / f"{k:02d}.png") for k in range(8, 12)]
    assert [p.name for p in before if p.stat().st_mtime_ns != before[p]] == ["shard-000002.tar"]
    assert run() == []
    with pytest.raises(InputError, match="holds shards of other photos or options"):
        photos_on_ray(PhotoSizes(), parts[:1], out, "tar", Report(True, 0), Cluster(cluster.address))


def test_a_photo_that_kills_workers_is_a_row(photos, cluster, tmp_path) -> None:
    (photos / "03.png").rename(photos / "03-killer.png")
    parts, _ = plan([photos], False, 5)
    report = Report(True, 0)
    photos_on_ray(PhotoSizes(), parts, tmp_path / "out", "tar", report, Cluster(cluster.address))
    rows = ShardFolder(tmp_path / "out", "tar").rows(0)
    assert [row.error is None for row in rows] == [True, True, True, False, True]
    assert (
        rows[3].error == f"{photos / '03-killer.png'}: 3 workers died while they worked on it, perhaps as memory "
        "ran out"
    )


def test_what_a_node_lacks_is_said(photos, cluster, tmp_path) -> None:
    from illures.decompose.many import DecomposePhotos, Network
    from illures.io.formats import Format

    parts, _ = plan([photos], False, 10)
    job = DecomposePhotos(Network(str(tmp_path / "none.safetensors"), "abc"), Format("png"))
    with pytest.raises(InputError, match=r"^node .*none\.safetensors: no such file$"):
        photos_on_ray(job, parts, tmp_path / "out", "tar", Report(True, 0), Cluster(cluster.address))


@pytest.mark.parametrize("verb", ["decompose", "relight"])
def test_verbs(verb, cluster, tmp_path, capsys) -> None:
    """The real network, in a tar and out of one."""
    from illures.io.webdataset import add

    astronaut = (Path(cli.__file__).parents[1] / "assets" / "astronaut.jpg").read_bytes()
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        add(tar, "one.jpg", astronaut)
        add(tar, "two.jpg", b"broken")
    words = ["--light", "rembrandt"] if verb == "relight" else ["--maps", "albedo"]
    with pytest.raises(SystemExit) as ended:
        command = [verb, str(tmp_path / "in.tar"), "-o", str(tmp_path / "out"), "--ray", cluster.address, *words]
        cli.main(command)
    said = capsys.readouterr()
    assert ended.value.code == 2 and f"error: {tmp_path}/in.tar/two.jpg: not an image" in said.err
    with tarfile.open(tmp_path / "out" / "shard-000000.tar") as tar:
        ((key, files),) = grouped(tar)
    assert key == "one"
    want = {"rembrandt.jpg"} if verb == "relight" else {"albedo.png", "photo.json", "face-1.light.json"}
    assert want <= files.keys() and json.loads(files["json"])["faces"] == 1


def test_options_that_do_not_go_together(tmp_path, capsys) -> None:
    (tmp_path / "in.tar").touch()
    photo, out = str(tmp_path / "a.jpg"), str(tmp_path / "out")
    for words, said in (
        ([photo, "-o", out, "--shards", "tar"], "--shards tar: goes with --ray alone"),
        ([photo, "-o", out, "--workers", "0"], "--workers 0: must be at least 1"),
        ([str(tmp_path / "in.tar"), "-o", out], "need --ray local"),
        ([photo, "-o", f"{out}.png", "--ray", "local"], "name a folder"),
        ([photo, "-o", out, "--ray", "local", "--shard-size", "0"], "--shard-size 0: must be at least 1"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(["decompose", *words])
        assert ended.value.code == 2 and said in capsys.readouterr().err
