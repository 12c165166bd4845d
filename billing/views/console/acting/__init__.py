"""What operators do about one thing: one table of acts a page, each a form that calls the command line's flow."""
