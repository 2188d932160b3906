"""A gallery in PostgreSQL when things go wrong, and when it is large."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import numpy as np
import pytest
from engine_servers import PostgreSQLServer

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines import PostgreSQLEngine
from tipr_zoo.gallery.engines.postgresql_search import IndexedSearch
from tipr_zoo.gallery.engines.postgresql_tables import conditions
from tipr_zoo.protocols import Condition, Row
from tipr_zoo.testing.engine_rows import DIMENSION, row_key, unit_vectors


@pytest.fixture(scope="module")
def server(postgresql_place: Callable[[], str]) -> Iterator[PostgreSQLServer]:
    """A server of this module's own, to be killed."""
    server = PostgreSQLServer()
    yield server
    server.stop()


@pytest.fixture
def address(server: PostgreSQLServer) -> str:
    """A place where no gallery is, on the server that may be killed."""
    return server.address(f"try_{uuid4().hex[:12]}")


def run(address: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(address.rpartition("/")[0], autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def filled(address: str, count: int = 20) -> PostgreSQLEngine:
    """A gallery with so many rows."""
    engine = PostgreSQLEngine.create(address, "{}", DIMENSION)
    rows = [Row(row_key(n), "{}", {"camera": str(n % 3), "time": n}) for n in range(count)]
    engine.add(rows, unit_vectors(count))
    return engine


def told(engine_call: Callable[[], object]) -> str:
    with pytest.raises(GalleryError) as raised:
        engine_call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_server_that_is_killed_is_told_and_nothing_acknowledged_is_lost(
    server: PostgreSQLServer, address: str
) -> None:
    engine = filled(address)
    server.kill()
    message = told(engine.count)
    assert message.startswith(f"{address}: ")
    assert "start the server" in message
    server.start()
    assert engine.count() == 20  # without being opened again
    assert len(list(engine.rows())) == 20


def test_connections_that_a_restart_broke_are_not_noticed(server: PostgreSQLServer, address: str) -> None:
    engine = filled(address)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: engine.count(), range(8)))
    server.kill()
    server.start()
    assert engine.count() == 20
    engine.add([Row(row_key(99), "{}")], unit_vectors(1))
    assert engine.count() == 21


def test_a_server_that_says_nothing_is_waited_for_as_long_as_the_address_says(
    server: PostgreSQLServer, address: str
) -> None:
    filled(address).close()
    engine = PostgreSQLEngine.open(f"{address}?timeout=1")
    engine.count()
    server.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert "did not answer within 1 s" in told(engine.count)
        assert time.monotonic() - began < 10
        assert "cannot be reached" in told(lambda: PostgreSQLEngine.open(f"{address}?timeout=1"))
    finally:
        server.signal(signal.SIGCONT)
    assert engine.count() == 20


def test_a_request_that_waits_too_long_is_ended_and_the_connection_stays(address: str) -> None:
    import psycopg

    filled(address).close()
    engine = PostgreSQLEngine.open(f"{address}?timeout=0.5")
    schema = f"tipr_zoo_{address.rpartition('/')[2]}"
    with psycopg.connect(address.rpartition("/")[0]) as other:
        other.execute(f"LOCK TABLE {schema}.picture IN ACCESS EXCLUSIVE MODE")  # type: ignore[call-overload]
        assert "did not answer within 0.5 s" in told(engine.count)
        other.rollback()
    assert engine.count() == 20


def test_another_gallery_under_the_name_is_told(address: str) -> None:
    engine = filled(address)
    PostgreSQLEngine.open(address).drop()
    assert "no gallery is there" in told(engine.count)
    other = PostgreSQLEngine.create(address, '{"other": 1}', DIMENSION)
    for call in (
        engine.count,
        lambda: engine.search(unit_vectors(1), 3),
        lambda: engine.add([Row(row_key(1), "{}")], unit_vectors(1)),
        lambda: engine.delete([row_key(1)]),
        lambda: engine.set_header("{}"),
        lambda: list(engine.rows()),
        engine.drop,
    ):
        assert "another gallery is there now under this name; open it anew" in told(call)
    assert other.header == '{"other": 1}'
    assert other.count() == 0


def test_a_gallery_of_another_version_and_a_schema_that_is_none_are_told(address: str) -> None:
    filled(address).close()
    schema = f"tipr_zoo_{address.rpartition('/')[2]}"
    run(address, f"UPDATE {schema}.gallery SET format = 2")
    assert "the gallery is of format 2, and this tipr-zoo reads 1; upgrade tipr-zoo" in told(
        lambda: PostgreSQLEngine.open(address)
    )
    run(address, f"DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema}; CREATE TABLE {schema}.gallery (a int)")
    assert "no gallery is there" in told(lambda: PostgreSQLEngine.open(address))
    assert "is there already" in told(lambda: PostgreSQLEngine.create(address, "{}", 8))


def test_a_database_that_is_missing_or_without_pgvector_is_told(server: PostgreSQLServer, address: str) -> None:
    assert "create it with createdb" in told(lambda: PostgreSQLEngine.open(address.replace("/people/", "/peeple/")))
    name = f"bare_{uuid4().hex[:8]}"
    run(address, f"CREATE DATABASE {name}")
    run(address, f"CREATE USER guest_{name}")
    bare = address.replace("/people/", f"/{name}/").replace("zoo@", f"guest_{name}@")
    message = told(lambda: PostgreSQLEngine.create(bare, "{}", 8))
    assert "has no pgvector" in message
    assert "CREATE EXTENSION vector" in message
    assert "mend the user" in told(lambda: PostgreSQLEngine.open(address.replace("zoo@", "nobody_here@")))


