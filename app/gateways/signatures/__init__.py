"""How each vendor proves that a request is its own, one scheme a file. Every comparison takes constant time."""
