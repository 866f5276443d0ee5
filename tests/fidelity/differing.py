"""How two servers' answers to the same request differ, and why each may.

A row that covers nothing any more has to go, and a difference without a row is a fault
of one of the two.
"""

import re
from collections.abc import Iterator
from typing import Any

from tests.fidelity.waivers import Waiver

# --- Differences --------------------------------------------------------------------

# Each server makes its own; that they are there and of one type is all they share.
_OWN = re.compile(
    r"(^|_)(id|url|sha|date|at|href|token|reset|remaining|used|limit)$|"
    r"^(html|self|git|documentation_url)$"
)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "list"
        case _:
            return "object"


def differences(theirs: Any, mine: Any, place: str = "") -> Iterator[str]:
    """Tell how two answers differ: by keys, types and values that must be equal."""
    here = place or "/"
    name = place.rpartition("/")[2]
    if _kind(theirs) != _kind(mine):
        yield f"{here}: {_kind(theirs)} there, {_kind(mine)} here"
    elif isinstance(theirs, dict):
        for one in sorted(theirs.keys() | mine.keys()):
            if one not in mine:
                yield f"{place}/{one}: only there"
            elif one not in theirs:
                yield f"{place}/{one}: only here"
            else:
                yield from differences(theirs[one], mine[one], f"{place}/{one}")
    elif isinstance(theirs, list):
        if len(theirs) != len(mine):
            yield f"{here}: {len(theirs)} there, {len(mine)} here"
        for one, other in zip(theirs, mine, strict=False):
            yield from differences(one, other, f"{place}/*")
    elif theirs != mine and not _OWN.search(name):
        yield f"{here}: {theirs!r} there, {mine!r} here"


# --- What may differ ----------------------------------------------------------------

