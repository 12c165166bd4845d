"""Mail to customers: letters in their language, and the mail server that takes them. The only room that speaks SMTP."""
