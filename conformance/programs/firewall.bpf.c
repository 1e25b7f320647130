// SPDX-License-Identifier: MIT OR Apache-2.0
// An XDP firewall: drops packets to ports that a map lists, and counts verdicts by protocol.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct vlan_header {
	__be16 tci;
	__be16 proto;
};

struct count {
	__u64 packets;
	__u64 bytes;
};

/* Ports, in host byte order, that nothing may be sent to. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u16);
	__type(value, __u8);
} blocked_ports SEC(".maps");

/* What was dropped and passed, by IP protocol. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct count);
} dropped SEC(".maps"), passed SEC(".maps");

/* Whether packets that are neither IPv4 nor IPv6 are dropped; set before load. */
const volatile __u8 strict = 0;

__u64 malformed = 0;

static __always_inline int verdict(int action, __u32 protocol, __u64 bytes)
{
	struct count *count;

	if (action == XDP_DROP)
		count = bpf_map_lookup_elem(&dropped, &protocol);
	else
		count = bpf_map_lookup_elem(&passed, &protocol);
	if (count) {
		count->packets++;
		count->bytes += bytes;
	}
	return action;
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 bytes = end - data;
	struct ethhdr *eth = data;
	void *next = eth + 1;
	__u8 protocol;
	__be16 *ports;
	__u16 port;

	if (next > end)
		goto malformed;
	__be16 kind = eth->h_proto;
	if (kind == bpf_htons(ETH_P_8021Q) || kind == bpf_htons(ETH_P_8021AD)) {
		struct vlan_header *vlan = next;

		next = vlan + 1;
		if (next > end)
			goto malformed;
		kind = vlan->proto;
	}
	if (kind == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = next;

		if ((void *)(ip + 1) > end || ip->ihl < 5)
			goto malformed;
		protocol = ip->protocol;
		next += ip->ihl * 4;
		if (ip->frag_off & bpf_htons(0x1fff)) /* no port in this fragment */
			return verdict(XDP_PASS, protocol, bytes);
	} else if (kind == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = next;

		if ((void *)(ip + 1) > end)
			goto malformed;
		protocol = ip->nexthdr;
		next = ip + 1;
	} else {
		return verdict(strict ? XDP_DROP : XDP_PASS, 255, bytes);
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return verdict(XDP_PASS, protocol, bytes);
	ports = next;
	if ((void *)(ports + 2) > end)
		goto malformed;
	port = bpf_ntohs(ports[1]);
	if (bpf_map_lookup_elem(&blocked_ports, &port))
		return verdict(XDP_DROP, protocol, bytes);
	return verdict(XDP_PASS, protocol, bytes);

malformed:
	__sync_fetch_and_add(&malformed, 1);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
