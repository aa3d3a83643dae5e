"""The status page in headless Chromium. Skipped without Chromium (Debian: chromium-driver)."""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest_asyncio
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Browser
from tests.support.service.accounts import SECRETS, secrets
from tests.support.service.admin import TOKEN, elsewhere
from tests.support.service.bridge import Bridge, Message, message
from tests.support.service.fleet import Fleet

RUNBOOKS = {"ADMIN__RUNBOOK_BASE": "https://wiki.example.com/docs/runbooks"}
MARKUP = b"<img src=x onerror=document.title=1>"


@pytest_asyncio.fixture(scope="module")
async def seen(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """A bridge whose admin port is open to the network, with a token."""
    async with fleet.topics() as topics:
        settings = {
            **topics.settings,
            **secrets("dexatel"),
            "DEXATEL__POLL": "never",
            "ADMIN__HOST": "0.0.0.0",  # noqa: S104 - that is what the token is for
            "ADMIN__TOKEN": TOKEN,
            "ADMIN__DEFAULT_REGION": "GB",
            **RUNBOOKS,
        }
        async with fleet.running(settings) as service:
            yield Bridge(service, topics, client, SECRETS)


async def delivered(bridge: Bridge, one: Message | None = None) -> Message:
    """A delivered message."""
    one = await bridge.send_and_wait(one)
    await bridge.report_all(one, "sent", "delivered")
    await bridge.events(one, 2)
    return one


def shows(one: Message, status: str) -> str:
    """Return a script that checks whether the list of events contains this message."""
    return (
        "return [...document.querySelectorAll('#events li')].some((row) =>"
        f" row.textContent.includes('{one.message_id}') && row.textContent.includes('{status}'))"
    )


async def test_page_loads_and_shows_status(seen: Bridge, browser: Browser) -> None:
    """The page shows the overall status, the parts and the provider, without console errors."""
    await browser.open(seen.service.admin_url)
    await browser.wait_until("return document.querySelector('#verdict').textContent.includes('All is well')")
    parts = await browser.run("return [...document.querySelectorAll('.parts .tag')].map((tag) => tag.textContent)")
    assert parts == ["✓ tracker", "✓ intake", "✓ receiver"]
    assert await browser.run("return document.querySelector('.provider h3').textContent") == "dexatel"
    assert await browser.complaints() == []


async def test_new_event_appears_without_reload(seen: Bridge, browser: Browser) -> None:
    """A new event appears in the open page, and filters hide the others."""
    await browser.open(seen.service.admin_url)
    await browser.wait_until("return document.querySelector('#pulse').textContent === 'live'")
    first, second = await delivered(seen), await delivered(seen)
    for one in (first, second):
        await browser.wait_until(shows(one, "delivered"))
    await browser.press("x")  # no key of the page's
    await browser.run("document.querySelector('#events-text').focus()")
    await browser.press(second.message_id)
    rows = "return [...document.querySelectorAll('#events li:not([hidden])')].map((row) => row.textContent)"
    assert all(second.message_id in row for row in await browser.run(rows))
    assert len(await browser.run(rows)) == 2
    assert await browser.complaints() == []


async def test_search_shows_a_message(seen: Bridge, browser: Browser) -> None:
    """The search works with the keyboard: `/`, the id, Enter; arrows select a step, Escape closes it."""
    one = await delivered(seen)
    await browser.open(seen.service.admin_url)
    await browser.wait_until("return document.querySelector('#verdict').textContent.includes('well')")
    await browser.press("/")
    await browser.press(one.message_id, Keys.ENTER)
    steps = "[...document.querySelectorAll('#story .step')]"
    told = await browser.wait_until(
        f"const steps = {steps}; return steps.length && steps.map((step) => step.textContent)"
    )
    assert ["handed to the provider" in told[0], "“sent”" in told[1], "“delivered”" in told[2]] == [True] * 3
    assert "delivered" in await browser.run("return document.querySelector('#story .title .tag').textContent")
    for at in (0, 1, 2, 2):
        await browser.press(Keys.ARROW_DOWN)
        assert await browser.run(f"return {steps}.indexOf(document.activeElement)") == at
    assert (await browser.run("return location.hash")) == f"#{one.message_id}"
    await browser.press(Keys.ESCAPE)
    assert await browser.run(f"return {steps}.length") == 0
    assert await browser.complaints() == []


async def test_search_by_phone_number(seen: Bridge, browser: Browser) -> None:
    """A national number leads to a list, the list to a story with its sentence, Escape back, and away."""
    rest = f"{uuid4().int % 10**6:06}"
    open_one = await seen.send_and_wait(recipient=f"+447700{rest}")
    one = await seen.send_and_wait(recipient=f"+447700{rest}")
    await seen.report_all(one, "failed", "delivered")
    await seen.events(one, 2)
    await browser.open(seen.service.admin_url)
    await browser.wait_until("return document.querySelector('#verdict').textContent.includes('well')")
    began = time.monotonic()
    await browser.press("/")
    await browser.press(f"07700 {rest}", Keys.ENTER)
    rows = "[...document.querySelectorAll('#story .row')]"
    told = await browser.wait_until(f"const rows = {rows}; return rows.length && rows.map((row) => row.textContent)")
    assert [one.message_id in told[0], open_one.message_id in told[1]] == [True, True]
    assert ["↻ delivered" in told[0], "no report yet" in told[1]] == [True, True]
    await browser.press(Keys.ARROW_DOWN, Keys.ENTER)
    summary = "const said = document.querySelector('#story .summary'); return said && said.textContent"
    said = await browser.wait_until(summary)
    assert time.monotonic() - began < 30
    assert re.fullmatch(r"Delivered after [0-9.]+ s; an earlier 'failed' was overruled\.", said)
    assert await browser.run("return document.activeElement.className") == "step"
    assert "The message arrived" in await browser.run("return document.querySelector('.tell').textContent")
    await browser.press(Keys.ESCAPE)
    assert await browser.wait_until(f"return {rows}.length") == 2
    assert await browser.run(f"return {rows}.indexOf(document.activeElement)") == 0
    link = await browser.run("return document.querySelector('#found a').getAttribute('href')")
    assert f"api/search.csv?text=07700+{rest}" in link
    await browser.run("history.back()")  # to the story, as the browser's own button does
    await browser.wait_until(summary)
    await browser.run("history.forward()")
    await browser.wait_until(f"return {rows}.length")
    await browser.press(Keys.ESCAPE)
    assert await browser.run("return [location.hash, document.querySelector('#text').value]") == ["", ""]
    assert await browser.complaints() == []


async def test_story_of_an_unmapped_report(seen: Bridge, browser: Browser) -> None:
    """Without a sent event, nothing is said of one that is awaited, or that the journal no longer has."""
    one = message()
    await seen.report_all(one, "levitating")
    await seen.topics.wait_until_folded()
    await browser.open(f"{seen.service.admin_url}/#dexatel:{one.provider_message_id}")
    story = await browser.wait_until(
        "const told = document.querySelector('#story .attempt'); return told && told.innerText"
    )
    assert "1 report came, with a status that isn't mapped; no sent event has come." in story
    assert "nothing is kept of it" in story
    for word in ("awaited", "no longer in the journal", "forgotten"):
        assert word not in story
    assert await browser.complaints() == []


async def test_nothing_found(seen: Bridge, browser: Browser) -> None:
    """The page says what it looked for, and how far back."""
    await browser.open(f"{seen.service.admin_url}/#nobody-knows-this-one")
    said = await browser.wait_until(
        "const found = document.querySelector('#found.wrong'); return found && found.textContent"
    )
    assert re.match(r"No message was found for “nobody-knows-this-one”. \d+ records? read in ", said)


@pytest_asyncio.fixture
async def burdened(fleet: Fleet, client: httpx.AsyncClient) -> AsyncIterator[Bridge]:
    """A bridge with two dead letters, so that not all is well."""
    async with fleet.topics() as topics:
        settings = {**topics.settings, **secrets("dexatel"), "DEXATEL__POLL": "never", **RUNBOOKS}
        async with fleet.running(settings) as service:
            for value in (MARKUP, b"\x00\xff binary"):
                await topics.publish(value)
            await topics.wait_until(lambda: len(topics.dead_letters) == 2, "two dead letters")
            yield Bridge(service, topics, client, SECRETS)


async def test_dead_letters_are_browsed(burdened: Bridge, browser: Browser) -> None:
    """By keyboard: a reason, a letter with its bytes as they are, the command that is copied, and back."""
    await browser.open(burdened.service.admin_url)
    concern = "const told = document.querySelector('#concerns li'); return told && told.textContent"
    assert "2 malformed" in await browser.wait_until(concern)
    link = "return [...document.querySelectorAll('#concerns a')].map((one) => one.getAttribute('href'))"
    here, runbook = await browser.run(link)
    assert here == "#/dead-letters"
    assert runbook.endswith("/docs/runbooks/SmsBridgeDeadLetters.md")
    await browser.run("document.querySelector('#letters-show').focus()")
    await browser.press(Keys.ENTER)
    chip = "[...document.querySelectorAll('.chips button')].find((one) => one.textContent.startsWith('malformed'))"
    await browser.wait_until(f"return {chip}")
    await browser.run(f"{chip}.focus()")
    await browser.press(Keys.ENTER)
    command = "const told = document.querySelector('#letters code'); return told && told.textContent"
    assert re.match("sms-bridge replay --reason malformed --since 20", await browser.wait_until(command))
    dumps = []
    for row in (0, 1):
        await browser.wait_until("return document.querySelectorAll('#letters .row').length === 2")
        await browser.run(f"document.querySelectorAll('#letters .row')[{row}].focus()")
        await browser.press(Keys.ENTER)
        dumps.append(
            await browser.wait_until("const pre = document.querySelector('.letter pre'); return pre && pre.textContent")
        )
        place = (await browser.run("return location.hash")).rpartition("=")[2].replace("%2F", "/")
        assert await browser.run(command) == f"sms-bridge replay --at {place}"
        await browser.press(Keys.ESCAPE)
    dumps.sort()
    assert dumps[0].startswith("00000000  00 ff 20 62 69 6e 61 72 79")
    assert dumps[1] == MARKUP.decode()
    await browser.press(Keys.ESCAPE)
    assert await browser.run("return [location.hash, document.querySelector('#letters').children.length]") == ["", 0]
    assert await browser.complaints() == []


async def test_link_is_copied(seen: Bridge, browser: Browser) -> None:
    """What the button copies leads to the same story, without the token that may be in the address."""
    one = await delivered(seen)
    await browser.open(f"{seen.service.admin_url}/#{one.message_id}")
    await browser.wait_until("return document.querySelector('.copy')")
    await browser.run(
        "window.copied = null; navigator.clipboard.writeText = async (text) => { window.copied = text; };"
        " document.querySelector('.copy').click()"
    )
    address = re.sub("//.*@", "//", seen.service.admin_url)
    assert await browser.wait_until("return window.copied") == f"{address}/#{one.message_id}"
    await browser.wait_until("return document.querySelector('.copy').textContent === 'Copied'")


async def test_event_opens_its_trace(seen: Bridge, browser: Browser) -> None:
    """An event is selected and opened with the keyboard; a link with an id opens the same trace."""
    one = await delivered(seen)
    await browser.open(seen.service.admin_url)
    await browser.wait_until(shows(one, "delivered"))
    await browser.run("document.querySelector('.event[tabindex=\"0\"]').focus()")
    await browser.press(Keys.ARROW_DOWN)
    wanted = await browser.run("return document.activeElement.querySelector('.mono').textContent")
    await browser.press(Keys.ENTER)
    shown = "const title = document.querySelector('#story h3'); return title && title.textContent"
    assert await browser.wait_until(shown) == wanted
    await browser.open("about:blank")
    await browser.open(f"{seen.service.admin_url}/#{one.message_id}")
    assert await browser.wait_until(shown) == one.message_id


async def test_markup_in_an_id_is_text(seen: Bridge, browser: Browser) -> None:
    """An id that contains markup is shown as text and not executed."""
    nasty = "<img src=x onerror=document.title=1>"
    one = await delivered(seen, message(message_id=nasty))
    await browser.open(f"{seen.service.admin_url}/#{nasty}")
    shown = "const title = document.querySelector('#story h3'); return title && title.textContent"
    assert await browser.wait_until(shown) == one.message_id
    await browser.wait_until(
        "return [...document.querySelectorAll('#events .mono')].some((e) => e.textContent[0] === '<')"
    )
    assert await browser.run("return document.querySelectorAll('main img').length") == 0
    inline = (
        "const made = document.createElement('script'); made.textContent = 'window.ran = 1'; document.body.append(made)"
    )
    await browser.run(inline)
    assert await browser.run("return window.ran") is None
    assert any("Content Security Policy" in line for line in await browser.complaints())


async def test_light_and_dark_theme(seen: Bridge, browser: Browser, tmp_path: Path) -> None:
    """The theme follows the system until the user chooses one, which is remembered.

    A phone scrolls in one direction only.
    """
    driver = browser.driver
    theme, media = "return document.documentElement.dataset.theme", "Emulation.setEmulatedMedia"
    for scheme in ("dark", "light"):
        features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        await asyncio.to_thread(driver.execute_cdp_cmd, media, features)
        await browser.open(seen.service.admin_url)
        assert await browser.run(theme) == scheme
    await browser.press("t")
    assert await browser.run(theme) == "dark"
    await browser.open(seen.service.admin_url)
    assert await browser.run(theme) == "dark"
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    await asyncio.to_thread(driver.execute_cdp_cmd, "Emulation.setDeviceMetricsOverride", phone)
    await browser.wait_until("return document.querySelector('#verdict').textContent.includes('well')")
    assert await browser.run("return document.documentElement.scrollWidth") <= 360
    await asyncio.to_thread(driver.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})


