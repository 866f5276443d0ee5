"""A delivery counts only if it was signed with a secret of ours."""

import hashlib
import hmac

import pytest

from vibeboard.github.signature import verify

# GitHub's published vector: docs.github.com, "Validating webhook deliveries".
SECRET = b"It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_githubs_published_example_is_accepted() -> None:
    assert verify(BODY, SIGNATURE, [SECRET])


def test_either_secret_is_good_while_one_replaces_the_other() -> None:
    assert verify(BODY, SIGNATURE, [b"the new one", SECRET])


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="no signature"),
        pytest.param("", id="an empty one"),
        pytest.param("sha256=", id="only the prefix"),
        pytest.param("sha256=é", id="letters beyond ASCII"),
        pytest.param("sha256=\udc80", id="bytes that are no text"),
        pytest.param("sha256=\ud800", id="half a surrogate pair"),
        pytest.param(SIGNATURE.removeprefix("sha256="), id="no prefix"),
        pytest.param(SIGNATURE[:-1], id="one digit short"),
        pytest.param(SIGNATURE.upper(), id="in capitals"),
        pytest.param(
            "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", id="the old SHA-1"
        ),
    ],
)
def test_another_signature_is_refused_and_never_raises(header: str | None) -> None:
    assert not verify(BODY, header, [SECRET])


def test_a_changed_body_is_refused() -> None:
    assert not verify(BODY + b"!", SIGNATURE, [SECRET])


def test_nothing_is_accepted_without_a_secret() -> None:
    assert not verify(BODY, SIGNATURE, [])


def test_an_empty_secret_counts_as_none() -> None:
    forged = "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()

    assert not verify(BODY, forged, [b""])
