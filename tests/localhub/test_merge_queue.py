"""Merge queues: merges that are tried before they become real."""

from pathlib import Path
from typing import Any

import pytest

from localhub import checks, git, issues, pulls, pushes, queue
from localhub.errors import Refused
from localhub.state import Protection, PullRequest, RequiredCheck
from tests.localhub.small_hub import SmallHub, commit, small_hub


@pytest.fixture
def hub(tmp_path: Path) -> SmallHub:
    """A hub whose first pull request is ready to be queued."""
    one = small_hub(tmp_path)
    queue.listen(one.hub)
    required = (RequiredCheck("ci"),)
    one.repository.protections["main"] = Protection(checks=required, queue=True)
    one.pull.draft = False
    report(one, one.pull.head_sha, "success")
    one.told.clear()
    return one


def report(hub: SmallHub, sha: str, conclusion: str) -> None:
    asked = {"name": "ci", "head_sha": sha, "conclusion": conclusion}
    checks.create_run(hub.hub, hub.repository, hub.app, asked, actor=hub.app.bot)


def another(hub: SmallHub, files: dict[str, str]) -> PullRequest:
    name = f"topic/{'-'.join(files)}"
    main = hub.pull.base_sha
    head = commit(hub.repository, hub.clock, "More", files, name, main)
    report(hub, head, "success")
    return pulls.create(
        hub.hub, hub.repository, actor=hub.bob, title="More", head=name, base="main"
    )


def enqueue(hub: SmallHub, *wanted: PullRequest) -> None:
    hub.clock.forward(seconds=1)  # a merge that is tried again is another commit
    for pull in wanted:
        queue.enqueue(hub.hub, pull, actor=hub.bob)


def groups(hub: SmallHub) -> list[tuple[str, str]]:
    said = hub.said("merge_group")
    return [
        (one["action"] + (f" {one['reason']}" if "reason" in one else ""), _pull(one))
        for one in said
    ]


def _pull(payload: dict[str, Any]) -> str:
    name: str = payload["merge_group"]["head_ref"]
    return name.rpartition("/")[2].partition("-")[2].partition("-")[0]


def main_of(hub: SmallHub) -> str | None:
    return git.resolve(hub.repository.git_dir, "main")


def test_a_group_holds_the_merge_on_a_branch_of_its_own(hub: SmallHub) -> None:
    main = main_of(hub)

    enqueue(hub, hub.pull)

    [said] = hub.said("merge_group")
    group = said["merge_group"]
    where = f"refs/heads/gh-readonly-queue/main/pr-{hub.pull.number}-{main}"
    assert said["action"] == "checks_requested"
    assert (group["head_ref"], group["base_ref"]) == (where, "refs/heads/main")
    assert group["base_sha"] == main
    found = git.refs(hub.repository.git_dir, "refs/heads/")
    assert found[where] == group["head_sha"] == group["head_commit"]["id"]
    parents = git.commit(hub.repository.git_dir, group["head_sha"]).parents
    assert list(parents) == [main, hub.pull.head_sha]
    assert main_of(hub) == main


def test_a_group_that_succeeds_is_merged(hub: SmallHub) -> None:
    enqueue(hub, hub.pull)
    [entry] = hub.repository.queue
    tried = entry.head_sha

    report(hub, tried, "success")

    assert main_of(hub) == tried == hub.pull.merge_commit_sha
    assert hub.pull.merged_by is queue.bot(hub.hub)
    assert hub.repository.queue == []
    assert groups(hub)[-1] == ("destroyed merged", str(hub.pull.number))
    heads = git.refs(hub.repository.git_dir, "refs/heads/")
    assert not [name for name in heads if "gh-readonly-queue" in name]


def test_a_group_that_fails_leaves_the_queue(hub: SmallHub) -> None:
    enqueue(hub, hub.pull)
    main = main_of(hub)

    report(hub, hub.repository.queue[0].head_sha, "failure")

    assert (hub.repository.queue, main_of(hub)) == ([], main)
    assert hub.pull.state == "open"
    assert groups(hub)[-1] == ("destroyed dequeued", str(hub.pull.number))
    told = [one for one in hub.said("pull_request") if one["action"] == "dequeued"]
    assert [one["reason"] for one in told] == ["CI_FAILURE"]

    enqueue(hub, hub.pull)
    assert queue.queued(hub.pull)


