//! Flags and small numbers of uapi, by their uapi names, in one place.
#![allow(missing_docs)] // each constant is the uapi constant of its name; its group says what it is for

// Flags of elements: update and lookup.
pub const BPF_ANY: u64 = 0;
pub const BPF_NOEXIST: u64 = 1;
pub const BPF_EXIST: u64 = 2;
pub const BPF_F_LOCK: u64 = 4;

// Flags of `BPF_MAP_CREATE`.
pub const BPF_F_NO_PREALLOC: u32 = 1 << 0;
pub const BPF_F_NO_COMMON_LRU: u32 = 1 << 1;
pub const BPF_F_NUMA_NODE: u32 = 1 << 2;
pub const BPF_F_RDONLY: u32 = 1 << 3;
pub const BPF_F_WRONLY: u32 = 1 << 4;
pub const BPF_F_STACK_BUILD_ID: u32 = 1 << 5;
pub const BPF_F_ZERO_SEED: u32 = 1 << 6;
pub const BPF_F_RDONLY_PROG: u32 = 1 << 7;
pub const BPF_F_WRONLY_PROG: u32 = 1 << 8;
pub const BPF_F_CLONE: u32 = 1 << 9;
pub const BPF_F_MMAPABLE: u32 = 1 << 10;
pub const BPF_F_PRESERVE_ELEMS: u32 = 1 << 11;
pub const BPF_F_INNER_MAP: u32 = 1 << 12;
pub const BPF_F_LINK: u32 = 1 << 13;
pub const BPF_F_PATH_FD: u32 = 1 << 14;
pub const BPF_F_VTYPE_BTF_OBJ_FD: u32 = 1 << 15;
pub const BPF_F_TOKEN_FD: u32 = 1 << 16;
pub const BPF_F_SEGV_ON_FAULT: u32 = 1 << 17;
pub const BPF_F_NO_USER_CONV: u32 = 1 << 18;

// Flags of `BPF_PROG_LOAD`.
pub const BPF_F_STRICT_ALIGNMENT: u32 = 1 << 0;
pub const BPF_F_ANY_ALIGNMENT: u32 = 1 << 1;
pub const BPF_F_TEST_RND_HI32: u32 = 1 << 2;
pub const BPF_F_TEST_STATE_FREQ: u32 = 1 << 3;
pub const BPF_F_SLEEPABLE: u32 = 1 << 4;
pub const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;
pub const BPF_F_XDP_DEV_BOUND_ONLY: u32 = 1 << 6;
pub const BPF_F_TEST_REG_INVARIANTS: u32 = 1 << 7;

// Flags of `BPF_PROG_TEST_RUN`.
pub const BPF_F_TEST_RUN_ON_CPU: u32 = 1 << 0;
pub const BPF_F_TEST_XDP_LIVE_FRAMES: u32 = 1 << 1;
pub const BPF_F_TEST_SKB_CHECKSUM_COMPLETE: u32 = 1 << 2;

// `bpf_skb_store_bytes`, `bpf_l3_csum_replace`, `bpf_l4_csum_replace`.
pub const BPF_F_RECOMPUTE_CSUM: u64 = 1 << 0;
pub const BPF_F_INVALIDATE_HASH: u64 = 1 << 1;
pub const BPF_F_HDR_FIELD_MASK: u64 = 0xf;
pub const BPF_F_PSEUDO_HDR: u64 = 1 << 4;
pub const BPF_F_MARK_MANGLED_0: u64 = 1 << 5;
pub const BPF_F_MARK_ENFORCE: u64 = 1 << 6;
pub const BPF_F_IPV6: u64 = 1 << 7;

// `bpf_csum_level`.
pub const BPF_CSUM_LEVEL_QUERY: u64 = 0;
pub const BPF_CSUM_LEVEL_INC: u64 = 1;
pub const BPF_CSUM_LEVEL_DEC: u64 = 2;
pub const BPF_CSUM_LEVEL_RESET: u64 = 3;

// `bpf_skb_get_tunnel_key`, `bpf_skb_set_tunnel_key`.
pub const BPF_F_TUNINFO_IPV6: u64 = 1 << 0;
pub const BPF_F_ZERO_CSUM_TX: u64 = 1 << 1;
pub const BPF_F_DONT_FRAGMENT: u64 = 1 << 2;
pub const BPF_F_SEQ_NUMBER: u64 = 1 << 3;
pub const BPF_F_NO_TUNNEL_KEY: u64 = 1 << 4;
pub const BPF_F_TUNINFO_FLAGS: u64 = 1 << 4;

