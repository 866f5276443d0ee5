"""One GraphQL request: whose it is, and what that caller sees and may change."""

from dataclasses import dataclass
from typing import Any

from localhub import auth
from localhub.errors import Refused
from localhub.state import (
    Comment,
    DraftIssue,
    Hub,
    Issue,
    Organization,
    Project,
    ProjectField,
    ProjectItem,
    PullRequest,
    Repository,
    Review,
    ReviewComment,
    StatusUpdate,
    User,
)

BOARDS = "organization_projects"


class Problem(Exception):  # noqa: N818  (GraphQL has its own errors)
    """An entry of `errors` with GitHub's `type`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Thread:
    """A conversation on a line of a diff: its first comment and the replies."""

    node_id: str
    root: ReviewComment

    @property
    def comments(self) -> list[ReviewComment]:
        """List the comments, oldest first."""
        everything = self.root.pull.review_comments
        return [
            one
            for one in everything
            if one is self.root or one.in_reply_to is self.root
        ]


def unknown_node(node_id: str) -> Problem:
    """Say that an id names nothing that the caller sees."""
    message = f"Could not resolve to a node with the global id of '{node_id}'"
    return Problem("NOT_FOUND", message)


@dataclass(frozen=True)
class Call:
    """The hub as one caller sees it."""

    hub: Hub
    caller: auth.Caller
    rate: dict[str, Any]

    @property
    def actor(self) -> User:
        """Give the account that acts."""
        return self.caller.actor

    def sees_repository(self, repository: Repository) -> bool:
        """Tell whether a repository exists for this caller."""
        return not repository.private or self.caller.reaches(self.hub, repository)

    def sees_issue(self, issue: Issue) -> bool:
        """Tell whether an issue or pull request exists for this caller."""
        wanted = "pull_requests" if isinstance(issue, PullRequest) else "issues"
        try:
            auth.require(self.hub, self.caller, issue.repository, (f"{wanted}:read",))
        except Refused:
            return False
        return True

    def sees_board(self, project: Project) -> bool:
        """Tell whether a board exists for this caller.

        An installation never sees a person's board: it gets an empty answer, no error.
        """
        return self._board_level(project, "read")

    def _board_level(self, project: Project, level: str) -> bool:
        owner, token = project.owner, self.caller.token
        if token is not None and token.installation is not None:
            inside = token.installation.account is owner
            organization = isinstance(owner, Organization)
            return inside and organization and self.caller.granted(BOARDS, level)
        if level == "read" and project.public:
            return True
        if isinstance(owner, Organization):
            return self.actor.login in owner.members
        return owner is self.actor

    def change_board(self, project: Project) -> Project:
        """Refuse a caller who may not change a board."""
        self._check_scopes()
        if not self._board_level(project, "read"):
            raise unknown_node(project.node_id)
        if not self._board_level(project, "write"):
            said = (
                "Resource not accessible by integration"
                if self.caller.kind == "installation"
                else f"{self.actor.login} does not have the correct permissions"
            )
            raise Problem("FORBIDDEN", said)
        return project

    def _check_scopes(self) -> None:
        token = self.caller.token
        if token is None or token.installation is not None:
            return
        if token.permissions is not None and BOARDS not in token.permissions:
            raise Problem(
                "INSUFFICIENT_SCOPES",
                "Your token has not been granted the required scopes to execute this "
                "query. The field requires one of the following scopes: ['project'].",
            )

    def write(self, repository: Repository, *needs: str) -> None:
        """Refuse a caller who may not write this to a repository."""
        wanted = tuple(f"{need}:write" for need in needs)
        auth.require(self.hub, self.caller, repository, wanted)

    def node(self, node_id: str) -> Any:
        """Find anything that the caller sees by its global id."""
        found = self.hub.node(node_id) or self._thread(node_id)
        if found is None or not self._sees(found):
            raise unknown_node(node_id)
        return found

    def of(self, kind: type[Any], node_id: str) -> Any:
        """Find a thing of the right kind."""
        found = self.node(node_id)
        if not isinstance(found, kind):
            raise unknown_node(node_id)
        return found

    def thread(self, root: ReviewComment) -> Thread:
        """Give the thread that begins with a comment."""
        return Thread(self.hub.new_node_id("PRRT", root.id), root)

    def threads(self, pull: PullRequest) -> list[Thread]:
        """List the threads on a diff."""
        roots = [one for one in pull.review_comments if one.in_reply_to is None]
        return [self.thread(root) for root in roots]

    def _thread(self, node_id: str) -> Thread | None:
        if not node_id.startswith("PRRT_"):
            return None
        for one in self.hub.nodes.values():
            if isinstance(one, ReviewComment) and one.in_reply_to is None:
                thread = self.thread(one)
                if thread.node_id == node_id:
                    return thread
        return None

    def _sees(self, found: Any) -> bool:
        match found:
            case Project():
                return self.sees_board(found)
            case ProjectItem() | StatusUpdate():
                return self.sees_board(found.project)
            case ProjectField():
                return self.sees_board(self.board_of(found))
            case DraftIssue():
                return any(self.sees_board(one) for one in self._boards_with(found))
            case Issue():
                return self.sees_issue(found)
            case Comment():
                return self.sees_issue(found.issue)
            case Review() | ReviewComment():
                return self.sees_issue(found.pull)
            case Thread():
                return self.sees_issue(found.root.pull)
            case Repository():
                return self.sees_repository(found)
            case _:
                return True

    def board_of(self, field: ProjectField) -> Project:
        """Find the board that a field belongs to."""
        return next(one for one in self.hub.projects if field in one.fields)

    def _boards_with(self, draft: DraftIssue) -> list[Project]:
        return [item.project for item in self.cards_of(draft)]

    def cards_of(self, content: Issue | DraftIssue) -> list[ProjectItem]:
        """List the cards that show something."""
        return [
            item
            for project in self.hub.projects
            for item in project.items
            if item.content is content
        ]
