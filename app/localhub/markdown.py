"""GitHub-flavoured Markdown as safe HTML.

Users' HTML is never passed through: the parser's output is read again and rebuilt from
a short list of tags and attributes, every text escaped, every tag closed. Comments
disappear, as on GitHub, so hidden markers stay hidden.
"""

import re
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

_PLAIN = (
    *("b", "blockquote", "br", "code", "dd", "del", "dl", "dt", "em", "hr", "i"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "kbd", "li", "p", "pre", "s", "samp"),
    *("strong", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead"),
    *("tr", "ul", "var"),
)
_ALLOWED: dict[str, frozenset[str]] = {
    **dict.fromkeys(_PLAIN, frozenset[str]()),
    "a": frozenset({"href", "title"}),
    "code": frozenset({"class"}),
    "details": frozenset({"open"}),
    "img": frozenset({"src", "alt", "title", "width", "height"}),
    "input": frozenset({"checked"}),
    "ol": frozenset({"start"}),
}
_VOID = {"br", "hr", "img", "input"}
_DROPPED_WITH_CONTENT = {"script", "style", "template", "textarea", "title", "iframe"}
_SCHEMES = {"", "http", "https", "mailto"}
_LANGUAGE = re.compile(r"language-[\w+#-]{1,30}")
_ALIGN = re.compile(r"text-align:(left|center|right)")
_TASK = re.compile(r"\[([ xX])\]\s")
_AUTOLINK = re.compile(
    r"(?P<url>https?://[^\s<>\"']*[^\s<>\"'.,:;!?)\]])"
    r"|(?<![\w/&#])#(?P<number>\d{1,9})\b"
    r"|(?<![\w/@.])@(?P<login>[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))(?:\[bot\])?"
)


def _safe_url(value: str) -> str | None:
    compact = re.sub(r"[\x00-\x20]", "", value)
    try:
        scheme = urlsplit(compact).scheme
    except ValueError:
        return None
    return compact if scheme.lower() in _SCHEMES else None


class _Rebuilder(HTMLParser):
    """Writes what it reads again, keeping only what is allowed."""

    def __init__(self, repository_path: str) -> None:
        super().__init__(convert_charrefs=True)
        self._path = repository_path
        self._out: list[str] = []
        self._open: list[str] = []
        self._silent: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent:
            return
        if tag in _DROPPED_WITH_CONTENT:
            self._silent = tag
            return
        if tag not in _ALLOWED:
            return
        self._out.append(f"<{tag}{self._attributes(tag, attrs)}>")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            self._silent = None if tag == self._silent else self._silent
            return
        if tag in self._open:
            while (closed := self._open.pop()) != tag:
                self._out.append(f"</{closed}>")
            self._out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._open and self._open[-1] == "li" and self._out[-1].startswith("<li"):
            data = self._task(data)
        if {"a", "code", "pre"} & set(self._open):
            self._out.append(escape(data))
        else:
            self._out.append(self._linked(data))

    def finished(self) -> str:
        """Close what is still open and give the HTML."""
        self.close()
        self._out += [f"</{tag}>" for tag in reversed(self._open)]
        return "".join(self._out)

    def _attributes(self, tag: str, attrs: list[tuple[str, str | None]]) -> str:
        kept = []
        for name, given in attrs:
            value = given or ""
            if name == "style" and (align := _ALIGN.fullmatch(value)):
                kept.append(f' class="{align[1]}"')
            if name not in _ALLOWED[tag]:
                continue
            if name in {"href", "src"}:
                url = _safe_url(value)
                if url is None:
                    continue
                value = url
            if name == "class" and not _LANGUAGE.fullmatch(value):
                continue
            kept.append(f' {name}="{escape(value)}"')
        if tag == "a":
            kept.append(' rel="nofollow noopener noreferrer"')
        if tag == "input":
            kept.append(' type="checkbox" disabled')
        return "".join(kept)

    def _task(self, data: str) -> str:
        match = _TASK.match(data)
        if match is None:
            return data
        checked = "" if match[1] == " " else " checked"
        self._out[-1] = '<li class="task">'
        self._out.append(f'<input type="checkbox" disabled{checked}> ')
        return data[match.end() :]

    def _linked(self, data: str) -> str:
        parts = []
        end = 0
        for match in _AUTOLINK.finditer(data):
            parts.append(escape(data[end : match.start()]))
            parts.append(self._link(match))
            end = match.end()
        return "".join([*parts, escape(data[end:])])

    def _link(self, match: re.Match[str]) -> str:
        text = escape(match[0])
        if match["url"]:
            return f'<a href="{text}" rel="nofollow noopener noreferrer">{text}</a>'
        if match["number"]:
            return f'<a href="{escape(self._path)}/issues/{match["number"]}">{text}</a>'
        return f'<span class="mention">{text}</span>'


_PARSER = MarkdownIt("commonmark", {"breaks": True, "html": True}).enable(
    ["table", "strikethrough"]
)


def to_html(text: str, *, repository_path: str = "") -> str:
    """Render Markdown written by anybody; the result is safe to put into a page."""
    rebuilder = _Rebuilder(repository_path)
    rebuilder.feed(_PARSER.render(text))
    return rebuilder.finished()
