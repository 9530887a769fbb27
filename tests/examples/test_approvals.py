"""examples/approvals under fleet dev, used by a person with a browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))

from browser import Page, browser
from fleet_command import Dev, Fleet

APP = Path(__file__).resolve().parents[2] / "examples" / "approvals"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    fleet = Fleet(tmp_path_factory.mktemp("approvals"), {"APPROVALS_ADDR": "127.0.0.1:0"})
    running = fleet.dev(APP, "--ephemeral", "--no-reload")
    yield running
    running.stop()


@pytest.fixture
def url(dev: Dev) -> str:
    return next(line.split()[1] for line in dev.text.splitlines() if line.startswith("http "))


async def ask(page: Page, url: str, title: str, deadline: str = "48h") -> None:
    """Fill the form in and send it; ends on the page of the request."""
    await page.open(url + "/")
    await page.type("input[name=title]", title)
    await page.type("input[name=amount]", "120.50")
    await page.type("input[name=requester]", "Ada <ada@example.org>")
    await page.run(f"document.querySelector('select').value = '{deadline}'")
    await page.click("form button")
    await page.wait_for("location.pathname.startsWith('/requests/')")


async def test_a_request_is_approved_in_the_browser(url: str, dev: Dev, tmp_path: Path) -> None:
    async with browser(tmp_path / "profile") as page:
        await ask(page, url, "Train & <b>taxi</b>")
        shown = await page.text()
        for words in ("Train & <b>taxi</b>", "asked for by Ada <ada@example.org>", "waiting", "120.50 EUR", "48h"):
            assert words in shown
        await page.screenshot(tmp_path / "waiting.png")
        await page.type("input[name=by]", "Grace")
        await page.click("button.yes")
        await page.wait_for("document.querySelector('#status.approved')")
        shown = await page.text()
        id = (await page.run("location.pathname")).rpartition("/")[2]
        assert "Grace" in shown and f"pay-{id}" in shown
        assert await page.run("document.querySelector('form')") is None
        await page.screenshot(tmp_path / "approved.png")
    assert "paid out" in dev.text


async def test_a_request_is_rejected_in_the_browser(url: str, tmp_path: Path) -> None:
    async with browser(tmp_path / "profile") as page:
        await ask(page, url, "A yacht")
        await page.type("input[name=by]", "Grace")
        await page.click("button.no")
        await page.wait_for("document.querySelector('#status.rejected')")
        assert "pay-" not in await page.text()


async def test_nobody_decides_in_time(url: str, tmp_path: Path) -> None:
    async with browser(tmp_path / "profile") as page:
        await ask(page, url, "Late", deadline="20s")
        address = await page.run("location.href")
        await page.wait_for("document.querySelector('#status.waiting')")
        while not await page.run("document.querySelector('#status.expired')?.innerText"):
            await page.open(address)


async def test_what_people_get_wrong(url: str) -> None:
    id = "7f3c0ed8-6a49-4d4c-9c0a-2f1a6b1f0c11"
    form = {"id": id, "title": "Pens", "amount": "5", "requester": "Ada", "deadline": "1h"}
    async with aiohttp.ClientSession() as session:

        async def post(path: str, **fields: str) -> tuple[int, str, str]:
            async with session.post(url + path, data=fields, allow_redirects=False) as response:
                return response.status, await response.text(), response.headers.get("Location", "")

        status, text, _ = await post("/requests", **{**form, "amount": "-5", "title": '"><script>'})
        assert status == 422 and "The amount is 1 to 100000 EUR." in text
        assert "<script>" not in text and "&quot;&gt;&lt;script&gt;" in text
        async with session.get(f"{url}/requests/{id}") as response:
            assert response.status == 404
        # Sent twice is asked once.
        for _ in range(2):
            assert await post("/requests", **form) == (303, "", f"/requests/{id}")
        assert (await post(f"/requests/{id}/decision", approved="yes"))[0] == 422
        assert (await post(f"/requests/{id}/decision", approved="no", by="Grace"))[0] == 303
        async with session.get(f"{url}/requests/{id}") as response:
            assert "rejected" in await response.text()
        # Too late: the page says what has become of it.
        assert (await post(f"/requests/{id}/decision", approved="yes", by="Eve"))[0] == 303
        assert (await post("/requests", **form))[0] == 303
        async with session.get(f"{url}/requests/{id}") as response:
            text = await response.text()
        assert "rejected" in text and "Grace" in text
