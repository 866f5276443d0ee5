"""Branches that take no merge before their checks succeeded."""

from typing import Any

import pytest

from localhub import checks, protections
from localhub.errors import Refused
from localhub.state import Protection, RequiredCheck
from tests.localhub.served import World, serve, small
from tests.localhub.small_hub import SmallHub, commit, small_hub

PROTECTION = "/repos/acme/clock/branches/main/protection"
ASKED = {
    "required_status_checks": {
        "strict": True,
        "contexts": [],
        "checks": [{"context": "ci"}, {"context": "gate", "app_id": 7}],
    },
    "enforce_admins": False,
    "required_pull_request_reviews": None,
    "restrictions": None,
}


@pytest.fixture
def hub(tmp_path: Any) -> SmallHub:
    one = small_hub(tmp_path)
    one.pull.draft = False
    return one


def require(hub: SmallHub, *names: str, **more: Any) -> None:
    required = tuple(RequiredCheck(name) for name in names)
    hub.repository.protections["main"] = Protection(checks=required, **more)


def run(hub: SmallHub, name: str, conclusion: str | None, **more: Any) -> None:
    asked = {"name": name, "head_sha": hub.pull.head_sha, "conclusion": conclusion}
    whole = {**asked, "status": "in_progress", **more}
    checks.create_run(hub.hub, hub.repository, hub.app, whole, actor=hub.app.bot)


def status(hub: SmallHub, context: str, state: str) -> None:
    asked = {"context": context, "state": state}
    sha = hub.pull.head_sha
    checks.set_status(hub.hub, hub.repository, sha, asked, actor=hub.bob)


def refusal(hub: SmallHub) -> tuple[int, str] | None:
    try:
        protections.check(hub.pull, hub.bob)
    except Refused as no:
        return no.status, no.message
    return None


def test_a_check_that_never_came_is_expected(hub: SmallHub) -> None:
    require(hub, "ci")

    assert refusal(hub) == (405, 'Required status check "ci" is expected.')


@pytest.mark.parametrize("conclusion", ["success", "neutral", "skipped"])
def test_these_conclusions_let_a_merge_through(hub: SmallHub, conclusion: str) -> None:
    require(hub, "ci")
    run(hub, "ci", conclusion)

    assert refusal(hub) is None


@pytest.mark.parametrize(
    "conclusion", ["failure", "timed_out", "cancelled", "action_required"]
)
def test_these_conclusions_do_not(hub: SmallHub, conclusion: str) -> None:
    require(hub, "ci")
    run(hub, "ci", conclusion)

    assert refusal(hub) == (405, 'Required status check "ci" is failing.')


def test_a_run_of_a_name_counts_by_its_newest(hub: SmallHub) -> None:
    require(hub, "ci")
    run(hub, "ci", "failure")
    run(hub, "ci", "success")
    assert refusal(hub) is None

    run(hub, "ci", None)
    assert refusal(hub) == (405, 'Required status check "ci" is in progress.')


def test_a_status_and_a_run_of_one_name_are_both_required(hub: SmallHub) -> None:
    require(hub, "ci")
    run(hub, "ci", "success")
    status(hub, "ci", "pending")
    assert refusal(hub) == (405, 'Required status check "ci" is pending.')

    status(hub, "ci", "success")
    assert refusal(hub) is None


def test_a_check_of_the_wrong_app_does_not_count(hub: SmallHub) -> None:
    named = RequiredCheck("ci", app_id=hub.app.id + 1)
    hub.repository.protections["main"] = Protection(checks=(named,))
    run(hub, "ci", "success")
    status(hub, "ci", "success")

    assert refusal(hub) == (405, 'Required status check "ci" is expected.')


def test_many_checks_are_counted(hub: SmallHub) -> None:
    require(hub, "one", "two", "three", "four")
    run(hub, "one", "success")
    assert refusal(hub) == (405, "3 of 4 required status checks are expected.")

    status(hub, "two", "pending")
    run(hub, "three", "failure")
    words = "have not succeeded: 1 expected, 1 pending, and 1 failing."
    assert refusal(hub) == (405, f"3 of 4 required status checks {words}")