// `bpf_get_stackid`, `bpf_get_stack`.
pub const BPF_F_SKIP_FIELD_MASK: u64 = 0xff;
pub const BPF_F_USER_STACK: u64 = 1 << 8;
pub const BPF_F_FAST_STACK_CMP: u64 = 1 << 9;
pub const BPF_F_REUSE_STACKID: u64 = 1 << 10;
pub const BPF_F_USER_BUILD_ID: u64 = 1 << 11;

// `bpf_perf_event_output`, `bpf_perf_event_read`.
pub const BPF_F_INDEX_MASK: u64 = 0xffff_ffff;
pub const BPF_F_CURRENT_CPU: u64 = BPF_F_INDEX_MASK;
pub const BPF_F_CTXLEN_MASK: u64 = 0xf_ffff << 32;
// `bpf_read_branch_records`.
pub const BPF_F_GET_BRANCH_RECORDS_SIZE: u64 = 1 << 0;

// `bpf_sk_lookup_tcp` and its kin: the namespace of the program.
pub const BPF_F_CURRENT_NETNS: i64 = -1;
// `bpf_sk_assign` of socket lookup programs.
pub const BPF_SK_LOOKUP_F_REPLACE: u64 = 1 << 0;
pub const BPF_SK_LOOKUP_F_NO_REUSEPORT: u64 = 1 << 1;

// `bpf_skb_adjust_room`: modes and flags.
pub const BPF_ADJ_ROOM_NET: u32 = 0;
pub const BPF_ADJ_ROOM_MAC: u32 = 1;
pub const BPF_F_ADJ_ROOM_FIXED_GSO: u64 = 1 << 0;
pub const BPF_F_ADJ_ROOM_ENCAP_L3_IPV4: u64 = 1 << 1;
pub const BPF_F_ADJ_ROOM_ENCAP_L3_IPV6: u64 = 1 << 2;
pub const BPF_F_ADJ_ROOM_ENCAP_L4_GRE: u64 = 1 << 3;
pub const BPF_F_ADJ_ROOM_ENCAP_L4_UDP: u64 = 1 << 4;
pub const BPF_F_ADJ_ROOM_NO_CSUM_RESET: u64 = 1 << 5;
pub const BPF_F_ADJ_ROOM_ENCAP_L2_ETH: u64 = 1 << 6;
pub const BPF_F_ADJ_ROOM_DECAP_L3_IPV4: u64 = 1 << 7;
pub const BPF_F_ADJ_ROOM_DECAP_L3_IPV6: u64 = 1 << 8;
pub const BPF_ADJ_ROOM_ENCAP_L2_MASK: u64 = 0xff;
pub const BPF_ADJ_ROOM_ENCAP_L2_SHIFT: u32 = 56;

// `bpf_skb_load_bytes_relative`.
pub const BPF_HDR_START_MAC: u32 = 0;
pub const BPF_HDR_START_NET: u32 = 1;

// `bpf_skb_set_tstamp`, `__sk_buff.tstamp_type`.
pub const BPF_SKB_CLOCK_REALTIME: u32 = 0;
pub const BPF_SKB_CLOCK_MONOTONIC: u32 = 1;
pub const BPF_SKB_CLOCK_TAI: u32 = 2;

// `bpf_redirect`, `bpf_redirect_map`, `bpf_clone_redirect`, `bpf_msg_redirect_map`.
pub const BPF_F_INGRESS: u64 = 1 << 0;
pub const BPF_F_EGRESS: u64 = 1 << 1;
pub const BPF_F_BROADCAST: u64 = 1 << 3;
pub const BPF_F_EXCLUDE_INGRESS: u64 = 1 << 4;

// `bpf_lwt_push_encap`.
pub const BPF_LWT_ENCAP_SEG6: u32 = 0;
pub const BPF_LWT_ENCAP_SEG6_INLINE: u32 = 1;
pub const BPF_LWT_ENCAP_IP: u32 = 2;

// `bpf_fib_lookup`: flags and results.
pub const BPF_FIB_LOOKUP_DIRECT: u32 = 1 << 0;
pub const BPF_FIB_LOOKUP_OUTPUT: u32 = 1 << 1;
pub const BPF_FIB_LOOKUP_SKIP_NEIGH: u32 = 1 << 2;
pub const BPF_FIB_LOOKUP_TBID: u32 = 1 << 3;
pub const BPF_FIB_LOOKUP_SRC: u32 = 1 << 4;
pub const BPF_FIB_LOOKUP_MARK: u32 = 1 << 5;
pub const BPF_FIB_LKUP_RET_SUCCESS: u64 = 0;
pub const BPF_FIB_LKUP_RET_BLACKHOLE: u64 = 1;
pub const BPF_FIB_LKUP_RET_UNREACHABLE: u64 = 2;
pub const BPF_FIB_LKUP_RET_PROHIBIT: u64 = 3;
pub const BPF_FIB_LKUP_RET_NOT_FWDED: u64 = 4;
pub const BPF_FIB_LKUP_RET_FWD_DISABLED: u64 = 5;
pub const BPF_FIB_LKUP_RET_UNSUPP_LWT: u64 = 6;
pub const BPF_FIB_LKUP_RET_NO_NEIGH: u64 = 7;
pub const BPF_FIB_LKUP_RET_FRAG_NEEDED: u64 = 8;
pub const BPF_FIB_LKUP_RET_NO_SRC_ADDR: u64 = 9;

