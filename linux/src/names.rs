//! Names of helpers for the disassembler and the assembler.

use std::borrow::Cow;

use skep_isa::Names;

use crate::{helper, helper_by_name};

/// The names of the helper rows, as the verifier's log has them.
///
/// ```
/// use skep_isa::{Callee, Insn};
/// use skep_linux::HelperNames;
/// assert_eq!(Insn::Call(Callee::Helper(1)).display(0, &HelperNames).to_string(), "call bpf_map_lookup_elem#1");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HelperNames;

/// What Linux calls the number that no helper has.
const UNSPEC: &str = "bpf_unspec";

impl Names for HelperNames {
    fn helper(&self, id: i32) -> Option<Cow<'_, str>> {
        match u32::try_from(id) {
            Ok(0) => Some(Cow::Borrowed(UNSPEC)),
            Ok(id) => helper(id).map(|row| Cow::Borrowed(row.name)),
            Err(_) => None,
        }
    }

    fn helper_id(&self, name: &str) -> Option<i32> {
        helper_by_name(name).and_then(|row| i32::try_from(row.id).ok())
    }
}
