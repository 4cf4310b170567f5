"""How far a converted model is from its original, and what that means for a user."""
