"""Tests in Python: pytest and unittest, by the syntax tree."""

import ast
from collections.abc import Iterator, Sequence

from vibeboard.domain.testcode.found import TestCode, TestFile, Unparsable

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_OFF = {"skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure"}
_OFF_CALLS = {"skip", "skipTest", "xfail", "SkipTest", "importorskip"}
_CHECKS = {"raises", "warns", "fail", "expect", "deprecated_call"}
_HELPERS = ("assert", "check", "verify")  # also people's own
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read(text: str) -> TestFile:
    """The tests of a module."""
    try:
        module = ast.parse(text)
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        found = _tests(module.body, "", _module_marks(module), lines)
        return TestFile({test.name: test for test in found})
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unparsable(str(error)) from error


def _tests(
    body: Sequence[ast.stmt], prefix: str, off: int, lines: Sequence[str]
) -> Iterator[TestCode]:
    for each in body:
        if isinstance(each, ast.ClassDef):
            inner = off + _marks(each.decorator_list) + _assigned_marks(each.body)
            yield from _tests(each.body, f"{prefix}{each.name}::", inner, lines)
        elif isinstance(each, _FUNCTIONS) and each.name.startswith("test"):
            yield _test(each, prefix, off, lines)


def _test(function: _Function, prefix: str, off: int, lines: Sequence[str]) -> TestCode:
    nodes = [node for each in function.body for node in ast.walk(each)]
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return TestCode(
        name=prefix + function.name,
        assertions=sum(map(_checks, nodes)),
        skips=off + _marks(function.decorator_list) + sum(map(_turns_off, nodes)),
        empty=all(map(_does_nothing, body)),
        body=_source(body, lines),
        cases=_cases(function.decorator_list),
    )


def _source(body: Sequence[ast.stmt], lines: Sequence[str]) -> str:
    """The statements as they are written, wherever they stand."""
    if not body:
        return ""
    first, last = body[0], body[-1]
    head = lines[first.lineno - 1].encode()[first.col_offset :].decode(errors="replace")
    rest = lines[first.lineno : last.end_lineno]
    return "\n".join(line.strip() for line in (head, *rest))


def _module_marks(module: ast.Module) -> int:
    calls = sum(
        1
        for each in module.body
        if isinstance(each, ast.Expr) and _turns_off(each.value)
    )
    return calls + _assigned_marks(module.body)


def _assigned_marks(body: Sequence[ast.stmt]) -> int:
    """``pytestmark = …``, of a module or a class."""
    return sum(
        _marks(each.value.elts if isinstance(each.value, ast.List) else [each.value])
        for each in body
        if isinstance(each, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in each.targets)
    )


def _marks(decorators: Sequence[ast.expr]) -> int:
    return sum(1 for each in decorators if _called(each) in _OFF)


def _called(node: ast.AST) -> str:
    """The last part of the name of what is called, or is a decorator."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _turns_off(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _called(node) in _OFF_CALLS


def _checks(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not _always_true(node.test)
    if not isinstance(node, ast.Call):
        return False
    name = _called(node)
    return name in _CHECKS or name.startswith(_HELPERS)


def _always_true(test: ast.expr) -> bool:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(map(_always_true, test.values))
    if isinstance(test, ast.Compare):
        same = ast.dump(test.left) == ast.dump(test.comparators[0])
        return same and isinstance(test.ops[0], ast.Eq | ast.Is)
    return isinstance(test, ast.Constant | ast.Tuple)


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assert):
        return _always_true(statement.test)
    return isinstance(statement, ast.Pass | ast.Return)


def _cases(decorators: Sequence[ast.expr]) -> int | None:
    """How many sets of parameters are written out, over all of them."""
    found = None
    for each in decorators:
        if isinstance(each, ast.Call) and _called(each) == "parametrize":
            values = each.args[1] if len(each.args) > 1 else None
            if isinstance(values, ast.List | ast.Tuple | ast.Set):
                found = (found or 1) * len(values.elts)
    return found
