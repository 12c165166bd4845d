"""Payment providers behind one port. Each knows one outside thing; nothing of an SDK leaves its folder."""
