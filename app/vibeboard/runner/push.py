"""Pushes a card's branch, and understands why GitHub did not take it."""

import re
from typing import NoReturn

from vibeboard.engine.ports import Change, Remote
from vibeboard.errors import PushRefused
from vibeboard.runner.git import (
    Credential,
    Git,
    GitFailed,
    GitRefusal,
    Place,
    last_line,
    paths,
)
from vibeboard.runner.survey import printable

# The first that is found in what git said tells what happened.
_REASONS = (
    (r"GH009|push protection|secret.*detected", "push protection found a secret"),
    (r"GH001|large files detected", "a file is larger than GitHub takes"),
    (r"GH013|repository rule violations", "a rule of the repository forbids it"),
    (r"GH006|protected branch", "the branch is protected"),
    (r"verified signature|must be signed", "the repository wants signed commits"),
    (
        r"non-fast-forward|fetch first|stale info",
        "somebody else pushed to the branch meanwhile",
    ),
    (
        r"workflows? permission|without `workflows?`",
        "the app may not change GitHub Actions workflows",
    ),
    (r"hook declined", "a hook declined it"),
    (
        r"permission to|write access|returned error: 40[13]|authentication failed",
        "the app may not write to the repository",
    ),
    (r"not found|returned error: 404", "the repository was not found"),
)
_TELLING = re.compile(r"^remote: (error: )?(?P<said>.*\w.*)$", re.MULTILINE)
_REJECTED = re.compile(r"^!\t[^\t]*\t\[[^\]]*\] ?\(?(?P<said>.*?)\)?$", re.MULTILINE)


async def push_branch(
    git: Git, bare: Place, remote: Remote, *, branch: str, default: str
) -> Change | None:
    """Push HEAD to ``branch``; what it holds over ``default``, None if nothing."""
    base = (await git.run("merge-base", "HEAD", default, at=bare, ok=(0, 1))).decode()
    head = (await git.run("rev-parse", "HEAD", at=bare)).decode().strip()
    if base.strip() == head:
        return None
    await _push(git, bare, remote, head, branch)
    await git.run("update-ref", f"refs/vibe/pushed/{branch}", head, at=bare)
    names = await git.run(
        "diff-tree",
        "-r",
        "--name-only",
        "--no-renames",
        "-z",
        base.strip() or default,
        head,
        at=bare,
    )
    return Change(head, tuple(map(printable, paths(names))))


async def _push(git: Git, bare: Place, remote: Remote, head: str, branch: str) -> None:
    """Push, asking for the credential a second time if it is not taken."""
    for last_try in (False, True):
        try:
            await git.run(
                "push",
                "--porcelain",
                "--no-verify",
                "--recurse-submodules=no",
                "--",
                remote.url,
                f"{head}:refs/heads/{branch}",
                at=bare,
                credential=Credential(remote.url, await remote.credential()),
            )
        except GitRefusal as refused:
            if last_try or not refused.unauthorized:
                _explain(refused, branch)
        else:
            return


def _explain(refused: GitRefusal, branch: str) -> NoReturn:
    whole = f"{refused.text}\n{refused.output}"
    reason = next(
        (why for sign, why in _REASONS if re.search(sign, whole, re.IGNORECASE)), None
    )
    if reason is None and not _REJECTED.search(refused.output):
        # Not a refusal of the branch but a git that failed.
        raise GitFailed(refused.command, refused.code, refused.text)
    said = _TELLING.search(refused.text) or _REJECTED.search(refused.output)
    line = said["said"].strip() if said else last_line(refused.text)
    raise PushRefused(
        f"GitHub did not take `{branch}`: {reason or 'it was refused'} ({line})"
    ) from refused
