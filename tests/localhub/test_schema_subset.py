"""Our GraphQL schema is a true subset of the one that GitHub publishes.

Compared type by type on schemas built by graphql-core, never as text.
"""

from pathlib import Path

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    extend_schema,
    is_required_argument,
    is_required_input_field,
    parse,
    print_ast,
    validate_schema,
)

import localhub
from tests import contracts

# What GitHub answers today and the published file (2025-02-27) does not know yet.
# Each line carries its reason; empty means that we use nothing newer.
OVERLAY = ""

pytestmark = pytest.mark.npm


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    schema = contracts.published_schema()
    if not OVERLAY:
        return schema
    return extend_schema(schema, parse(OVERLAY), assume_valid=True)


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    file = Path(localhub.__file__).with_name("schema.graphql")
    return build_schema(file.read_text())


def _default(value: GraphQLArgument | GraphQLInputField) -> str | None:
    given = value.default
    return print_ast(given.literal) if given and given.literal else None


def _arguments(
    where: str,
    mine: dict[str, GraphQLArgument],
    theirs: dict[str, GraphQLArgument],
) -> list[str]:
    wrong = [f"{where}({name}) is not published" for name in mine if name not in theirs]
    for name, argument in theirs.items():
        if name not in mine:
            if is_required_argument(argument):
                wrong.append(f"{where}({name}) is required by GitHub")
            continue
        if str(mine[name].type) != str(argument.type):
            wrong.append(f"{where}({name}): {mine[name].type} is {argument.type}")
        if _default(mine[name]) != _default(argument):
            wrong.append(f"{where}({name}) has another default")
    return wrong


def _fields(
    mine: GraphQLObjectType | GraphQLInterfaceType,
    theirs: GraphQLObjectType | GraphQLInterfaceType,
) -> list[str]:
    published_interfaces = {interface.name for interface in theirs.interfaces}
    wrong = [
        f"{mine.name} does not implement {interface.name}"
        for interface in mine.interfaces
        if interface.name not in published_interfaces
    ]
    for name, field in mine.fields.items():
        where = f"{mine.name}.{name}"
        published_field = theirs.fields.get(name)
        if published_field is None:
            wrong.append(f"{where} is not published")
            continue
        if str(field.type) != str(published_field.type):
            wrong.append(f"{where}: {field.type} is {published_field.type}")
        wrong += _arguments(where, field.args, published_field.args)
    return wrong


def _inputs(mine: GraphQLInputObjectType, theirs: GraphQLInputObjectType) -> list[str]:
    wrong = []
    for name, field in mine.fields.items():
        published_field = theirs.fields.get(name)
        if published_field is None:
            wrong.append(f"{mine.name}.{name} is not published")
        elif str(field.type) != str(published_field.type):
            wrong.append(f"{mine.name}.{name}: {field.type} is {published_field.type}")
        elif _default(field) != _default(published_field):
            wrong.append(f"{mine.name}.{name} has another default")
    for name, field in theirs.fields.items():
        if name not in mine.fields and is_required_input_field(field):
            wrong.append(f"{mine.name}.{name} is required by GitHub")
    return wrong


def _members(
    mine: GraphQLUnionType | GraphQLEnumType, theirs: GraphQLNamedType
) -> list[str]:
    if isinstance(mine, GraphQLUnionType):
        assert isinstance(theirs, GraphQLUnionType)
        extra = {member.name for member in mine.types}
        extra -= {member.name for member in theirs.types}
        return [f"{mine.name} | {name} is not published" for name in extra]
    assert isinstance(theirs, GraphQLEnumType)
    extra = set(mine.values) - set(theirs.values)
    return [f"{mine.name}.{name} is not published" for name in extra]


def _differences(mine: GraphQLNamedType, theirs: GraphQLNamedType | None) -> list[str]:
    if theirs is None:
        return [f"{mine.name} is not published"]
    match mine, theirs:
        case GraphQLObjectType(), GraphQLObjectType():
            return _fields(mine, theirs)
        case GraphQLInterfaceType(), GraphQLInterfaceType():
            return _fields(mine, theirs)
        case GraphQLInputObjectType(), GraphQLInputObjectType():
            return _inputs(mine, theirs)
        case ((GraphQLUnionType() | GraphQLEnumType()), _) if type(mine) is type(
            theirs
        ):
            return _members(mine, theirs)
        case _:
            same = type(mine) is type(theirs)
            return [] if same else [f"{mine.name} is another kind of type"]


def differences(mine: GraphQLSchema, theirs: GraphQLSchema) -> list[str]:
    return [
        difference
        for name, kind in mine.type_map.items()
        for difference in _differences(kind, theirs.type_map.get(name))
    ]


def test_our_schema_is_valid(ours: GraphQLSchema) -> None:
    assert validate_schema(ours) == []


def test_everything_in_our_schema_is_published(
    ours: GraphQLSchema, published: GraphQLSchema
) -> None:
    assert differences(ours, published) == []


@pytest.mark.parametrize(
    ("invented", "said"),
    [
        pytest.param(
            "extend type ProjectV2 { column: String }",
            "ProjectV2.column is not published",
            id="a field",
        ),
        pytest.param(
            "extend enum ProjectV2ItemType { CARD }",
            "ProjectV2ItemType.CARD is not published",
            id="an enum value",
        ),
        pytest.param(
            "extend input ProjectV2FieldValue { column: String }",
            "ProjectV2FieldValue.column is not published",
            id="an input field",
        ),
        pytest.param("type Card { id: ID! }", "Card is not published", id="a type"),
        pytest.param(
            "extend union ProjectV2ItemContent = Label",
            "ProjectV2ItemContent | Label is not published",
            id="a union member",
        ),
    ],
)
def test_an_invention_is_noticed(
    ours: GraphQLSchema, published: GraphQLSchema, invented: str, said: str
) -> None:
    assert differences(extend_schema(ours, parse(invented)), published) == [said]


def test_a_changed_signature_is_noticed(published: GraphQLSchema) -> None:
    changed = build_schema(
        """
        type Query { node(id: String!): Node, rateLimit(dryRun: Boolean): RateLimit }
        interface Node { id: ID }
        type RateLimit { cost: Int! }
        """
    )

    assert differences(changed, published) == [
        "Query.node(id): String! is ID!",
        "Query.rateLimit(dryRun) has another default",
        "Node.id: ID is ID!",
    ]
