from django.apps import AppConfig


class TwofaConfig(AppConfig):
    name = "twofa"

    def ready(self) -> None:
        from twofa import sealed_columns  # noqa: F401  registers what is sealed
        from twofa.operations import (  # noqa: F401  registers what may need a second person
            clients,
            enrolment_policy,
            identity_providers,
            provider_secrets,
            recovery,
        )
