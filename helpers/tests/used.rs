//! The helpers that real programs use most have bodies.

/// In the order of use by the programs of the shared corpus (`facts/coverage.md`): 99.5 of 100 need no other.
const USED: [&str; 80] = [
    "map_lookup_elem",
    "map_update_elem",
    "get_current_pid_tgid",
    "ktime_get_ns",
    "probe_read_kernel",
    "tail_call",
    "get_current_task",
    "map_delete_elem",
    "ktime_get_boot_ns",
    "perf_event_output",
    "probe_read",
    "get_smp_processor_id",
    "get_current_task_btf",
    "get_current_comm",
    "get_stackid",
    "probe_read_kernel_str",
    "get_current_cgroup_id",
    "get_current_uid_gid",
    "probe_read_str",
    "ringbuf_output",
    "skb_load_bytes",
    "ringbuf_reserve",
    "ringbuf_submit",
    "task_pt_regs",
    "skb_store_bytes",
    "redirect",
    "csum_diff",
    "probe_read_user",
    "fib_lookup",
    "probe_read_user_str",
    "l4_csum_replace",
    "trace_printk",
    "get_prandom_u32",
    "loop",
    "redirect_neigh",
    "current_task_under_cgroup",
    "jiffies64",
    "skb_set_tunnel_key",
    "l3_csum_replace",
    "send_signal",
    "get_hash_recalc",
    "skb_change_head",
    "xdp_adjust_head",
    "redirect_map",
    "skb_change_tail",
    "copy_from_user",
    "xdp_adjust_meta",
    "get_attach_cookie",
    "skb_adjust_room",
    "get_socket_cookie",
    "xdp_adjust_tail",
    "skb_pull_data",
    "override_return",
    "probe_write_user",
    "skb_change_type",
    "get_netns_cookie",
    "get_stack",
    "sk_release",
    "skc_lookup_tcp",
    "sk_assign",
    "sk_lookup_udp",
    "skb_get_tunnel_key",
    "seq_write",
    "setsockopt",
    "skb_change_proto",
    "clone_redirect",
    "sk_fullsock",
    "d_path",
    "skb_load_bytes_relative",
    "sock_map_update",
    "get_func_ip",
    "get_ns_current_pid_tgid",
    "perf_event_read",
    "perf_event_read_value",
    "redirect_peer",
    "trace_vprintk",
    "skc_to_tcp_sock",
    "copy_from_user_task",
    "for_each_map_elem",
    "get_task_stack",
];

#[test]
fn the_most_used_helpers_have_bodies() {
    let has_body = |name: &&str| {
        let row = skep_linux::helpers::helper_by_name(name).unwrap_or_else(|| panic!("{name} is no helper"));
        skep_helpers::helper(row.id).is_some()
    };
    let missing: Vec<&str> = USED.into_iter().filter(|name| !has_body(name)).collect();
    println!("{} of the {} most used helpers have bodies; missing: {missing:?}", USED.len() - missing.len(), USED.len());
    assert!(missing.is_empty(), "no bodies: {missing:?}");
}

#[test]
fn bodies_lie_in_the_families_of_their_rows() {
    for (family, id, name, _) in skep_helpers::helpers() {
        let row = skep_linux::helpers::helper(id).unwrap_or_else(|| panic!("{name} has no row"));
        assert_eq!(row.name, name);
        let known = skep_linux::helpers::FAMILIES.iter().find(|known| known.name == family);
        let known = known.unwrap_or_else(|| panic!("no family {family}"));
        assert!(known.rows.iter().any(|row| row.id == id), "{name} is in another family than {family}");
    }
}

#[test]
fn kernel_functions_with_bodies_have_rows() {
    for (_, name, _) in skep_helpers::kfuncs() {
        assert!(skep_linux::kfuncs::kfunc(name).is_some(), "{name} has no row");
    }
}
