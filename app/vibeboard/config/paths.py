"""Paths, globs and hosts that a file may name.

Paths lead into the repository and nowhere else, hosts have a name.
"""

import re

FILES = (".md", ".txt")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(\*\.)?({_LABEL}\.)*{_LABEL}", re.IGNORECASE)


def fault_of_path(path: str) -> str | None:
    """Why ``path`` cannot be a file of the repository; None if it can."""
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:", path):
        return "must be relative to the top of the repository"
    if "\\" in path:
        return "must be written with / between its parts"
    parts = path.split("/")
    if ".." in parts:
        return "must not lead out of the repository (..)"
    if any(part in ("", ".") for part in parts):
        return "must be a plain path, without empty parts and ./"
    if any(part.casefold() == ".git" for part in parts):
        return "must not lead into .git"
    return None


def fault_of_glob(glob: str) -> str | None:
    """Why ``glob`` cannot name reports; None if it can."""
    parts = glob.split("/")
    if any("**" in part and part != "**" for part in parts):
        return "may have ** only as a whole part, as in out/**/*.xml"
    if parts[-1] == "**":
        return "must end in a file's name, as in out/**/*.xml"
    if any(re.sub(r"\[[^\]]+\]", "", part).count("[") for part in parts):
        return "has a [ that no ] closes"
    return fault_of_path(glob)


def fault_of_host(host: str) -> str | None:
    """Why ``host`` cannot be reached by name; None if it can."""
    if "/" in host or ":" in host:
        return "must be a name alone, without https:// and a port, such as example.org"
    if "." not in host or not _HOST.fullmatch(host):
        return "must be the name of a host, such as example.org or *.example.org"
    if host.rpartition(".")[2].isdigit():
        return "must be a name, not an address"
    if host.startswith("*.") and host.count(".") == 1:
        return "must not open a whole top-level domain"
    return None
