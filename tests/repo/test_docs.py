"""What the docs say is whole: links lead somewhere, examples work, pictures exist."""

import re
from pathlib import Path
from textwrap import dedent

import pytest
from ruamel.yaml import YAML

from localhub.seed import Seed
from tests.repo import official
from tests.repo.tracked import ROOT, tracked
from vibeboard.config.loader import load
from vibeboard.domain.run import ENDED, NEXT, RunState

PAGES = [path for path in tracked() if path.suffix == ".md"]
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def links(page: Path) -> list[str]:
    """What a page links to inside the repository."""
    text = _FENCE.sub("", page.read_text())
    found = [one or other for one, other in _LINK.findall(text)]
    return [link for link in found if "://" not in link]


def anchors(page: Path) -> set[str]:
    """What GitHub calls a page's headings."""
    text = _FENCE.sub("", page.read_text())
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


def blocks(language: str) -> list[tuple[str, str]]:
    """Every code block of a language, with its page."""
    return [
        (name_of(page), dedent(text))
        for page in PAGES
        for _, lang, text in _FENCE.findall(page.read_text())
        if lang == language
    ]


def about(one: tuple[str, str]) -> str:
    return one[0]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    waiting, reached = [ROOT / "README.md"], set()
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            waiting += sorted(target.glob("*.md")) if target.is_dir() else [target]

    assert {name_of(page) for page in PAGES if ROOT / "docs" in page.parents} <= {
        name_of(page) for page in reached
    }


CONFIGURATIONS = [one for one in blocks("yaml") if one[1].startswith("version:")]
SEEDS = [one for one in blocks("yaml") if one[1].startswith("users:")]
WORKFLOWS = [one for one in blocks("yaml") if one[1].startswith("jobs:")]


def test_no_example_of_yaml_goes_untried() -> None:
    assert len(CONFIGURATIONS) > 5
    assert sorted(CONFIGURATIONS + SEEDS + WORKFLOWS) == sorted(blocks("yaml"))


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=about)
def test_every_configuration_in_the_docs_loads(block: tuple[str, str]) -> None:
    page, text = block

    assert load(text, path=page, owner="acme").stages


@pytest.mark.parametrize("block", SEEDS, ids=about)
def test_every_seed_in_the_docs_is_one(block: tuple[str, str]) -> None:
    assert Seed.model_validate(YAML(typ="safe").load(block[1])).projects


@pytest.mark.npm
def test_what_the_docs_add_to_a_workflow_fits_in(tmp_path: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    files = [tmp_path / f"{number}.yml" for number in range(len(WORKFLOWS))]
    for file, (_, text) in zip(files, WORKFLOWS, strict=True):
        jobs = yaml.load(text)["jobs"]
        base = "preview.yml" if "publish" in jobs else "agent.yml"
        whole = yaml.load(ROOT / "workflows" / base)
        for name, job in jobs.items():
            there = whole["jobs"].setdefault(name, {})
            named = {step.get("name"): step for step in job["steps"]}
            steps = [named.get(s.get("name"), s) for s in there.get("steps", [])]
            there.update(job)
            if base == "preview.yml":
                there["steps"] = steps
        yaml.dump(whole, file)

    found = official.diagnostics(files)

    assert len(found) > 1
    assert [said for said in found.values() if said] == []


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_the_picture_of_a_runs_states_is_the_table() -> None:
    ((_, drawing),) = [
        block for block in blocks("mermaid") if block[0].endswith("design.md")
    ]
    arrows = set(re.findall(r"^ +(\S+) --> (\S+)$", drawing, re.MULTILINE))

    assert arrows == {
        ("[*]", RunState.QUEUED.value),
        *(
            (state.value, following.value)
            for state in NEXT
            for following in NEXT[state]
        ),
        *((state.value, "[*]") for state in ENDED),
    }
