"""Results as text for a terminal, a module per command."""
