"""Work items: opened where a person or another try is needed, closed with their cause."""
