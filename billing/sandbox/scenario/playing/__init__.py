"""Playing a scenario: the engine's own flows, on a scratch database, under a clock that jumps from moment to moment.

Three transports differ from production (DECISIONS 7): messages wait in a list, the stand-in is mounted in process, and
its webhooks go straight to the receiver.
"""
