"""Takes strings and comments out of source, without moving anything else.

The patterns never look back for long: a file without an end costs one pass.
"""

import re
from collections.abc import Mapping

_LINE = r"//[^\n]*"
_BLOCK = r"/\*.*?(?:\*/|\Z)"
_DOUBLE = r'"(?:\\.|[^"\\\n])*"?'
_SINGLE = r"'(?:\\.|[^'\\\n])*'?"
_LINES = r'"(?:\\.|[^"\\])*"?'  # of several lines
_SINGLE_LINES = r"'(?:\\.|[^'\\])*'?"
_LETTER = r"'(?:\\.[^\n']{0,9}|[^'\\\n])'"  # and no lifetime of Rust
_BACKTICK = r"`(?:\\.|[^`\\])*`?"
_TRIPLE = r'"""(?:\\.|[^\\])*?(?:"""|\Z)'
_PATTERN = (
    r"(?<=[(,=:!&|?{};])[ \t]*"
    r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n]){0,200}+\]|[^/\\\n\[]){1,300}+/"
)
_HEREDOC = r"<<<[ \t]*['\"]?(?P<doc>\w+)['\"]?\n.*?(?:^[ \t]*(?P=doc)\b|\Z)"
_RUBY_DOC = r"<<[~-]['\"]?(?P<doc>\w+)['\"]?[^\n]*\n.*?(?:^[ \t]*(?P=doc)\b|\Z)"
_RAW_RUST = r'\bb?r(?P<mark>#*)".*?(?:"(?P=mark)|\Z)'
_VERBATIM = r'\$?@\$?"(?:""|[^"])*"?'


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.DOTALL | re.MULTILINE)


HIDDEN: Mapping[str, re.Pattern[str]] = {
    "js": _any(_LINE, _BLOCK, _DOUBLE, _SINGLE, _BACKTICK, _PATTERN),
    "go": _any(_LINE, _BLOCK, _DOUBLE, _LETTER, r"`[^`]*`?"),
    "java": _any(_LINE, _BLOCK, _TRIPLE, _DOUBLE, _LETTER),
    "csharp": _any(_LINE, _BLOCK, _TRIPLE, _VERBATIM, _DOUBLE, _LETTER),
    "php": _any(_LINE, r"#(?!\[)[^\n]*", _BLOCK, _HEREDOC, _LINES, _SINGLE_LINES),
    "ruby": _any(
        r"^=begin.*?(?:^=end|\Z)", _RUBY_DOC, _DOUBLE, _SINGLE, r"#(?!\{)[^\n]*"
    ),
    "rust": _any(_LINE, _BLOCK, _RAW_RUST, _LINES, _LETTER),
}
_NESTS = {"rust"}  # comments in comments
_VISIBLE = re.compile(r"[^\s]")
_COMMENT = re.compile(r"/\*|\*/")


def masked(text: str, language: str) -> str:
    """``text`` with spaces for strings and comments; all else where it was."""
    hidden = HIDDEN[language]
    if language not in _NESTS:
        return hidden.sub(lambda found: _blank(found[0]), text)
    parts: list[str] = []
    at = 0
    while found := hidden.search(text, at):
        comment = found[0].startswith("/*")
        end = _comment_end(text, found.start()) if comment else found.end()
        parts += (text[at : found.start()], _blank(text[found.start() : end]))
        at = end
    return "".join([*parts, text[at:]])


def _blank(text: str) -> str:
    return _VISIBLE.sub(" ", text)


def _comment_end(text: str, begin: int) -> int:
    depth = 0
    for found in _COMMENT.finditer(text, begin):
        depth += 1 if found[0] == "/*" else -1
        if not depth:
            return found.end()
    return len(text)
