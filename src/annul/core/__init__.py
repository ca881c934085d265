"""Values and decisions, pure: no I/O, no environment, no logging; time and entropy come in."""
