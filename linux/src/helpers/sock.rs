//! Rows: sockets.

use super::shape::arg::{ANY, BTF_SOCK, CTX, MEM_IN, MEM_OUT, SIZE, SIZE0, SOCK_COMMON, SOCKET, btf};
use super::shape::{BtfType, HelperRow, Needs, Proto, Ret};
use crate::AttachType::{CgroupInet4Connect, CgroupInet6Connect, CgroupSetsockopt, LsmCgroup, TraceIter};
use crate::ProgType::{
    CgroupSkb, CgroupSock, CgroupSockAddr, CgroupSockopt, FlowDissector, Lsm, LwtIn, LwtOut, LwtSeg6local, LwtXmit, SchedAct,
    SchedCls, SkLookup, SkMsg, SkReuseport, SkSkb, SockOps, SocketFilter, StructOps, Syscall, Tracing, Xdp,
};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 46,
        name: "bpf_get_socket_cookie",
        since: Release::new(4, 12),
        protos: &[
            Proto {
                users: Users::of(&[SocketFilter, SchedCls, SchedAct, CgroupSkb, CgroupSock, SockOps, SkSkb, CgroupSockAddr]),
                ret: Ret::Integer,
                args: &[CTX],
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[SkReuseport, Tracing, Lsm, Syscall]),
                ret: Ret::Integer,
                args: &[BTF_SOCK.or_null()],
                ..Proto::BASE
            },
        ],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 47,
        name: "bpf_get_socket_uid",
        since: Release::new(4, 12),
        protos: &[Proto {
            users: Users::of(&[SocketFilter, SchedCls, SchedAct, CgroupSkb, SkSkb]),
            ret: Ret::Integer,
            args: &[CTX],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 49,
        name: "bpf_setsockopt",
        since: Release::new(4, 13),
        protos: &[
            Proto {
                users: Users::of(&[SockOps, CgroupSockAddr]),
                ret: Ret::Integer,
                args: &[CTX, ANY, ANY, MEM_IN, SIZE],
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[CgroupSockopt, Tracing, StructOps, Lsm]).when(&[
                    (CgroupSockopt, &[CgroupSetsockopt]),
                    (Lsm, &[LsmCgroup]),
                    (Tracing, &[TraceIter]),
                ]),
                ret: Ret::Integer,
                args: &[BTF_SOCK, ANY, ANY, MEM_IN, SIZE],
                ..Proto::BASE
            },
        ],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 57,
        name: "bpf_getsockopt",
        since: Release::new(4, 15),
        protos: &[
            Proto {
                users: Users::of(&[SockOps, CgroupSockAddr]),
                ret: Ret::Integer,
                args: &[CTX, ANY, ANY, MEM_OUT, SIZE],
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[CgroupSockopt, Tracing, StructOps, Lsm]).when(&[
                    (CgroupSockopt, &[CgroupSetsockopt]),
                    (Lsm, &[LsmCgroup]),
                    (Tracing, &[TraceIter]),
                ]),
                ret: Ret::Integer,
                args: &[BTF_SOCK, ANY, ANY, MEM_OUT, SIZE],
                ..Proto::BASE
            },
        ],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 64,
        name: "bpf_bind",
        since: Release::new(4, 17),
        protos: &[Proto {
            users: Users::of(&[CgroupSockAddr]).when(&[(CgroupSockAddr, &[CgroupInet4Connect, CgroupInet6Connect])]),
            ret: Ret::Integer,
            args: &[CTX, MEM_IN, SIZE],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 84,
        name: "bpf_sk_lookup_tcp",
        since: Release::new(4, 20),
        protos: &[
            Proto {
                users: Users::of(&[CgroupSockAddr]),
                ret: Ret::SocketOrNull,
                args: &[CTX, MEM_IN, SIZE0, ANY, ANY],
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[SchedCls, SchedAct, Xdp, CgroupSkb, SkSkb]),
                ret: Ret::SocketOrNull,
                args: &[CTX, MEM_IN, SIZE0, ANY, ANY],
                takes_packet: true,
                ..Proto::BASE
            },
        ],
        acquires: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 85,
        name: "bpf_sk_lookup_udp",
        since: Release::new(4, 20),
        protos: &[
            Proto {
                users: Users::of(&[CgroupSockAddr]),
                ret: Ret::SocketOrNull,
                args: &[CTX, MEM_IN, SIZE0, ANY, ANY],
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[SchedCls, SchedAct, Xdp, CgroupSkb, SkSkb]),
                ret: Ret::SocketOrNull,
                args: &[CTX, MEM_IN, SIZE0, ANY, ANY],
                takes_packet: true,
                ..Proto::BASE
            },
        ],
        acquires: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 86,
        name: "bpf_sk_release",
        since: Release::new(4, 20),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp, CgroupSkb, SkSkb, CgroupSockAddr, SkLookup]),
            ret: Ret::Integer,
            args: &[BTF_SOCK.released()],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 95,
        name: "bpf_sk_fullsock",
        since: Release::new(5, 1),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, CgroupSkb]),
            ret: Ret::SocketOrNull,
            args: &[SOCK_COMMON],
            ..Proto::BASE
        }],
        casts: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 96,
        name: "bpf_tcp_sock",
        since: Release::new(5, 1),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, CgroupSkb, SockOps, CgroupSockopt]),
            ret: Ret::TcpSockOrNull,
            args: &[SOCK_COMMON],
            ..Proto::BASE
        }],
        casts: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 98,
        name: "bpf_get_listener_sock",
        since: Release::new(5, 1),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, CgroupSkb]),
            ret: Ret::SocketOrNull,
            args: &[SOCK_COMMON],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 99,
        name: "bpf_skc_lookup_tcp",
        since: Release::new(5, 2),
        protos: &[
            Proto {
                users: Users::of(&[CgroupSockAddr]),
                ret: Ret::SockCommonOrNull,
                args: &[CTX, MEM_IN, SIZE0, ANY, ANY],
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[SchedCls, SchedAct, Xdp, CgroupSkb, SkSkb]),
                ret: Ret::SockCommonOrNull,
                args: &[CTX, MEM_IN, SIZE0, ANY, ANY],
                takes_packet: true,
                ..Proto::BASE
            },
        ],
        acquires: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 122,
        name: "bpf_get_netns_cookie",
        since: Release::new(5, 7),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                CgroupSkb,
                CgroupSock,
                SockOps,
                SkMsg,
                CgroupSockAddr,
                CgroupSockopt,
            ]),
            ret: Ret::Integer,
            args: &[CTX.or_null()],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 124,
        name: "bpf_sk_assign",
        since: Release::new(5, 7),
        protos: &[
            Proto { users: Users::of(&[SkLookup]), ret: Ret::Integer, args: &[CTX, SOCKET.or_null(), ANY], ..Proto::BASE },
            Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[CTX, BTF_SOCK, ANY], ..Proto::BASE },
        ],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 136,
        name: "bpf_skc_to_tcp6_sock",
        since: Release::new(5, 9),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                Xdp,
                CgroupSkb,
                LwtIn,
                LwtOut,
                LwtXmit,
                SockOps,
                SkSkb,
                SkMsg,
                CgroupSockAddr,
                LwtSeg6local,
                FlowDissector,
                Tracing,
                Lsm,
                SkLookup,
                Syscall,
            ]),
            ret: Ret::Btf { to: BtfType::Tcp6Sock, nullable: true, trusted: false },
            args: &[BTF_SOCK],
            ..Proto::BASE
        }],
        casts: true,
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 137,
        name: "bpf_skc_to_tcp_sock",
        since: Release::new(5, 9),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                Xdp,
                CgroupSkb,
                LwtIn,
                LwtOut,
                LwtXmit,
                SockOps,
                SkSkb,
                SkMsg,
                CgroupSockAddr,
                LwtSeg6local,
                FlowDissector,
                Tracing,
                Lsm,
                SkLookup,
                Syscall,
            ]),
            ret: Ret::Btf { to: BtfType::TcpSock, nullable: true, trusted: false },
            args: &[BTF_SOCK],
            ..Proto::BASE
        }],
        casts: true,
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 138,
        name: "bpf_skc_to_tcp_timewait_sock",
        since: Release::new(5, 9),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                Xdp,
                CgroupSkb,
                LwtIn,
                LwtOut,
                LwtXmit,
                SockOps,
                SkSkb,
                SkMsg,
                CgroupSockAddr,
                LwtSeg6local,
                FlowDissector,
                Tracing,
                Lsm,
                SkLookup,
                Syscall,
            ]),
            ret: Ret::Btf { to: BtfType::TcpTimewaitSock, nullable: true, trusted: false },
            args: &[BTF_SOCK],
            ..Proto::BASE
        }],
        casts: true,
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 139,
        name: "bpf_skc_to_tcp_request_sock",
        since: Release::new(5, 9),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                Xdp,
                CgroupSkb,
                LwtIn,
                LwtOut,
                LwtXmit,
                SockOps,
                SkSkb,
                SkMsg,
                CgroupSockAddr,
                LwtSeg6local,
                FlowDissector,
                Tracing,
                Lsm,
                SkLookup,
                Syscall,
            ]),
            ret: Ret::Btf { to: BtfType::TcpRequestSock, nullable: true, trusted: false },
            args: &[BTF_SOCK],
            ..Proto::BASE
        }],
        casts: true,
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 140,
        name: "bpf_skc_to_udp6_sock",
        since: Release::new(5, 9),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                Xdp,
                CgroupSkb,
                LwtIn,
                LwtOut,
                LwtXmit,
                SockOps,
                SkSkb,
                SkMsg,
                CgroupSockAddr,
                LwtSeg6local,
                FlowDissector,
                Tracing,
                Lsm,
                SkLookup,
                Syscall,
            ]),
            ret: Ret::Btf { to: BtfType::Udp6Sock, nullable: true, trusted: false },
            args: &[BTF_SOCK],
            ..Proto::BASE
        }],
        casts: true,
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 162,
        name: "bpf_sock_from_file",
        since: Release::new(5, 11),
        protos: &[Proto {
            users: Users::of(&[Tracing, Lsm, Syscall]),
            ret: Ret::Btf { to: BtfType::Socket, nullable: true, trusted: false },
            args: &[btf(BtfType::File)],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 178,
        name: "bpf_skc_to_unix_sock",
        since: Release::new(5, 16),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                Xdp,
                CgroupSkb,
                LwtIn,
                LwtOut,
                LwtXmit,
                SockOps,
                SkSkb,
                SkMsg,
                CgroupSockAddr,
                LwtSeg6local,
                FlowDissector,
                Tracing,
                Lsm,
                SkLookup,
                Syscall,
            ]),
            ret: Ret::Btf { to: BtfType::UnixSock, nullable: true, trusted: false },
            args: &[BTF_SOCK],
            ..Proto::BASE
        }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 196,
        name: "bpf_skc_to_mptcp_sock",
        since: Release::new(5, 19),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                Xdp,
                CgroupSkb,
                LwtIn,
                LwtOut,
                LwtXmit,
                SockOps,
                SkSkb,
                SkMsg,
                CgroupSockAddr,
                LwtSeg6local,
                FlowDissector,
                Tracing,
                Lsm,
                SkLookup,
                Syscall,
            ]),
            ret: Ret::Btf { to: BtfType::MptcpSock, nullable: true, trusted: false },
            args: &[SOCK_COMMON],
            ..Proto::BASE
        }],
        casts: true,
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
];
