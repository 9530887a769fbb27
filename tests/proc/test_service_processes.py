"""Every worker of a fleet has the services of the application, which its handlers find by name."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

from supervised import Start, free_port

ENTRIES = """\
  - {{name: host, kind: process.host}}
  - {{name: echo, kind: process.lua, source: file://echo.lua, modules: [process]}}
  - {{name: service, kind: process.service, process: "app:echo", host: "app:host", lifecycle: {{auto_start: true}}}}
  - {{name: ask, kind: function.lua, source: file://ask.lua, method: main, modules: [process]}}
  - {{name: http, kind: http.service, addr: "127.0.0.1:{port}", lifecycle: {{auto_start: true}}}}
  - {{name: router, kind: http.router, meta: {{server: "app:http"}}, prefix: /}}
  - {{name: get, kind: http.endpoint, meta: {{router: "app:router"}}, method: GET, path: /ask, func: "app:ask"}}
"""
ECHO = """\
local function main()
    local inbox = process.inbox()
    while true do
        local message = inbox:receive()
        process.send(message:from(), "answer", process.pid())
    end
end
return { main = main }
"""
ASK = """\
local function main()
    local answers = process.listen("answer")
    local sent, err = process.send("app:service", "question", "who")
    if err then return nil, err end
    return answers:receive()
end
return { main = main }
"""


def test_handlers_of_all_workers_reach_their_service(start: Start, app: Path) -> None:
    port = free_port()
    with (app / "_index.yaml").open("a") as index:
        index.write(ENTRIES.format(port=port))
    (app / "echo.lua").write_text(ECHO)
    (app / "ask.lua").write_text(ASK)
    fleet = start(workers="2").wait_ready(2)
    answers = set()

    def both_answered() -> bool:
        # A new connection each time; the kernel chooses the worker.
        answers.add(urlopen(f"http://127.0.0.1:{port}/ask").read().decode())
        return len(answers) == 2

    fleet.until(both_answered)
    assert all("@app:host|" in answer for answer in answers)
