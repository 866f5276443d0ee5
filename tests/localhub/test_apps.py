"""Apps: who they are, what their tokens may, and where their webhooks went."""

import json
import re
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from localhub import keys
from tests.localhub.served import SECRET, World


async def test_an_app_proves_itself_with_a_jwt(world: World) -> None:
    got = await world.call("GET", "/app", token=world.jwt())

    assert (got.status, got.json["slug"]) == (200, "vibe")
    assert got.json["installations_count"] == 1


async def test_the_client_id_is_an_issuer_too(world: World) -> None:
    token = world.jwt(iss=world.app.client_id)

    assert (await world.call("GET", "/app", token=token)).status == 200


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": -1}, id="expired"),
        pytest.param({"exp": 3600}, id="lives too long"),
        pytest.param({"iat": 600}, id="from the future"),
        pytest.param({"exp": "soon"}, id="no number"),
    ],
)
async def test_a_jwt_with_wrong_times_is_refused(
    world: World, claims: dict[str, int | str]
) -> None:
    now = int(time.time())
    from_now = {
        name: now + when if isinstance(when, int) else when
        for name, when in claims.items()
    }
    got = await world.call("GET", "/app", token=world.jwt(**from_now))

    assert got.status == 401


async def test_a_jwt_signed_by_somebody_else_is_refused(world: World) -> None:
    forged = jwt.encode(
        jwt.decode(world.jwt(), options={"verify_signature": False}),
        keys.generate()[0],
        "RS256",
    )

    got = await world.call("GET", "/app", token=forged)

    assert got.status == 401
    assert got.json["message"] == "A JSON web token could not be decoded"


async def test_an_installation_token_is_long_opaque_and_lives_an_hour(
    world: World,
) -> None:
    path = f"/app/installations/{world.installation.id}/access_tokens"
    got = await world.call("POST", path, token=world.jwt())

    token = got.json["token"]
    assert re.fullmatch(r"ghs_[A-Za-z0-9._]{36,}", token)
    assert len(token) > 500
    assert "." in token
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", got.json["expires_at"])

    now = world.hub.clock()
    world.hub.clock = lambda: now + timedelta(minutes=61)
    late = await world.call("GET", "/installation/repositories", token=token)
    assert late.status == 401


async def test_a_token_reaches_only_the_chosen_repositories(world: World) -> None:
    token = await world.token()

    listed = await world.call("GET", "/installation/repositories", token=token)
    hidden = await world.call("GET", "/repos/acme/secret", token=token)

    names = [one["full_name"] for one in listed.json["repositories"]]
    assert (names, hidden.status) == (["acme/clock"], 404)


async def test_a_narrow_token_may_only_what_it_was_given(world: World) -> None:
    token = await world.token(permissions={"issues": "read"})

    read = await world.call("GET", "/repos/acme/clock/issues", token=token)
    write = await world.call(
        "POST", "/repos/acme/clock/issues", {"title": "No"}, token=token
    )

    assert (read.status, write.status) == (200, 403)
    assert write.json["message"] == "Resource not accessible by integration"


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"permissions": {"members": "write"}}, id="permission"),
        pytest.param({"permissions": {"metadata": "write"}}, id="level"),
        pytest.param({"repositories": ["secret"]}, id="repository"),
        pytest.param({"repositories": ["nothing"]}, id="unknown repository"),
    ],
)
async def test_a_token_beyond_the_grant_is_refused(
    world: World, asked: dict[str, object]
) -> None:
    path = f"/app/installations/{world.installation.id}/access_tokens"

    assert (await world.call("POST", path, asked, token=world.jwt())).status == 422


async def test_a_suspended_installation_gets_no_token(world: World) -> None:
    one = f"/app/installations/{world.installation.id}"
    token = await world.token()
    await world.call("PUT", f"{one}/suspended", token=world.jwt())

    new = await world.call("POST", f"{one}/access_tokens", token=world.jwt())
    old = await world.call("GET", "/repos/acme/clock", token=token)

    assert (new.status, old.status) == (403, 403)
    assert (await world.inbox.until("installation.suspend")).payload["sender"]


async def test_a_revoked_token_is_worthless(world: World) -> None:
    token = await world.token()

    assert (
        await world.call("DELETE", "/installation/token", token=token)
    ).status == 204
    assert (await world.call("GET", "/repos/acme/clock", token=token)).status == 401


