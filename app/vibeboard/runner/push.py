"""Pushes a card's branch, and understands why GitHub did not take it."""

import re
from typing import NoReturn

from vibeboard.domain.markdown import code
from vibeboard.engine.ports import Change, Remote
from vibeboard.errors import GitHubUnavailable, PushRefused
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
    (
        r"GH001|large files detected|exceeds maximum allowed|returned error: 413",
        "it is larger than GitHub takes",
    ),
    (r"(verified|valid) signature|must be signed", "it wants signed commits"),
    (r"GH013|repository rule violations", "a rule of the repository forbids it"),
    (r"GH006|protected branch", "the branch is protected"),
    (
        r"non-fast-forward|fetch first|stale info|cannot lock ref|failed to update ref",
        "somebody else pushed to the branch or deleted it meanwhile",
    ),
    (
        r"workflows? permission|without `workflows?`",
        "the app may not change GitHub Actions workflows (its permission `workflows`)",
    ),
    (r"hook declined", "a hook declined it"),
    (
        r"permission to|write access|returned error: 40[13]|authentication failed",
        "the app may not write to the repository",
    ),
    (r"not found|returned error: 404", "the repository was not found"),
)
# Its own trouble, which GitHub tells in the place of a refusal.
_TROUBLE = re.compile(r"internal server error|timed? ?out", re.IGNORECASE)
_NAMES = re.compile(r"'[^'\n]*'|refs/\S+")
# So many of its lines are shown, and so much of them.
_TOLD, _LONGEST = 3, 300
_TELLING = re.compile(r"^remote: (error: )?(?P<said>.*\w.*)$", re.MULTILINE)
_REJECTED = re.compile(r"^!\t[^\t]*\t\[[^\]]*\] ?\(?(?P<said>.*?)\)?$", re.MULTILINE)


async def push_branch(
    git: Git, bare: Place, remote: Remote, *, branch: str, default: str
) -> Change | None:
    """Push HEAD to ``branch``; what it holds over ``default``, None if nothing.

    Only from where we last saw the branch, and only forwards.
    """
    base = (await git.run("merge-base", "HEAD", default, at=bare, ok=(0, 1))).decode()
    head = (await git.run("rev-parse", "HEAD", at=bare)).decode().strip()
    if base.strip() == head:
        return None
    known = f"refs/vibe/pushed/{branch}"
    seen = await git.run("rev-parse", "--verify", "--quiet", known, at=bare, ok=(0, 1))
    expected = seen.decode().strip()
    if expected:
        # With a lease, git no longer looks at this.
        await git.run("merge-base", "--is-ancestor", expected, head, at=bare)
    await push_commit(git, bare, remote, head, branch, expected)
    await git.run("update-ref", known, head, at=bare)
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


async def push_commit(
    git: Git, bare: Place, remote: Remote, head: str, branch: str, expected: str
) -> None:
    """Push ``head`` to a branch that is where it is ``expected``; else PushRefused.

    The credential is asked for a second time if it is not taken.
    """
    for last_try in (False, True):
        try:
            await git.run(
                "push",
                "--porcelain",
                "--no-verify",
                "--recurse-submodules=no",
                f"--force-with-lease=refs/heads/{branch}:{expected}",
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
    rejected = _REJECTED.search(refused.output)
    verdict = rejected["said"] if rejected else ""
    if _TROUBLE.search(verdict):
        raise GitHubUnavailable(f"GitHub did not take `{branch}`: {verdict}")
    whole = f"{_NAMES.sub('', refused.text)}\n{verdict}"
    reason = next(
        (why for sign, why in _REASONS if re.search(sign, whole, re.IGNORECASE)), None
    )
    if reason is None and not rejected:
        # Not a refusal of the branch but a git that failed.
        raise GitFailed(refused.command, refused.code, refused.text)
    told = [line["said"].strip() for line in _TELLING.finditer(refused.text)]
    line = "; ".join(told[:_TOLD]) or verdict or last_line(refused.text)
    raise PushRefused(
        f"GitHub did not take `{branch}`: {reason or 'it was refused'} "
        f"({code(line[:_LONGEST])})"
    ) from refused
