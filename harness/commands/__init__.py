"""The CLI's verbs that read records. Each module has `add`, which declares its verb, and the handler behind it."""
