//! Rows: timers.

use super::shape::arg::{ANY, FUNC, MAP, TIMER};
use super::shape::{HelperRow, Needs, Proto, Ret};
use super::shared::TIMER_CALLBACK;
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 169,
        name: "bpf_timer_init",
        since: Release::new(5, 15),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[TIMER, MAP, ANY], gpl_only: true, ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 170,
        name: "bpf_timer_set_callback",
        since: Release::new(5, 15),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[TIMER, FUNC], gpl_only: true, ..Proto::BASE }],
        callback: Some(TIMER_CALLBACK),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 171,
        name: "bpf_timer_start",
        since: Release::new(5, 15),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[TIMER, ANY, ANY], gpl_only: true, ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 172,
        name: "bpf_timer_cancel",
        since: Release::new(5, 15),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[TIMER], gpl_only: true, ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
];
