"""Sessions of the portal (Django's SESSION_ENGINE).

The database knows a session by the SHA-256 of its cookie, so a copy of the table opens nothing. A session ends
after 30 minutes without a request and 8 hours after it began, whatever happens (ASVS 5.0, 7.3).
"""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from portal.accounts.models import PortalSession, User, session_digest
from portal.core import clock
from portal.requests import client_ip

SEEN_EVERY = timedelta(minutes=1)


class SessionStore(DatabaseStore):
    """One browser's session. `ip` and `user_agent` are kept when it begins, for its owner's list of sessions."""

    def __init__(self, session_key: str | None = None, *, ip: str = "", user_agent: str = "") -> None:
        super().__init__(session_key)
        self.ip = ip
        self.user_agent = user_agent

    @classmethod
    def get_model_class(cls) -> type[PortalSession]:
        return PortalSession

    def _get_session_from_db(self) -> PortalSession | None:
        now = clock.now()
        row = PortalSession.objects.live().with_key(self.session_key).first()
        if row is None:
            self._session_key = None
        elif row.last_seen_at <= now - SEEN_EVERY:
            with transaction.atomic():  # one of several requests at the same time writes it
                seen = PortalSession.objects.filter(pk=row.pk, last_seen_at=row.last_seen_at)
                seen.update(last_seen_at=now, ip=self.ip or row.ip)
        return row

    def exists(self, session_key: str) -> bool:
        return PortalSession.objects.with_key(session_key).exists()

    def save(self, must_create: bool = False) -> None:
        """Keep the data. A session that was ended meanwhile stays ended: UpdateError.

        When it ends was set when it began; nothing that happens in it moves that.
        """
        if self.session_key is None:
            self.create()
            return
        data: dict[str, object] = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        columns = {"session_data": self.encode(data), "user_id": _user_id(data)}
        digest = session_digest(self.session_key)
        if must_create:
            self._insert(digest, columns)
            return
        with transaction.atomic():
            changed = PortalSession.objects.filter(pk=digest).update(**columns)
        if not changed:
            raise UpdateError

    def _insert(self, digest: str, columns: dict[str, object]) -> None:
        row = PortalSession(
            session_key=digest,
            expire_date=clock.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE),
            ip=self.ip or None,
            user_agent="".join(filter(str.isprintable, self.user_agent))[:200],
            **columns,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            if not PortalSession.objects.filter(pk=digest).exists():
                raise
            raise CreateError from None

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            PortalSession.objects.with_key(key).delete()

    @classmethod
    def clear_expired(cls) -> None:
        PortalSession.objects.over().delete()


class NoSession(SessionStore):
    """What the API's doors get instead: always empty, never read, never saved."""

    def __init__(self) -> None:
        super().__init__(None)


class PortalSessionMiddleware(SessionMiddleware):
    """Gives the portal's pages their session, and everything else none: a cookie opens no API.

    No answer to a path with sessions is kept by any cache, redirects and refusals too: it is about one person at
    one moment.
    """

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(settings.WITHOUT_SESSION):
            request.session = NoSession()
            return
        request.session = SessionStore(
            request.COOKIES.get(settings.SESSION_COOKIE_NAME),
            ip=client_ip(request),
            user_agent=request.headers.get("User-Agent", ""),
        )

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if isinstance(getattr(request, "session", None), NoSession):
            return response
        response["Cache-Control"] = "no-store"
        return super().process_response(request, response)


def _user_id(data: dict[str, object]) -> object:
    """The person in a session's data, as Django's `login` wrote it."""
    signed_in = data.get(SESSION_KEY)
    return None if signed_in is None else User._meta.pk.to_python(signed_in)
