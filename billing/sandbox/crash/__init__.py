"""The crash proof: real workers die at every failpoint, start again, and their books must agree with the witness."""
