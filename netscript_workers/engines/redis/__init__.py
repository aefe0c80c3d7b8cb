"""The engine on Redis or Valkey: many machines, one queue, every verb one script in one round trip."""

from netscript_workers.engines.redis.engine import RedisEngine

__all__ = ["RedisEngine"]
