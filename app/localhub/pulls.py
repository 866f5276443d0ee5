"""What can be done to a pull request besides what can be done to any issue."""

from localhub import git, issues, protections, pushes, render
from localhub.errors import Refused, custom, invalid
from localhub.state import Hub, PullRequest, Repository, User


def create(
    hub: Hub,
    repository: Repository,
    *,
    actor: User,
    title: str,
    head: str,
    base: str,
    body: str | None = None,
    draft: bool = False,
) -> PullRequest:
    """Open a pull request from `head` (`branch` or `owner:branch`) into `base`."""
    if not title.strip():
        raise invalid("PullRequest", "title", "missing_field")
    issues.check_body("PullRequest", body)
    owner, _, named = head.rpartition(":")
    branch = named or head
    git_dir = repository.git_dir
    branches = git.refs(git_dir, "refs/heads/")
    head_sha = branches.get(f"refs/heads/{branch}")
    base_sha = branches.get(f"refs/heads/{base}")
    foreign = owner and owner.lower() != repository.owner.login.lower()
    if head_sha is None or foreign:
        raise invalid("PullRequest", "head", "invalid")
    if base_sha is None:
        raise invalid("PullRequest", "base", "invalid")
    _check_new(repository, branch, base, head_sha, base_sha)
    now = hub.now()
    pull = PullRequest(
        **hub.mint("PR"),
        pull_id=hub.new_id(),
        number=repository.next_number,
        repository=repository,
        title=title,
        body=body,
        user=actor,
        via_app=actor.app,
        created_at=now,
        updated_at=now,
        head_ref=branch,
        head_sha=head_sha,
        head_repository=repository,
        base_ref=base,
        base_sha=base_sha,
        draft=draft,
    )
    repository.issues[pull.number] = hub.register(pull)
    git.update_ref(git_dir, f"refs/pull/{pull.number}/head", head_sha)
    issues.tell(hub, pull, "opened", actor)
    for listener in hub.listeners.issue_opened:
        listener(pull, actor)
    return pull


def _check_new(
    repository: Repository, branch: str, base: str, head_sha: str, base_sha: str
) -> None:
    for one in repository.pulls:
        if (one.state, one.head_ref, one.base_ref) == ("open", branch, base):
            whole = f"{repository.owner.login}:{branch}"
            raise custom("PullRequest", f"A pull request already exists for {whole}.")
    if not git.count(repository.git_dir, f"{base_sha}..{head_sha}"):
        raise custom("PullRequest", f"No commits between {base} and {branch}")


def set_draft(hub: Hub, pull: PullRequest, *, draft: bool, actor: User) -> None:
    """Make a pull request a draft, or ready for review."""
    if pull.draft != draft:
        pull.draft = draft
        pull.updated_at = hub.now()
        action = "converted_to_draft" if draft else "ready_for_review"
        issues.tell(hub, pull, action, actor)


def set_base(hub: Hub, pull: PullRequest, base: str, *, actor: User) -> None:
    """Point a pull request at another branch."""
    sha = git.resolve(pull.repository.git_dir, base)
    if sha is None:
        raise invalid("PullRequest", "base", "invalid")
    if base != pull.base_ref:
        changes = {
            "base": {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
        }
        pull.base_ref, pull.base_sha, pull.updated_at = base, sha, hub.now()
        issues.tell(hub, pull, "edited", actor, changes=changes)


def request_reviewers(
    hub: Hub, pull: PullRequest, logins: list[str], *, actor: User
) -> None:
    """Ask people for a review."""
    for login in logins:
        user = hub.user(login)
        if user is None or pull.repository.role(user) is None:
            raise Refused(
                422,
                "Reviews may only be requested from collaborators. One or more of the "
                "users or teams you specified is not a collaborator of the "
                f"{pull.repository.full_name} repository.",
            )
        if user is pull.user:
            raise Refused(422, "Review cannot be requested from pull request author.")
        if user not in pull.requested_reviewers:
            pull.requested_reviewers.append(user)
            shown = render.user(hub, user)
            issues.tell(hub, pull, "review_requested", actor, requested_reviewer=shown)


def remove_reviewers(
    hub: Hub, pull: PullRequest, logins: list[str], *, actor: User
) -> None:
    """Take back the request for a review."""
    for user in [one for one in pull.requested_reviewers if one.login in logins]:
        pull.requested_reviewers.remove(user)
        shown = render.user(hub, user)
        issues.tell(
            hub, pull, "review_request_removed", actor, requested_reviewer=shown
        )


def merge(
    hub: Hub,
    pull: PullRequest,
    *,
    actor: User,
    method: str = "merge",
    sha: str | None = None,
    title: str | None = None,
    message: str | None = None,
) -> str:
    """Merge a pull request into its base; give the new commit."""
    if pull.state == "closed":
        raise Refused(405, "Pull Request is not mergeable")
    if pull.draft:
        raise Refused(405, "Pull Request is still a draft")
    if sha is not None and sha != pull.head_sha:
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    if method not in ("merge", "squash", "rebase"):
        raise invalid("PullRequest", "merge_method", "invalid")
    protections.check(pull, actor)
    git_dir = pull.repository.git_dir
    base = git.resolve(git_dir, pull.base_ref)
    if base is None:
        raise Refused(405, "Pull Request is not mergeable")
    new = merge_commit(
        hub, pull, base, actor=actor, method=method, title=title, message=message
    )
    ref = f"refs/heads/{pull.base_ref}"
    if not git.update_ref(git_dir, ref, new, base):
        raise Refused(409, "Base branch was modified. Review and try the merge again.")
    pushes.merged(hub, pull, new, actor=actor)
    pushes.ref_moved(hub, pull.repository, ref, base, new, actor=actor)
    return new


def merge_commit(
    hub: Hub,
    pull: PullRequest,
    base: str,
    *,
    actor: User,
    method: str = "merge",
    title: str | None = None,
    message: str | None = None,
) -> str:
    """Write the commit that merges a pull request into a commit; no ref moves."""
    git_dir = pull.repository.git_dir
    if method == "rebase":
        # Only what needs no replaying: the head already stands on the base.
        if git.is_ancestor(git_dir, base, pull.head_sha):
            return pull.head_sha
        raise Refused(405, "This branch can't be rebased")
    tree = git.merge(git_dir, base, pull.head_sha)
    if tree is None:
        raise Refused(405, "Pull Request is not mergeable")
    owner = pull.head_repository.owner.login
    if method == "squash":
        first = title or f"{pull.title} (#{pull.number})"
        parents, second = [base], message or ""
    else:
        first = (
            title or f"Merge pull request #{pull.number} from {owner}/{pull.head_ref}"
        )
        parents, second = [base, pull.head_sha], message or pull.title
    who = signature(hub, actor)
    text = f"{first}\n\n{second}".strip()
    return git.write_commit(git_dir, tree, parents, text, who, who)


def signature(hub: Hub, user: User) -> git.Person:
    """Write an account the way its own commits name it."""
    email = f"{user.id}+{user.login}@users.noreply.github.com"
    return git.Person(user.name or user.login, email, hub.now())
