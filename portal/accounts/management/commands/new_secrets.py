"""Prints fresh values for every secret setting. Runs without any of them."""

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.demo_secrets import new_secret


class Command(BaseCommand):
    help = "Print fresh values for every secret setting, one NAME=value a line. Nothing is kept."
    requires_system_checks = ()

    def handle(self, *args: object, **options: object) -> None:
        for name in settings.SECRET_NAMES:
            self.stdout.write(f"{name}={new_secret(name)}")
