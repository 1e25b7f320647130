//! Rows: kernel pointers in maps.

use super::shape::arg::{KPTR, KPTR_SLOT};
use super::shape::{HelperRow, Needs, Proto, Ret};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[HelperRow {
    id: 194,
    name: "bpf_kptr_xchg",
    since: Release::new(5, 19),
    protos: &[Proto { users: Users::ALL, ret: Ret::KptrOrNull, args: &[KPTR_SLOT, KPTR.or_null().released()], ..Proto::BASE }],
    acquires: true,
    needs: Needs::Bpf,
    ..HelperRow::BASE
}];
