//! What the default bundle promises, one sentence at a time.
