"""The front page, the webhook deliveries, and the choice of whom to act as."""

from aiohttp import web

from localhub.errors import not_found
from localhub.pages.site import ACTING, Site, fields, see_other
from localhub.webhooks import COURIER

_SHOWN = 200


class HomePages:
    """Handlers of what belongs to the hub as a whole."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._hub = site.hub

    def routes(self) -> list[web.RouteDef]:
        """List the hub's own addresses."""
        seen, form = self._site.seen, self._site.form
        deliveries = "/_localhub/deliveries"
        return [
            web.get("/", seen(self.home)),
            web.get(deliveries, seen(self.deliveries)),
            web.post(deliveries + r"/{delivery:\d+}/redeliver", form(self.redeliver)),
            web.post("/_localhub/acting", form(self.act_as)),
        ]

    async def home(self, request: web.Request) -> web.StreamResponse:
        """Show what there is."""
        return self._site.page(
            request,
            "home.html",
            api_url=self._hub.api_url,
            repositories=list(self._hub.repositories.values()),
            accounts=list(self._hub.users.values()),
        )

    async def act_as(self, request: web.Request) -> web.StreamResponse:
        """Act as somebody else from now on."""
        form = await fields(request)
        person = self._hub.user(form.get("login", ""))
        if person is None or person not in self._site.people():
            raise not_found()
        answer = see_other(form.get("back", "/"))
        answer.set_cookie(ACTING, person.login, httponly=True, samesite="Lax")
        return answer

    async def deliveries(self, request: web.Request) -> web.StreamResponse:
        """List the newest webhook deliveries."""
        newest = list(reversed(self._hub.deliveries))[:_SHOWN]
        return self._site.page(request, "deliveries.html", deliveries=newest)

    async def redeliver(self, request: web.Request) -> web.StreamResponse:
        """Deliver the same payload again, with the same GUID."""
        number = int(request.match_info["delivery"])
        found = (one for one in self._hub.deliveries if one.id == number)
        delivery = next(found, None)
        if delivery is None:
            raise not_found()
        request.config_dict[COURIER].redeliver(delivery)
        return see_other("/_localhub/deliveries")