KNOWN = (
    # What only one of the two tells.
    Waiver(
        r": /\S+: only here$",
        "emulate leaves it out. That GitHub has it is proved by its OpenAPI, against "
        "which our answers are held strictly.",
    ),
    Waiver(
        r"^GET /(meta|rate_limit)\b.*: only there$",
        "Services of GitHub that a laptop has not.",
    ),
    Waiver(r"^GET /orgs/acme: .*: only there$", "Details that nobody here reads."),
    Waiver(
        r"/(description|(hooks|issues|members|public_members)_url): only there$",
        "emulate shows an organization's own fields where GitHub shows any account.",
    ),
    Waiver(
        r"/repo/(allow_\w+|delete_branch_on_merge|permissions): only there$",
        "emulate shows a repository's own page where GitHub shows the shorter form.",
    ),
    Waiver(
        r"^GET /\S+/pulls(\?\S+)?: .*: only there$",
        "emulate lists pull requests in full; GitHub's list has the shorter form.",
    ),
    Waiver(
        r"/reviews\S*: \S*/(created|updated)_at: only there$",
        "A review has only the time of its submission.",
    ),
    Waiver(
        r"/git/blobs: /(node_id|size): only there$",
        "GitHub answers a new blob with its sha and address alone.",
    ),
    Waiver(
        r"/check_suite/\w+: only there$",
        "GitHub shows of a run's suite its id alone.",
    ),
    Waiver(
        r"/branches: \S+/protection_url: only there$",
        "Only protected branches have it in GitHub's list.",
    ),
    Waiver(
        r"/in_reply_to_id: only there$",
        "GitHub gives it to replies only, emulate gives null to all.",
    ),
    # Statuses.
    Waiver(
        r"^GET /user \(wrong\): 200 there, 401 here$",
        "emulate takes any token for somebody's.",
    ),
    Waiver(
        r"/carol/permission: 404 there, 200 here$",
        "Everybody may read a public repository, and GitHub says so.",
    ),
    Waiver(
        r"/assignees: 200 there, 201 here$",
        "GitHub answers 201, as its OpenAPI says.",
    ),
    Waiver(
        r"/reviews: 201 there, 200 here$",
        "GitHub answers 200 to a review, as its OpenAPI says.",
    ),
    Waiver(
        r"/merge: 422 there, 405 here$",
        "GitHub answers 405 to what cannot be merged.",
    ),
    Waiver(
        r"^POST /\S+/pulls: 201 there, 422 here$",
        "emulate opens a second pull request from a branch, and one from no branch.",
    ),
    Waiver(
        r"^POST /\S+/check-runs: 201 there, 403 here$",
        "Only Apps may write check runs.",
    ),
    Waiver(
        r"^PATCH /\S+/check-runs/\S+ \(installation\): 200 there, 422 here$",
        "GitHub takes 50 annotations at once, emulate any number.",
    ),
    Waiver(
        r"^POST /\S+/comments: 201 there, 422 here$",
        "GitHub takes 65,536 characters, emulate any number.",
    ),
    # Words.
    Waiver(
        r": /message: 'Validation failed' there, 'Validation Failed' here$",
        "GitHub writes both words large.",
    ),
    Waiver(
        r": /message: 'Forbidden' there, 'Resource not accessible by integration'",
        "GitHub's words for what an installation may not.",
    ),
    Waiver(
        r": /message: 'Not Found' there, 'nobody is not a user' here$",
        "GitHub's words for a permission of somebody who does not exist.",
    ),
    Waiver(
        r": /message: 'Update is not a fast-forward' there, .* fast forward' here$",
        "GitHub writes it without the hyphen.",
    ),
    Waiver(
        r": /message: .* already exists\.' there, .*Invalid request\.",
        "GitHub's words for a file that is overwritten unseen.",
    ),
    # Git.
    Waiver(
        r"/(author|committer)/(name|email): '\S+' there, '\S+' here$",
        "Who makes a seed's first commit is each one's own choice; Apps commit as "
        "their bot, whose address has the account's id and not the App's.",
    ),
    Waiver(
        r"/(author|committer): null there, object here$",
        "The author of our seed's first commit is a known person.",
    ),
    Waiver(
        r"/verification/(verified|reason|signature|payload|verified_at): ",
        "GitHub signs what an App commits by API.",
    ),
    Waiver(
        r"/content: '(\w|=)+' there, '(\w|=)+\\n' here$",
        "GitHub breaks base64 into lines, each ended.",
    ),
    Waiver(
        r"/git/trees: /tree/\*/(path|size): ",
        "Git sorts a tree; emulate leaves new entries in front.",
    ),
    Waiver(
        r"/patch: '@@ -0,0 \+1,1 @@.* there, '@@ -0,0 \+1 @@",
        "Git leaves out a length of one.",
    ),
    # Pull requests.
    Waiver(
        r"/pulls\S*( \(installation\))?: \S*/(additions|changed_files): 0 there, 1 ",
        "emulate does not see what a new pull request changes.",
    ),
    Waiver(
        r"/pulls/2/files: /: 0 there, 1 here$",
        "emulate does not see what a new pull request changes.",
    ),
    Waiver(
        r"/pulls\S*( \(installation\))?: \S*/commits: 4 there, 3 here$",
        "emulate counts the base's own commit.",
    ),
    Waiver(
        r"/pulls/2/commits: /(\*/(commit/message|parents))?: ",
        "emulate lists the base's own commit, too.",
    ),
    Waiver(
        r"/maintainer_can_modify: True there, False here$",
        "It is for forks; GitHub has false for a branch of the same repository.",
    ),
    Waiver(
        r"/mergeable_state: 'clean' there, 'draft' here$",
        "A draft is in the state draft.",
    ),
    Waiver(
        r"/((original_)?position|pull_request_review_id): null there, number here$",
        "emulate knows neither the place in the diff nor the review of a remark.",
    ),
    Waiver(
        r"/diff_hunk: '' there, '@@",
        "emulate does not keep the lines that a remark is about.",
    ),
    # Checks and Apps.
    Waiver(
        r": \S*/(app|owner|performed_via_github_app): null there, object here$",
        "emulate forgets which App it was, and whose.",
    ),
    Waiver(
        r"/pull_requests: 0 there, 1 here$",
        "emulate does not connect checks with pull requests.",
    ),
    Waiver(
        r": \S*/(started_at|details_url): null there, string here$",
        "GitHub fills in the time, and a link to the App's own address.",
    ),
    Waiver(
        r"/check-runs/\S+/annotations: /: object there, list here$",
        "GitHub answers the bare list.",
    ),
    Waiver(
        r"/check-suites\S*: \S*/(before|after): ",
        "emulate takes the base for the commit before, and no other.",
    ),
    Waiver(
        r"/check-runs/\S+ \(installation\): /: null there, object here$",
        "GitHub answers an empty object.",
    ),
    # Seeds.
    Waiver(
        r": \S*/(has_wiki|size): (True|1) there, (False|0) here$",
        "We have no wikis and count no kilobytes.",
    ),
    Waiver(
        r"^GET /orgs/acme: /(name|description): null there, string here$",
        "Ours has a name and an empty description from the start.",
    ),
    Waiver(
        r"^GET /meta \(nobody\): /(api|git|hooks|web)(/\*)?: ",
        "We also answer where IPv6 is spoken.",
    ),
    Waiver(
        r"^GET /meta \(nobody\): /verifiable_password_authentication: ",
        "Nobody has a password here.",
    ),
)
