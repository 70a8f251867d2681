from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "portal.outbox"
    label = "outbox"

    def ready(self) -> None:
        from portal.outbox import sealed_columns  # noqa: F401  registers what is sealed
