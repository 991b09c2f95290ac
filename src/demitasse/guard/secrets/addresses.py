"""Addresses that carry a password: of databases and queues, of web pages, and the ``Server=…;Password=…`` forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from .named import is_placeholder

if TYPE_CHECKING:
    from . import Tries

STORES: Final = frozenset(
    """
    postgres postgresql postgis mysql mysqlx mariadb mssql sqlserver oracle db2 cockroachdb redshift snowflake clickhouse
    clickhouses mongodb redis rediss valkey memcached couchdb couchbase couchbases cassandra scylla neo4j neo4js bolt
    bolts influxdb elasticsearch opensearch arangodb amqp amqps rabbitmq kafka nats stomp mqtt mqtts pulsar sb ldap ldaps
    smtp smtps imap imaps pop3 jdbc vertica trino presto hive impala etcd surrealdb libsql firebird teradata
    """.split()  # noqa: SIM905 - a word a line would be a page
)
"""Schemes of databases, queues and directories, without what a driver adds (``postgresql+asyncpg``, ``mongodb+srv``)."""

_SCHEME = re.compile(r"(?:jdbc:)?([a-z][a-z0-9]{1,20})(?:\+[a-z0-9_]{1,20})?\Z", re.IGNORECASE)
_USER = re.compile(r"([^\s:/@\"'<>`|{}()\[\],;]{0,128}):([^\s/\"'<>`|@]{1,256})@(?=[\w\[$%{.-])")
"""User, password. A password with a slash or an at sign is percent-encoded in an address that works."""
_REST = re.compile(r"[^\s\"'<>`|)\]},;]{0,512}(?:,[\w.:-]{3,80}){0,8}[^\s\"'<>`|)\]},;]{0,512}")
_QUERY = re.compile(
    r"[^\s\"'<>`|]{0,400}?[?&;](?:password|passwd|pwd|sharedaccesskey)=([^\s&;\"'<>`|]{1,200})", re.IGNORECASE
)
_PAIRS = re.compile(
    r"(?:[A-Za-z][A-Za-z ]{1,30}\s?=\s?(?:\"[^\"]{0,200}\"|'[^']{0,200}'|[^;\n\"'<>`]{0,300})\s{0,2};\s{0,2}){1,24}"
    r"(?:[A-Za-z][A-Za-z ]{1,30}=[^;\s\"'<>`]{0,300})?"
)
_PAIR_SECRET = re.compile(r"(?:accountkey|sharedaccesskey|password|pwd)\s?=\s?[\"']?([^;\"'\s]{1,300})", re.IGNORECASE)
_LIBPQ = re.compile(
    r"(?:(?:host|hostaddr|port|dbname|user|password|sslmode|application_name|options)"
    r"\s?=\s?(?:'[^']{0,100}'|[^\s'\"]{1,100})\s{0,3}){3,12}"
)
_LIBPQ_SECRET = re.compile(r"password\s?=\s?'?([^\s']{1,100})")


def addresses(text: str, low: str, tries: Tries) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end: a whole address of a database or queue, or a web address's user and password."""
    for at in tries.at(text, "://") if "://" in text else ():
        scheme = _SCHEME.search(text[max(0, at - 48) : at].rpartition("\n")[2].rpartition(" ")[2])
        if scheme is None:
            continue
        start, inner = at - len(scheme.group()), at + 3
        user = _USER.match(text, inner)
        if scheme[1].lower() in STORES:
            found = _store(text, start, inner, user)
            if found is not None:
                yield found
        elif user is not None and _is_password(user[2]):
            yield "url_credentials", inner, user.end(2)
    if "=" not in low or not any(word in low for word in ("password", "pwd", "accesskey", "accountkey")):
        return
    for mark in ("server=", "endpoint=", "endpointsprotocol=", "data source=", "driver=", "accountname=", "host="):
        if mark not in low:
            continue
        reach = 0
        for at in tries.at(low, mark):
            if at >= reach:
                start, reach, has_secret = _assigned(text, low, at)
                if has_secret:
                    yield "connection_string", start, reach


def _store(text: str, start: int, inner: int, user: re.Match[str] | None) -> tuple[str, int, int] | None:
    if user is not None and _is_password(user[2]):
        rest = _REST.match(text, user.end())
        end = rest.end() if rest is not None else user.end()
        while text[end - 1] in ".,;:!?":
            end -= 1
        return "connection_string", start, end
    query = _QUERY.match(text, inner)
    if query is not None and _is_password(query[1]):
        return "connection_string", start, query.end()
    return None


def _assigned(text: str, low: str, at: int) -> tuple[int, int, bool]:
    """Where ``Server=db;User Id=sa;Password=…;``, ``DefaultEndpointsProtocol=…;AccountKey=…`` or libpq's ``host=… password=…``
    begins and ends, and whether a secret is in it."""
    if low.startswith("host=", at):
        libpq = _LIBPQ.match(text, at)
        if libpq is not None:
            secret = _LIBPQ_SECRET.search(libpq.group())
            return at, at + len(libpq.group().rstrip()), secret is not None and _is_password(secret[1])
    start = at
    while start > 0 and at - start < 24 and text[start - 1].isalpha():
        start -= 1
    pairs = _PAIRS.match(text, start)
    if pairs is None:
        return start, at, False
    secret = _PAIR_SECRET.search(pairs.group())
    return start, start + len(pairs.group().rstrip()), secret is not None and _is_password(secret[1])


_TEMPLATE = re.compile(r"[A-Z_]*(?:PASSWORD|PASSWD|PASS|PWD|SECRET|KEY)[A-Z_]*\Z|\.{3}")


def _is_password(value: str) -> bool:
    """Plain words count: an address that works may well have the password ``password``."""
    return not is_placeholder(value, words=False) and _TEMPLATE.match(value) is None
