"""Reads a shell's command line as far as it takes to say what it would do.

Only what is surely understood is read: simple commands, joined, nested, redirected.
Everything else (functions, arithmetic, clever expansions) raises Unreadable, and who
rules on the line must not take it for harmless. Nothing is expanded here; what only
the shell can know stands as a HOLE in the words.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

HOLE = "\0"

# Words that may stand before a command and change nothing about what it is.
_OPENING = frozenset(
    {"if", "then", "elif", "else", "while", "until", "do", "{", "!", "time"}
)
_CLOSING = frozenset({"fi", "done", "}"})
_UNREAD = frozenset({"case", "select", "function", "coproc", "[[", "esac", "in"})
_KEYWORDS = _OPENING | _CLOSING | _UNREAD | {"for"}
_OPERATORS = ("&&", "||", "|&", ";", "\n", "|", "&")
_REDIRECTS = (
    "&>>", "<<<", "<<-", "&>", ">>", ">|", ">&", "<<", "<&", "<>", ">", "<",
)  # fmt: skip
_READING = frozenset({"<", "<<<", "<<", "<<-", "<&"})
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPECIAL = frozenset("?#@*!$-0123456789")
_DEEPEST = 20


class Unreadable(ValueError):  # noqa: N818 - what the line is
    """The line has something in it that this module does not understand."""


@dataclass(frozen=True)
class Simple:
    """One simple command: its words without their quotes, holes where they vary."""

    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """The words as rules look at them."""
        return " ".join(self.words)


@dataclass
class Line:
    """What a command line would run, and the files it would write to by itself."""

    commands: list[Simple] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    moves: bool = False
    """Whether it changes its directory, so that relative paths are anywhere."""


def read_line(line: str) -> Line:
    """Everything that ``line`` would run; raises Unreadable."""
    found = Line()
    _Reader(line, found, depth=0).read_all()
    return found


@dataclass
class _Heredoc:
    end: str
    literal: bool
    tabs: bool


class _Reader:
    """Reads one text from its beginning; nested ones have readers of their own."""

    def __init__(self, text: str, found: Line, *, depth: int) -> None:
        if depth > _DEEPEST or HOLE in text:
            raise Unreadable
        self._text = text
        self._at = 0
        self._found = found
        self._depth = depth
        self._heredocs: list[_Heredoc] = []

    def read_all(self) -> None:
        self._commands(end="")
        if self._at < len(self._text) or self._heredocs:
            raise Unreadable

    # --- Lists of commands ------------------------------------------------------

    def _commands(self, *, end: str) -> None:
        """Commands up to ``end`` (a closing parenthesis, or the text's end)."""
        while True:
            self._skip_blanks()
            if self._at >= len(self._text):
                if end:
                    raise Unreadable
                return
            if self._text[self._at] == ")":
                if end == ")":
                    return
                raise Unreadable
            if self._take_operator():
                continue
            if self._text[self._at] == "(":
                self._subshell()
                continue
            before = self._at
            self._command()
            if self._at == before:
                raise Unreadable

    def _subshell(self) -> None:
        if self._text.startswith("((", self._at):
            raise Unreadable
        self._at += 1
        self._commands(end=")")
        self._at += 1
        words = self._words_and_redirects()
        if words:
            raise Unreadable

    def _command(self) -> None:
        words = self._words_and_redirects()
        if self._peek() == "(":
            raise Unreadable  # a function, an array, a pattern
        self._keep(words)

    def _keep(self, words: list[str]) -> None:
        while words and words[0] in _OPENING:
            words = words[1:]
        if not words:
            return
        if words[0] in _CLOSING:
            self._keep(words[1:])
            return
        if words[0] in _UNREAD:
            raise Unreadable
        if words[0] == "for":
            self._keep_loop(words)
            return
        self._found.commands.append(Simple(tuple(words)))
        if words[0] in ("cd", "pushd", "popd") or HOLE in words[0]:
            self._found.moves = True

    @staticmethod
    def _keep_loop(words: list[str]) -> None:
        """``for NAME in …``; its body is commands of their own."""
        if len(words) < 2 or not set(words[1]) <= _NAME:  # noqa: PLR2004 - and a name
            raise Unreadable
        if len(words) > 2 and words[2] != "in":  # noqa: PLR2004 - what follows it
            raise Unreadable

    def _take_operator(self) -> bool:
        if self._text.startswith((";;", ";&"), self._at):
            raise Unreadable
        for operator in _OPERATORS:
            if self._text.startswith(operator, self._at):
                if operator == "&" and self._text.startswith("&>", self._at):
                    return False
                self._at += len(operator)
                if operator == "\n":
                    self._read_heredocs()
                return True
        return False

    # --- Words ------------------------------------------------------------------

    def _words_and_redirects(self) -> list[str]:
        words: list[str] = []
        while True:
            self._skip_blanks()
            at = self._at
            if self._redirect():
                continue
            word = self._word()
            if word is None:
                return words
            # A number right before < or > belongs to it.
            if word.isdecimal() and self._peek() in ("<", ">"):
                literal = self._text[at : self._at]
                if literal == word and self._redirect():
                    continue
            if word in _KEYWORDS and self._text[at : self._at] != word:
                raise Unreadable  # quoted, it is no keyword
            words.append(word)

    def _redirect(self) -> bool:
        if self._text.startswith(("<(", ">("), self._at):
            return False
        kind = next((r for r in _REDIRECTS if self._text.startswith(r, self._at)), None)
        if kind is None:
            return False
        self._at += len(kind)
        self._skip_blanks()
        start = self._at
        target = self._word()
        if target is None:
            raise Unreadable
        if kind in ("<<", "<<-"):
            written = self._text[start : self._at]
            if "$" in written or "`" in written:
                raise Unreadable
            self._heredocs.append(_Heredoc(target, written != target, kind == "<<-"))
        elif kind == ">&" and (target.isdecimal() or target == "-"):
            pass
        elif kind not in _READING:
            self._found.writes.append(target)
        return True

    def _word(self) -> str | None:
        """The next word without its quotes; None if there is none here."""
        parts: list[str] = []
        start = self._at
        while self._at < len(self._text):
            char = self._text[self._at]
            if self._text.startswith(("<(", ">("), self._at):
                self._at += 1
                self._nested()
                parts.append(HOLE)
            elif char in " \t\n;&|()<>" or (char == "#" and self._at == start):
                break
            else:
                parts.append(self._piece(char))
        return "".join(parts) if self._at > start else None

    def _piece(self, char: str) -> str:
        match char:
            case "'":
                return self._single_quoted()
            case '"':
                return self._double_quoted()
            case "\\":
                return self._escaped()
            case "$":
                return self._expansion(quoted=False)
            case "`":
                return self._backquoted()
            case "[" if self._text[self._at + 1 : self._at + 2] in ("", *" \t\n"):
                self._at += 1
                return "["
            case "*" | "?" | "[":
                self._at += 1
                return HOLE  # names of files that nobody knows here
            case "{":
                return self._brace()
            case _:
                self._at += 1
                return char

    def _brace(self) -> str:
        """A brace that groups, or one that makes several words of one."""
        self._at += 1
        before = self._text[self._at - 2 : self._at - 1]
        after = self._text[self._at : self._at + 1]
        if before in ("", *" \t\n;&|(") and after in ("", *" \t\n"):
            return "{"
        if after == "}":
            return "{"  # {} is itself, as find wants it
        return HOLE

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise Unreadable
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return inside

    def _double_quoted(self) -> str:
        self._at += 1
        parts: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            match char:
                case '"':
                    self._at += 1
                    return "".join(parts)
                case "\\":
                    following = self._text[self._at + 1 : self._at + 2]
                    if following and following in '$`"\\':
                        parts.append(following)
                    elif following != "\n":
                        parts.append("\\" + following)
                    self._at += 2
                case "$":
                    parts.append(self._expansion(quoted=True))
                case "`":
                    parts.append(self._backquoted())
                case _:
                    parts.append(char)
                    self._at += 1
        raise Unreadable

    def _escaped(self) -> str:
        following = self._text[self._at + 1 : self._at + 2]
        if not following:
            raise Unreadable
        self._at += 2
        return "" if following == "\n" else following

    def _expansion(self, *, quoted: bool) -> str:
        """``$`` and what it is about: a hole, whose commands are read too."""
        self._at += 1
        following = self._peek()
        if following == "(":
            if self._text.startswith("((", self._at):
                raise Unreadable
            self._nested()
            return HOLE
        if following == "{":
            end = self._text.find("}", self._at)
            name = self._text[self._at + 1 : end]
            if end < 0 or not name or not set(name) <= _NAME:
                raise Unreadable
            self._at = end + 1
            return HOLE
        if following in _NAME and following:
            if following.isdecimal():
                self._at += 1
                return HOLE
            while self._peek() and self._peek() in _NAME:
                self._at += 1
            return HOLE
        if following in _SPECIAL and following:
            self._at += 1
            return HOLE
        if following in ("'", '"') and not quoted:
            raise Unreadable
        if following == "[":
            raise Unreadable
        return "$"

    def _nested(self) -> None:
        """Commands in parentheses, from the opening one to behind the closing one."""
        inner = _Reader(self._text, self._found, depth=self._depth + 1)
        inner._at = self._at + 1
        inner._commands(end=")")
        if inner._heredocs:
            raise Unreadable
        self._at = inner._at + 1

    def _backquoted(self) -> str:
        end = self._text.find("`", self._at + 1)
        if end < 0:
            raise Unreadable
        inside = self._text[self._at + 1 : end]
        if "\\" in inside:
            raise Unreadable
        _Reader(inside, self._found, depth=self._depth + 1).read_all()
        self._at = end + 1
        return HOLE

    # --- What lies between ------------------------------------------------------

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip_blanks(self) -> None:
        while self._at < len(self._text):
            if self._text[self._at] in " \t":
                self._at += 1
            elif self._text.startswith("\\\n", self._at):
                self._at += 2
            elif self._text[self._at] == "#" and self._begins_word():
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            else:
                return

    def _begins_word(self) -> bool:
        return self._at == 0 or self._text[self._at - 1] in " \t\n;&|()<>"

    def _read_heredocs(self) -> None:
        for heredoc in self._heredocs:
            for line in self._lines():
                if (line.lstrip("\t") if heredoc.tabs else line) == heredoc.end:
                    break
                if not heredoc.literal and set(line) & set("$`\\"):
                    raise Unreadable
            else:
                raise Unreadable
        self._heredocs.clear()

    def _lines(self) -> Iterator[str]:
        while self._at < len(self._text):
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            line = self._text[self._at : end]
            self._at = min(end + 1, len(self._text))
            yield line
