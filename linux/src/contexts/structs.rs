//! Structs that programs and helpers exchange, as uapi lays them out. Members of unions overlap.

/// A member of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The name; members of a named member as `ipv4.saddr`, those of nameless ones by themselves.
    pub name: &'static str,
    /// Bytes from the start of the struct.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// A struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The name.
    pub name: &'static str,
    /// Bytes.
    pub size: u32,
    /// The members, unions flattened.
    pub members: &'static [Member],
}

impl Layout {
    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&'static Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

const fn m(name: &'static str, offset: u32, size: u32) -> Member {
    Member { name, offset, size }
}

/// The struct of this name.
pub fn layout(name: &str) -> Option<&'static Layout> {
    STRUCTS.iter().find(|layout| layout.name == name)
}

/// Every struct.
pub const STRUCTS: &[Layout] = &[
    Layout {
        name: "bpf_fib_lookup",
        size: 64,
        members: &[
            m("family", 0, 1),
            m("l4_protocol", 1, 1),
            m("sport", 2, 2),
            m("dport", 4, 2),
            m("tot_len", 6, 2),
            m("mtu_result", 6, 2),
            m("ifindex", 8, 4),
            m("tos", 12, 1),
            m("flowinfo", 12, 4),
            m("rt_metric", 12, 4),
            m("ipv4_src", 16, 4),
            m("ipv6_src", 16, 16),
            m("ipv4_dst", 32, 4),
            m("ipv6_dst", 32, 16),
            m("h_vlan_proto", 48, 2),
            m("h_vlan_TCI", 50, 2),
            m("tbid", 48, 4),
            m("mark", 52, 4),
            m("smac", 52, 6),
            m("dmac", 58, 6),
        ],
    },
    Layout { name: "bpf_redir_neigh", size: 20, members: &[m("nh_family", 0, 4), m("ipv4_nh", 4, 4), m("ipv6_nh", 4, 16)] },
    Layout {
        name: "bpf_sock_tuple",
        size: 36,
        members: &[
            m("ipv4", 0, 12),
            m("ipv4.saddr", 0, 4),
            m("ipv4.daddr", 4, 4),
            m("ipv4.sport", 8, 2),
            m("ipv4.dport", 10, 2),
            m("ipv6", 0, 36),
            m("ipv6.saddr", 0, 16),
            m("ipv6.daddr", 16, 16),
            m("ipv6.sport", 32, 2),
            m("ipv6.dport", 34, 2),
        ],
    },
    Layout {
        name: "bpf_tunnel_key",
        size: 44,
        members: &[
            m("tunnel_id", 0, 4),
            m("remote_ipv4", 4, 4),
            m("remote_ipv6", 4, 16),
            m("tunnel_tos", 20, 1),
            m("tunnel_ttl", 21, 1),
            m("tunnel_ext", 22, 2),
            m("tunnel_flags", 22, 2),
            m("tunnel_label", 24, 4),
            m("local_ipv4", 28, 4),
            m("local_ipv6", 28, 16),
        ],
    },
    Layout {
        name: "bpf_xfrm_state",
        size: 28,
        members: &[
            m("reqid", 0, 4),
            m("spi", 4, 4),
            m("family", 8, 2),
            m("ext", 10, 2),
            m("remote_ipv4", 12, 4),
            m("remote_ipv6", 12, 16),
        ],
    },
    Layout { name: "bpf_perf_event_value", size: 24, members: &[m("counter", 0, 8), m("enabled", 8, 8), m("running", 16, 8)] },
    Layout { name: "bpf_pidns_info", size: 8, members: &[m("pid", 0, 4), m("tgid", 4, 4)] },
    Layout { name: "btf_ptr", size: 16, members: &[m("ptr", 0, 8), m("type_id", 8, 4), m("flags", 12, 4)] },
    Layout { name: "bpf_devmap_val", size: 8, members: &[m("ifindex", 0, 4), m("bpf_prog", 4, 4)] },
    Layout { name: "bpf_cpumap_val", size: 8, members: &[m("qsize", 0, 4), m("bpf_prog", 4, 4)] },
    Layout {
        name: "bpf_stack_build_id",
        size: 32,
        members: &[m("status", 0, 4), m("build_id", 4, 20), m("offset", 24, 8), m("ip", 24, 8)],
    },
    Layout { name: "bpf_spin_lock", size: 4, members: &[m("val", 0, 4)] },
    Layout { name: "bpf_timer", size: 16, members: &[m("__opaque", 0, 16)] },
    Layout { name: "bpf_wq", size: 16, members: &[m("__opaque", 0, 16)] },
    Layout { name: "bpf_dynptr", size: 16, members: &[m("__opaque", 0, 16)] },
    Layout { name: "bpf_list_head", size: 16, members: &[m("__opaque", 0, 16)] },
    Layout { name: "bpf_list_node", size: 24, members: &[m("__opaque", 0, 24)] },
    Layout { name: "bpf_rb_root", size: 16, members: &[m("__opaque", 0, 16)] },
    Layout { name: "bpf_rb_node", size: 32, members: &[m("__opaque", 0, 32)] },
    Layout { name: "bpf_refcount", size: 4, members: &[m("__opaque", 0, 4)] },
    Layout { name: "bpf_iter_num", size: 8, members: &[m("__opaque", 0, 8)] },
    Layout { name: "bpf_iter_bits", size: 16, members: &[m("__opaque", 0, 16)] },
    Layout { name: "bpf_iter_task", size: 24, members: &[m("__opaque", 0, 24)] },
    Layout { name: "bpf_iter_task_vma", size: 8, members: &[m("__opaque", 0, 8)] },
    Layout { name: "bpf_iter_css", size: 24, members: &[m("__opaque", 0, 24)] },
    Layout { name: "bpf_iter_css_task", size: 8, members: &[m("__opaque", 0, 8)] },
    Layout { name: "bpf_iter_kmem_cache", size: 8, members: &[m("__opaque", 0, 8)] },
    Layout { name: "bpf_iter_dmabuf", size: 8, members: &[m("__opaque", 0, 8)] },
    Layout { name: "bpf_cgroup_storage_key", size: 16, members: &[m("cgroup_inode_id", 0, 8), m("attach_type", 8, 4)] },
    Layout { name: "bpf_lpm_trie_key_hdr", size: 4, members: &[m("prefixlen", 0, 4)] },
    Layout { name: "bpf_task_work", size: 8, members: &[m("__opaque", 0, 8)] },
    Layout {
        name: "bpf_flow_keys",
        size: 56,
        members: &[
            m("nhoff", 0, 2),
            m("thoff", 2, 2),
            m("addr_proto", 4, 2),
            m("is_frag", 6, 1),
            m("is_first_frag", 7, 1),
            m("is_encap", 8, 1),
            m("ip_proto", 9, 1),
            m("n_proto", 10, 2),
            m("sport", 12, 2),
            m("dport", 14, 2),
            m("ipv4_src", 16, 4),
            m("ipv4_dst", 20, 4),
            m("ipv6_src", 16, 16),
            m("ipv6_dst", 32, 16),
            m("flags", 48, 4),
            m("flow_label", 52, 4),
        ],
    },
];
