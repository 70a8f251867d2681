from django.apps import AppConfig


class PkiConfig(AppConfig):
    name = "pki"

    def ready(self) -> None:
        from pki import (  # noqa: F401  lets authorities name the settings' key stores; registers what is sealed
            sealed_columns,
            stores,
        )
        from pki.operations import (  # noqa: F401  registers what takes two people
            policy,
            revocation,
            roll_over,
            signing,
        )
