"""What can go wrong with a key store. No message holds a secret, a path's content or a key."""


class KeyUnavailable(Exception):
    """A key cannot be had, made or used. The subclass says why, the message in a sentence."""


class KeyMissing(KeyUnavailable):
    """There is no key by this name."""


class KeyExists(KeyUnavailable):
    """There is a key by this name already; keys are never overwritten."""


class KeyRefused(KeyUnavailable):
    """The key is there, but not as it must be: readable by others, exportable, or of another kind."""


class WrongSecret(KeyUnavailable):
    """The passphrase or PIN does not open it, or is too short to be one."""


class StoreUnavailable(KeyUnavailable):
    """The store cannot be reached now; the same call may succeed later."""
