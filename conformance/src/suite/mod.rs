//! Cases of the bpf_conformance suite: text files that hold a program, its memory and what it must return.
