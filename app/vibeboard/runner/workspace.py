"""A working tree a card, made from the mirror and kept until the card is done.

Beside ``tree``, which the agent sees, stands ``host.git``, the git directory of the
host. The ``.git`` inside the tree is a copy for the agent's own use: the host never
reads it, so nothing an agent writes into it is executed or believed. What the agent
did is what the files say.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vibeboard.domain.board import CardKey
from vibeboard.domain.markdown import code
from vibeboard.domain.protected import MOST_SHOWN, Held
from vibeboard.domain.sanitize import revealed
from vibeboard.domain.weakening import ChangedFile, is_test_file, is_test_setup
from vibeboard.engine.ports import Base, Change, Lent, Remote, Workspace
from vibeboard.errors import WorkspaceRefused
from vibeboard.runner import agent_git, survey
from vibeboard.runner.git import Git, GitFailed, Place, last_line, paths
from vibeboard.runner.leftovers import end_leftovers
from vibeboard.runner.mirror import Mirror, folder_of, remove_stale_locks
from vibeboard.runner.push import push_branch

log = logging.getLogger(__name__)

HAND_OVER = ".vibe/out"
_DEFAULT = "refs/vibe/default"
_MOST_CHANGED = 200  # test files that are compared
_LARGEST_TEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Identity:
    """Who commits."""

    name: str
    email: str

    @classmethod
    def of(cls, login: str) -> "Identity":
        """An account of GitHub's, with the address that GitHub knows it by."""
        return cls(login, f"{login}@users.noreply.github.com")

    def env(self) -> dict[str, str]:
        """The same as git's environment."""
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
        }


class GitWorkspaces:
    """Workspaces below ``root``; satisfies ``engine.ports.Workspaces``."""

    def __init__(self, root: Path, *, git: Git, identity: Identity) -> None:
        self._root = root.absolute()
        self._git = git
        self._identity = identity

    async def fetch(self, card: CardKey, *, remote: Remote) -> Mapping[str, str]:
        """Bring the card's repository here; its branches and tags with commits."""
        return await self._mirror(card).update(remote)

    async def prepare(
        self,
        card: CardKey,
        *,
        remote: Remote,
        branch: str,
        default_branch: str,
        fetched: Mapping[str, str] | None = None,
    ) -> Workspace:
        """A clean tree on ``branch``; what is broken on the way is made anew."""
        mirror = self._mirror(card)
        desk = self._desk(card)
        trees = (desk.tree, *desk.tested())
        await asyncio.gather(self._check_name(branch), *map(end_leftovers, trees))
        for attempt in range(3):
            if fetched is None:
                fetched = await mirror.update(remote, anew=attempt == 1)
            refs, fetched = fetched, None
            if f"refs/heads/{default_branch}" not in refs:
                raise _no_commits(card.repository, default_branch, refs)
            if attempt == 2:  # noqa: PLR2004 - the mirror is new: the desk is broken
                await asyncio.to_thread(desk.set_aside)
            try:
                return await desk.lay_out(mirror, refs, branch, default_branch)
            except GitFailed as failed:
                log.warning(
                    "workspace made anew",
                    extra={"card": str(card), "why": failed.text},
                )
                problem = failed
        raise WorkspaceRefused(
            f"{card.repository} could not be checked out: "
            f"{code(last_line(problem.text))}"
        ) from problem

    async def handed_over(self, card: CardKey, name: str) -> str | None:
        """What the agent left in the hand-over folder, cut at a megabyte."""
        return await asyncio.to_thread(
            survey.read_inside, self._desk(card).tree, f"{HAND_OVER}/{name}"
        )

    async def commit(self, card: CardKey, message: str) -> Change | None:
        """Commit everything in the tree but the hand-over folder."""
        return await self._desk(card).commit(message, self._identity)

    async def push(self, card: CardKey, remote: Remote) -> Change | None:
        """Push the branch, as a plain fast-forward."""
        desk = self._desk(card)
        await asyncio.to_thread(desk.own)
        branch = await desk.branch()
        return await push_branch(
            self._git, desk.bare, remote, branch=branch, default=_DEFAULT
        )

    async def held(self, card: CardKey, protects: Callable[[str], bool]) -> Held | None:
        """What a push would change in protected files; None if nothing."""
        return await self._desk(card).held(protects)

    async def guidance(self, card: CardKey, names: Sequence[str]) -> str:
        """The first of these files that the default branch has; empty if none."""
        return await self._desk(card).guidance(names)

    async def base(self, card: CardKey) -> Base:
        """What the tree's commit builds on, and what changed in the tests since."""
        return await self._desk(card).base()

    async def checkout(self, card: CardKey, commit: str, *, name: str) -> Path:
        """A clean tree of a commit beside the card's; raises WorkspaceRefused."""
        try:
            return await self._desk(card).checkout(commit, name)
        except GitFailed as failed:
            raise WorkspaceRefused(
                f"{code(commit[:7])} could not be checked out to be tested: "
                f"{code(last_line(failed.text))}"
            ) from failed

    @asynccontextmanager
    async def lend(
        self, card: CardKey, commit: str, *, name: str
    ) -> AsyncIterator[Lent]:
        """A clean tree of a commit with its history; gone when it is given back."""
        tree = await self.checkout(card, commit, name=name)
        home = tree.parent / "own"
        try:
            await asyncio.to_thread(self._desk(card).add_history, tree, commit, name)
            home.mkdir()
            yield Lent(tree, home)
        finally:
            await end_leftovers(tree)
            await asyncio.to_thread(survey.erase, tree.parent)

    async def left(self, lent: Lent, name: str) -> str | None:
        """What somebody left in the hand-over folder, cut at a megabyte."""
        return await asyncio.to_thread(
            survey.read_inside, lent.tree, f"{HAND_OVER}/{name}"
        )

    async def remove(self, card: CardKey) -> None:
        """Forget the card; what was pushed is on GitHub."""
        desk = self._desk(card)
        await asyncio.to_thread(survey.erase, desk.folder)
        await asyncio.to_thread(survey.erase, desk.broken)

    def _mirror(self, card: CardKey) -> Mirror:
        return Mirror(self._git, self._root / "mirrors", card.repository)

    def _desk(self, card: CardKey) -> "_Desk":
        folder = folder_of(self._root / "cards", card.repository) / str(card.number)
        return _Desk(self._git, folder)

    async def _check_name(self, branch: str) -> None:
        try:
            await self._git.run("check-ref-format", f"refs/heads/{branch}")
        except GitFailed as failed:
            raise WorkspaceRefused(f"not the name of a branch: {branch!r}") from failed


