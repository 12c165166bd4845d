"""Keys: the wrapped encryption keys of profiles, sellers' years and inboxes."""
