"""PayPal: the wallet at a distance: orders by a vaulted token, refunds, disputes, webhooks verified offline."""
