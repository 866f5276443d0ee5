"""A person drags a card with the mouse, and watches what becomes of it."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from tests.journeys.world import World

pytestmark = pytest.mark.browser

PATIENCE = 30_000.0  # milliseconds for a whole run


@dataclass
class Watched:
    """What a browser complained about, and whom it talked to."""

    complaints: list[str] = field(default_factory=list)
    hosts: set[str | None] = field(default_factory=set)

    def watch(self, page: Page) -> None:
        page.on(
            "console",
            lambda said: (
                self.complaints.append(said.text)
                if said.type in {"error", "warning"}
                else None
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: self.hosts.add(urlsplit(asked.url).hostname))


@pytest.fixture
def watched(page: Page) -> Watched:
    found = Watched()
    found.watch(page)
    return found


async def drag(page: Page, title: str, column: str) -> None:
    """Take a card with the mouse, carry it in steps, and let go."""
    source = await page.get_by_role("listitem").filter(has_text=title).bounding_box()
    target = await page.get_by_role("region", name=column).bounding_box()
    assert source is not None
    assert target is not None
    await page.mouse.move(source["x"] + 60, source["y"] + 14)
    await page.mouse.down()
    await page.mouse.move(target["x"] + 100, target["y"] + 90, steps=8)
    await page.mouse.move(target["x"] + 110, target["y"] + 100, steps=2)
    await page.mouse.up()


async def test_a_dragged_card_comes_back_as_a_tested_pull_request(
    world: World, page: Page, watched: Watched
) -> None:
    card = world.card(
        "Add a tock",
        "write tock.py def tock():\\n    return 2",
        "write test_tock.py from tock import tock\\n\\n\\n"
        "def test_tock():\\n    assert tock() == 2",
        "summary Added a tock.",
    )
    await page.goto(f"{world.running.url}/orgs/acme/projects/1")

    await drag(page, "Add a tock", "Development")

    arrived = page.get_by_role("region", name="Review").get_by_text("#2 Add a tock")
    await expect(arrived).to_be_visible(timeout=PATIENCE)
    assert card.column == "Review"

    await arrived.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Add a tock")
    checks = page.locator("#checks")
    await expect(checks).to_contain_text("vibeboard / develop")
    await expect(checks).to_contain_text("2 tests passed")
    await expect(checks.get_by_role("row", name="unit")).to_contain_text("✅ passed")
    await expect(page.get_by_text("Added a tock.")).to_be_visible()

    assert watched.complaints == []
    assert watched.hosts == {"127.0.0.1"}


@pytest.mark.thorough
async def test_a_strangers_drag_is_put_back_before_their_eyes(
    world: World, page: Page, watched: Watched
) -> None:
    card = world.card("Tempting", "write x.txt x")
    await world.settled()
    await page.goto(f"{world.running.url}/orgs/acme/projects/1")
    await page.get_by_label("acting as").select_option("mallory")
    await expect(page.get_by_label("acting as")).to_have_value("mallory")

    await drag(page, "Tempting", "Development")

    await card.replied("@mallory moved this card")
    await card.reaches("Backlog")
    backlog = page.get_by_role("region", name="Backlog")
    title = backlog.get_by_role("link", name="Tempting")
    await expect(title).to_be_visible(timeout=PATIENCE)
    await title.click()
    await expect(page.get_by_text("needs write permission")).to_be_visible()

    assert watched.complaints == []
    assert watched.hosts == {"127.0.0.1"}
