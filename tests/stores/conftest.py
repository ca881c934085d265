"""The servers that tests of stores may ask for."""

from tests.postgres_cluster import own_pair, own_trio, postgres_pair
from tests.postgres_server import own_postgres, postgres_server
from tests.servers import own_redis, redis_server, shared_redis

__all__ = [
    "own_pair",
    "own_postgres",
    "own_redis",
    "own_trio",
    "postgres_pair",
    "postgres_server",
    "redis_server",
    "shared_redis",
]
