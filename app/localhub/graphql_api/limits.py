"""What a query costs, told before it is executed, and GitHub's limits on it.

Every connection needs `first` or `last`, 1 to 100; a query may ask for 500,000 nodes.
"""

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from localhub.graphql_api.call import Problem

MOST_RECORDS = 100
MOST_NODES = 500_000


@dataclass
class Estimate:
    """Requests and nodes that a query may need."""

    requests: int = 0
    nodes: int = 0

    @property
    def cost(self) -> int:
        """Give the points, at least one."""
        return max(1, round(self.requests / 100))


class _Walk:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self.estimate = Estimate()

    def selections(self, chosen: SelectionSetNode, parent: Any, times: int) -> None:
        for one in chosen.selections:
            match one:
                case FieldNode():
                    self._field(one, parent, times)
                case InlineFragmentNode():
                    inner = one.type_condition
                    kind = self._schema.get_type(inner.name.value) if inner else parent
                    self.selections(one.selection_set, kind, times)
                case FragmentSpreadNode():
                    fragment = self._fragments[one.name.value]
                    kind = self._schema.get_type(fragment.type_condition.name.value)
                    self.selections(fragment.selection_set, kind, times)

    def _field(self, node: FieldNode, parent: Any, times: int) -> None:
        if node.selection_set is None:
            return
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return
        field = parent.fields.get(node.name.value)
        if field is None:
            return
        given = get_argument_values(field, node, self._variables)
        # To count needs no bounds.
        bounded = not _counts_only(node) or given.keys() & {"first", "last"}
        if "first" in field.args and bounded:
            records = _records(node.name.value, given)
            self.estimate.requests += times
            times *= records
            self.estimate.nodes += times
        self.selections(node.selection_set, get_named_type(field.type), times)


def _counts_only(node: FieldNode) -> bool:
    """Tell whether no record is asked for."""
    chosen = node.selection_set.selections if node.selection_set else ()
    names = {one.name.value for one in chosen if isinstance(one, FieldNode)}
    return len(names) == len(chosen) and names <= {"totalCount", "__typename"}


def _records(name: str, given: dict[str, Any]) -> int:
    for side in ("first", "last"):
        records = given.get(side)
        if records is None:
            continue
        if not 0 <= records <= MOST_RECORDS:
            raise Problem(
                "EXCESSIVE_PAGINATION",
                f"Requesting {records} records on the `{name}` connection exceeds the "
                f"`{side}` limit of {MOST_RECORDS} records.",
            )
        return int(records)
    raise Problem(
        "MISSING_PAGINATION_BOUNDARIES",
        "You must provide a `first` or `last` value to properly paginate the "
        f"`{name}` connection.",
    )


def estimate(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: VariableValues,
) -> Estimate:
    """Walk a valid query and refuse one that asks for too much."""
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    walk = _Walk(schema, fragments, variables)
    root = schema.get_root_type(operation.operation)
    walk.selections(operation.selection_set, root, 1)
    if walk.estimate.nodes > MOST_NODES:
        raise Problem(
            "MAX_NODE_LIMIT_EXCEEDED",
            f"This query requests up to {walk.estimate.nodes:,} possible nodes which "
            f"exceeds the maximum limit of {MOST_NODES:,}.",
        )
    return walk.estimate
