"""Transactions that are older than a decision, and may still write by what was so before it."""

from django.db import connection

# Every transaction holds its own virtual id for as long as it runs; unlike xids, also before it has written.
_OPEN = """
    SELECT held.virtualtransaction
    FROM pg_locks held JOIN pg_stat_activity session ON session.pid = held.pid
    WHERE held.locktype = 'virtualxid' AND held.mode = 'ExclusiveLock' AND held.granted
      AND held.pid <> pg_backend_pid() AND session.datname = current_database()
      AND COALESCE(session.backend_type, 'client backend') = 'client backend'
"""


def open_transactions() -> list[str]:
    """The transactions of this database that are open now, but for this one. On SQLite none.

    There one connection writes at a time, and what it decides by it reads in the same transaction.
    """
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(_OPEN)
        return sorted(row[0] for row in cursor.fetchall())
