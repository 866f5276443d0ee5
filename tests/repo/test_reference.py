from pathlib import Path

import pytest

from vibeboard.config.reference import PAGES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_what_its_source_makes(page: str) -> None:
    committed = (REFERENCE / f"{page}.md").read_text(encoding="utf-8")

    assert committed == PAGES[page](), (
        f"write it again: python -m vibeboard.config.reference {page} "
        f"> docs/reference/{page}.md"
    )
