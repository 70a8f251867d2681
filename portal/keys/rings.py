"""Which keys the settings name, and which of them count."""

from django.conf import settings

from portal.models import IndexKeys


def note_index_keys(**kwargs: object) -> None:
    """Write down, once, which index key counts. From then on their order in the settings says nothing."""
    if settings.INDEX_KEYS:
        last = index_ring()[-1]
        IndexKeys.objects.get_or_create(pk=1, defaults={"now": last, "next": last})


def sealing_ring() -> list[str]:
    """The ids of the sealing keys: the first seals."""
    return list(settings.SEALING_KEYS)


def index_ring() -> list[str]:
    """The ids of the index keys: the first is the one that shall count."""
    return list(settings.INDEX_KEYS)
