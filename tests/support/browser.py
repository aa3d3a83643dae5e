"""A real browser, headless Chromium, for tests of pages."""

import asyncio
from typing import Any

from selenium import webdriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.support.documentation.runtimes import node_modules

PATIENCE = 30
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,1000")

AXE = "axe-core@4.14.1"
RUN_AXE = """
const done = arguments[arguments.length - 1];
const tell = (one) => one.nodes.map((node) => `${one.id}: ${node.target} ${node.html} ${node.failureSummary}`);
axe.run(document).then((found) => done(found.violations.flatMap(tell)), (error) => done([String(error)]));
"""


class Browser:
    """A browser that is controlled from its own thread, so that the test's event loop keeps running."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    async def open(self, url: str) -> None:
        """Load a page."""
        await asyncio.to_thread(self.driver.get, url)

    async def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return its result."""
        return await asyncio.to_thread(self.driver.execute_script, script, *arguments)

    async def wait_until(self, script: str) -> Any:
        """Wait until a script returns a true value, and return it."""
        wait = WebDriverWait(self.driver, PATIENCE)
        return await asyncio.to_thread(wait.until, lambda driver: driver.execute_script(script), f"never: {script}")

    async def press(self, *keys: str) -> None:
        """Press keys on the focused element."""

        def pressed() -> None:
            focus: WebElement = self.driver.switch_to.active_element
            focus.send_keys(*keys)

        await asyncio.to_thread(pressed)

    async def complaints(self) -> list[str]:
        """Return the console's messages since the last call."""
        found = await asyncio.to_thread(self.driver.get_log, "browser")
        return [entry["message"] for entry in found]

    async def find_violations(self) -> list[str]:
        """Return what axe-core has against the page as it is; skips the test without npm."""
        axe = await node_modules(AXE) / "axe-core" / "axe.min.js"
        await self.run(axe.read_text())
        found: list[str] = await asyncio.to_thread(self.driver.execute_async_script, RUN_AXE)
        return found
