"""What agents may do: a call of a tool, the team's rules for it, and the ruling.

Rules are written as Claude Code writes them, and mean the same for every agent:
``Read``, ``Bash(git push*)``, ``Edit(.github/**)``, ``mcp__server__*``.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache
from hashlib import sha256
from posixpath import normpath
from typing import Any
from urllib.parse import urlsplit

from vibeboard.domain.shell import HOLE, Line, Simple, Unreadable, read_line

SHELL = "Bash"
UNTOLD = "Execute"  # a shell, too, of which nobody says what it is to run
EDIT = "Edit"
READ = "Read"
FETCH = "WebFetch"

# A rule for the first name holds for the others, too.
FAMILIES: Mapping[str, frozenset[str]] = {
    EDIT: frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"}),
    READ: frozenset({"Read", "Glob", "Grep", "LS", "NotebookRead"}),
}
_WITH_PATHS = frozenset[str]().union(*FAMILIES.values())
# What only keeps an agent's own notes, or starts helpers whose calls are ruled on.
HARMLESS = frozenset(
    {
        "Agent", "BashOutput", "EnterPlanMode", "ExitPlanMode", "KillBash", "KillShell",
        "Task", "TaskCreate", "TaskGet", "TaskList", "TaskOutput", "TaskStop",
        "TaskUpdate", "TodoRead", "TodoWrite", "ToolSearch",
    }
)  # fmt: skip
KNOWN = frozenset({*_WITH_PATHS, *HARMLESS, SHELL, UNTOLD, FETCH, "WebSearch"})

_RULE = re.compile(r"(?P<tool>[A-Za-z_][A-Za-z0-9_.*-]*)(?:\((?P<pattern>.+)\))?")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_MCP = "mcp__"
_HOST = "domain:"
_UNREAD = "this command line is too clever to be ruled on; write it plainer"
_NOT_TOLD = "the program does not tell the command line"
# Programs that run the command behind them.
_CARRIERS = frozenset(
    {
        "builtin", "busybox", "chroot", "command", "doas", "env", "exec", "ionice",
        "nice", "nohup", "setsid", "stdbuf", "sudo", "timeout", "xargs",
    }
)  # fmt: skip
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh"})


class Verdict(Enum):
    """What becomes of a call."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"  # a person answers


