"""The studio's server with the real network, asked without a socket; the example photo, opened in it."""

import pytest
from fastapi.testclient import TestClient

from illures.web.server.app import create_app
from illures.web.server.pack import unpack
from studio_client import LIMITS, LOCAL


@pytest.fixture(scope="session")
def client(worker) -> TestClient:
    return TestClient(create_app(LIMITS, worker=worker), base_url=LOCAL)  # no lifespan: the worker is shared


@pytest.fixture(scope="session")
def photo(client, example) -> dict:
    answer = client.post("/api/photos", params={"name": "dir/astro.jpg"}, content=example)
    assert answer.status_code == 201
    return answer.json()


@pytest.fixture(scope="session")
def maps(client, photo) -> tuple[dict, dict]:
    return unpack(client.get(f"/api/photos/{photo['id']}/faces/0/maps").content)
