"""The CLI's commands, one module each: `add` declares its options on a parser and sets the handler behind it."""
