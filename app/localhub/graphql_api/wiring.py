"""The schema file joined with the resolvers, built once and only when first asked."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

import localhub
from localhub.graphql_api import boards, code, conversations, mutations
from localhub.graphql_api.boards import VALUE_TYPES
from localhub.graphql_api.call import Call, Thread
from localhub.graphql_api.shapes import (
    Blob,
    Commit,
    Comparison,
    FieldValue,
    PullCommit,
    Ref,
    Rollup,
    Workflow,
)
from localhub.state import (
    App,
    CheckRun,
    CheckSuite,
    Comment,
    CommitStatus,
    DraftIssue,
    Issue,
    Label,
    Option,
    Organization,
    Project,
    ProjectField,
    ProjectItem,
    PullRequest,
    Reaction,
    Repository,
    Review,
    ReviewComment,
    StatusUpdate,
    User,
)

_NAMES: dict[type, str] = {
    App: "App",
    Blob: "Blob",
    CheckRun: "CheckRun",
    CheckSuite: "CheckSuite",
    Comment: "IssueComment",
    Commit: "Commit",
    CommitStatus: "StatusContext",
    Comparison: "Comparison",
    DraftIssue: "DraftIssue",
    Issue: "Issue",
    Label: "Label",
    Organization: "Organization",
    Project: "ProjectV2",
    ProjectItem: "ProjectV2Item",
    PullCommit: "PullRequestCommit",
    PullRequest: "PullRequest",
    Reaction: "Reaction",
    Ref: "Ref",
    Repository: "Repository",
    Review: "PullRequestReview",
    ReviewComment: "PullRequestReviewComment",
    Rollup: "StatusCheckRollup",
    StatusUpdate: "ProjectV2StatusUpdate",
    Thread: "PullRequestReviewThread",
    Workflow: "ProjectV2Workflow",
}
Info = GraphQLResolveInfo[Call]
_RENAMED = {"id": "node_id", "databaseId": "id", "fullDatabaseId": "id"}


def _digits(value: Any) -> str:
    return str(value)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _type_of(value: Any, _info: Info, _kind: Any) -> str | None:
    if isinstance(value, ProjectField):
        single = value.data_type == "SINGLE_SELECT"
        return "ProjectV2SingleSelectField" if single else "ProjectV2Field"
    if isinstance(value, FieldValue):
        return VALUE_TYPES.get(value.field.data_type, "ProjectV2ItemFieldTextValue")
    if type(value) is User:
        return "Bot" if value.type == "Bot" else "User"
    return _NAMES.get(type(value))


def default(source: Any, info: Info, **_arguments: Any) -> Any:
    """Read a field whose name the state knows too."""
    name = info.field_name
    if isinstance(source, dict):
        return source.get(name)
    if isinstance(source, Option):
        return getattr(source, name)
    return getattr(source, _RENAMED.get(name, _snake(name)))


def _wire(kind: GraphQLObjectType, known: dict[str, Any]) -> None:
    for name, resolve in known.items():
        if name in kind.fields:
            kind.fields[name].resolve = resolve


@cache
def schema() -> GraphQLSchema:
    """Build the executable schema."""
    text = Path(localhub.__file__).with_name("schema.graphql").read_text()
    built = build_schema(text)
    tables = {
        **boards.RESOLVERS,
        **conversations.RESOLVERS,
        **code.RESOLVERS,
        **mutations.PAYLOADS,
        "Query": code.QUERY,
        "Mutation": {
            name: mutations.resolver(change)
            for name, change in mutations.MUTATIONS.items()
        },
    }
    for kind in built.type_map.values():
        match kind:
            case GraphQLObjectType():
                for field in kind.fields.values():
                    for name, argument in field.args.items():
                        argument.out_name = _snake(name)
                _wire(kind, tables.get(kind.name, {}))
            case GraphQLInputObjectType():
                for name, entry in kind.fields.items():
                    entry.out_name = _snake(name)
            case GraphQLInterfaceType() | GraphQLUnionType():
                kind.resolve_type = _type_of
            case GraphQLScalarType(name="BigInt"):
                kind.coerce_output_value = _digits
    return built
