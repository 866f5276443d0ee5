"""No secret that is known, or looks like one, is shown."""

import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibeboard.domain.redact import MARK, Redactor

SECRET = "correct horse/battery+staple"
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 4 + "\n" + "x" * 64
KNOWN = Redactor([SECRET, PEM, "short"])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SECRET, id="as it is"),
        pytest.param(f"a{SECRET}b", id="inside a word"),
        pytest.param(quote(SECRET, safe=""), id="in an address"),
        pytest.param(base64.b64encode(SECRET.encode()).decode(), id="base64"),
        pytest.param(base64.b64encode(f"u:{SECRET}".encode()).decode(), id="later"),
        pytest.param(base64.urlsafe_b64encode(SECRET.encode()).decode(), id="for urls"),
        pytest.param(PEM, id="a key"),
        pytest.param("x" * 64, id="a line of it"),
        pytest.param(json.dumps(PEM), id="in JSON"),
    ],
)
def test_a_secret_of_ours_is_known_in_each_form(text: str) -> None:
    shown = KNOWN.redact(f"so: {text}.")

    assert MARK in shown
    for secret in (SECRET, "battery", "MIIE", "x" * 64):
        assert secret not in shown
        assert base64.b64encode(secret.encode()).decode()[2:10] not in shown


@pytest.mark.parametrize(
    "secret",
    [
        "ghs_" + "a1B2" * 9,
        "ghs_1234_" + "eyJhbGci.eyJpc3Mi.s1g-n_" * 20,
        "ghp_" + "x" * 36,
        "github_pat_11ABCDEFG0123456789_abcdef",
        "sk-ant-api03-" + "aB3-" * 20,
        "sk-proj-" + "Ab1_" * 10,
        "AKIAIOSFODNN7EXAMPLE",
        "AIza" + "Sy-0" * 8 + "abc",
        "xoxb-123456789012-abcdef",
        "npm_" + "a1" * 18,
        "glpat-" + "a1b2c3d4e5f6g7h8i9j0",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(secret: str) -> None:
    assert Redactor().redact(f"KEY={secret} and more") == f"KEY={MARK} and more" or (
        "OPENSSH" in secret and "b3BlbnNz" not in Redactor().redact(secret)
    )


@pytest.mark.parametrize(
    "text",
    [
        "3f2a1bc0123456789abcdef0123456789abcdef0",
        "risk-free-" + "a" * 30,
        "ask-me-about-this-one-long-name-here",
        "uses `sk-` as a prefix, and ghp_short",
        "run r0123456789a of stage develop",
        "short",
    ],
)
def test_what_only_resembles_one_stays(text: str) -> None:
    assert KNOWN.redact(text) == text


@given(st.lists(st.sampled_from([SECRET, "ghp_" + "x" * 36, "a", " ", "[", "]", MARK])))
def test_what_was_redacted_stays_as_it_is(parts: list[str]) -> None:
    once = KNOWN.redact("".join(parts))

    assert KNOWN.redact(once) == once
    assert SECRET not in once
    assert "ghp_x" not in once


@pytest.mark.parametrize(
    "text", ["sk-" * 30_000, "-----BEGIN " * 8_000, "eyJa" * 20_000, "ghs_" * 20_000]
)
def test_a_long_text_takes_no_long_time(text: str) -> None:
    began = time.perf_counter()

    KNOWN.redact(text)

    assert time.perf_counter() - began < 1
