"""A world whose pages a real browser looks at."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from docs.pictures.make import BROWSER_OPTIONS, CHROMIUM
from tests.conftest import missing
from tests.journeys.conftest import free_port
from tests.journeys.world import World, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The product and a local GitHub, both running."""
    made = await make_world(tmp_path, f"sqlite:///{tmp_path}/vibeboard.db", free_port())
    try:
        await made.serve()
        yield made
    finally:
        if made.server is not None:
            await made.end()
        await made.running.close()


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """An empty page of a browser that nobody used before."""
    if not os.access(CHROMIUM, os.X_OK):
        missing("Debian's chromium is missing: apt-get install chromium")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch_persistent_context(
            tmp_path / "chromium",
            executable_path=CHROMIUM,
            args=list(BROWSER_OPTIONS),
            viewport={"width": 1900, "height": 900},
        )
        async with asyncio.timeout(100):
            yield browser.pages[0]
        await browser.close()
