"""Addresses that belong to a dialect and where nothing is."""

from django.http import HttpRequest, HttpResponse

from portal.api.auth import count_stray
from portal.api.base import DialectView
from portal.api.errors import DoorError


class UnknownView(DialectView):
    """404 in the dialect's form, whatever the method and whoever asks."""

    schema = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        self.http, self.args, self.kwargs = request, args, kwargs
        try:
            count_stray(request, self.dialect)
        except Exception as error:  # noqa: BLE001  as in every view
            return self.handle_exception(error)
        return self.handle_exception(DoorError(404))