def test_a_later_group_stands_on_the_one_before_it(hub: SmallHub) -> None:
    second = another(hub, {"x.txt": "x\n"})
    enqueue(hub, hub.pull, second)
    first, later = hub.repository.queue
    assert later.base_sha == first.head_sha

    report(hub, later.head_sha, "success")
    assert second.state == "open"  # its turn has not come

    report(hub, first.head_sha, "success")
    assert second.merged_at
    assert hub.pull.merged_at
    assert main_of(hub) == second.merge_commit_sha


def test_those_behind_one_that_fails_are_tried_anew(hub: SmallHub) -> None:
    second = another(hub, {"x.txt": "x\n"})
    enqueue(hub, hub.pull, second)
    main, one, other = main_of(hub), str(hub.pull.number), str(second.number)

    report(hub, hub.repository.queue[0].head_sha, "failure")

    assert groups(hub) == [
        ("checks_requested", one),
        ("checks_requested", other),
        ("destroyed dequeued", one),
        ("destroyed invalidated", other),
        ("checks_requested", other),
    ]
    assert [entry.base_sha for entry in hub.repository.queue] == [main]


def test_a_conflict_leaves_the_queue(hub: SmallHub) -> None:
    clashing = another(hub, {"cart.py": "total = None\n"})
    last = another(hub, {"x.txt": "x\n"})

    enqueue(hub, hub.pull, clashing, last)

    assert [entry.pull for entry in hub.repository.queue] == [hub.pull, last]
    told = [one for one in hub.said("pull_request") if one["action"] == "dequeued"]
    assert [one["reason"] for one in told] == ["MERGE_CONFLICT"]


def test_a_push_to_the_base_makes_the_group_anew(hub: SmallHub) -> None:
    enqueue(hub, hub.pull)
    tried = hub.repository.queue[0].head_sha
    files = {"y.txt": "y\n"}
    pushed = commit(hub.repository, hub.clock, "Push", files, "main", main_of(hub))

    report(hub, tried, "success")

    [entry] = hub.repository.queue
    assert (entry.base_sha, main_of(hub)) == (pushed, pushed)
    report(hub, entry.head_sha, "success")
    assert hub.pull.merged_at


@pytest.mark.parametrize("what", ["closed", "pushed", "draft"])
def test_a_pull_request_that_changes_leaves_the_queue(hub: SmallHub, what: str) -> None:
    enqueue(hub, hub.pull)
    old = hub.pull.head_sha

    if what == "closed":
        issues.close(hub.hub, hub.pull, actor=hub.bob)
    elif what == "draft":
        pulls.set_draft(hub.hub, hub.pull, draft=True, actor=hub.bob)
    else:
        branch, files = hub.pull.head_ref, {"z.txt": "z\n"}
        new = commit(hub.repository, hub.clock, "Push", files, branch, old)
        ref = f"refs/heads/{branch}"
        pushes.ref_moved(hub.hub, hub.repository, ref, old, new, actor=hub.bob)

    assert hub.repository.queue == []
    assert groups(hub)[-1] == ("destroyed dequeued", str(hub.pull.number))


def test_only_what_is_ready_is_queued(hub: SmallHub) -> None:
    report(hub, hub.pull.head_sha, "failure")
    with pytest.raises(Refused, match='Required status check "ci" is failing') as no:
        enqueue(hub, hub.pull)
    assert no.value.status == 422

    report(hub, hub.pull.head_sha, "success")
    hub.pull.draft = True
    with pytest.raises(Refused):
        enqueue(hub, hub.pull)
    hub.pull.draft = False
    enqueue(hub, hub.pull)
    with pytest.raises(Refused):
        enqueue(hub, hub.pull)


def test_a_branch_with_a_queue_takes_no_other_merge(hub: SmallHub) -> None:
    with pytest.raises(Refused) as no:
        pulls.merge(hub.hub, hub.pull, actor=hub.bob)

    words = "Changes must be made through the merge queue"
    assert (no.value.status, no.value.message) == (405, words)


def test_a_branch_without_a_queue_has_none(hub: SmallHub) -> None:
    del hub.repository.protections["main"]

    with pytest.raises(Refused) as no:
        enqueue(hub, hub.pull)

    assert no.value.status == 422


def test_without_required_checks_a_merge_is_made_at_once(hub: SmallHub) -> None:
    hub.repository.protections["main"] = Protection(queue=True)

    enqueue(hub, hub.pull)

    assert hub.pull.merged_at
