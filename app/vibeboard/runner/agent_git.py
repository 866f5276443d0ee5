"""The repository an agent finds in its tree.

Written as plain files, so no git runs and nothing is shared with the host's own git
directory but objects. Agents use it to look (``status``, ``diff``, ``log``) and may
commit into it; it is thrown away with the next run.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

PLAIN_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
[gc]
\tauto = 0
"""

_IDENTITY = """\
[user]
\tname = Agent
\temail = agent@localhost
"""


def make(
    tree: Path, host: Path, refs: Mapping[str, str], head: str, *, index: str = "index"
) -> None:
    """Make ``tree/.git`` with the commits, branch and index of ``host``."""
    place = tree / ".git"
    for folder in ("objects/info", "refs/heads", "info"):
        (place / folder).mkdir(parents=True)
    (place / "HEAD").write_text(f"ref: {head}\n")
    (place / "config").write_text(PLAIN_CONFIG + _IDENTITY)
    (place / "info" / "exclude").write_text("/.vibe/out/\n")
    (place / "objects" / "info" / "alternates").write_text(f"{host / 'objects'}\n")
    kept = sorted(
        f"{commit} {name}"
        for name, commit in refs.items()
        if name == head or name.startswith(("refs/tags/", "refs/remotes/"))
    )
    (place / "packed-refs").write_text("\n".join([*kept, ""]))
    if (host / index).exists():
        shutil.copyfile(host / index, place / "index")


def lent(tree: Path) -> tuple[Path, ...]:
    """The folders of objects that ``tree/.git`` borrows, which agents may read.

    As the host knows them: the agent can write whatever it likes into its own.
    """
    for folder in tree.parents[:3]:  # a tree to look at is below the card's, too
        objects = folder / "host.git" / "objects"
        alternates = objects / "info" / "alternates"
        if alternates.is_file():
            further = map(Path, alternates.read_text().splitlines())
            return (objects, *(place for place in further if place.is_dir()))
    return ()
