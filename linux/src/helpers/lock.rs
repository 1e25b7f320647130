//! Rows: spin locks.

use super::shape::arg::LOCK;
use super::shape::{HelperRow, Lock, Needs, Proto, Ret};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 93,
        name: "bpf_spin_lock",
        since: Release::new(5, 1),
        protos: &[Proto { users: Users::ALL, ret: Ret::Void, args: &[LOCK], ..Proto::BASE }],
        lock: Lock::Take,
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 94,
        name: "bpf_spin_unlock",
        since: Release::new(5, 1),
        protos: &[Proto { users: Users::ALL, ret: Ret::Void, args: &[LOCK], ..Proto::BASE }],
        under_lock: true,
        lock: Lock::Release,
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
];
