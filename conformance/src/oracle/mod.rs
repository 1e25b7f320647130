//! The kernel of this host, as an engine that is right by definition.
