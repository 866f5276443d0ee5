"""A repository's page: its files, its README, its lists of issues and pull requests."""

from dataclasses import dataclass

from aiohttp import web

from localhub import git, issues, rollup
from localhub.errors import not_found
from localhub.pages.filters import issue_path
from localhub.pages.site import Site, fields, see_other
from localhub.state import Issue, PullRequest, Repository


@dataclass(frozen=True)
class Entry:
    """A file or folder."""

    name: str
    path: str
    kind: str


@dataclass(frozen=True)
class Row:
    """An issue or pull request in a list."""

    issue: Issue
    check: str | None


class CodePages:
    """Handlers of one hub's repositories."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """List the addresses of a repository."""
        seen, form = self._site.seen, self._site.form
        home = r"/{owner:(?!_|api$)[^/]+}/{repository:[^/]+}"
        return [
            web.get(home, seen(self.root)),
            web.get(home + "/tree/{ref:[^/]+}/{path:.*}", seen(self.folder)),
            web.get(home + "/blob/{ref:[^/]+}/{path:.*}", seen(self.file)),
            web.get(home + "/issues", seen(self.issues)),
            web.get(home + "/pulls", seen(self.pulls)),
            web.post(home + "/issues", form(self.open_issue)),
        ]

    async def root(self, request: web.Request) -> web.StreamResponse:
        """Show the top of the default branch."""
        repository = self._site.repository(request)
        return self._folder(request, repository, repository.default_branch, "")

    async def folder(self, request: web.Request) -> web.StreamResponse:
        """Show a folder."""
        named = request.match_info
        repository = self._site.repository(request)
        return self._folder(request, repository, named["ref"], named["path"])

    def _folder(
        self, request: web.Request, repository: Repository, ref: str, path: str
    ) -> web.Response:
        folder = path.strip("/")
        sha = git.resolve(repository.git_dir, ref)
        entries: list[Entry] = []
        readme = None
        found = git.entry(repository.git_dir, sha, folder) if sha else None
        if folder and (found is None or found.type != "tree"):
            raise not_found()
        if found is not None:
            for one in git.tree(repository.git_dir, found.sha):
                name = f"{folder}/{one.path}".lstrip("/")
                entries.append(Entry(one.path, name, one.type))
                if one.path.lower() == "readme.md":
                    raw = git.read_blob(repository.git_dir, one.sha)
                    readme = raw.decode(errors="replace")
        return self._site.page(
            request,
            "repository.html",
            repository=repository,
            ref=ref,
            folder=folder,
            entries=sorted(entries, key=lambda one: (one.kind != "tree", one.name)),
            readme=readme,
            branches=[
                name.removeprefix("refs/heads/")
                for name in git.refs(repository.git_dir, "refs/heads/")
            ],
            clone_url=f"{self._site.hub.url}/{repository.full_name}.git",
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Show a file's text."""
        named = request.match_info
        repository = self._site.repository(request)
        sha = git.resolve(repository.git_dir, named["ref"])
        found = git.entry(repository.git_dir, sha, named["path"]) if sha else None
        if found is None or found.type != "blob":
            raise not_found()
        try:
            text = git.read_blob(repository.git_dir, found.sha).decode()
        except UnicodeDecodeError:
            text = None
        return self._site.page(
            request,
            "file.html",
            repository=repository,
            ref=named["ref"],
            file=named["path"],
            text=text,
        )

    async def issues(self, request: web.Request) -> web.StreamResponse:
        """List the issues, newest first."""
        repository = self._site.repository(request)
        rows = [
            Row(one, None)
            for one in reversed(repository.issues.values())
            if not isinstance(one, PullRequest)
        ]
        return self._list(request, repository, "Issues", rows)

    async def pulls(self, request: web.Request) -> web.StreamResponse:
        """List the pull requests, newest first."""
        repository = self._site.repository(request)
        rows = [
            Row(one, rollup.state_of(repository, one.head_sha))
            for one in reversed(repository.pulls)
        ]
        return self._list(request, repository, "Pull requests", rows)

    def _list(
        self, request: web.Request, repository: Repository, kind: str, rows: list[Row]
    ) -> web.Response:
        return self._site.page(
            request, "issues.html", repository=repository, kind=kind, rows=rows
        )

    async def open_issue(self, request: web.Request) -> web.StreamResponse:
        """Open an issue."""
        repository = self._site.repository(request)
        form = await fields(request)
        issue = issues.create(
            self._site.hub,
            repository,
            actor=self._site.acting(request),
            title=form.get("title", ""),
            body=form.get("body") or None,
        )
        return see_other(issue_path(issue))
