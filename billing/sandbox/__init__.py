"""The playground: embedded servers, stand-ins of the providers, the demo. Production never needs this room."""
