from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        from devices import sealed_columns  # noqa: F401  registers what is sealed
        from devices.operations import (  # noqa: F401  they register what may need a second person
            activation,
            bulk,
            imports,
            issued,
            issued_life,
            loss,
            pin_resets,
            pushes,
        )
        from portal.outbox.models import MessageKind
        from portal.outbox.recipients import on_gone

        on_gone(MessageKind.PUSH, pushes.forget_recipient)
