"""Commands about boards and what runs on them."""
