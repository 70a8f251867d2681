from django.apps import AppConfig


class MerchantsConfig(AppConfig):
    name = "merchants"

    def ready(self) -> None:
        from merchants import sealed_columns  # noqa: F401  registers what is sealed
        from merchants.operations import merchants  # noqa: F401  registers what may need a second person
        from merchants.operations.following import number_changed
        from portal.accounts.operations.people import on_number_changed

        on_number_changed("merchants", number_changed)
