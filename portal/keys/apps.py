from django.apps import AppConfig
from django.db.models.signals import post_migrate


class KeysConfig(AppConfig):
    name = "portal.keys"
    label = "keys"

    def ready(self) -> None:
        from portal.keys.rings import note_index_keys

        post_migrate.connect(note_index_keys, sender=self)
