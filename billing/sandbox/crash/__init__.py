"""The crash proof: real workers are killed at every failpoint, started again, and the books are compared with the witness."""
