from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    label = "portal"

    def ready(self) -> None:
        from portal import (  # noqa: F401  they register the start-up checks and what is sealed
            checks,
            sealed_columns,
        )