// `bpf_check_mtu`: flags and results.
pub const BPF_MTU_CHK_SEGS: u64 = 1 << 0;
pub const BPF_MTU_CHK_RET_SUCCESS: u64 = 0;
pub const BPF_MTU_CHK_RET_FRAG_NEEDED: u64 = 1;
pub const BPF_MTU_CHK_RET_SEGS_TOOBIG: u64 = 2;

// `bpf_*_storage_get`.
pub const BPF_LOCAL_STORAGE_GET_F_CREATE: u64 = 1 << 0;

// Ring buffers.
pub const BPF_RB_NO_WAKEUP: u64 = 1 << 0;
pub const BPF_RB_FORCE_WAKEUP: u64 = 1 << 1;
pub const BPF_RB_AVAIL_DATA: u64 = 0;
pub const BPF_RB_RING_SIZE: u64 = 1;
pub const BPF_RB_CONS_POS: u64 = 2;
pub const BPF_RB_PROD_POS: u64 = 3;
pub const BPF_RINGBUF_BUSY_BIT: u32 = 1 << 31;
pub const BPF_RINGBUF_DISCARD_BIT: u32 = 1 << 30;
pub const BPF_RINGBUF_HDR_SZ: u32 = 8;

// `bpf_timer_start`.
pub const BPF_F_TIMER_ABS: u64 = 1 << 0;
pub const BPF_F_TIMER_CPU_PIN: u64 = 1 << 1;

// `bpf_snprintf_btf`, `bpf_seq_printf_btf`.
pub const BTF_F_COMPACT: u64 = 1 << 0;
pub const BTF_F_NONAME: u64 = 1 << 1;
pub const BTF_F_PTR_RAW: u64 = 1 << 2;
pub const BTF_F_ZERO: u64 = 1 << 3;

// `bpf_copy_from_user_str` and its kin.
pub const BPF_F_PAD_ZEROS: u64 = 1 << 0;

// `bpf_sysctl_get_name`, `bpf_bprm_opts_set`, `bpf_load_hdr_opt`.
pub const BPF_F_SYSCTL_BASE_NAME: u64 = 1 << 0;
pub const BPF_F_BPRM_SECUREEXEC: u64 = 1 << 0;
pub const BPF_LOAD_HDR_OPT_TCP_SYN: u64 = 1 << 0;

// `bpf_sock_ops_cb_flags_set`.
pub const BPF_SOCK_OPS_RTO_CB_FLAG: u32 = 1 << 0;
pub const BPF_SOCK_OPS_RETRANS_CB_FLAG: u32 = 1 << 1;
pub const BPF_SOCK_OPS_STATE_CB_FLAG: u32 = 1 << 2;
pub const BPF_SOCK_OPS_RTT_CB_FLAG: u32 = 1 << 3;
pub const BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG: u32 = 1 << 4;
pub const BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG: u32 = 1 << 5;
pub const BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG: u32 = 1 << 6;
pub const BPF_SOCK_OPS_ALL_CB_FLAGS: u32 = 0x7f;

// What XDP programs return.
pub const XDP_ABORTED: u32 = 0;
pub const XDP_DROP: u32 = 1;
pub const XDP_PASS: u32 = 2;
pub const XDP_TX: u32 = 3;
pub const XDP_REDIRECT: u32 = 4;

// What traffic control programs return.
pub const TC_ACT_UNSPEC: i32 = -1;
pub const TC_ACT_OK: i32 = 0;
pub const TC_ACT_RECLASSIFY: i32 = 1;
pub const TC_ACT_SHOT: i32 = 2;
pub const TC_ACT_PIPE: i32 = 3;
pub const TC_ACT_STOLEN: i32 = 4;
pub const TC_ACT_QUEUED: i32 = 5;
pub const TC_ACT_REPEAT: i32 = 6;
pub const TC_ACT_REDIRECT: i32 = 7;
pub const TC_ACT_TRAP: i32 = 8;

// What socket programs return.
pub const SK_DROP: u32 = 0;
pub const SK_PASS: u32 = 1;
