//! The plug-in protocol of the bpf_conformance suite: its own runner can drive skep.
