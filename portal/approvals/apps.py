from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "portal.approvals"
    label = "approvals"

    def ready(self) -> None:
        from portal.approvals import (  # noqa: F401  they register its own operation and what is sealed
            policy,
            sealed_columns,
        )
