"""Commands about models, on this computer."""
