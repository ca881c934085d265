"""The side that decides and writes: sessions, revocations and keys of one issuer."""