async def test_a_process_that_hangs_is_not_well(seen: Bridge, browser: Browser) -> None:
    """The page says since when it has no answer and greys what is old, until there is one again."""
    await browser.open(seen.service.admin_url)
    await browser.wait_until("return document.querySelector('#verdict').textContent.includes('well')")
    os.kill(seen.service.process_id, signal.SIGSTOP)
    try:
        await browser.wait_until("return document.querySelector('#verdict').textContent.startsWith('No answer since ')")
        assert await browser.run("return getComputedStyle(document.querySelector('#tiles').parentElement).opacity < 1")
        told = await browser.run("return document.querySelector('#silence').textContent")
        assert "Check whether the process runs" in told
        assert await browser.run("return document.querySelector('#pulse').textContent") == "no answer"
        link = await browser.run("return document.querySelector('#silence a').href")
        assert link.endswith("/docs/runbooks/SmsBridgeInstanceDown.md")
        assert await browser.find_violations() == []
    finally:
        os.kill(seen.service.process_id, signal.SIGCONT)
    await browser.wait_until("return !document.body.classList.contains('old')")
    await browser.wait_until("return document.querySelector('#pulse').textContent !== 'no answer'")
    assert await browser.run("return document.querySelector('#silence').children.length") == 0


async def test_remote_browser_needs_the_token(seen: Bridge, browser: Browser) -> None:
    """Without the token a remote browser gets no page; with it page, requests and events work."""
    url = elsewhere(seen)
    await browser.complaints()
    await browser.open(url)
    assert await asyncio.to_thread(browser.driver.find_elements, By.ID, "verdict") == []
    assert any("401" in line for line in await browser.complaints())
    await browser.open(url.replace("http://", f"http://on-call:{TOKEN}@"))
    await browser.wait_until("return document.querySelector('#verdict').textContent.includes('well')")
    await browser.wait_until("return document.querySelector('#pulse').textContent === 'live'")
    assert await browser.complaints() == []
