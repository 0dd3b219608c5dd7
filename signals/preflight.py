"""Checks of Redis (or Valkey) when a process starts: version, eviction policy, rights of our user."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from base.errors import UnfitServer

OLDEST_REDIS = 7
COMMANDS = (
    "PUBLISH til:ended x",
    "SUBSCRIBE til:ended",
    "XADD til:text:x * entry x",
    "XREAD COUNT 1 STREAMS til:text:x 0",
    "XREVRANGE til:text:x + - COUNT 1",
    "EXPIRE til:text:x 1",
    "DEL til:text:x",
    "EVAL 0 1 til:text:x",
    "RPUSH til:progress-webhooks x",
    "LTRIM til:progress-webhooks 0 -1",
    "LPOP til:progress-webhooks",
    "LLEN til.default",
    "LPUSH til.default x",
    "BRPOP til.default 1",
    "SADD _kombu.binding.til.default x",
    "SREM _kombu.binding.celery.pidbox x",
    "SMEMBERS _kombu.binding.til.default",
    "ZADD _kombu.binding_deadlines 0 x",
    "HSET unacked x x",
    "HDEL unacked x",
    "ZADD unacked_index 0 x",
    "ZREM unacked_index x",
    "ZRANGE unacked_index 0 0",
    "SET unacked_mutex x",
    "GET unacked_mutex",
    "EVALSHA 0 1 unacked_mutex",
    "SCRIPT LOAD 0",
    "LLEN x.celery.pidbox",
    "PSUBSCRIBE /0.celery.pidbox",
    "PUNSUBSCRIBE /0.celery.pidbox",
    "PUBLISH /0.celeryev/worker.online x",
    "TIME",
)
"""Every command that api, worker, steward and Celery send, on keys like theirs. They are queued in a
MULTI that is then discarded: Redis checks rights when it queues a command, and runs none of them."""


async def redis(url: str) -> list[str]:
    """Warnings for the operator, among them that Redis can't be reached. Raises UnfitServer."""
    client = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, decode_responses=True)
    try:
        notes = await _check_version_and_policy(client)
        lacking = await _lacking_commands(client)
    except AuthenticationError as error:
        raise UnfitServer("Redis refuses the user or the password in REDIS_URL.") from error
    except (RedisError, OSError, TimeoutError) as error:
        return [f"Redis can't be used at the moment: {type(error).__name__}."]
    finally:
        await client.aclose()
    if lacking:
        raise UnfitServer(
            f"The user in REDIS_URL may not: {', '.join(lacking[:5])} ({len(lacking)} in all). Its rights:"
            " ACL SETUSER <user> ~til* ~_kombu* ~unacked* ~*.pidbox allchannels"
            " +@all -@admin -@dangerous +info"
        )
    return notes


async def _check_version_and_policy(client: Redis) -> list[str]:
    try:
        info: dict[str, Any] = await client.info("server") | await client.info("memory")
    except ResponseError:
        return ["Redis hides its version and maxmemory-policy; it needs 7 or newer, and volatile-ttl."]
    version = str(info.get("redis_version", OLDEST_REDIS))
    if int(version.split(".", maxsplit=1)[0]) < OLDEST_REDIS:
        raise UnfitServer(f"Redis {version} is too old: Redis 7, Valkey 8, or newer is needed.")
    policy = str(info.get("maxmemory_policy", ""))
    if policy.startswith("allkeys"):
        return [
            f"maxmemory-policy is {policy}: when Redis is full it drops doorbells, and jobs start late."
            " Set it to volatile-ttl: CONFIG SET maxmemory-policy volatile-ttl, and the same in redis.conf."
        ]
    return []


async def _lacking_commands(client: Redis) -> list[str]:
    lacking = []
    connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        for command in ("MULTI", *COMMANDS, "DISCARD"):
            await connection.send_command(*command.split(" "))
            try:
                await connection.read_response()
            except NoPermissionError:
                lacking.append(" ".join(command.split(" ")[:2]))
                if command == "MULTI":
                    break
    finally:
        await client.connection_pool.release(connection)
    return lacking
