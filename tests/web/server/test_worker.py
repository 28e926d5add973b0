"""The worker process: it is replaced when it dies, stopped when it is slow, and leaves nothing on disk."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from fake_jobs import wait_for
from illures.jobs.signals import terminal_signals_blocked
from illures.relighting.light import Light
from illures.web.server import worker as worker_module
from illures.web.server.app import create_app
from illures.web.server.worker import _BEGUN, Worker, WorkError
from studio_client import LIMITS, LOCAL, order


def test_nothing_is_left_on_disk(client, photo, worker):
    order(client, photo, what="zip", light=Light.from_direction(0, 0).to_dict())
    assert list(worker.folder.iterdir()) == []


def test_a_process_that_dies_is_replaced(client, worker, example, monkeypatch):
    """It is killed as soon as it has said that it has begun; where it was done all the same, that is tried again."""
    received = worker._received

    def kill_at_work() -> object:
        answer = received()
        if answer == _BEGUN:
            os.kill(worker._process.pid, signal.SIGKILL)
        return answer

    for _ in range(20):
        worker._do("ready", ())
        pid = worker._process.pid
        with monkeypatch.context() as patch:
            patch.setattr(worker, "_received", kill_at_work)
            answer = client.post("/api/photos", params={"name": "a.jpg"}, content=example)
        if answer.status_code != 201:
            break
    assert answer.status_code == 422 and "ended" in answer.json()["error"]
    assert client.get("/api/info").status_code == 200
    assert client.post("/api/photos", content=example).status_code == 201
    assert worker._process.pid != pid


def test_work_that_takes_too_long_is_stopped():
    worker = Worker(replace(LIMITS, work_s=0.05))
    try:
        with pytest.raises(WorkError, match="longer than"):
            worker._do("ready", ())
        assert worker._process is None
    finally:
        worker.close()


def test_a_server_that_ends_while_the_process_begins(tmp_path, monkeypatch):
    """Ctrl-C in the first moment: `close` waits for the start, and then ends what was started."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    worker, closing, before = Worker(LIMITS), [], set(multiprocessing.active_children())

    @contextmanager
    def interrupted() -> Iterator[None]:
        if not closing:
            closing.append(pool.submit(worker.close))
            wait([closing[0]], timeout=0.3)
        with terminal_signals_blocked():
            yield

    monkeypatch.setattr(worker_module, "terminal_signals_blocked", interrupted)
    with ThreadPoolExecutor(1) as pool, pytest.raises(WorkError, match="ended"):
        worker._do("ready", ())
    closing[0].result(60)
    assert worker._process is None and worker.folder is None and list(tmp_path.iterdir()) == []
    assert set(multiprocessing.active_children()) <= before
    with pytest.raises(WorkError, match="ended"):
        worker._do("ready", ())  # it does not begin again
    assert list(tmp_path.iterdir()) == []


SERVER = """
import sys
from illures.web.server.limits import Limits
from illures.web.server.worker import Worker
if __name__ == "__main__":
    worker = Worker(Limits())
    worker._do("ready", ())
    print(worker.folder, flush=True)
    sys.stdin.readline()
"""


def test_a_server_that_is_killed_leaves_nothing_on_disk(tmp_path):
    """Its worker, which lives on for a moment, removes the folder."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, script], stdin=pipe, stdout=pipe, text=True, env=environment)
    try:
        folder = Path(process.stdout.readline().strip())
        assert folder.is_dir() and folder.parent == tmp_path / "temporary"
    finally:
        process.kill()
        process.communicate(timeout=60)
    wait_for(lambda: not folder.exists())
    assert not list(folder.parent.glob("illures-*"))


def test_servers_that_never_start_work_leave_nothing_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    TestClient(create_app(LIMITS), base_url=LOCAL).get("/")
    assert list(tmp_path.iterdir()) == []
