"""What the App asks for, and how it is made."""

from collections.abc import AsyncIterator

import pytest

from tests.github.scripted import Scripted, answer, scripted
from vibeboard.errors import GitHubRefused
from vibeboard.github import translate
from vibeboard.github.manifest import EVENTS, NEEDS, exchange, manifest, missing


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        yield one


def test_we_subscribe_to_what_we_read_and_to_no_more() -> None:
    told_anyway = {"installation", "installation_repositories"}
    read_by_gates = {"check_suite", "merge_group", "status"}

    assert set(EVENTS) == set(translate._READINGS) - told_anyway | read_by_gates


def test_the_manifest_points_at_our_server() -> None:
    made = manifest(name="Vibe", url="https://vibe.acme.org/")

    assert made["hook_attributes"] == {
        "url": "https://vibe.acme.org/webhook",
        "active": True,
    }
    assert made["default_permissions"] == {one.permission: one.access for one in NEEDS}


def test_a_permission_that_is_too_weak_is_missing() -> None:
    granted = {one.permission: one.access for one in NEEDS}

    assert missing(granted) == []
    assert [one.permission for one in missing(granted | {"checks": "read"})] == [
        "checks"
    ]
    assert [one.permission for one in NEEDS if one not in missing({})] == ["actions"]
    assert len(missing({}, fleet=True)) == len(NEEDS)


MADE = {
    "id": 7,
    "slug": "vibe",
    "client_id": "Iv1.x",
    "html_url": "https://github.com/apps/vibe",
    "client_secret": "secret-1",
    "webhook_secret": "secret-2",
    "pem": "secret-3",
}


async def test_a_code_becomes_an_app_whose_secrets_do_not_show(
    script: Scripted,
) -> None:
    script.on("/app-manifests/abc/conversions", answer(MADE, 201))

    app = await exchange(
        "abc",
        api_url=script.url,
        session=script.github._access.session,
        clock=script.clock,
    )

    assert (app.app_id, app.private_key) == (7, "secret-3")
    assert "secret" not in repr(app).replace("_secret", "")
    assert script.asked[0].authorization == ""


async def test_a_code_that_was_used_is_refused(script: Scripted) -> None:
    with pytest.raises(GitHubRefused):
        await exchange(
            "abc",
            api_url=script.url,
            session=script.github._access.session,
            clock=script.clock,
        )
