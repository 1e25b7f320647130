//! Refusals that follow from types alone.

/// What is wrong with an access, an argument or a target, by its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the names and numbers in the text
pub enum Types {
    // Accesses through a pointer to a struct.
    #[error("Type '{0}' is not a struct")]
    NotStruct(String),
    #[error("access beyond struct {name} at off {offset} size {size}")]
    BeyondStruct { name: String, offset: i64, size: u32 },
    #[error("access beyond the end of member {member} (mend:{end}) in struct {name} with off {offset} size {size}")]
    BeyondMember { member: String, end: u32, name: String, offset: i64, size: u32 },
    #[error("field {0} doesn't have size")]
    NoSize(String),
    #[error("cannot access ptr member {member} with moff {at} in struct {name} with off {offset} size {size}")]
    PartOfPointer { member: String, at: u32, name: String, offset: i64, size: u32 },
    #[error("struct {name} doesn't have field at offset {offset}")]
    NoField { name: String, offset: i64 },
    #[error("direct access to {0} is disallowed")]
    DirectAccess(&'static str),
    #[error("only read is supported")]
    ReadOnly,
    // Maps.
    #[error("{0}")]
    MapField(&'static str),
    #[error("bpf_struct_ops map cannot be used in prog")]
    StructOpsMap,
    #[error("Sleepable programs can only use array, hash, ringbuf and local storage maps")]
    SleepableMap,
    #[error("CAP_BPF and CAP_PERFMON are required to use arena")]
    ArenaCapabilities,
    #[error("only one cgroup storage of each type is allowed")]
    CgroupStorages,
    #[error("Only one arena per program")]
    Arenas,
}
