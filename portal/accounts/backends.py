"""Who may sign in at the portal: active staff, by password. Customers never do."""

from uuid import UUID

from django.contrib.auth.backends import BaseBackend

from portal.accounts.models import User

LONGEST_PASSWORD = 256  # characters; a longer one is wrong, and costs no more than any other


class StaffBackend(BaseBackend):
    """Checks a staff password. An unknown, suspended or customer name takes the same time as a wrong password."""

    def authenticate(  # type: ignore[override]
        self, request: object, username: str | None = None, password: str | None = None
    ) -> User | None:
        if username is None or password is None:
            return None
        user = User.objects.who_signs_in(username)
        if user is None or len(password) > LONGEST_PASSWORD:
            User().set_password("one hash, as for everybody else")
            return None
        return user if user.check_password(password) else None

    def get_user(self, user_id: UUID | str) -> User | None:
        """The person of a session; suspending somebody ends every session of theirs at the next request."""
        return User.objects.staff().select_related("bank").filter(pk=user_id, is_active=True).first()
