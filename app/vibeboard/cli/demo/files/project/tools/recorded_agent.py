"""Plays back what an agent once did for an issue of this repository.

No model is called. The prompt comes on standard input, as it would to a real
agent; the recording is chosen by the issue's title and the kind of result asked.
"""

import json
import os
import sys
import time
from pathlib import Path

OUT = Path(".vibe/out")


def choose(prompt: str) -> dict | None:
    kind = "issue" if ".vibe/out/spec.md" in prompt else "branch"
    for path in sorted(Path(__file__).with_name("recordings").glob("*.json")):
        recording = json.loads(path.read_text())
        if recording["title"] in prompt and recording["kind"] == kind:
            return recording
    return None


def main() -> int:
    prompt = sys.stdin.read()
    print("This is a recorded agent: no model is called.", flush=True)
    recording = choose(prompt)
    if recording is None:
        print(
            "There is no recording for this issue. Configure a real agent in "
            ".vibe.yml (cli: claude-code) to have it done.",
            file=sys.stderr,
        )
        return 1
    pace = float(os.environ.get("RECORDED_AGENT_PACE", "0.3"))
    for step in recording["steps"]:
        print(step["say"], flush=True)
        time.sleep(pace)
        for name, lines in step.get("write", {}).items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
    OUT.mkdir(parents=True, exist_ok=True)
    note = "\n\n_Played back from a recording; no model was called._\n"
    OUT.joinpath("summary.md").write_text("\n".join(recording["summary"]) + note)
    if recording["kind"] == "issue":
        OUT.joinpath("spec.md").write_text("\n".join(recording["spec"]) + note)
    return 0


if __name__ == "__main__":
    sys.exit(main())
