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
    DEVICE_DELIVERED = "device.delivered", "Device delivered"
    DEVICE_REPLACED = "device.replaced", "Device replaced"
    DEVICE_LOST = "device.lost", "Device reported lost"
    DEVICE_FOUND = "device.found", "Loss report undone"
    DEVICE_IMPORT_STARTED = "device-import.started", "Import of issued devices started"
    DEVICE_IMPORT_ENDED = "device-import.ended", "Import of issued devices ended"
    FINGERPRINT_RECORDED = "fingerprint.recorded", "Fingerprint recorded"

    PIN_CREATED = "pin.created", "PIN created"
    PIN_CHANGED = "pin.changed", "PIN changed"
    PIN_REFUSED = "pin.refused", "Wrong PIN"
    PIN_LOCKED = "pin.locked", "PIN locked"
    PIN_RESET_REQUESTED = "pin-reset.requested", "PIN reset requested"
    PIN_RESET_REFUSED = "pin-reset.refused", "Wrong PIN reset code"
    PIN_RESET_CONFIRMED = "pin-reset.confirmed", "PIN reset"

    TRANSFER_REQUESTED = "transfer.requested", "Transfer requested"
    TRANSFER_APPROVED = "transfer.approved", "Transfer approved"
    TRANSFER_REJECTED = "transfer.rejected", "Transfer rejected"
    TRANSFER_CODE_REFUSED = "transfer-code.refused", "Wrong acceptance code"
    TRANSFER_ACCEPTED = "transfer.accepted", "Transfer accepted"
    TRANSFER_COMPLETED = "transfer.completed", "Transfer completed"
    TRANSFER_CANCELLED = "transfer.cancelled", "Transfer cancelled"
    TRANSFER_EXPIRED = "transfer.expired", "Transfer expired"

    APPROVAL_REQUESTED = "approval.requested", "Second person asked"
    APPROVAL_GRANTED = "approval.granted", "Approved by a second person"
    APPROVAL_REJECTED = "approval.rejected", "Rejected by a second person"
    APPROVAL_WITHDRAWN = "approval.withdrawn", "Request withdrawn"
    APPROVAL_EXPIRED = "approval.expired", "Request expired"
    APPROVAL_FAILED = "approval.failed", "Approved, but not carried out"
    APPROVAL_POLICY_CHANGED = "approval-policy.changed", "Four-eyes policy changed"

    MESSAGE_RESENT = "message.resent", "Message sent again"

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
