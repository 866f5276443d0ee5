"""Filling a hub from a file, and the command that serves it."""

import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from localhub import Hub, git, seed

SMALL = """
users: [{login: alice, token: t}]
repositories:
  - name: alice/clock
    from: files
    files: {more.txt: more}
    issues: [{title: One, labels: [bug], state: closed}]
apps:
  - slug: vibe
    owner: alice
    private_key_file: keys/app.pem
    webhook_secret_file: keys/secret
    permissions: {issues: write}
installations: [{app: vibe, account: alice}]
projects:
  - owner: alice
    title: Board
    number: 7
    columns: [Todo, Done]
    cards: [{issue: "alice/clock#1", column: Done}, {draft: Note}]
"""


def written(folder: Path) -> Path:
    (folder / "files").mkdir()
    (folder / "files" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "files" / "run.sh").chmod(0o755)
    file = folder / "seed.yml"
    file.write_text(SMALL)
    return file


def test_a_file_fills_a_hub(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "repositories")

    seed.load(hub, written(tmp_path))

    repository = hub.repository("alice/clock")
    assert repository is not None
    tree = git.tree(repository.git_dir, "main")
    assert [(one.path, one.mode) for one in tree] == [
        ("more.txt", "100644"),
        ("run.sh", "100755"),
    ]
    assert hub.project("alice", 7) is not None
    for name in ("app.pem", "secret"):
        assert (tmp_path / "keys" / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        pytest.param({"usres": []}, "usres", id="unknown key"),
        pytest.param({"repositories": [{"name": "x"}]}, "name", id="bad name"),
        pytest.param(
            {"repositories": [{"name": "no/clock"}]}, "no is no account", id="owner"
        ),
        pytest.param(
            {"installations": [{"app": "a", "account": "b"}]}, "a is no App", id="app"
        ),
        pytest.param(
            {
                "users": [{"login": "a"}],
                "projects": [
                    {
                        "owner": "a",
                        "title": "B",
                        "cards": [{"draft": "d", "column": "Nowhere"}],
                    }
                ],
            },
            "Nowhere",
            id="column",
        ),
    ],
)
def test_a_wrong_seed_says_what_is_wrong(
    tmp_path: Path, data: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(seed.SeedRefused, match=complaint):
        seed.apply(Hub(tmp_path), data, tmp_path)


def test_the_command_says_where_it_is_and_stops_when_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "localhub", "--port", "0", "--json", "--seed"]
    with subprocess.Popen(
        [*command, str(written(tmp_path))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        address = urlsplit(ready["api_url"])
        connection = HTTPConnection(address.hostname or "", address.port)
        connection.request("GET", f"{address.path}/meta")
        assert connection.getresponse().status == 200
        connection.close()
        process.terminate()
        assert process.wait(30) == 0


def test_the_command_refuses_a_wrong_seed_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "seed.yml").write_text("users: 3\n")
    done = subprocess.run(
        [sys.executable, "-m", "localhub", "--seed", str(tmp_path / "seed.yml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "users" in done.stderr
