"""Who is answered, and what every answer tells the browser."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from event_loop import run_coroutine
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


def test_two_servers_on_one_host_have_cookies_of_their_own():
    """As a browser has it, which keeps cookies by host and not by port."""
    tokens = {8001: "first-token-of-sixteen", 8002: "second-token-of-sixteen"}
    servers = {
        port: TestClient(create_app(token=token), base_url=f"http://127.0.0.1:{port}", follow_redirects=False)
        for port, token in tokens.items()
    }
    jar = {}
    for port, server in servers.items():
        answer = server.get("/", params={"token": tokens[port]})
        assert answer.status_code == 303
        name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
        jar[name] = value
    both = "; ".join(f"{name}={value}" for name, value in jar.items())
    for server in servers.values():
        server.cookies.clear()
        assert server.get("/api/info", headers={"cookie": both}).status_code == 200
        assert server.get("/api/info").status_code == 401


def test_too_many_requests_at_a_time_are_told_as_every_error_is():
    from illures.web.server.guard import Guard

    waiting: list[asyncio.Future] = []

    async def slow(scope, receive, send) -> None:
        waiting.append(asyncio.get_running_loop().create_future())
        await asyncio.wait_for(waiting[-1], 10)

    async def ask(guard: Guard) -> list[dict]:
        said: list[dict] = []

        async def send(message) -> None:
            said.append(message)

        scope = {"type": "http", "path": "/", "headers": [(b"host", b"127.0.0.1")], "query_string": b""}
        await guard(scope, None, send)
        return said

    async def tries() -> list[dict]:
        guard = Guard(slow, most=2)
        first = [asyncio.create_task(ask(guard)) for _ in range(2)]
        while len(waiting) < 2:
            await asyncio.sleep(0)
        refused = await ask(guard)
        for one in waiting:
            one.set_result(None)
        await asyncio.gather(*first)
        assert len(waiting) == 2
        third = asyncio.create_task(ask(guard))  # there is room again
        while len(waiting) < 3:
            await asyncio.sleep(0)
        waiting[-1].set_result(None)
        await third
        return refused

    start, body = run_coroutine(tries())
    headers = dict(start["headers"])
    assert start["status"] == 503 and headers[b"content-type"] == b"application/json" and headers[b"retry-after"]
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert json.loads(body["body"]) == {"error": "too many concurrent requests"}


def test_an_unknown_host_is_told_of_no_other_program(client):
    words = client.get("/", headers={"host": "evil.example"}).json()["error"]
    assert words == "the host 'evil.example' is not served; start illures with --allow-host to add a name"


@pytest.mark.parametrize("token", ["-begins-with-a-dash", "-e-is-no-option-here", "--and-two-of-them-too"])
def test_a_token_that_begins_as_options_do(token, monkeypatch):
    from illures import cli
    from illures.web import serve

    given = []
    monkeypatch.setattr(serve, "serve", lambda *_, **how: given.append(how["token"]))
    for verb in ("serve", "studio"):
        with pytest.raises(SystemExit) as ended:
            cli.main([verb, "--token", token, "--port", "0"])
        assert ended.value.code == 0
    assert given == [token, token]
