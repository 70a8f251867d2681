"""The names of everything the audit log can say: `subject.verb`, in one place."""

from django.db import models


class Outcome(models.TextChoices):
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"


class Event(models.TextChoices):
    DEVICE_REGISTERED = "device.registered", "Device registered"
    DEVICE_UPDATED = "device.updated", "Device updated"
    DEVICE_ACTIVATED = "device.activated", "Device activated"
    DEVICE_DEACTIVATED = "device.deactivated", "Device deactivated"
    DEVICE_BLOCKED = "device.blocked", "Device blocked"
    DEVICE_UNBLOCKED = "device.unblocked", "Device unblocked"
    DEVICE_UNREGISTERED = "device.unregistered", "Device unregistered"
    DEVICE_CORRECTED = "device.corrected", "Device data corrected"
    DEVICE_KEY_ENROLLED = "device.key-enrolled", "Device key enrolled"
    DEVICE_ISSUED = "device.issued", "Device issued"

    CUSTOMER_CREATED = "customer.created", "Customer created"
    CUSTOMER_CORRECTED = "customer.corrected", "Customer data corrected"
    STAFF_CREATED = "staff.created", "Member of staff created"
    BANK_CREATED = "bank.created", "Bank created"
    CLIENT_CREATED = "client.created", "API client created"
    CLIENT_SUSPENDED = "client.suspended", "API client suspended"
    CLIENT_RESUMED = "client.resumed", "API client let in again"
    PERSON_SUSPENDED = "person.suspended", "Person suspended"
    PERSON_RESUMED = "person.resumed", "Person let in again"

    SIGN_IN_SUCCEEDED = "sign-in.succeeded", "Signed in"
    SIGN_IN_REFUSED = "sign-in.refused", "Sign-in refused"
    SESSION_ENDED = "session.ended", "Session ended"
    SECOND_FACTOR_ENROLLED = "second-factor.enrolled", "Second factor enrolled"
    SECOND_FACTOR_REFUSED = "second-factor.refused", "Second factor refused"
    BACKUP_CODES_RENEWED = "backup-codes.renewed", "Backup codes renewed"
    BACKUP_CODE_USED = "backup-code.used", "Backup code used"

    TOKEN_ISSUED = "token.issued", "Access token issued"
    TOKEN_REVOKED = "token.revoked", "Access token revoked"
    TOKEN_REFUSED = "token.refused", "Access token refused"
    REQUEST_REFUSED = "request.refused", "Request refused"
