"""The pages a person looks at and clicks: boards, issues, pull requests, jobs, files.

Plain forms on the same operations as the APIs; nothing is loaded from elsewhere.
"""

from aiohttp import web

from localhub.pages.actions import ActionPages
from localhub.pages.board import BoardPages
from localhub.pages.code import CodePages
from localhub.pages.conversation import ConversationPages
from localhub.pages.home import HomePages
from localhub.pages.pull import PullPages
from localhub.pages.site import STATIC, Site
from localhub.state import Hub


def routes(hub: Hub) -> list[web.AbstractRouteDef]:
    """List all pages of a hub."""
    site = Site(hub)
    return [
        web.static("/_localhub/static", STATIC),
        *HomePages(site).routes(),
        *BoardPages(site).routes(),
        *PullPages(site).routes(),
        *ConversationPages(site).routes(),
        *ActionPages(site).routes(),
        *CodePages(site).routes(),
    ]
