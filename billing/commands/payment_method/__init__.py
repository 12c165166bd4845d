"""Payment methods: begun, made chargeable, chosen, taken away."""