def test_what_is_in_progress_is_not_told_apart(hub: SmallHub) -> None:
    require(hub, "one", "two")
    run(hub, "one", None)
    words = "have not succeeded: 1 expected."
    assert refusal(hub) == (405, f"2 of 2 required status checks {words}")

    run(hub, "two", None)
    assert refusal(hub) == (405, "2 of 2 required status checks are in progress.")


def test_a_head_has_to_be_up_to_date_if_asked(hub: SmallHub) -> None:
    main = hub.pull.base_sha
    commit(hub.repository, hub.clock, "More", {"x": "y"}, "main", main)
    require(hub, strict=False)
    assert refusal(hub) is None

    require(hub, strict=True)
    words = "Head branch is out of date. Review and try the merge again."
    assert refusal(hub) == (409, words)


def test_administrators_may_be_let_through(hub: SmallHub) -> None:
    require(hub, "ci", admins=False)
    protections.check(hub.pull, hub.alice)

    require(hub, "ci", admins=True)
    with pytest.raises(Refused):
        protections.check(hub.pull, hub.alice)


async def test_a_merge_is_refused_until_the_checks_succeeded(world: World) -> None:
    opened = await world.pull()
    where = f"/repos/acme/clock/pulls/{opened['number']}/merge"
    asked = {**ASKED, "required_status_checks": {"strict": False, "contexts": ["ci"]}}
    asked["enforce_admins"] = True
    await world.call("PUT", PROTECTION, asked, token="alice-token")

    shut = await world.call("PUT", where)
    good = {"state": "success", "context": "ci"}
    await world.call(
        "POST", f"/repos/acme/clock/statuses/{opened['head']['sha']}", good
    )
    through = await world.call("PUT", where)

    assert shut.status == 405
    assert shut.json["message"] == 'Required status check "ci" is expected.'
    assert through.status == 200
    told = await world.inbox.until("status")
    assert (told.payload["sha"], told.payload["context"]) == (
        opened["head"]["sha"],
        "ci",
    )
    assert [one["name"] for one in told.payload["branches"]] == ["topic"]


async def test_a_protection_is_shown_as_it_was_chosen(world: World) -> None:
    before = await world.call("GET", PROTECTION, token="alice-token")
    put = await world.call("PUT", PROTECTION, ASKED, token="alice-token")
    got = await world.call("GET", PROTECTION, token="alice-token")
    branch = await world.call("GET", "/repos/acme/clock/branches/main")
    gone = await world.call("DELETE", PROTECTION, token="alice-token")

    assert (before.status, before.json["message"]) == (404, "Branch not protected")
    assert put.json == got.json
    shown = got.json["required_status_checks"]
    assert (shown["strict"], shown["contexts"]) == (True, ["ci", "gate"])
    assert shown["checks"] == [
        {"context": "ci", "app_id": None},
        {"context": "gate", "app_id": 7},
    ]
    assert branch.json["protected"]
    assert branch.json["protection"]["required_status_checks"]["enforcement_level"] == (
        "non_admins"
    )
    assert gone.status == 204


@pytest.mark.parametrize(
    ("path", "body", "who", "answered"),
    [
        pytest.param(PROTECTION, ASKED, "bob-token", 403, id="not an administrator"),
        pytest.param(PROTECTION, {}, "alice-token", 422, id="half a request"),
        pytest.param(
            PROTECTION.replace("main", "nothing"),
            ASKED,
            "alice-token",
            404,
            id="no such branch",
        ),
    ],
)
async def test_a_wrong_protection_is_refused(
    world: World, path: str, body: Any, who: str, answered: int
) -> None:
    got = await world.call("PUT", path, body, token=who)

    assert got.status == answered


async def test_a_seed_protects_branches(tmp_path: Any) -> None:
    wanted = {"branch": "main", "checks": ["ci"], "strict": True, "merge_queue": True}
    seeded = small()
    seeded["repositories"][0]["protections"] = [wanted]

    async with serve(tmp_path, repositories=seeded["repositories"]) as world:
        found = world.hub.repositories["acme/clock"].protections["main"]

    assert found == Protection(
        checks=(RequiredCheck("ci"),), strict=True, queue=True, admins=True
    )
