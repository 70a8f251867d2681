"""All that is kept somewhere, read as a thief would: every table, every log line, every key of Valkey."""

import base64
import io
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from django.db import connection

from portal import logs

type Kept = dict[str, list[str]]  # texts by the place where they stand

SHORT = 12  # of digits only: what may stand in a random number by chance


def tables() -> Kept:
    """Every value of every table there is, models or not, by table and column."""
    kept: Kept = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, value in zip(columns, row, strict=True):
                    kept.setdefault(f"{table}.{column}", []).append(_text(value))
    return kept


def valkey(socket: Path) -> Kept:
    """Every key and what it holds, by number of the database and name of the key."""
    kept: Kept = {}
    for number in range(2):
        with redis.Redis(unix_socket_path=str(socket), db=number) as client:
            for key in client.scan_iter(count=1000):
                name = _text(key)
                kept[f"valkey {number} {name}"] = [name, *map(_text, _held(client, key))]
    return kept


def _held(client: Any, key: bytes) -> list[object]:
    kind = client.type(key)
    if kind == b"string":
        return [client.get(key)]
    if kind == b"list":
        return list(client.lrange(key, 0, -1))
    if kind == b"set":
        return list(client.smembers(key))
    if kind == b"zset":
        return list(client.zrange(key, 0, -1))
    if kind == b"hash":
        return [part for pair in client.hgetall(key).items() for part in pair]
    raise AssertionError(f"a key of kind {kind!r}")


@contextmanager
def log_lines() -> Iterator[Kept]:
    """What is logged meanwhile at any level that the settings let through, as the portal writes it out."""
    kept: Kept = {}
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    handler.setFormatter(logs.formatter())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield kept
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        kept["log"] = stream.getvalue().splitlines()


def found(secrets: Mapping[str, str], *places: Kept) -> list[str]:
    """`what in where` for each secret that stands somewhere: as it is, in other case, in hexadecimal or base64."""
    wanted = [(name, pattern) for name, secret in secrets.items() for pattern in _patterns(secret)]
    whole = [(place, "\n".join(texts)) for kept in places for place, texts in kept.items()]
    return sorted({f"{name} in {place}" for place, text in whole for name, pattern in wanted if pattern.search(text)})


def _patterns(secret: str) -> Iterator[re.Pattern[str]]:
    plain = re.escape(secret)
    if secret.isdigit() and len(secret) < SHORT:
        yield re.compile(rf"(?<![0-9A-Za-z.])(?:[A-Za-z]+-)?{plain}(?![0-9A-Za-z])")
        return
    data = secret.encode()
    yield re.compile(rf"{plain}|{data.hex()}", re.IGNORECASE)
    for skipped in range(3):  # where in a group of three bytes it begins
        inner = base64.b64encode(bytes(skipped) + data).decode()
        sure = inner[-(-skipped * 8 // 6) : (skipped + len(data)) * 8 // 6]
        yield re.compile(f"{re.escape(sure)}|{re.escape(sure.replace('+', '-').replace('/', '_'))}")


def _text(value: object) -> str:
    """Bytes as Latin-1, so that what is readable in them stays so."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("latin-1")
    return str(value)
