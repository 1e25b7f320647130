//! What the types of BTF say to the verifier. Everything here is a function of types alone.