class _Desk:
    """A card's directory."""

    def __init__(self, git: Git, folder: Path) -> None:
        self.folder = folder
        self.tree = folder / "tree"
        self.broken = folder.with_name(f"{folder.name}.broken")
        self.bare = Place(folder / "host.git")
        self._place = Place(folder / "host.git", self.tree)
        self._git = git

    def tested(self) -> list[Path]:
        """Trees that suites ran in."""
        return sorted(self.folder.glob("tested/*/tree"))

    def set_aside(self) -> None:
        """Keep a broken desk where a person finds it; it may hold unpushed work."""
        survey.erase(self.broken)
        if self.folder.exists():
            self.folder.rename(self.broken)

    def own(self) -> None:
        """Make the settings of the host's directory ours again.

        An agent that reaches it could write filters that git would run, or another
        address for a push. Only a sandbox keeps it away; this keeps git from obeying.
        """
        for name in ("commondir", "config", "config.worktree", "hooks"):
            survey.erase(self.bare.git_dir / name)
        (self.bare.git_dir / "config").write_text(agent_git.PLAIN_CONFIG)

    async def lay_out(
        self, mirror: Mirror, refs: Mapping[str, str], branch: str, default_branch: str
    ) -> Workspace:
        default = refs[f"refs/heads/{default_branch}"]
        ref = f"refs/heads/{branch}"
        used = await asyncio.to_thread(self._open, mirror.objects)
        start, note = await self._begin_at(branch, refs.get(ref), default)
        await self._point(ref, start, also={_DEFAULT: default})
        self._stand_on(ref)
        await self._clean(used=used)
        tracked, _ = await asyncio.gather(
            self._tracked(),
            asyncio.to_thread(
                agent_git.make,
                self.tree,
                self.bare.git_dir,
                {**refs, ref: start, f"refs/remotes/origin/{default_branch}": default},
                ref,
            ),
        )
        notes = await asyncio.to_thread(survey.notes, self.tree, tracked)
        return Workspace(
            tree=self.tree,
            branch=branch,
            base=start,
            default_branch=default_branch,
            notes=(*note, *notes),
        )

    async def guidance(self, names: Sequence[str]) -> str:
        for name in names:
            if text := await self._text(_DEFAULT, name):
                return text
        return ""

    async def base(self) -> Base:
        head = await self._commit_at("HEAD")
        assert head is not None
        common = await self._git.run(
            "merge-base", "HEAD", _DEFAULT, at=self.bare, ok=(0, 1)
        )
        base = common.decode().strip() or head  # histories may have nothing in common
        names = await self._git.run(
            "diff-tree", "-r", "--name-only", "--no-renames", "-z", base, head,
            at=self.bare,
        )  # fmt: skip
        told = [name for name in paths(names) if is_test_file(name)]
        told += [name for name in paths(names) if is_test_setup(name)]
        changed = [
            ChangedFile(
                survey.printable(name),
                await self._text(base, name),
                await self._text(head, name),
            )
            for name in told[:_MOST_CHANGED]
        ]
        return Base(base, head, tuple(changed))

    async def held(self, protects: Callable[[str], bool]) -> Held | None:
        """HEAD against what GitHub has of the branch, else against where it began."""
        head = await self._commit_at("HEAD")
        assert head is not None
        base = await self._commit_at(f"refs/vibe/pushed/{await self.branch()}")
        base = base or (await self.base()).commit
        listed = await self._git.run(
            "diff-tree", "-r", "--name-only", "--no-renames", "-z", base, head,
            at=self.bare,
        )  # fmt: skip
        names = [name for name in paths(listed) if protects(name)]
        if not names:
            return None
        small = [name for name in names[:_MOST_CHANGED] if await self._fits(name, base)]
        diff = await self._diff(base, head, small) if small else ""
        return Held(
            head,
            tuple(map(survey.printable, names)),
            diff[:MOST_SHOWN],
            whole=len(small) == len(names) and len(diff) <= MOST_SHOWN,
        )

    async def _fits(self, name: str, base: str) -> bool:
        """Whether the file is small enough to be shown, before and after."""
        sizes = [await self._size(commit, name) for commit in (base, "HEAD")]
        return max(sizes) <= MOST_SHOWN

    async def _size(self, commit: str, name: str) -> int:
        out = await self._git.run(
            "ls-tree", "-l", "-z", commit, "--", f":(top,literal){name}", at=self.bare
        )
        size = out.split(b"\t", 1)[0].split()[-1:]
        return int(size[0]) if size and size[0].isdigit() else 0

    async def _diff(self, base: str, head: str, names: Sequence[str]) -> str:
        shown = await self._git.run(
            "diff-tree", "-p", "-r", "--no-renames", "--no-color", "--no-ext-diff",
            "--no-textconv", "--full-index", base, head, "--",
            *(f":(top,literal){name}" for name in names),
            at=self.bare,
        )  # fmt: skip
        return revealed(shown.decode(errors="backslashreplace").rstrip("\n"))

    async def _text(self, commit: str, name: str) -> str | None:
        """A file at a commit; None if it is not there, or too large for a test."""
        out = await self._git.run(
            "ls-tree", "-l", "-z", commit, "--", f":(top,literal){name}", at=self.bare
        )
        facts = out.split(b"\t", 1)[0].split()
        if len(facts) != 4 or facts[1] != b"blob" or int(facts[3]) > _LARGEST_TEST:  # noqa: PLR2004 - mode, kind, id, size
            return None
        blob = await self._git.run("cat-file", "blob", facts[2].decode(), at=self.bare)
        return blob.decode(errors="replace")

    async def checkout(self, commit: str, name: str) -> Path:
        """A tree of its own, new each time: what runs in it leaves much behind.

        The home of suites is beside it, so that what they download is there already.
        """
        tree = self.folder / "tested" / name / "tree"
        await end_leftovers(tree)
        await asyncio.to_thread(self.own)
        await asyncio.to_thread(survey.erase, tree.parent)
        tree.mkdir(parents=True)
        (self.folder / "home").mkdir(exist_ok=True)
        (tree.parent / "home").symlink_to("../../home")
        place = Place(self.bare.git_dir, tree)
        index = {"GIT_INDEX_FILE": str(self.bare.git_dir / f"index-{name}")}
        await self._git.run("read-tree", commit, at=place, env=index)
        await self._git.run("checkout-index", "--all", "--force", at=place, env=index)
        return tree

    def add_history(self, tree: Path, commit: str, name: str) -> None:
        """Let who looks at a checkout ask git; what the commit handed over is gone."""
        _erase_inside(tree, HAND_OVER)
        ref = "refs/heads/under-review"
        agent_git.make(
            tree, self.bare.git_dir, {ref: commit}, ref, index=f"index-{name}"
        )

    async def branch(self) -> str:
        ref = await self._git.run("symbolic-ref", "HEAD", at=self.bare)
        return ref.decode().strip().removeprefix("refs/heads/")

    async def commit(self, message: str, identity: Identity) -> Change | None:
        left_out = await self._stage()
        names = await self._git.run(
            "diff-index",
            "--cached",
            "--name-only",
            "--no-renames",
            "-z",
            "HEAD",
            at=self._place,
        )
        if not names:
            return None
        if left_out:
            shown = "\n".join(f"- {survey.harmless(path)}" for path in left_out)
            message = f"{message.rstrip()}\n\nLeft out, being no plain files:\n{shown}"
        tree = (await self._git.run("write-tree", at=self._place)).decode().strip()
        commit = await self._git.run(
            "commit-tree",
            tree,
            "-p",
            "HEAD",
            "-F",
            "-",
            at=self.bare,
            stdin=message.replace("\0", "").encode(errors="replace"),
            env=identity.env(),
        )
        name = commit.decode().strip()
        await self._point("HEAD", name)
        return Change(name, tuple(map(survey.printable, paths(names))))

    async def _begin_at(
        self, branch: str, on_github: str | None, default: str
    ) -> tuple[str, tuple[str, ...]]:
        """Where to begin, with a note if work of ours had to be set aside."""
        ours, pushed = await asyncio.gather(
            self._commit_at(f"refs/heads/{branch}"),
            self._commit_at(f"refs/vibe/pushed/{branch}"),
        )
        if on_github is not None:
            await self._point(f"refs/vibe/pushed/{branch}", on_github)
            if ours is None or await self._contains(on_github, ours):
                return on_github, ()
            if await self._contains(ours, on_github):
                return ours, ()
            await self._point(f"refs/vibe/saved/{ours}", ours)
            note = (
                f"Earlier work that was not pushed ({ours[:10]}) does not fit on what "
                f"others pushed to {branch}, and was set aside."
            )
            return on_github, (note,)
        if pushed is not None:
            # Somebody deleted the branch: that work is not wanted any more.
            await self._git.run(
                "update-ref", "-d", f"refs/vibe/pushed/{branch}", at=self.bare
            )
            if ours is not None:
                await self._point(f"refs/vibe/saved/{ours}", ours)
            return default, ()
        if ours is None or await self._contains(default, ours):
            return default, ()
        return ours, ()

    async def _clean(self, *, used: bool) -> None:
        """The tree as HEAD has it, whatever was left in it.

        The index is ours and out of the agent's sight, so a file whose time was put
        back after a change is still seen to differ.
        """
        try:
            await self._git.run("reset", "--hard", "--quiet", at=self._place)
        except GitFailed:
            (self.bare.git_dir / "index").unlink(missing_ok=True)
            await asyncio.to_thread(self._clear_tree)
            await self._git.run("reset", "--hard", "--quiet", at=self._place)
            used = False
        if used:
            await self._git.run("clean", "-ffdxq", at=self._place)

    async def _stage(self) -> list[str]:
        """Bring the index up to the tree; the paths that were left out."""
        await asyncio.to_thread(self.own)
        await asyncio.to_thread(remove_stale_locks, self.bare.git_dir)
        handed_over = await asyncio.to_thread(_erase_inside, self.tree, HAND_OVER)
        tracked = await self._tracked()
        odd = await asyncio.to_thread(_disarm, self.tree, tracked)
        # Git refuses to be told to leave out what it ignores anyway.
        left_out = await self._not_ignored(odd)
        kept_out = [*await self._not_ignored(handed_over), *left_out]
        excluded = [f":(top,exclude,literal){path}" for path in kept_out]
        try:
            await self._git.run(
                "add",
                "--all",
                "--pathspec-from-file=-",
                "--pathspec-file-nul",
                at=self._place,
                stdin="\0".join([":(top)", *excluded]).encode(errors="surrogateescape"),
            )
        except GitFailed as failed:
            # Attributes of the repository may ask for what cannot be done.
            raise WorkspaceRefused(
                f"the work could not be committed: {code(last_line(failed.text))}"
            ) from failed
        return left_out

    async def _not_ignored(self, names: Sequence[str]) -> list[str]:
        """Without what nobody expects to be committed, as in ``node_modules``."""
        if not names:
            return []
        ignored = await self._git.run(
            "check-ignore",
            "-z",
            "--stdin",
            at=self._place,
            stdin="\0".join(names).encode(errors="surrogateescape"),
            ok=(0, 1),
        )
        return [name for name in names if name not in set(paths(ignored))]

    async def _tracked(self) -> list[survey.Tracked]:
        listing = await self._git.run("ls-files", "-s", "-z", at=self._place)
        return survey.entries(listing)

    async def _commit_at(self, ref: str) -> str | None:
        out = await self._git.run(
            "rev-parse",
            "--verify",
            "--quiet",
            f"{ref}^{{commit}}",
            at=self.bare,
            ok=(0, 1),
        )
        return out.decode().strip() or None

    async def _contains(self, descendant: str, ancestor: str) -> bool:
        missing = await self._git.run(
            "rev-list", "--max-count=1", ancestor, f"^{descendant}", at=self.bare
        )
        return not missing

    async def _point(
        self, ref: str, commit: str, *, also: Mapping[str, str] | None = None
    ) -> None:
        """Let refs name commits, all of them or none."""
        wanted = {ref: commit, **(also or {})}
        lines = "".join(f"update {name} {at}\n" for name, at in wanted.items())
        await self._git.run("update-ref", "--stdin", at=self.bare, stdin=lines.encode())

    def _stand_on(self, ref: str) -> None:
        (self.bare.git_dir / "HEAD").write_text(f"ref: {ref}\n")

    def _open(self, objects: Path) -> bool:
        """Make what is missing; whether there was a tree already."""
        git_dir = self.bare.git_dir
        (git_dir / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (git_dir / "refs" / "heads").mkdir(parents=True, exist_ok=True)
        (git_dir / "objects" / "info" / "alternates").write_text(f"{objects}\n")
        self.own()
        if not (git_dir / "HEAD").is_file():
            (git_dir / "HEAD").write_text("ref: refs/heads/none\n")
        remove_stale_locks(git_dir)
        for lock in (git_dir / "refs").rglob("*.lock"):
            lock.unlink()
        used = self.tree.exists() or self.tree.is_symlink()
        if used and (self.tree.is_symlink() or not self.tree.is_dir()):
            survey.erase(self.tree)
        self.tree.mkdir(exist_ok=True)
        if used:
            survey.erase(self.tree / ".git")
            survey.permit(self.tree)
            for odd in list(survey.oddities(self.tree)):
                survey.erase(odd)
        return used

    def _clear_tree(self) -> None:
        survey.erase(self.tree)
        self.tree.mkdir()


def _no_commits(
    repository: str, default_branch: str, refs: Iterable[str]
) -> WorkspaceRefused:
    if any(ref.startswith("refs/heads/") for ref in refs):
        return WorkspaceRefused(
            f"{repository} has no branch `{default_branch}`. Push it, or choose "
            "another default branch in the repository's settings."
        )
    return WorkspaceRefused(
        f"{repository} has no commits yet. Push a first one, a README for example, "
        "and move the card again."
    )


def _disarm(tree: Path, tracked: list[survey.Tracked]) -> list[str]:
    """Make repositories in the tree harmless; the paths not to be committed.

    In a folder with tracked files, and where a submodule would be, the ``.git`` is
    taken away: git would run its settings. A new folder that is a repository is
    left out whole.
    """
    survey.permit(tree)
    submodules = {entry.path for entry in tracked if entry.mode == survey.GITLINK}
    folders = {
        str(parent) for entry in tracked for parent in Path(entry.path).parents
    } | submodules
    left_out = []
    for odd in list(survey.oddities(tree)):
        owner = odd.parent.relative_to(tree)
        if odd.name != ".git":
            left_out.append(str(odd.relative_to(tree)))
        elif str(owner) in folders:
            survey.erase(odd)
        else:
            left_out.append(str(owner))
    return left_out


def _erase_inside(tree: Path, path: str) -> tuple[str, ...]:
    """Remove ``tree/path`` and give it back, unless a link leads there."""
    place = tree
    for part in Path(path).parts:
        if place.is_symlink():
            return ()
        place /= part
    survey.erase(place)
    return (path,)
