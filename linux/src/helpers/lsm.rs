//! Rows: security hooks and files.

use super::shape::arg::{ANY, MEM_OUT, SIZE, SIZE0, btf};
use super::shape::{BtfType, HelperRow, Hooks, Proto, Refusal, Ret, Sleeps};
use super::shared::{D_PATH, TRACING_ONLY};
use crate::ProgType::{Lsm, Tracing};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 147,
        name: "bpf_d_path",
        since: Release::new(5, 10),
        protos: &[Proto {
            users: Users::of(&[Tracing, Lsm]),
            ret: Ret::Integer,
            args: &[btf(BtfType::Path), MEM_OUT, SIZE0],
            hooks: Hooks::Functions(D_PATH),
            ..Proto::BASE
        }],
        refused: &[(TRACING_ONLY, Refusal::NotInProbe)],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 159,
        name: "bpf_bprm_opts_set",
        since: Release::new(5, 11),
        protos: &[Proto { users: Users::of(&[Lsm]), ret: Ret::Integer, args: &[btf(BtfType::LinuxBinprm), ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 161,
        name: "bpf_ima_inode_hash",
        since: Release::new(5, 11),
        protos: &[Proto {
            users: Users::of(&[Lsm]),
            ret: Ret::Integer,
            args: &[btf(BtfType::Inode), MEM_OUT, SIZE],
            hooks: Hooks::SleepableLsm,
            ..Proto::BASE
        }],
        sleeps: Sleeps::Always,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 193,
        name: "bpf_ima_file_hash",
        since: Release::new(5, 18),
        protos: &[Proto {
            users: Users::of(&[Lsm]),
            ret: Ret::Integer,
            args: &[btf(BtfType::File), MEM_OUT, SIZE],
            hooks: Hooks::SleepableLsm,
            ..Proto::BASE
        }],
        sleeps: Sleeps::Always,
        ..HelperRow::BASE
    },
];