@dataclass(frozen=True)
class ToolCall:
    """What an agent wants to do, exactly.

    ``id`` is its program's own name for the call. ``subject`` is what rules and people
    look at: the command line, the path, the address. ``paths`` are the files it
    touches; those and ``cwd`` count from the tree if they are inside, and are absolute
    otherwise.
    """

    id: str
    tool: str
    subject: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    cwd: str = ""
    diff: str = ""
    why: str = ""
    paths: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The same for the same deed, whatever it was called and when it was asked."""
        deed = json.dumps([self.tool, self.subject, self.arguments], sort_keys=True)
        return sha256(deed.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Ruling:
    """What was said of a call: by which rule or whom, and with which words."""

    verdict: Verdict
    rule: str = ""
    by: str = ""
    note: str = ""


@dataclass(frozen=True)
class Rule:
    """Tools by name, and by what they would do to what."""

    tool: str
    pattern: str | None = None

    def __str__(self) -> str:
        return self.tool if self.pattern is None else f"{self.tool}({self.pattern})"

    def names(self, tool: str) -> bool:
        """Whether the rule speaks of this tool, whatever it would do."""
        if tool in FAMILIES.get(self.tool, ()):
            return True
        if self.tool.startswith(_MCP) and tool.startswith(self.tool + "__"):
            return True
        return fnmatchcase(tool, self.tool)


def rule_of(text: str) -> Rule:
    """The rule as it is written; raises ValueError with what is wrong with it."""
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise ValueError("not a rule: write `Tool` or `Tool(pattern)`")
    tool, pattern = found["tool"], found["pattern"]
    if tool not in KNOWN:
        near = [name for name in KNOWN if name.casefold() == tool.casefold()]
        if near:
            raise ValueError(f"no tool {tool!r}; did you mean {near[0]!r}?")
    if pattern is not None and tool not in {SHELL, FETCH, *_WITH_PATHS}:
        raise ValueError(f"only shell, file and web tools have patterns, not {tool!r}")
    if tool == FETCH and not (pattern or _HOST).startswith(_HOST):
        raise ValueError("write addresses as `WebFetch(domain:example.org)`")
    return Rule(tool, pattern)


def rules_of(*texts: str) -> tuple[Rule, ...]:
    """Several rules, as they are written."""
    return tuple(rule_of(text) for text in texts)


@dataclass(frozen=True)
class ToolPolicy:
    """A team's rules: denied goes before asked, asked before allowed.

    A shell's command line is allowed if every command in it is; it is denied if one is.
    Rules on the shell keep an agent from mistakes. They are no wall: a program that is
    allowed can do what is denied.
    """

    allow: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    otherwise: Verdict = Verdict.ASK

    def judge(self, call: ToolCall) -> Ruling:
        """What is to become of the call, and by which rule."""
        if call.tool == SHELL:
            return self._shell(call)
        for verdict, rules in ((Verdict.DENY, self.deny), (Verdict.ASK, self.ask)):
            for rule in rules:
                if rule.names(call.tool) and _any_of(rule, call):
                    return Ruling(verdict, rule=str(rule))
        by = self._allows(call)
        if by is not None:
            return Ruling(Verdict.ALLOW, rule=by)
        if call.tool in HARMLESS:
            return Ruling(Verdict.ALLOW)
        if call.tool == UNTOLD:
            return self._unread(_NOT_TOLD)
        return Ruling(self.otherwise)

    def _allows(self, call: ToolCall) -> str | None:
        """The rules that together allow all of the call; None if they do not."""
        rules = [rule for rule in self.allow if rule.names(call.tool)]
        for rule in rules:
            if rule.pattern is None:
                return str(rule)
        if call.tool == FETCH:
            return _covered([call.subject], rules, _host)
        return _covered(call.paths, rules, _path)

    # --- The shell --------------------------------------------------------------

    def _shell(self, call: ToolCall) -> Ruling:
        try:
            line = read_line(call.subject)
        except (Unreadable, RecursionError):
            return self._unread(_UNREAD)
        deeds = [*_deeds(line.commands)]
        writes = [_written(path, line, call.cwd) for path in line.writes]
        writes = [path for path in writes if path != "/dev/null"]
        for verdict, rules in ((Verdict.DENY, self.deny), (Verdict.ASK, self.ask)):
            for rule in rules:
                if _may_concern(rule, deeds, writes):
                    return Ruling(verdict, rule=str(rule))
        on_shell = [rule for rule in self.allow if rule.names(SHELL)]
        for rule in on_shell:
            if rule.pattern is None:
                return Ruling(Verdict.ALLOW, rule=str(rule))
        texts = [command.text for command in line.commands]
        by = _covered(texts, on_shell, _command)
        if by is not None and writes:
            edits = [rule for rule in self.allow if rule.names(EDIT)]
            also = _covered(writes, edits, _path)
            by = None if also is None else f"{by}, {also}"
        if by is not None:
            return Ruling(Verdict.ALLOW, rule=by)
        return Ruling(self.otherwise)

    def _unread(self, why: str) -> Ruling:
        """A line that nobody understands may be what a rule forbids."""
        for verdict, rules in ((Verdict.DENY, self.deny), (Verdict.ASK, self.ask)):
            for rule in rules:
                if rule.names(SHELL) or rule.names(EDIT):
                    return Ruling(verdict, rule=str(rule), note=why)
        for rule in self.allow:
            if rule.names(SHELL) and rule.pattern is None:
                return Ruling(Verdict.ALLOW, rule=str(rule))
        return Ruling(self.otherwise, note=why)


# Where a team says nothing: the agent works in its tree, and has no other tools.
DEFAULT = ToolPolicy(
    allow=rules_of(READ, f"{EDIT}(/**)", SHELL), otherwise=Verdict.DENY
)


def _covered(
    subjects: Iterable[str],
    rules: Iterable[Rule],
    matches: Callable[[str, str], bool],
) -> str | None:
    """The rules that cover all subjects, of which there must be one; else None."""
    rules, used = list(rules), dict[str, None]()
    for subject in subjects:
        found = next(
            (
                rule
                for rule in rules
                if rule.pattern is None or matches(rule.pattern, subject)
            ),
            None,
        )
        if found is None:
            return None
        used[str(found)] = None
    return ", ".join(used) or None


def _any_of(rule: Rule, call: ToolCall) -> bool:
    """Whether the rule may concern any of what the call touches."""
    if rule.pattern is None:
        return True
    if call.tool == FETCH:
        return _host(rule.pattern, call.subject)
    # What names no file may touch any.
    return not call.paths or any(_may_path(rule.pattern, each) for each in call.paths)


def _may_concern(rule: Rule, deeds: list[str], writes: list[str]) -> bool:
    """Whether a line does, or may do, what the rule is about."""
    if rule.names(EDIT) and writes:
        pattern = rule.pattern
        if pattern is None or any(_may_path(pattern, path) for path in writes):
            return True
    if not rule.names(SHELL):
        return False
    pattern = rule.pattern
    return pattern is None or any(_may_command(pattern, deed) for deed in deeds)


def _deeds(commands: Iterable[Simple], depth: int = 0) -> Iterator[str]:
    """Commands as they stand, and those that they carry."""
    for command in commands:
        yield command.text
        words = list(command.words)
        while words and _ASSIGNMENT.match(words[0]):
            words = words[1:]
        yield " ".join(words)
        yield from _carried(words, depth)


def _carried(words: list[str], depth: int) -> Iterator[str]:
    """What ``sudo``, ``env``, ``bash -c`` and their like would run."""
    if not words or depth > 5:  # noqa: PLR2004 - nobody means well that deep
        return
    name = words[0].rpartition("/")[2]
    if name != words[0]:
        yield " ".join([name, *words[1:]])
    if name in _SHELLS or name == "eval":
        for word in words[1:]:
            try:
                inside = read_line(word)
            except (Unreadable, RecursionError):
                yield HOLE
            else:
                yield from _deeds(inside.commands, depth + 1)
    if name in _CARRIERS or name == "find":
        # Which word begins the command depends on options; it may be any.
        for at in range(1, len(words)):
            yield " ".join(words[at:])
            yield from _carried(words[at:], depth + 1)


# --- Patterns -------------------------------------------------------------------


def _command(pattern: str, text: str) -> bool:
    """Whether a command is surely what the pattern says."""
    if text.startswith(HOLE) or HOLE in text.partition(" ")[0]:
        return False
    if pattern.endswith(":*"):
        pattern = pattern[:-2] + " *"
    if pattern.endswith(" *") and fnmatchcase(text, pattern[:-2]):
        return True
    return fnmatchcase(text, pattern)


def _may_command(pattern: str, text: str) -> bool:
    """Whether a command may be what the pattern says, once its holes are filled."""
    if _command(pattern, text) or fnmatchcase(text, pattern):
        return True
    known, hole, _ = text.partition(HOLE)
    head = re.split(r"[*?\[]", pattern.removesuffix(":*"), maxsplit=1)[0]
    return bool(hole) and (head.startswith(known) or known.startswith(head))


def _written(path: str, line: Line, cwd: str) -> str:
    """Where a redirection writes, from the tree; a hole if that is not known."""
    if HOLE in path or path.startswith("~"):
        return HOLE
    if path.startswith("/"):
        return normpath(path)
    found = normpath(f"{cwd}/{path}" if cwd else path)
    # Up and out may come in again by the tree's own name.
    return HOLE if line.moves or found.startswith("..") else found


def _may_path(pattern: str, path: str) -> bool:
    return HOLE in path or _path(pattern, path)


def _path(pattern: str, path: str) -> bool:
    """As in ``.gitignore``: from the tree's top, or any depth for a bare name.

    ``//`` begins an absolute path.
    """
    if HOLE in path:
        return False
    absolute = pattern.startswith("//")
    if absolute != path.startswith("/") or path == ".." or path.startswith("../"):
        return False
    anchored = "/" in pattern.rstrip("/")
    glob = _glob(pattern.removeprefix("/"), anchored=anchored)
    return glob.fullmatch(path) is not None


@cache
def _glob(pattern: str, *, anchored: bool) -> re.Pattern[str]:
    shown = pattern
    if pattern.endswith("/"):
        shown += "**"
    made = "" if anchored else "(?:.*/)?"
    at = 0
    while at < len(shown):
        if shown.startswith("**/", at):
            made, at = made + "(?:.*/)?", at + 3
        elif shown.startswith("**", at):
            made, at = made + ".*", at + 2
        else:
            made += {"*": "[^/]*", "?": "[^/]"}.get(shown[at], re.escape(shown[at]))
            at += 1
    return re.compile(made, re.DOTALL)


def _host(pattern: str, address: str) -> bool:
    wanted = pattern.removeprefix(_HOST).casefold()
    try:
        host = (urlsplit(address).hostname or "").rstrip(".").casefold()
    except ValueError:
        return False
    if wanted.startswith("*."):
        return host.endswith(wanted[1:])
    return host == wanted
