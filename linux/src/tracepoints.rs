//! Arguments of tracepoints that may be NULL, or an error in a pointer, where the kernel's types do not say so.
//!
//! The kernel keeps this list by hand; of a tracepoint that is not in it no argument is NULL, unless a module has it or the argument's name
//! ends in `__nullable`. Asked of Linux 6.18 for the tracepoints that it has; those of drivers and file systems that it was built
//! without follow the source.

/// A tracepoint with such arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TracepointRow {
    /// Its name.
    pub name: &'static str,
    /// Arguments that may be NULL, from 0.
    pub null: &'static [u8],
    /// Arguments that may be an error: programs see them as numbers.
    pub error: &'static [u8],
}

const fn null(name: &'static str, null: &'static [u8]) -> TracepointRow {
    TracepointRow { name, null, error: &[] }
}

const fn error(name: &'static str, error: &'static [u8]) -> TracepointRow {
    TracepointRow { name, null: &[], error }
}

/// The tracepoints, by name.
pub const TRACEPOINTS: &[TracepointRow] = &[
    null("afs_flock_ev", &[1]),
    null("afs_make_fs_call", &[1]),
    null("afs_make_fs_call1", &[1]),
    null("afs_make_fs_call2", &[1]),
    null("afs_make_fs_calli", &[1]),
    null("afs_protocol_error", &[0]),
    null("amdgpu_vm_bo_map", &[0]),
    null("amdgpu_vm_bo_unmap", &[0]),
    null("amdtp_packet", &[2]),
    null("binder_transaction", &[2]),
    null("bpf_testmod_test_read", &[]),
    null("break_lease_block", &[1]),
    null("break_lease_noblock", &[1]),
    null("break_lease_unblock", &[1]),
    null("btree_path_free", &[2]),
    null("cachefiles_io_error", &[0]),
    TracepointRow { name: "cachefiles_lookup", null: &[0], error: &[2] },
    null("cachefiles_mark_active", &[0]),
    null("cachefiles_mark_failed", &[0]),
    null("cachefiles_mark_inactive", &[0]),
    null("cachefiles_ondemand_close", &[0]),
    null("cachefiles_ondemand_copen", &[0]),
    null("cachefiles_ondemand_cread", &[0]),
    null("cachefiles_ondemand_fd_release", &[0]),
    null("cachefiles_ondemand_fd_write", &[0]),
    null("cachefiles_ondemand_open", &[0]),
    null("cachefiles_ondemand_read", &[0]),
    null("cachefiles_prep_read", &[0]),
    null("cachefiles_rename", &[0]),
    null("cachefiles_unlink", &[0]),
    null("cachefiles_vfs_error", &[0]),
    null("cfg80211_inform_bss_frame", &[2]),
    null("cfg80211_michael_mic_failure", &[4]),
    null("cfg80211_report_wowlan_wakeup", &[2]),
    null("cfg80211_scan_done", &[0, 1]),
    null("coda_dec_pic_done", &[1]),
    null("coda_dec_pic_run", &[1]),
    null("device_pm_callback_start", &[1]),
    null("dpu_crtc_setup_mixer", &[2]),
    null("ext4_mballoc_discard", &[1]),
    null("ext4_mballoc_free", &[1]),
    null("fcntl_setlk", &[1]),
    null("fib_table_lookup", &[2]),
    null("flock_lock_inode", &[1]),
    null("folio_wait_writeback", &[1]),
    null("generic_delete_lease", &[1]),
    null("hfi1_sdma_progress", &[3]),
    null("host1x_cdma_push_gather", &[4]),
    null("hugetlbfs_alloc_inode", &[1]),
    null("iptfs_ingress_postq_event", &[3]),
    null("kfree_skb", &[3]),
    null("kvm_page_fault_enter", &[2]),
    null("locks_remove_posix", &[1]),
    null("mm_collapse_huge_page_isolate", &[0]),
    null("mm_khugepaged_collapse_file", &[1]),
    null("mm_khugepaged_scan_file", &[1]),
    null("mm_khugepaged_scan_pmd", &[1]),
    null("mm_page_alloc", &[0]),
    null("mm_page_alloc_zone_locked", &[0]),
    null("mm_page_pcpu_drain", &[0]),
    error("mr_integ_alloc", &[3]),
    null("neigh_update", &[1]),
    null("netfs_failure", &[1]),
    null("netfs_folioq", &[0]),
    error("nfs4_inode_callback_event", &[2]),
    error("nfs4_inode_stateid_callback_event", &[2]),
    null("nfs4_setup_sequence", &[0]),
    null("nfsd_dirent", &[0]),
    null("nfsd_file_acquire", &[0, 3]),
    null("nfsd_file_cons_err", &[0]),
    null("nfsd_file_insert_err", &[0]),
    null("pnfs_mds_fallback_pg_get_mirror_count", &[4]),
    null("pnfs_mds_fallback_pg_init_read", &[4]),
    null("pnfs_mds_fallback_pg_init_write", &[4]),
    null("pnfs_mds_fallback_read_done", &[4]),
    null("pnfs_mds_fallback_read_pagelist", &[4]),
    null("pnfs_mds_fallback_write_done", &[4]),
    null("pnfs_mds_fallback_write_pagelist", &[4]),
    null("pnfs_update_layout", &[4]),
    null("posix_lock_inode", &[1]),
    null("qdisc_dequeue", &[3]),
    null("rdev_set_coalesce", &[1]),
    null("rxrpc_client", &[0]),
    null("rxrpc_recvdata", &[0]),
    null("rxrpc_resend", &[1]),
    null("rxrpc_tq", &[1]),
    null("sched_pi_setprio", &[1]),
    null("sched_stick_numa", &[2]),
    null("sched_swap_numa", &[2]),
    null("spufs_context", &[1]),
    null("tcp_send_reset", &[0, 1]),
    null("tcp_sendmsg_locked", &[2]),
    null("tegra_dma_tx_status", &[2]),
    null("time_out_leases", &[1]),
    null("tmigr_update_events", &[0]),
    null("wiphy_work_cancel", &[1]),
    null("wiphy_work_flush", &[1]),
    null("wiphy_work_queue", &[1]),
    null("wiphy_work_run", &[1]),
    null("writeback_dirty_folio", &[1]),
    null("xchk_metapath_lookup", &[2]),
    null("xchk_nlinks_live_update", &[1]),
    null("xfs_blockgc_flush_all", &[0]),
    null("xfs_blockgc_free_space", &[1]),
    null("xfs_blockgc_start", &[0]),
    null("xfs_blockgc_stop", &[0]),
    null("xfs_blockgc_worker", &[0]),
    null("xfs_btree_overlapped_query_range", &[2]),
    null("xfs_btree_updkeys", &[2]),
    null("xfs_defer_add_item", &[0]),
    null("xfs_defer_cancel_item", &[0]),
    null("xfs_defer_cancel_list", &[0]),
    null("xfs_defer_create_intent", &[0]),
    null("xfs_defer_finish_item", &[0]),
    null("xfs_defer_isolate_paused", &[0]),
    null("xfs_defer_item_pause", &[0]),
    null("xfs_defer_item_unpause", &[0]),
    null("xfs_defer_pending_abort", &[0]),
    null("xfs_defer_pending_finish", &[0]),
    null("xfs_defer_relog_intent", &[0]),
    null("xfs_fs_sync_fs", &[0]),
    null("xfs_inodegc_flush", &[0]),
    null("xfs_inodegc_push", &[0]),
    null("xfs_inodegc_queue", &[0]),
    null("xfs_inodegc_start", &[0]),
    null("xfs_inodegc_stop", &[0]),
    null("xfs_inodegc_throttle", &[0]),
    null("xfs_ioc_free_eofblocks", &[1]),
    null("xfs_iomap_alloc", &[3]),
    null("xfs_iomap_found", &[3]),
    null("xfs_map_blocks_alloc", &[4]),
    null("xfs_map_blocks_found", &[4]),
    null("xprt_get_cong", &[1]),
    null("xprt_put_cong", &[1]),
    null("xprt_release_cong", &[1]),
    null("xprt_reserve_cong", &[1]),
    null("xs_stream_read_data", &[0]),
];

const _: () = {
    let mut i = 1;
    while i < TRACEPOINTS.len() {
        assert!(before(TRACEPOINTS[i - 1].name.as_bytes(), TRACEPOINTS[i].name.as_bytes()), "rows are in the order of the names");
        i += 1;
    }
};

const fn before(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

/// The row of a tracepoint.
pub fn tracepoint(name: &str) -> Option<&'static TracepointRow> {
    TRACEPOINTS.binary_search_by(|row| row.name.cmp(name)).ok().map(|at| &TRACEPOINTS[at])
}
