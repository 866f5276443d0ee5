"""A pull request's page: conversation, checks, diff, reviews and the merge button."""

from dataclasses import dataclass

from aiohttp import web

from localhub import checks, git, protections, pulls, queue, reviews, rollup
from localhub.errors import Refused, not_found
from localhub.pages import diff
from localhub.pages.conversation import cards
from localhub.pages.filters import issue_path
from localhub.pages.site import Site, fields, see_other
from localhub.render.pulls import merge_base
from localhub.state import (
    Comment,
    Deployment,
    PullRequest,
    Review,
    ReviewComment,
    User,
)


@dataclass(frozen=True)
class CommitRow:
    """A commit in the list."""

    sha: str
    title: str
    author: str
    check: str | None


@dataclass(frozen=True)
class Said:
    """A review with its line comments."""

    at: str
    review: Review
    notes: list[ReviewComment]


@dataclass(frozen=True)
class Remark:
    """A comment of the conversation."""

    at: str
    comment: Comment


def _timeline(pull: PullRequest) -> list[Said | Remark]:
    said: list[Said | Remark] = [
        Said(
            review.submitted_at,
            review,
            [note for note in pull.review_comments if note.review is review],
        )
        for review in pull.reviews
        if review.submitted_at
    ]
    said += [Remark(one.created_at, one) for one in pull.comments]
    return sorted(said, key=lambda one: one.at)


def _deployments(pull: PullRequest, commits: set[str]) -> list[Deployment]:
    """Of each environment the newest, by name, that was ever heard of."""
    newest = {
        one.environment: one
        for one in pull.repository.deployments
        if one.sha in commits and one.statuses
    }
    return [newest[name] for name in sorted(newest)]


class PullPages:
    """Handlers of one hub's pull requests."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._hub = site.hub

    def routes(self) -> list[web.RouteDef]:
        """List the addresses of pull requests and their forms."""
        seen, form = self._site.seen, self._site.form
        home = r"/{owner}/{repository}/pull/{number:\d+}"
        return [
            web.get(home, seen(self.show)),
            web.post(home + "/reviews", form(self.review)),
            web.post(home + "/ready", form(self.ready)),
            web.post(home + "/merge", form(self.merge)),
            web.post(home + r"/runs/{run:\d+}", form(self.run)),
        ]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show a pull request."""
        pull = self._site.pull(request)
        repository = pull.repository
        base = merge_base(pull)
        changed = git.changes(repository.git_dir, base, pull.head_sha)
        commits = git.log(repository.git_dir, f"{base}..{pull.head_sha}")
        return self._site.page(
            request,
            "pull.html",
            pull=pull,
            repository=repository,
            commits=[
                CommitRow(
                    sha=one.sha,
                    title=one.message.partition("\n")[0],
                    author=one.author.name,
                    check=rollup.state_of(repository, one.sha),
                )
                for one in reversed(commits)
            ],
            runs=rollup.runs_of(repository, pull.head_sha),
            rollup=rollup.state_of(repository, pull.head_sha),
            timeline=_timeline(pull),
            files=diff.files(changed, pull.review_comments),
            cards=cards(self._hub, pull),
            closes=rollup.closes(self._hub, pull),
            protection=protections.of(pull),
            queued=queue.queued(pull),
            statuses=rollup.statuses_of(repository, pull.head_sha),
            deployments=_deployments(pull, {one.sha for one in commits}),
        )

    async def review(self, request: web.Request) -> web.StreamResponse:
        """Approve, ask for changes, comment, or comment on one line."""
        pull = self._site.pull(request)
        form = await fields(request)
        body, notes = form.get("body", ""), []
        if form.get("path") and form.get("line", "").isdigit():
            side = form.get("side") or "RIGHT"
            line = {"line": int(form["line"]), "side": side, "path": form["path"]}
            body, notes = "", [{**line, "body": body}]
        reviews.create(
            self._hub,
            pull,
            actor=self._site.acting(request),
            body=body,
            event=form.get("event") or "COMMENT",
            comments=notes,
        )
        return see_other(issue_path(pull))

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """Turn a draft into a pull request that is ready for review."""
        pull = self._site.pull(request)
        acting = self._writer(request, pull)
        pulls.set_draft(self._hub, pull, draft=False, actor=acting)
        return see_other(issue_path(pull))

    async def merge(self, request: web.Request) -> web.StreamResponse:
        """Merge, or put into the merge queue where there is one."""
        pull = self._site.pull(request)
        acting, protection = self._writer(request, pull), protections.of(pull)
        if protection is not None and protection.queue:
            queue.enqueue(self._hub, pull, actor=acting)
        else:
            pulls.merge(self._hub, pull, actor=acting)
        return see_other(issue_path(pull))

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Press one of a check run's buttons, or ask for it again."""
        pull = self._site.pull(request)
        acting = self._writer(request, pull)
        found = checks.find_run(pull.repository, int(request.match_info["run"]))
        if found is None:
            raise not_found()
        form = await fields(request)
        if identifier := form.get("press"):
            checks.press(self._hub, found, identifier, actor=acting)
        else:
            checks.rerequest(self._hub, found, actor=acting)
        return see_other(issue_path(pull))

    def _writer(self, request: web.Request, pull: PullRequest) -> User:
        acting = self._site.acting(request)
        if pull.repository.role(acting) not in {"write", "maintain", "admin"}:
            raise Refused(403, f"{acting.login} may not write to this repository.")
        return acting
