"""How GraphQL shows issues, pull requests, comments, reviews and reactions."""

from typing import Any

from graphql import GraphQLResolveInfo

from localhub import git, rollup
from localhub.graphql_api.call import Call
from localhub.graphql_api.connections import connection
from localhub.graphql_api.shapes import (
    Commit,
    PullCommit,
    ReactionGroup,
    Rollup,
    branch,
)
from localhub.graphql_api.shapes import commit as read_commit
from localhub.render.issues import association
from localhub.render.pulls import merge_base, mergeable
from localhub.state import (
    Comment,
    Issue,
    PullRequest,
    Reaction,
    Review,
    ReviewComment,
    User,
)

Info = GraphQLResolveInfo

REACTIONS = {
    "THUMBS_UP": "+1",
    "THUMBS_DOWN": "-1",
    "LAUGH": "laugh",
    "HOORAY": "hooray",
    "CONFUSED": "confused",
    "HEART": "heart",
    "ROCKET": "rocket",
    "EYES": "eyes",
}
_WORDS = {content: word for word, content in REACTIONS.items()}


def path(issue: Issue) -> str:
    """Give the page of an issue or pull request."""
    kind = "pull" if isinstance(issue, PullRequest) else "issues"
    return f"/{issue.repository.full_name}/{kind}/{issue.number}"


def groups(subject: Any) -> list[ReactionGroup]:
    """Group the reactions to something, all eight kinds."""
    return [
        ReactionGroup(
            word, [one for one in subject.reactions if one.content == content]
        )
        for word, content in REACTIONS.items()
    ]


def _viewer(info: Info) -> User:
    call: Call = info.context
    return call.actor


def _cards(
    issue: Issue, info: Info, *, include_archived: bool = True, **page: Any
) -> Any:
    call: Call = info.context
    shown = [
        item
        for item in call.cards_of(issue)
        if call.sees_board(item.project) and (include_archived or not item.archived_at)
    ]
    return connection(shown, **page)


def _closing_pulls(
    issue: Issue, info: Info, *, include_closed_prs: bool = False, **page: Any
) -> Any:
    call: Call = info.context
    shown = [
        pull
        for pull in rollup.closed_by(call.hub, issue)
        if call.sees_issue(pull)
        and (include_closed_prs or pull.state == "open" or pull.merged_at)
    ]
    return connection(shown, **page)


def _state(issue: Issue, _info: Info) -> str:
    if isinstance(issue, PullRequest) and issue.merged_at:
        return "MERGED"
    return issue.state.upper()


def _reason(issue: Issue, _info: Info) -> str | None:
    return issue.state_reason.upper() if issue.state_reason else None


def _decision(pull: PullRequest, _info: Info) -> str | None:
    states = {review.state for review in _latest(pull)}
    if "CHANGES_REQUESTED" in states:
        return "CHANGES_REQUESTED"
    return "APPROVED" if "APPROVED" in states else None


def _latest(pull: PullRequest) -> list[Review]:
    by_author: dict[int, Review] = {}
    for review in pull.reviews:
        if review.state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}:
            by_author[review.user.id] = review
        elif review.state == "COMMENTED":
            by_author.setdefault(review.user.id, review)
    return list(by_author.values())


def _reviews(
    pull: PullRequest, info: Info, states: list[str] | None = None, **page: Any
) -> Any:
    mine = _viewer(info)
    shown = [
        one
        for one in pull.reviews
        if (states is None or one.state in states)
        and (one.state != "PENDING" or one.user is mine)
    ]
    return connection(shown, **page)


def _mergeable(pull: PullRequest, _info: Info) -> str:
    fits = mergeable(pull)
    return "UNKNOWN" if fits is None else "MERGEABLE" if fits else "CONFLICTING"


def _changes(pull: PullRequest) -> list[git.FileChange]:
    return git.changes(pull.repository.git_dir, merge_base(pull), pull.head_sha)


