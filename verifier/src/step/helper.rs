//! Calls of helpers.

use crate::explore::Walk;
use crate::fault::Fault;

use super::Next;

impl Walk<'_> {
    pub(super) fn call_helper(&mut self, id: i32) -> Result<Next, Fault> {
        Err(Fault::not_modelled(format!("helper {id}")))
    }
}
