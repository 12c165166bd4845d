"""The door for programs: `/api/v1`, JSON over HTTP, one seller a key."""
