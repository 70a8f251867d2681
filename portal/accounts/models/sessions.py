"""A member of staff's sign-in at the portal."""

import hashlib
from datetime import timedelta
from typing import ClassVar, Self
from uuid import UUID

from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models

from portal.accounts.models.people import User
from portal.core import clock

IDLE = timedelta(minutes=30)


def session_digest(session_key: str) -> str:
    """The name under which the database knows the session with this cookie."""
    return hashlib.sha256(session_key.encode("utf-8", "surrogatepass")).hexdigest()


class PortalSessionQuerySet(models.QuerySet["PortalSession"]):
    def live(self) -> Self:
        """Sessions that a cookie can still open: begun less than 8 hours ago, used in the last 30 minutes."""
        now = clock.now()
        return self.filter(expire_date__gt=now, last_seen_at__gt=now - IDLE)

    def over(self) -> Self:
        """All others."""
        now = clock.now()
        return self.filter(models.Q(expire_date__lte=now) | models.Q(last_seen_at__lte=now - IDLE))

    def of_person(self, user_id: UUID | None) -> Self:
        """One person's; nobody's for None."""
        return self.none() if user_id is None else self.filter(user_id=user_id)

    def with_key(self, session_key: str | None) -> Self:
        """The one that this cookie opens."""
        return self.filter(pk=session_digest(session_key or ""))


PortalSessionManager = BaseSessionManager.from_queryset(PortalSessionQuerySet)


class PortalSession(AbstractBaseSession):
    """A browser's session. The key column holds a digest: the cookie's value is nowhere in the database.

    user: set at sign-in, so that a person can see and end their own sessions.
    """

    session_key = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="portal_sessions")
    created_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(auto_now_add=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)

    objects = PortalSessionManager()  # type: ignore[misc]

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "-last_seen_at"], name="session_by_user")]

    @classmethod
    def get_session_store_class(cls) -> type:
        from portal.accounts.sessions import SessionStore

        return SessionStore
