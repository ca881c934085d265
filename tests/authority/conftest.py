"""The stores that these tests may ask for."""

from tests.postgres_server import postgres_server
from tests.servers import own_redis, redis_server, shared_redis
from tests.stage import file_stage, server_stage, shared_stage, stage, timed_stage

__all__ = [
    "file_stage",
    "own_redis",
    "postgres_server",
    "redis_server",
    "server_stage",
    "shared_redis",
    "shared_stage",
    "stage",
    "timed_stage",
]