def _commits(pull: PullRequest, _info: Info, **page: Any) -> Any:
    base = merge_base(pull)
    log = git.log(pull.repository.git_dir, f"{base}..{pull.head_sha}")
    shown = []
    for one in reversed(log):
        commit = Commit(
            f"C_{pull.repository.id}_{one.sha}", pull.repository, one.sha, one
        )
        shown.append(PullCommit(f"PURC_{pull.id}_{one.sha}", pull, commit))
    return connection(shown, **page)


def _files(pull: PullRequest, _info: Info, **page: Any) -> Any:
    shown = [
        {
            "path": one.filename,
            "additions": one.additions,
            "deletions": one.deletions,
            "changeType": "DELETED" if one.status == "removed" else one.status.upper(),
        }
        for one in _changes(pull)
    ]
    return connection(shown, **page)


def _rollup(pull: PullRequest, _info: Info) -> Rollup | None:
    if rollup.state_of(pull.repository, pull.head_sha) is None:
        return None
    return Rollup(f"SCR_{pull.head_sha}", pull.repository, pull.head_sha)


def _merge_commit(pull: PullRequest, _info: Info) -> Commit | None:
    sha = pull.merge_commit_sha
    return read_commit(pull.repository, sha) if sha and pull.merged_at else None


def _author_association(one: Any, _info: Info) -> str:
    issue = _issue_of(one)
    return association(issue.repository, one.user)


def _issue_of(one: Issue | Comment | Review | ReviewComment) -> Issue:
    if isinstance(one, Issue):
        return one
    return one.issue if isinstance(one, Comment) else one.pull


def _anchor(prefix: str) -> Any:
    def url(one: Any, info: Info) -> str:
        return f"{info.context.hub.url}{path(_issue_of(one))}#{prefix}{one.id}"

    return url


def _author(one: Any, info: Info) -> User | None:
    """Give who said it; an account that was deleted is nobody."""
    known = info.context.hub.user(one.user.login)
    return one.user if known is one.user else None


_SAID = {
    "author": _author,
    "authorAssociation": _author_association,
    "body": lambda one, _: one.body or "",
    "bodyText": lambda one, _: one.body or "",
    "viewerDidAuthor": lambda one, info: one.user is _viewer(info),
}
_REACTABLE = {
    "reactionGroups": lambda one, _: groups(one),
    "viewerCanReact": lambda *_: True,
}
_FOLDABLE = {
    "isMinimized": lambda one, _: one.minimized is not None,
    "minimizedReason": lambda one, _: one.minimized and one.minimized.lower(),
    "viewerCanMinimize": lambda *_: True,
}
_ISSUE = {
    **_SAID,
    **_REACTABLE,
    "assignees": lambda one, _, **page: connection(one.assignees, **page),
    "closed": lambda one, _: one.state == "closed",
    "comments": lambda one, _, **page: connection(one.comments, **page),
    "labels": lambda one, _, **page: connection(one.labels, **page),
    "projectItems": _cards,
    "resourcePath": lambda one, _: path(one),
    "state": _state,
    "url": lambda one, info: info.context.hub.url + path(one),
}
_NO_SUMMARY = {"total": 0, "completed": 0, "percentCompleted": 0}