def test_a_user_without_rights_and_a_standby_are_told(address: str) -> None:
    engine = filled(address)
    user = f"reader_{uuid4().hex[:8]}"
    run(address, f"CREATE USER {user}")
    assert "does not allow it" in told(lambda: PostgreSQLEngine.open(address.replace("zoo@", f"{user}@")))
    schema = f"tipr_zoo_{address.rpartition('/')[2]}"
    run(address, f"GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}")
    reader = PostgreSQLEngine.open(address.replace("zoo@", f"{user}@"))
    assert reader.search(unit_vectors(1), 1) == engine.search(unit_vectors(1), 1)
    assert f"use another user than '{user}'" in told(lambda: reader.delete([row_key(0)]))
    run(address, f"ALTER USER {user} SUPERUSER; ALTER USER {user} SET default_transaction_read_only = on")
    reader.close()
    assert "address of the primary" in told(lambda: reader.add([Row(row_key(1), "{}")], unit_vectors(1)))


def test_writers_of_the_same_rows_and_new_facts_do_not_stand_in_each_others_way(address: str) -> None:
    filled(address, 1).close()
    engines = [PostgreSQLEngine.open(address) for _ in range(4)]

    def write(number: int) -> None:
        keys = list(range(40)) if number % 2 else list(range(39, -1, -1))
        for turn in range(5):
            rows = [Row(row_key(n), "{}", {f"new {turn}": n, f"of {number}": "here"}) for n in keys]
            engines[number].add(rows, unit_vectors(40))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    rows = {row.key: row.facts for row in engines[0].rows()}
    assert len(rows) == 40
    for turn in range(4):  # the facts of earlier turns are gone from every row
        assert engines[0].count([Condition(f"new {turn}", ">=", 0)]) == sum(f"new {turn}" in it for it in rows.values())
    for number in range(4):
        where = [Condition(f"of {number}", "=", "here")]
        assert engines[1].count(where) == sum(f"of {number}" in facts for facts in rows.values())


def test_what_is_sent_by_a_process_that_is_killed_is_there_as_a_whole_or_not_at_all(
    server: PostgreSQLServer, address: str
) -> None:
    engine = filled(address, 1)
    added = 0
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(time.sleep, 0.3)
        future = pool.submit(server.kill) if future.result() is None else future
        try:
            for batch in range(1000):
                rows = [Row(row_key(1000 + 50 * batch + n), "{}", {"batch": batch}) for n in range(50)]
                engine.add(rows, unit_vectors(50))
                added += 1
        except GalleryError:
            pass
        future.result()
    server.start()
    counts = [engine.count([Condition("batch", "=", batch)]) for batch in range(added + 1)] if added else [0]
    assert counts[:added] == [50] * added
    assert counts[-1] in (0, 50)


def test_above_a_size_an_index_proposes_and_the_vectors_decide(
    postgresql_place: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgreSQLEngine, "EXACT_BELOW", 200)
    engine = filled(postgresql_place(), 3000)
    vectors, queries = unit_vectors(3000), unit_vectors(20, seed=5)
    engine.flush()
    broad, narrow = [Condition("camera", "!=", "0")], [Condition("time", "<", 30)]
    cosines = queries @ vectors.T
    for where, fitting in (((), slice(None)), (broad, np.arange(3000) % 3 != 0), (narrow, np.arange(3000) < 30)):
        found = engine.search(queries, 10, where)
        right = 0
        for hits, row in zip(found, cosines, strict=True):
            keys = np.array([row_key(n) for n in range(3000)])[fitting]
            best = set(keys[np.argsort(-row[fitting])[:10]].tolist())
            right += len(best & {key for key, _ in hits})
            assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
        assert right >= 198, where
    assert found == PostgreSQLEngine.open(engine._address.shown).search(queries, 10, narrow)
    asked = conditions(broad, engine._facts.by_name)
    indexed = IndexedSearch(engine._address.gallery, DIMENSION, 200)
    with engine._transaction() as connection:
        indexed._prepare(connection)
        text = indexed.statement(asked).as_string(connection)
        plan = connection.execute(
            "EXPLAIN " + text, [*asked[1], queries[0], 100, queries[0], queries[0], 10]
        ).fetchall()
        assert "Index Scan using vector_codes" in str(plan)
        assert not indexed.serves(connection, 10, conditions(narrow, engine._facts.by_name))
    engine.add([Row(row_key(10**6), "{}", {"camera": "1"})], queries[:1])
    assert engine.search(queries[:1], 1, broad)[0][0][0] == row_key(10**6)
    engine.drop()


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "", "[1]", '{"camera": [1]}', '{"camera": NaN}'], ids=lambda text: text[:8]
)
def test_a_row_that_somebody_else_wrote_is_told_and_can_be_removed(address: str, text: str) -> None:
    engine = filled(address)
    schema = f"tipr_zoo_{address.rpartition('/')[2]}"
    run(address, f"UPDATE {schema}.picture SET facts='{text}' WHERE key='{row_key(1)}'")
    message = told(lambda: list(engine.rows()))
    assert f"the gallery's row {row_key(1)} is damaged; remove it" in message
    assert len(message) < 300
    assert engine.delete([row_key(1)]) == 1
    assert len(list(engine.rows())) == 19
    assert row_key(1) not in {key for key, _ in engine.search(unit_vectors(1), 20, [Condition("time", ">=", 0)])[0]}
