"""What the rows of this app are looked up by: the id that callers see, and whose device they are about."""

from typing import ClassVar, Self
from uuid import UUID

from django.db import models

from portal.core import ids
from portal.core.actor import Actor


class NamedQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows that callers know by `PREFIX_…`."""

    prefix: ClassVar[str]

    def named(self, text: str) -> Self:
        """The row that a text names; no query for a text that names none."""
        key = self.id_from(text)
        return self.filter(pk=key) if key else self.none()

    @classmethod
    def id_from(cls, text: str) -> UUID | None:
        """The id in `PREFIX_…`, else None."""
        try:
            return ids.read(cls.prefix, text)
        except ValueError:
            return None


class OfDeviceQuerySet[M: models.Model](NamedQuerySet[M]):
    """Rows about one device of one bank."""

    def visible_to(self, actor: Actor) -> Self:
        """A customer's own devices', all of the bank for its staff and server."""
        if actor.is_system:
            return self if actor.bank_id is None else self.filter(bank_id=actor.bank_id)
        if actor.is_customer:
            return self.filter(bank_id=actor.bank_id, device__owner_id=actor.user_id)
        return self.filter(bank_id=actor.bank_id) if actor.is_staff or actor.is_bank else self.none()
