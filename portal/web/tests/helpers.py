"""Browsers that are signed in, for tests of pages that want it. The sign-in itself has tests of its own."""

from django.contrib.auth import SESSION_KEY
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY

from portal.accounts.models import TotpAuthenticator, User
from portal.web.half import BACKEND


def signed_in_client(user: User, *, second_factor: bool = True, **options: bool) -> Client:
    """A browser in which a member of staff is signed in, with the second factor proved unless told otherwise."""
    client = Client(**options)
    client.force_login(user, backend=BACKEND)
    authenticator, _ = TotpAuthenticator.objects.get_or_create(user=user, defaults={"name": "app", "confirmed": True})
    if second_factor:
        session = client.session
        assert SESSION_KEY in session
        session[DEVICE_ID_SESSION_KEY] = authenticator.persistent_id
        session.save()
    return client
