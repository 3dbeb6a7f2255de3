"""Whether the catalogue notices: faults planted in the reference dataplane, found by packets, and faults planted in the
evaluator, found by tables that people wrote."""
