"""The servers that tests of stores may ask for."""

from tests.servers import own_redis, redis_server, shared_redis

__all__ = ["own_redis", "redis_server", "shared_redis"]
