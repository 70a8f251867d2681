from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        from devices.operations import activation  # noqa: F401  registers what may need a second person
