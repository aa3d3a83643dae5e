"""The journal topic: all that is learnt about attempts, in the order in which it was learnt. Write it, read it."""
