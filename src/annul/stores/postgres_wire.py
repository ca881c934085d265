"""One connection: statements go out together, and their answers come back together.

psycopg connects. Statements then go over its libpq in pipeline mode, one round trip for all that
are sent at once. Its own cursors would do, but a cancelled one first asks the server to cancel,
and waits for that as long as a server that hangs makes it wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import psycopg
from psycopg import capabilities, pq

from annul.stores.postgres_errors import (
    READ_ONLY,
    UNCONFIRMED,
    Refusal,
    refused_at_the_door,
)
from annul.stores.postgres_values import dump, loader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg.pq.abc import PGresult

    from annul.stores.postgres_url import Address

    Rows = list[tuple[Any, ...]]

__all__ = ["COMMIT", "Answer", "Statement", "Wire"]


class Statement(NamedTuple):
    """A text with ``$1``, ``$2`` … and their values."""

    text: str
    values: tuple[Any, ...] = ()


class Answer(NamedTuple):
    """The rows of an answer, and how many rows the statement has written or read."""

    rows: Rows
    touched: int


COMMIT = Statement("COMMIT")

# A session that is not heard from any more must not go on holding the lock that writers wait for.
# Others may have weakened the defaults of this user or this database.
_SET_UP = """
    SELECT (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1),
        current_setting('transaction_read_only') = 'on',
        set_config('annul.server', system_identifier::text, false),
        set_config('search_path', quote_ident($1), false),
        set_config('synchronous_commit', 'on', false),
        set_config('client_min_messages', 'warning', false),
        set_config('bytea_output', 'hex', false),
        set_config('extra_float_digits', '1', false),
        set_config('statement_timeout', $2, false),
        set_config('lock_timeout', $2, false),
        set_config('idle_in_transaction_session_timeout', $2, false)
    FROM pg_control_system()
