"""Check runs: one a commit, name and external id, within GitHub's limits.

Annotations can only be added, fifty at a time. So those that GitHub has already
are counted and never sent again, which also mends a batch that got lost. Of many
states of one check run that wait for their turn, only the last is written.
Source: docs.github.com, "Using the REST API to interact with checks".
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from vibeboard.engine.ports import Annotation, CheckRun
from vibeboard.errors import GitHubUnavailable
from vibeboard.github import objects
from vibeboard.github.answers import read
from vibeboard.github.client import Client, Installation
from vibeboard.github.text import cut, in_bytes, one_line
from vibeboard.github.turns import Turn, Turns

Redact = Callable[[str], str]

_LONGEST_TITLE = 255
_LONGEST_TEXT = 65_535
_LONGEST_MESSAGE = 64 * 1024
_BATCH = 50
_RUNS = "/repos/{owner}/{name}/check-runs"


class GitHubChecks:
    """Satisfies the port ``Checks``."""

    def __init__(self, github: Client) -> None:
        self._github = github
        self._putting: Turns[CheckRun, int] = Turns()

    async def put(self, repository: str, check: CheckRun) -> int:
        """Create the check run or bring the one of this name and id up to date."""
        one = (repository, check.head, check.name, check.external_id)
        check = _redacted(check, self._github.redacted)
        return await self._putting.share(one, check, partial(self._put, repository))

    async def _put(self, repository: str, turn: Turn[CheckRun]) -> int:
        installation, names = await self._github.of(repository)
        found = await self._find(installation, names, turn.value)
        check = turn.take()
        wanted = _body(check)
        annotations = [_annotation(one) for one in check.annotations]
        if found is None:
            run = await self._create(installation, names, check, annotations)
            sent = _BATCH
        else:
            run, sent = found.id, found.output.annotations_count
            if found.output.text:
                # What an update leaves out stays as it was.
                wanted["output"].setdefault("text", "")
            if not _shows(found, wanted):
                batch = annotations[sent : sent + _BATCH]
                await _update(installation, names, run, wanted, batch)
                sent += len(batch)
        for start in range(sent, len(annotations), _BATCH):
            batch = annotations[start : start + _BATCH]
            await _update(installation, names, run, wanted, batch)
        return run

    async def _find(
        self, installation: Installation, names: dict[str, str], check: CheckRun
    ) -> objects.CheckRun | None:
        us = (await self._github.identity()).app_id
        answers = installation.getiter(
            "/repos/{owner}/{name}/commits/{head}/check-runs"
            "{?check_name,filter,app_id,per_page}",
            {
                **names,
                "head": check.head,
                "check_name": check.name,
                "filter": "all",
                "app_id": str(us),
                "per_page": "100",
            },
            key="check_runs",
        )
        runs = [read(objects.CheckRun, answer) async for answer in answers]
        ours = [
            run
            for run in runs
            if run.app is not None
            and run.app.id == us
            and (run.name, run.external_id or "") == (check.name, check.external_id)
        ]
        return max(ours, key=lambda run: run.id, default=None)

    async def _create(
        self,
        installation: Installation,
        names: dict[str, str],
        check: CheckRun,
        annotations: list[dict[str, Any]],
    ) -> int:
        wanted = _body(check)
        output = {**wanted["output"], "annotations": annotations[:_BATCH]}
        data = {**wanted, "head_sha": check.head, "output": output}
        try:
            answer = await installation.post(_RUNS, names, data)
        except GitHubUnavailable:
            found = await self._find(installation, names, check)
            if found is None:
                raise
            return found.id
        return read(objects.CheckRun, answer).id


async def _update(
    installation: Installation,
    names: dict[str, str],
    run: int,
    wanted: dict[str, Any],
    annotations: list[dict[str, Any]],
) -> None:
    output = {**wanted["output"], "annotations": annotations}
    await installation.patch(
        f"{_RUNS}/{{run}}",
        {**names, "run": str(run)},
        {**wanted, "output": output},
    )


def _body(check: CheckRun) -> dict[str, Any]:
    title = one_line(check.title, _LONGEST_TITLE) or check.name
    output = {
        "title": title,
        "summary": cut(check.summary, _LONGEST_TEXT, length=in_bytes) or title,
    }
    if check.text:
        output["text"] = cut(check.text, _LONGEST_TEXT, length=in_bytes)
    body: dict[str, Any] = {
        "name": check.name,
        "external_id": check.external_id,
        "status": "in_progress" if check.conclusion is None else "completed",
        "output": output,
    }
    if check.conclusion is not None:
        body["conclusion"] = check.conclusion.value
    if check.details_url is not None:
        body["details_url"] = check.details_url
    if check.buttons is not None:
        body["actions"] = [asdict(button) for button in check.buttons]
    return body


def _shows(run: objects.CheckRun, wanted: Mapping[str, Any]) -> bool:
    """Whether GitHub shows already what is wanted, annotations aside."""
    output = wanted["output"]
    return (
        run.status == wanted["status"]
        and run.conclusion == wanted.get("conclusion")
        and run.details_url == wanted.get("details_url", run.details_url)
        and run.output.title == output["title"]
        and run.output.summary == output["summary"]
        and (run.output.text or "") == output.get("text", "")
    )


def _annotation(annotation: Annotation) -> dict[str, Any]:
    line = max(annotation.line, 1)
    message = cut(annotation.message, _LONGEST_MESSAGE, length=in_bytes)
    body: dict[str, Any] = {
        "path": annotation.path,
        "start_line": line,
        "end_line": line,
        "annotation_level": annotation.level,
        "message": message or annotation.title or "no message",
    }
    if annotation.title:
        body["title"] = one_line(annotation.title, _LONGEST_TITLE)
    if annotation.column is not None:
        body["start_column"] = body["end_column"] = max(annotation.column, 1)
    return body


def _redacted(check: CheckRun, redact: Redact) -> CheckRun:
    """The check run without secrets in anything that a test or an agent said."""
    return replace(
        check,
        title=redact(check.title),
        summary=redact(check.summary),
        text=redact(check.text),
        annotations=tuple(
            replace(one, message=redact(one.message), title=redact(one.title))
            for one in check.annotations
        ),
    )
