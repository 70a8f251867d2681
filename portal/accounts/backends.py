"""Who may sign in at the portal: active staff, by password. Customers never do."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.backends import BaseBackend

from portal.accounts.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest

LONGEST_PASSWORD = 256  # characters; a longer one is wrong, and costs no more than any other


class StaffBackend(BaseBackend):
    """Checks a staff password. An unknown, suspended or customer name takes the same time as a wrong password."""

    def authenticate(  # type: ignore[override]
        self, request: "HttpRequest | None", username: str | None = None, password: str | None = None
    ) -> User | None:
        if username is None or password is None:
            return None
        user = find_staff(username)
        if user is None or len(password) > LONGEST_PASSWORD:
            User().set_password("one hash, as for everybody else")
            return None
        return user if user.check_password(password) else None

    def get_user(self, user_id: UUID | str) -> User | None:
        """The person of a session; suspending somebody ends every session of theirs at the next request."""
        return User.objects.staff().filter(pk=user_id, is_active=True).first()


def find_staff(username: str) -> User | None:
    """The active member of staff with this username."""
    if not username or len(username) > 64 or not username.isprintable():
        return None
    return User.objects.staff().filter(username=username, is_active=True).first()