"""


class Wire:
    """A connection, used by one task at a time.

    Whoever gets an error or is cancelled has to close it: what it still had to say must not be
    taken for the answer to the next question.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], host: int) -> None:
        self.host = host
        self._connection = connection
        self._pg = connection.pgconn
        self._prepared: dict[str, bytes] = {}
        self._warnings: list[str] = []
        connection.add_notice_handler(self._noticed)
        self._pg.enter_pipeline_mode()

    @classmethod
    async def connect(cls, address: Address, host: int = 0) -> Self:
        """Connect to one of the hosts and set the session up. The caller limits the time.

        Raises ``Refusal`` if the server lets nobody in, or takes no writes.
        """
        try:
            connection = await psycopg.AsyncConnection.connect(address.hosts[host], autocommit=True)
        except psycopg.OperationalError as error:
            refusal = refused_at_the_door(str(error))
            if refusal is None:
                raise
            raise refusal from error
        wire = cls(connection, host)
        try:
            milliseconds = str(int(address.timeout * 1000))
            (answer,) = await wire.exchange(Statement(_SET_UP, (address.schema, milliseconds)))
            _check_welcome(answer, address.schema)
        except BaseException:
            wire.close()
            raise
        return wire

    async def exchange(self, *statements: Statement) -> list[Answer]:
        """Send statements in one go and return their answers.

        Raises ``Refusal`` for the first that the server refuses; those after it were not run. A
        commit that the server warns about is refused too: it is no acknowledgement.
        """
        self._warnings.clear()
        expected = [part for statement in statements for part in self._send(statement)]
        self._pg.pipeline_sync()
        results = await self._results()
        for result in results:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise Refusal(
                    _field(result, pq.DiagnosticField.SQLSTATE),
                    _field(result, pq.DiagnosticField.MESSAGE_PRIMARY),
                )
        answered = [
            result for result, is_answer in zip(results, expected, strict=True) if is_answer
        ]
        for statement, result in zip(statements, answered, strict=True):
            if statement == COMMIT and result.command_status != b"COMMIT":
                raise Refusal(UNCONFIRMED, "the transaction was rolled back")
            if statement == COMMIT and self._warnings:
                raise Refusal(UNCONFIRMED, self._warnings[0])
        return [Answer(list(_rows(result)), result.command_tuples or 0) for result in answered]

    async def hear(self, timeout: float) -> bool:
        """Wait for a notification, at most so long; say whether there was one."""
        self._pg.consume_input()
        if not self._notified():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._ready()
            self._pg.consume_input()
            return self._notified()
        return True

    def is_quiet(self) -> bool:
        """Whether the server has said nothing unasked: most often that it hangs up."""
        poll = select.poll()
        poll.register(self._pg.socket, select.POLLIN)
        return not poll.poll(0)

    def hang_up(self) -> None:
        """Cut the line under whoever is using it, who then gets an error and closes it."""
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self._pg.socket)) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)

    async def abandon(self, within: float) -> None:
        """Close a connection that was left in the middle; first ask the server to stop.

        A commit that waits for a standby does not notice that its client has gone. It would go on
        waiting, with its locks and with its place among the connections of the server.
        """
        try:
            if capabilities.has_cancel_safe():
                async with asyncio.timeout(within):
                    await self._connection.cancel_safe(timeout=within)
        except (psycopg.Error, OSError):
            pass  # a server that is out of reach stops when it finds out
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection. Nobody may be using it."""
        self._pg.finish()

    # --- inside -----------------------------------------------------------------------

    def _send(self, statement: Statement) -> Sequence[bool]:
        """Queue a statement; return for each result to come whether it is the answer."""
        name = self._prepared.get(statement.text)
        values = [dump(value) for value in statement.values]
        if name is not None:
            self._pg.send_query_prepared(name, values)
            return (True,)
        name = self._prepared[statement.text] = b"annul%d" % len(self._prepared)
        self._pg.send_prepare(name, statement.text.encode())
        self._pg.send_query_prepared(name, values)
        return (False, True)

    async def _results(self) -> list[PGresult]:
        """Return the results up to the end of what was sent together."""
        results: list[PGresult] = []
        while True:
            while self._pg.flush():
                await self._ready(writing=True)
                self._pg.consume_input()
            while self._pg.is_busy():
                await self._ready()
                self._pg.consume_input()
            result = self._pg.get_result()
            if result is None:
                if self._pg.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection is lost")
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)

    async def _ready(self, *, writing: bool = False) -> None:
        """Wait until the socket can be read, or written if that is asked for."""
        loop = asyncio.get_running_loop()
        awaited = loop.create_future()

        def wake() -> None:
            if not awaited.done():
                awaited.set_result(None)

        line = self._pg.socket
        loop.add_reader(line, wake)
        if writing:
            loop.add_writer(line, wake)
        try:
            await awaited
        finally:
            loop.remove_reader(line)
            if writing:
                loop.remove_writer(line)

    def _notified(self) -> bool:
        heard = False
        while self._pg.notifies() is not None:
            heard = True
        return heard

    def _noticed(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING" or (notice.sqlstate or "").startswith("01"):
            self._warnings.append(notice.message_primary or "a warning")


def _check_welcome(answer: Answer, schema: str) -> None:
    may_use, is_read_only, *_ = answer.rows[0]
    if is_read_only:
        raise Refusal(READ_ONLY, "it is a standby, or takes no writes")
    if may_use is False:
        raise Refusal("42501", f"it needs GRANT USAGE ON SCHEMA {schema}")


def _field(result: PGresult, which: pq.DiagnosticField) -> str:
    return (result.error_field(which) or b"").decode(errors="replace")


def _rows(result: PGresult) -> Iterator[tuple[Any, ...]]:
    loaders = [loader(result.ftype(column)) for column in range(result.nfields)]
    for row in range(result.ntuples):
        values = (result.get_value(row, column) for column in range(result.nfields))
        yield tuple(
            None if value is None else load(value)
            for load, value in zip(loaders, values, strict=True)
        )
