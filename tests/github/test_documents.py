"""Every GraphQL document we send is one that GitHub's published schema allows."""

from importlib.resources import files

import pytest
from graphql import OperationDefinitionNode, parse, validate

from tests import contracts
from vibeboard.github import boards, cards, job, pull_view, replies, repositories
from vibeboard.github.documents import Document

DOCUMENTS = [
    value
    for module in (boards, cards, job, pull_view, replies, repositories)
    for value in vars(module).values()
    if isinstance(value, Document)
]


@pytest.mark.npm
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_a_document_is_valid(document: Document) -> None:
    faults = validate(contracts.published_schema(), parse(document.text))

    assert faults == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_a_document_has_one_operation_named_like_its_file(document: Document) -> None:
    operations = [
        one
        for one in parse(document.text).definitions
        if isinstance(one, OperationDefinitionNode)
    ]

    named = document.name.title().replace("_", "")
    assert [one.name.value for one in operations if one.name] == [named]


def test_only_mutations_write() -> None:
    assert [one.name for one in DOCUMENTS if one.writes] == [
        "move_item",
        "set_number",
    ]


def test_no_document_lies_about_unused() -> None:
    used = {one.name for one in DOCUMENTS} | {"card_parts", "card_places"}
    folder = files("vibeboard.github") / "queries"

    assert {file.name.removesuffix(".graphql") for file in folder.iterdir()} == used
