"""Banks (the tenants) and the people of a bank: staff and customers in one model."""

from typing import ClassVar, Self
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q

from portal.accounts.roles import Role, capabilities_of
from portal.core import ids
from portal.core.actor import Actor
from portal.core.errors import NotFound


class BankQuerySet(models.QuerySet["Bank"]):
    def visible_to(self, actor: Actor) -> Self:
        """The actor's own bank; every bank for a system actor of none."""
        return self if actor.is_system and actor.bank_id is None else self.filter(pk=actor.bank_id)


class Bank(models.Model):
    """A tenant. Everything domain-side belongs to exactly one bank."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    code = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BankQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class UserKind(models.TextChoices):
    STAFF = "staff"  # signs in to the portal
    CUSTOMER = "customer"  # never enters the portal; owns devices


class UserQuerySet(models.QuerySet["User"]):
    def visible_to(self, actor: Actor) -> Self:
        """The people of the actor's bank; a customer sees only themselves, a merchant nobody."""
        if actor.is_system:
            return self if actor.bank_id is None else self.filter(bank_id=actor.bank_id)
        if actor.is_customer:
            return self.filter(pk=actor.user_id)
        if actor.is_staff or actor.is_bank:
            return self.filter(bank_id=actor.bank_id)
        return self.none()

    def customers(self) -> Self:
        return self.filter(kind=UserKind.CUSTOMER)

    def staff(self) -> Self:
        return self.filter(kind=UserKind.STAFF)

    def who_signs_in(self, username: str) -> "User | None":
        """The active member of staff with this username."""
        if not username or len(username) > 64 or not username.isprintable():
            return None
        return self.staff().filter(username=username, is_active=True).first()

    def named(self, text: str) -> "User":
        """The customer whom `USR_…` or the bank's own customer number names. Raises NotFound."""
        try:
            wanted = Q(pk=ids.read("USR", text))
        except ValueError:
            wanted = Q(customer_number=text)
        user = self.customers().filter(wanted).first()
        if user is None:
            raise NotFound("There is no such customer.")
        return user


UserManager = BaseUserManager.from_queryset(UserQuerySet)


class User(AbstractBaseUser):
    """A member of staff or a customer of one bank. Contact data is sealed; the name and number are not."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    kind = models.CharField(max_length=10, choices=UserKind)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="users")
    username = models.CharField(max_length=64, unique=True, null=True, blank=True)  # customers have none
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=20, choices=Role, blank=True)
    customer_number = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  staff have none
    phone_sealed = models.TextField(blank=True)
    email_sealed = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)
    is_superuser = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="user_kind_known", condition=Q(kind__in=UserKind.values)),
            models.CheckConstraint(
                name="user_staff_has_username_and_role",
                condition=~Q(kind=UserKind.STAFF)
                | Q(username__isnull=False, role__in=Role.values, customer_number__isnull=True),
            ),
            models.CheckConstraint(
                name="user_customer_has_number",
                condition=~Q(kind=UserKind.CUSTOMER)
                | Q(customer_number__isnull=False, username__isnull=True, role="", is_superuser=False),
            ),
            models.UniqueConstraint(
                fields=["bank", "customer_number"],
                name="user_customer_number_unique_in_bank",
                condition=Q(customer_number__isnull=False),
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["bank", "-created_at", "-id"], name="user_customers", condition=Q(kind=UserKind.CUSTOMER)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """`USR_…`, the id that callers see."""
        return ids.spell("USR", self.pk)

    @property
    def is_staff(self) -> bool:
        return self.kind == UserKind.STAFF

    @property
    def capabilities(self) -> frozenset[str]:
        """What this person's role allows. A superuser has no business right beyond the role."""
        return capabilities_of(self.role) if self.is_active and self.is_staff else frozenset()

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django's admin asks this. Rights come from capabilities, which each admin class names itself."""
        return False

    def has_module_perms(self, app_label: str) -> bool:
        return False

    @staticmethod
    def id_from(text: str) -> UUID | None:
        """The id in `USR_…`, or None."""
        try:
            return ids.read("USR", text)
        except ValueError:
            return None
