from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        from devices.operations import (  # noqa: F401  registers what may need a second person
            activation,
            bulk,
            imports,
            issued,
            issued_life,
            loss,
            pin_resets,
        )
