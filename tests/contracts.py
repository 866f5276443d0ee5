"""GitHub's published contracts: fetched from npm once, verified, kept in `.cache`.

Nobody here wrote them, which is what makes them worth testing against. Without npm a
test that asks for one is skipped with the reason; `VIBEBOARD_REFUSE_SKIPS=1` (CI) turns
that skip into a failure.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from graphql import GraphQLSchema, build_schema

CACHE = Path(__file__).parents[1] / ".cache" / "contracts"
# Python 3.11.2, as Debian has it, does not know filters yet.
_SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@dataclass(frozen=True)
class Contract:
    """One file of one published npm package, with the tarball's integrity."""

    package: str
    version: str
    member: str
    sha512: str

    @property
    def cached(self) -> Path:
        name = self.package.removeprefix("@").replace("/", "-")
        return CACHE / f"{name}-{self.version}" / Path(self.member).name


@dataclass(frozen=True)
class Program:
    """A whole published npm package, with the tarball's integrity."""

    package: str
    version: str
    sha512: str


GRAPHQL_SCHEMA = Contract(
    "@octokit/graphql-schema",
    "15.26.1",
    "package/schema.graphql",
    "RFDC2MpRBd4AxSRvUeBIVeBU7ojN/SxDfALUd7iVYOSeEK3gZaqR2MGOysj4Zh2xj2RY5fQAUT+Oqq7hWTraMA==",
)
OPENAPI = Contract(
    "@octokit/openapi",
    "23.0.2",
    "package/generated/api.github.com.json",
    "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
)
OPENAPI_WEBHOOKS = Contract(
    "@octokit/openapi-webhooks",
    "12.1.0",
    "package/generated/api.github.com.json",
    "Z5eDsLCUNbx1zHpZb1LNQirADqdMTvWJQ/deahi0ws+tWWnwHXB+Pr4jfmM9OrETS9Y5iW8ZRu1fdbudObhLrg==",
)
WEBHOOK_EXAMPLES = Contract(
    "@octokit/webhooks-examples",
    "7.6.1",
    "package/api.github.com/index.json",
    "De6U3XB6O3DtCa7bKgCMzTHdeopqqZ6SNivMYJnK65ierKL1AnNIA0tkRYCRS7lwGT792d+Ps1WbfHlso6MynQ==",
)


def _missing(reason: str) -> NoReturn:
    if os.environ.get("VIBEBOARD_REFUSE_SKIPS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _verify(tarball: Path, contract: Contract | Program) -> None:
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    if base64.b64encode(digest).decode() != contract.sha512:
        pytest.fail(
            f"{contract.package}@{contract.version} is not the tarball we pinned"
        )


def _extract(tarball: Path, contract: Contract) -> None:
    # Written under another name first: two test processes may fetch at once.
    target = contract.cached
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(contract.member)
        assert member is not None
        partial = target.with_suffix(f".{os.getpid()}.part")
        with partial.open("wb") as file:
            shutil.copyfileobj(member, file)
    partial.replace(target)


@contextmanager
def _tarball(wanted: Contract | Program) -> Iterator[Path]:
    """Fetch a package and prove that it is the pinned one."""
    npm = shutil.which("npm")
    if npm is None:
        _missing("npm is missing: install Node.js to run this")
    spec = f"{wanted.package}@{wanted.version}"
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            [npm, "pack", spec, "--silent", "--pack-destination", folder],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        if packed.returncode:
            _missing(f"npm could not fetch {spec}: {packed.stderr.strip()}")
        tarball = next(Path(folder).glob("*.tgz"))
        _verify(tarball, wanted)
        yield tarball


def path(contract: Contract) -> Path:
    """Give the contract's file, fetching it the first time."""
    if not contract.cached.exists():
        with _tarball(contract) as tarball:
            _extract(tarball, contract)
    return contract.cached


def installed(*programs: Program) -> Path:
    """Give a `node_modules` with these packages; the first one names it.

    Nothing is resolved: what a package needs is named and pinned, too.
    """
    first = programs[0]
    target = CACHE / f"{first.package}-{first.version}" / "node_modules"
    for program in programs:
        place = target / program.package
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)  # "@scope" is a folder, too
        with (
            _tarball(program) as tarball,
            tempfile.TemporaryDirectory(dir=target) as at,
        ):
            with tarfile.open(tarball) as archive:
                archive.extractall(at, **_SAFELY)  # noqa: S202 - its hash is known
            with suppress(OSError):  # another test process was faster
                (Path(at) / "package").rename(place)
    return target


@cache
def document(contract: Contract) -> Any:
    """Read a JSON contract, once a process."""
    return json.loads(path(contract).read_bytes())


@cache
def published_schema() -> GraphQLSchema:
    """Build GitHub's published GraphQL schema, once a process."""
    # The published file defines two fields twice, so only its syntax is checked.
    text = path(GRAPHQL_SCHEMA).read_text()
    return build_schema(text, assume_valid=True, assume_valid_sdl=True)
