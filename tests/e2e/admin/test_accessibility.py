"""The status page has no violation of accessibility that axe-core knows, in any of its views, sizes and colours.

Skipped without Chromium or npm.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.support.browser import Browser
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.bridge import Bridge, message
from tests.support.service.fleet import Fleet

VIEWS = {
    "": "return document.querySelector('#concerns li') && document.querySelector('#events .row')",
    "#?text=0770&since=7d": "return document.querySelector('#story .row')",
    "#story": "return document.querySelector('#story .step')",
    "#nobody-knows-this-one": "return document.querySelector('#found.wrong')",
    "#/dead-letters?reason=malformed": "return document.querySelector('#letters .command')",
    "#/dead-letters?at=0/0": "return document.querySelector('.letter pre')",
}
"""Fragments of the page's address, and a script that waits until what they name is there."""


@pytest_asyncio.fixture(scope="module")
async def seen(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """A bridge with all kinds of messages, and dead letters in its first partition."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **secrets("dexatel"), **secrets("speedocom")}
        settings |= {"DEXATEL__POLL": "never", "SPEEDOCOM__POLL": "never"}
        async with fleet.running(settings) as service:
            bridge = Bridge(service, topics, client, SECRETS)
            for number, words in enumerate((("sent", "failed", "delivered"), ("sent",), ("rejected",), ())):
                one = await bridge.send_and_wait(message_id="story" if not number else f"0770-{number}")
                await bridge.report_all(one, *words)
            await bridge.send_and_wait(message("speedocom"))
            for number in range(12):
                await topics.publish(f"not JSON {number}".encode())
            await topics.wait_until(lambda: len(topics.dead_letters) == 12, "the dead letters")
            assert {letter.partition for letter in topics.dead_letters} >= {0}
            yield bridge


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_violations(seen: Bridge, browser: Browser, scheme: str, width: int) -> None:
    """Contrast, names, roles, order and focus; and nothing is wider than the screen."""
    driver = browser.driver
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    await asyncio.to_thread(driver.execute_cdp_cmd, "Emulation.setDeviceMetricsOverride", size)
    await asyncio.to_thread(driver.execute_cdp_cmd, "Emulation.setEmulatedMedia", media)
    try:
        for fragment, there in VIEWS.items():
            await browser.open("about:blank")
            await browser.open(f"{seen.service.admin_url}/{fragment}")
            await browser.wait_until(there)
            assert await browser.run("return document.documentElement.dataset.theme") == scheme
            assert await browser.find_violations() == [], fragment
            assert await browser.run("return document.documentElement.scrollWidth") <= width, fragment
    finally:
        await asyncio.to_thread(driver.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})


async def test_bars_have_one_scale(seen: Bridge, browser: Browser) -> None:
    """The provider with the most open messages has the longest bar; half as many make half of it."""
    await browser.open(seen.service.admin_url)
    widths = (
        "const bars = [...document.querySelectorAll('.stack')].map((stack) =>"
        " [...stack.children].reduce((sum, one) => sum + one.getBoundingClientRect().width, 0));"
        " return bars.length === 2 && bars"
    )
    two, one = await browser.wait_until(widths)
    assert abs(one - two / 2) < 1
