"""An issue's page, and the forms of every conversation: comment, close, react."""

from aiohttp import web

from localhub import comments, issues, projects, rollup
from localhub.errors import Refused, not_found
from localhub.pages.board import linked
from localhub.pages.filters import issue_path
from localhub.pages.site import Site, fields, see_other
from localhub.state import (
    Comment,
    Hub,
    Issue,
    Option,
    ProjectItem,
    PullRequest,
    Repository,
    ReviewComment,
    User,
)


def cards(hub: Hub, issue: Issue) -> list[tuple[ProjectItem, Option | None]]:
    """List where an issue stands on boards."""
    return [
        (item, projects.option_of(item, projects.status_field(item.project)))
        for item in projects.items_of(hub, issue)
    ]


class ConversationPages:
    """Handlers of one hub's issues."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._hub = site.hub

    def routes(self) -> list[web.RouteDef]:
        """List the addresses of issues and their forms."""
        seen, form = self._site.seen, self._site.form
        home = "/{owner}/{repository}"
        return [
            web.get(home + r"/issues/{number:\d+}", seen(self.show)),
            web.post(home + r"/issues/{number:\d+}/comments", form(self.comment)),
            web.post(home + "/reactions", form(self.react)),
        ]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show an issue; a pull request has a page of its own."""
        issue = self._site.issue(request)
        if isinstance(issue, PullRequest):
            return see_other(issue_path(issue))
        return self._site.page(
            request,
            "issue.html",
            issue=issue,
            repository=issue.repository,
            cards=cards(self._hub, issue),
            pulls=[linked(pull) for pull in rollup.closed_by(self._hub, issue)],
        )

    async def comment(self, request: web.Request) -> web.StreamResponse:
        """Comment, close, reopen, or comment and close at once."""
        issue = self._site.issue(request)
        acting = self._site.acting(request)
        form = await fields(request)
        body, state = form.get("body", "").strip(), form.get("state")
        if body or state is None:
            comments.create(self._hub, issue, body, actor=acting)
        if state is not None:
            self._set_state(issue, state, acting)
        return see_other(issue_path(issue))

    def _set_state(self, issue: Issue, state: str, acting: User) -> None:
        role = issue.repository.role(acting)
        if acting is not issue.user and role in {None, "read"}:
            raise Refused(403, f"{acting.login} may not close or reopen this.")
        if state == "closed":
            issues.close(self._hub, issue, actor=acting)
        else:
            issues.reopen(self._hub, issue, actor=acting)

    async def react(self, request: web.Request) -> web.StreamResponse:
        """React, or take the same reaction back."""
        repository = self._site.repository(request)
        acting = self._site.acting(request)
        form = await fields(request)
        subject = self._subject(repository, form.get("subject", ""))
        content = form.get("content", "")
        reaction, new = issues.react(
            self._hub, subject.reactions, content, actor=acting
        )
        if not new:
            subject.reactions.remove(reaction)
            self._hub.nodes.pop(reaction.node_id, None)
        issue = subject if isinstance(subject, Issue) else _issue_of(subject)
        return see_other(issue_path(issue))

    def _subject(
        self, repository: Repository, node_id: str
    ) -> Issue | Comment | ReviewComment:
        found = self._hub.node(node_id)
        if not isinstance(found, Issue | Comment | ReviewComment):
            raise not_found()
        issue = found if isinstance(found, Issue) else _issue_of(found)
        if issue.repository is not repository:
            raise not_found()
        return found


def _issue_of(comment: Comment | ReviewComment) -> Issue:
    return comment.issue if isinstance(comment, Comment) else comment.pull
