//! Rows: infrared remote controls.

use super::shape::arg::{ANY, CTX};
use super::shape::{HelperRow, Proto, Ret};
use crate::ProgType::LircMode2;
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 77,
        name: "bpf_rc_repeat",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::of(&[LircMode2]), ret: Ret::Integer, args: &[CTX], gpl_only: true, ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 78,
        name: "bpf_rc_keydown",
        since: Release::new(4, 18),
        protos: &[Proto {
            users: Users::of(&[LircMode2]),
            ret: Ret::Integer,
            args: &[CTX, ANY, ANY, ANY],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 92,
        name: "bpf_rc_pointer_rel",
        since: Release::new(5, 0),
        protos: &[Proto {
            users: Users::of(&[LircMode2]),
            ret: Ret::Integer,
            args: &[CTX, ANY, ANY],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
];
