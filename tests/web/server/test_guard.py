"""Who is answered, and what every answer tells the browser."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from illures.web.server import app
from illures.web.server.app import create_app
from illures.web.server.guard import HEADERS, host_allowed, same_origin

LOCAL = "http://127.0.0.1:8000"


@pytest.fixture
def client() -> TestClient:
    return TestClient(create_app(names=["studio.example"]), base_url=LOCAL)  # no lifespan: no process is started


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:80", "[::1]:8000", "192.168.1.7", "a.localhost"]
)
def test_hosts_of_this_machine(host):
    assert host_allowed(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "127.0.0.1:x", "[::1", "a@127.0.0.1.b"],
)
def test_names_that_could_be_rebound(host, client):
    assert not host_allowed(host)
    assert client.get("/", headers={"host": host}).status_code == 400


def test_a_name_that_was_allowed(client):
    assert client.get("/", headers={"host": "studio.example:8000"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
def test_requests_of_other_sites(headers, client):
    assert not same_origin(headers, "127.0.0.1:8000")
    answer = client.post("/api/photos", content=b"x", headers=headers)
    assert answer.status_code == 403 and "error" in answer.json()
    assert "access-control-allow-origin" not in answer.headers


def test_headers_on_every_answer(client):
    for path in ("/", "/static/js/main.js", "/api/info", "/api/nothing", "/static/nothing"):
        answer = client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, path
    assert client.get("/static/js/main.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/api/info").headers["cache-control"] == "no-store"


def test_the_page_is_whole_and_offline(client):
    """Nothing inline, which the policy would stop; nothing from elsewhere; every file that is named is there."""
    html = client.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)
    folder = Path(app.STATIC)
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".css", ".js", ".glsl", ".svg"):
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?://(?!127\.0\.0\.1)|@import|//cdn", text), path
    named = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', html))
    for path in folder.glob("js/*.js"):
        named |= {f"/static/js/{name}" for name in re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8"))}
    assert len(named) > 15
    for path in named:
        assert client.get(path).status_code == 200, path


def test_no_documentation_pages(client):
    """FastAPI's own would load scripts from the network."""
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 404