async def test_an_app_registers_itself_by_manifest(world: World) -> None:
    manifest = {
        "name": "Other App",
        "url": "http://x",
        "redirect_url": "http://127.0.0.1:1/done?a=b",
        "hook_attributes": {"url": world.inbox.url},
        "default_permissions": {"issues": "write"},
        "default_events": ["issues"],
    }
    url = f"{world.hub.url}/organizations/acme/settings/apps/new?state=xyz"
    form = {"manifest": json.dumps(manifest)}
    async with world.session.post(url, data=form, allow_redirects=False) as got:
        assert got.status == 302
        back = parse_qs(urlsplit(got.headers["Location"]).query)
    assert (back["state"], back["a"]) == (["xyz"], ["b"])

    path = f"/app-manifests/{back['code'][0]}/conversions"
    first = await world.call("POST", path, token=None)
    second = await world.call("POST", path, token=None)

    assert (first.status, second.status) == (201, 404)
    assert first.json["pem"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert first.json["slug"] == "other-app"


async def test_the_hook_is_shown_without_its_secret_and_changed(world: World) -> None:
    shown = await world.call("GET", "/app/hook/config", token=world.jwt())
    changed = await world.call(
        "PATCH", "/app/hook/config", {"url": "http://x/y"}, token=world.jwt()
    )

    assert SECRET not in shown.text
    assert changed.json["url"] == "http://x/y"


async def test_a_failed_delivery_is_found_and_sent_again(world: World) -> None:
    world.inbox.status = 500
    await world.call("POST", "/repos/acme/clock/issues", {"title": "One"})
    await world.inbox.until("issues.opened")
    await world.call("POST", "/repos/acme/clock/issues", {"title": "Two"})
    await world.inbox.until("issues.opened", 2)
    world.inbox.status = 200
    await world.call("POST", "/repos/acme/clock/issues/1/comments", {"body": "hi"})
    await world.inbox.until("issue_comment.created")

    query = "/app/hook/deliveries?per_page=1&status=failure"
    first = await world.call("GET", query, token=world.jwt())
    assert [one["status_code"] for one in first.json] == [500]
    following = first.headers["Link"].partition(">")[0][1:]
    second = await world.call(
        "GET", following.removeprefix(world.hub.api_url), token=world.jwt()
    )
    lost = second.json[0]
    assert lost["id"] < first.json[0]["id"]

    again = await world.call(
        "POST", f"/app/hook/deliveries/{lost['id']}/attempts", token=world.jwt()
    )
    came = await world.inbox.until("issues.opened", 3)
    shown = await world.call(
        "GET", f"/app/hook/deliveries/{lost['id']}", token=world.jwt()
    )

    assert (again.status, came.guid) == (202, lost["guid"])
    assert came.payload == shown.json["request"]["payload"]


async def test_a_webhook_carries_githubs_headers(world: World) -> None:
    await world.call("POST", "/repos/acme/clock/issues", {"title": "One"})

    came = await world.inbox.until("issues.opened")

    assert came.headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert came.headers["X-GitHub-Hook-Installation-Target-Type"] == "integration"
    assert came.headers["X-GitHub-Hook-Installation-Target-ID"] == str(world.app.id)
    assert came.payload["installation"]["id"] == world.installation.id
    assert came.payload["organization"]["login"] == "acme"


async def test_an_app_hears_nothing_of_repositories_it_was_not_given(
    world: World,
) -> None:
    hidden = {"title": "Hidden"}
    asked = await world.call(
        "POST", "/repos/acme/secret/issues", hidden, token="alice-token"
    )
    await world.call("POST", "/repos/acme/clock/issues", {"title": "Seen"})

    came = await world.inbox.until("issues.opened")

    assert asked.status == 201
    assert came.payload["issue"]["title"] == "Seen"


def test_a_key_is_written_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "app.pem"

    made = keys.load_or_create(file)

    assert keys.load_or_create(file) == made
    assert file.stat().st_mode & 0o777 == 0o600


async def test_the_api_answers_on_a_host_of_its_own_too(world: World) -> None:
    url = f"{world.hub.url}/repos/acme/clock"
    headers = {"Host": "api.github.localhost", "Authorization": "token bob-token"}

    async with world.session.get(url, headers=headers) as got:
        shown = await got.json()

    assert (got.status, shown["full_name"]) == (200, "acme/clock")
    assert got.headers["X-RateLimit-Limit"] == "5000"
