"""What the commands do, once their words are known to be right: each is the module of its name."""
