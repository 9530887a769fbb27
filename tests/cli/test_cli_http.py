"""HTTP services under the fleet command: said, reloaded, stopped; ports that are taken."""

from __future__ import annotations

import signal
import socket
import time
import urllib.error
import urllib.request

from fleet_command import INDEX, Fleet

HTTP = """\
  - {{name: gateway, kind: http.service, addr: ":{port}", lifecycle: {{auto_start: true}}}}
  - {{name: spare, kind: http.service, addr: ":1"}}
  - {{name: api, kind: http.router, prefix: /api, meta: {{server: gateway}}}}
  - {{name: hello, kind: function.lua, source: file://hello.lua, method: main, modules: [http]}}
  - {{name: get_hello, kind: http.endpoint, meta: {{router: api}}, func: hello, method: GET, path: "/hello/{{name}}"}}
"""
HELLO = 'return function() return "hello " .. http.request():param("name") end\n'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def get(port: int, otherwise: str | None = None) -> str:
    """What the service answers, or ``otherwise`` when nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/hello/you", timeout=30) as response:
            body: bytes = response.read()
            return body.decode()
    except urllib.error.URLError:
        if otherwise is None:
            raise
        return otherwise


def test_dev_serves_http_and_reloads_it(fleet: Fleet) -> None:
    port, other = free_port(), free_port()
    app = fleet.app(_index__yaml=INDEX + HTTP.format(port=port), hello__lua=HELLO)
    dev = fleet.dev(app, "--ephemeral")
    for words in (
        f"http      http://127.0.0.1:{port}  shop:gateway",
        "GET       /api/hello/{name}  shop:hello",
        "_index.yaml:18: shop:spare is not started: its lifecycle.auto_start is not true",
    ):
        assert words in dev.text
    assert get(port) == '"hello you"'

    # The same port again.
    (app / "hello.lua").write_text(HELLO.replace("hello", "welcome"))
    dev.wait_for("reloaded")
    assert get(port) == '"welcome you"'

    # A port that is taken: told, and the code from before goes on.
    with socket.create_server(("127.0.0.1", other)):
        (app / "_index.yaml").write_text(INDEX + HTTP.format(port=other))
        dev.wait_for("not reloaded, the code from before goes on running: _index.yaml:17: shop:gateway does not start")
        assert f"cannot listen on :{other}: " in dev.text
        while (answer := get(port, "")) == "":
            time.sleep(0.05)
        assert answer == '"welcome you"'
    assert dev.stop(signal.SIGTERM) == 143

    with socket.create_server(("127.0.0.1", port)):
        (app / "_index.yaml").write_text(INDEX + HTTP.format(port=port))
        done = fleet("dev", app, "--ephemeral")
    assert done.code == 3, done.err
    assert f"error: _index.yaml:17: shop:gateway does not start: cannot listen on :{port}: " in done.err


def test_tests_have_the_services_and_single_runs_do_not(fleet: Fleet) -> None:
    port = free_port()
    call = (
        f'return function() return http_client.get("http://127.0.0.1:{port}/api/hello/me").body == \'"hello me"\' end\n'
    )
    entry = """\
  - {name: try, kind: function.lua, source: file://try.lua, method: main, modules: [http_client], meta: {type: test}}
"""
    app = fleet.app(_index__yaml=INDEX + HTTP.format(port=port) + entry, hello__lua=HELLO, try__lua=call)
    done = fleet("test", app)
    assert done.code == 0, done.err
    with socket.create_server(("127.0.0.1", port)):
        done = fleet("run", "shop:order", '{"id": "1", "amount": 1}', "--embedded", "--app", app)
    assert done.code == 0, done.err
