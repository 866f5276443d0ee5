"""A scripted agent: does what the lines ``do: …`` of its prompt say, in order.

It runs as a program of its own, started by the product like any agent.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

OUT = Path(".vibe/out")


def hand_over(name: str, text: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    OUT.joinpath(name).write_text(text.replace("\\n", "\n"))


def flood(megabytes: int) -> None:
    line = b"x" * 1023 + b"\n"
    for _ in range(megabytes * 1024):
        sys.stdout.buffer.write(line)


def sleep(until: str) -> None:
    """For some seconds, or until a file is there."""
    if not until.startswith("/"):
        time.sleep(float(until))
        return
    while not Path(until).exists():
        time.sleep(0.02)


def look(verb: str, what: str) -> None:
    """Around, or where it has no business."""
    if verb == "environment":
        known = "\n".join(f"{k}={v}" for k, v in os.environ.items())
        hand_over("summary.md", known)
        return
    from urllib.request import Request, urlopen  # noqa: PLC0415 - takes long

    with contextlib.suppress(OSError):
        if verb == "take":
            Path("taken").write_bytes(Path(what).read_bytes())
        elif verb == "ask":  # a model, so many times
            url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
            key = {"x-api-key": os.environ["ANTHROPIC_API_KEY"]}
            body = b'{"model": "claude-sonnet-4-5", "messages": []}'
            for _ in range(int(what)):
                urlopen(Request(url, body, key), timeout=10).read()  # noqa: S310 - http it is
        else:
            urlopen(what, timeout=10)  # noqa: S310 - http it is


def obey(order: str) -> None:
    verb, _, rest = order.partition(" ")
    match verb:
        case "write" | "append":
            name, _, text = rest.partition(" ")
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            with Path(name).open("w" if verb == "write" else "a") as file:
                file.write(text.replace("\\n", "\n") + "\n")
        case "remove":
            Path(rest).unlink()
        case "summary" | "spec":
            hand_over(f"{verb}.md", rest)
        case "claims" | "findings":
            name = "criteria" if verb == "claims" else verb
            hand_over(f"{name}.json", rest)
        case "say":
            sys.stdout.write(rest + "\n")
        case "sleep":
            sys.stdout.flush()
            sleep(rest)
        case "daemon":
            subprocess.Popen(["setsid", "sleep", rest], start_new_session=True)
        case "flood":
            flood(int(rest))
        case "garbage":
            sys.stdout.buffer.write(os.urandom(4096))
        case "exit":
            sys.exit(int(rest))
        case "environment" | "reach" | "take" | "ask":
            look(verb, rest)


def main() -> None:
    prompt = sys.stdin.read()
    Path(os.environ["HOME"]).joinpath("prompt.txt").write_text(prompt)
    for line in prompt.splitlines():
        if line.strip().startswith("do: "):
            obey(line.strip().removeprefix("do: "))


if __name__ == "__main__":
    main()
