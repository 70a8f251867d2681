from django.apps import AppConfig


class PkiConfig(AppConfig):
    name = "pki"

    def ready(self) -> None:
        from pki import stores  # noqa: F401  lets authorities name the settings' key stores
        from pki.operations import issuance  # noqa: F401  registers what may need a second person
