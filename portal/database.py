"""How long PostgreSQL may take for a process that answers somebody."""

from django.db import connection, connections

# Milliseconds. Past them the database refuses with an OperationalError, which callers see as "not available".
LIMITS = {
    "lock_timeout": 10_000,  # a row's owner is done long before, or hangs
    "statement_timeout": 30_000,  # nobody waits longer for a page
    "idle_in_transaction_session_timeout": 60_000,  # a process that forgot its transaction keeps no lock
}
OPTIONS = " ".join(f"-c {name}={limit}" for name, limit in LIMITS.items())


def limit_statements() -> None:
    """Put LIMITS on each connection that this process opens from now on. A repeat changes nothing.

    For the web server and the worker, before their first query. Management commands have no limits: a migration
    or `audit_verify` takes as long as the tables are long. On SQLite it does nothing.
    """
    database = connections.settings["default"]
    if database["ENGINE"] != "django.db.backends.postgresql":
        return
    given = str(database["OPTIONS"].get("options", ""))
    if not given.startswith(OPTIONS):
        database["OPTIONS"]["options"] = f"{OPTIONS} {given}".rstrip()  # PostgreSQL: the last word counts


def lend_connection() -> None:
    """Give a pooled connection back while nobody asks it anything; the next query takes one again."""
    pooled = connection.settings_dict["OPTIONS"].get("pool")
    if pooled and not connection.in_atomic_block:
        connection.close()
