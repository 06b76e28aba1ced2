"""One door for each library that computes on arrays; a door is imported when it is first used."""