RESOLVERS: dict[str, dict[str, Any]] = {
    "Issue": {
        **_ISSUE,
        "closedByPullRequestsReferences": _closing_pulls,
        "parent": lambda *_: None,
        "stateReason": _reason,
        "subIssues": lambda _, __, **page: connection([], **page),
        "subIssuesSummary": lambda *_: _NO_SUMMARY,
    },
    "PullRequest": {
        **_ISSUE,
        "additions": lambda one, _: sum(each.additions for each in _changes(one)),
        "baseRef": lambda one, _: branch(one.repository, one.base_ref),
        "baseRefName": lambda one, _: one.base_ref,
        "baseRefOid": lambda one, _: one.base_sha,
        "changedFiles": lambda one, _: len(_changes(one)),
        "closingIssuesReferences": lambda one, info, **page: connection(
            rollup.closes(info.context.hub, one), **page
        ),
        "commits": _commits,
        "databaseId": lambda one, _: one.pull_id,
        "deletions": lambda one, _: sum(each.deletions for each in _changes(one)),
        "files": _files,
        "fullDatabaseId": lambda one, _: one.pull_id,
        "headRef": lambda one, _: branch(one.head_repository, one.head_ref),
        "headRefName": lambda one, _: one.head_ref,
        "headRefOid": lambda one, _: one.head_sha,
        "headRepositoryOwner": lambda one, _: (
            one.head_repository.owner if one.head_repository else None
        ),
        "isCrossRepository": lambda one, _: one.head_repository is not one.repository,
        "isDraft": lambda one, _: one.draft,
        "latestReviews": lambda one, _, **page: connection(_latest(one), **page),
        "maintainerCanModify": lambda *_: False,
        "mergeCommit": _merge_commit,
        "mergeable": _mergeable,
        "merged": lambda one, _: one.merged_at is not None,
        "reviewDecision": _decision,
        "reviewThreads": lambda one, info, **page: connection(
            info.context.threads(one), **page
        ),
        "reviews": _reviews,
        "statusCheckRollup": _rollup,
    },
    "PullRequestCommit": {
        "url": lambda one, info: (
            f"{info.context.hub.url}{path(one.pull_request)}/commits/{one.commit.oid}"
        ),
    },
    "IssueComment": {
        **_SAID,
        **_REACTABLE,
        **_FOLDABLE,
        "includesCreatedEdit": lambda one, _: one.updated_at != one.created_at,
        "pullRequest": lambda one, _: (
            one.issue if isinstance(one.issue, PullRequest) else None
        ),
        "repository": lambda one, _: one.issue.repository,
        "url": _anchor("issuecomment-"),
    },
    "PullRequestReview": {
        **_SAID,
        "reactionGroups": lambda *_: [],
        "viewerCanReact": lambda *_: True,
        "isMinimized": lambda *_: False,
        "minimizedReason": lambda *_: None,
        "viewerCanMinimize": lambda *_: False,
        "comments": lambda one, _, **page: connection(
            [each for each in one.pull.review_comments if each.review is one], **page
        ),
        "commit": lambda one, _: read_commit(one.pull.repository, one.commit_id),
        "createdAt": lambda one, _: one.submitted_at or one.updated_at,
        "pullRequest": lambda one, _: one.pull,
        "url": _anchor("pullrequestreview-"),
    },
    "PullRequestReviewComment": {
        **_SAID,
        **_REACTABLE,
        **_FOLDABLE,
        "pullRequest": lambda one, _: one.pull,
        "pullRequestReview": lambda one, _: one.review,
        "replyTo": lambda one, _: one.in_reply_to,
        "repository": lambda one, _: one.pull.repository,
        "url": _anchor("discussion_r"),
    },
    "PullRequestReviewThread": {
        "comments": lambda one, _, **page: connection(one.comments, **page),
        "isOutdated": lambda one, _: one.root.line is None,
        "isResolved": lambda one, _: one.root.resolved,
        "line": lambda one, _: one.root.line,
        "path": lambda one, _: one.root.path,
        "pullRequest": lambda one, _: one.root.pull,
        "repository": lambda one, _: one.root.pull.repository,
        "resolvedBy": lambda *_: None,
        "startLine": lambda one, _: one.root.start_line,
    },
    "Reaction": {
        "content": lambda one, _: _WORDS[one.content],
        "reactable": lambda one, info: reacted_to(info.context, one),
    },
    "ReactionGroup": {
        "createdAt": lambda one, _: (
            one.reactions[0].created_at if one.reactions else None
        ),
        "reactors": lambda one, _, **page: connection(
            [each.user for each in one.reactions], **page
        ),
        "users": lambda one, _, **page: connection(
            [each.user for each in one.reactions if each.user.type == "User"], **page
        ),
        "viewerHasReacted": lambda one, info: any(
            each.user is _viewer(info) for each in one.reactions
        ),
    },
}


def reacted_to(call: Call, reaction: Reaction) -> Any:
    """Find what a reaction is about."""
    for one in call.hub.nodes.values():
        if reaction in getattr(one, "reactions", ()):
            return one
    return None
