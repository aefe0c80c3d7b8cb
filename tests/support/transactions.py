"""Transactions of a caller's own, opened through each library that the client takes connections of."""

import contextlib

import asyncpg
import psycopg
from psycopg.rows import dict_row
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool


def alchemy(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://")


@contextlib.asynccontextmanager
async def over_asyncpg(url):
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection, transaction.commit, transaction.rollback
    await connection.close()


@contextlib.asynccontextmanager
async def over_asyncpg_pool(url):
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield connection, transaction.commit, transaction.rollback


@contextlib.asynccontextmanager
async def over_psycopg(url):
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
        yield connection, connection.commit, connection.rollback


@contextlib.asynccontextmanager
async def over_blocking_psycopg(url):
    with psycopg.connect(url) as connection:
        yield connection, awaitable(connection.commit), awaitable(connection.rollback)


@contextlib.asynccontextmanager
async def over_async_connection(url):
    engine = create_async_engine(alchemy(url, "asyncpg"), poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection, connection.commit, connection.rollback
    await engine.dispose()


@contextlib.asynccontextmanager
async def over_async_session(url):
    engine = create_async_engine(alchemy(url, "psycopg"), poolclass=NullPool)
    async with AsyncSession(engine) as session:
        yield session, session.commit, session.rollback
    await engine.dispose()


@contextlib.asynccontextmanager
async def over_session(url):
    engine = create_engine(alchemy(url, "psycopg"), poolclass=NullPool)
    with Session(engine) as session:
        yield session, awaitable(session.commit), awaitable(session.rollback)
    engine.dispose()


def awaitable(call):
    async def do():
        call()

    return do


KINDS = [
    over_asyncpg,
    over_asyncpg_pool,
    over_psycopg,
    over_blocking_psycopg,
    over_async_connection,
    over_async_session,
    over_session,
]
