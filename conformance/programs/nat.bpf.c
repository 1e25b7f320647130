// SPDX-License-Identifier: MIT OR Apache-2.0
// A tc classifier that sends packets for one address to another, keeps the checksums right, and puts what it changed into a VLAN.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_OFF ETH_HLEN
#define L4_OFF (ETH_HLEN + sizeof(struct iphdr))

struct service {
	__be32 address;
	__be16 port;
	__u16 vlan; /* 0: none */
};

/* Where packets for an address go. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __be32);
	__type(value, struct service);
} services SEC(".maps");

__u64 rewritten = 0;
__u64 refused = 0;

SEC("tc")
int translate(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + IP_OFF;
	struct service *service;
	__be32 old_address, *seen;
	__be16 old_port, *ports;
	__u32 csum_off, flags = 0;
	__u16 vlan;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	if ((void *)(ip + 1) > end || ip->ihl != 5)
		return TC_ACT_UNSPEC;
	if (ip->protocol == IPPROTO_TCP)
		csum_off = L4_OFF + __builtin_offsetof(struct tcphdr, check);
	else if (ip->protocol == IPPROTO_UDP)
		csum_off = L4_OFF + __builtin_offsetof(struct udphdr, check), flags = BPF_F_MARK_MANGLED_0;
	else
		return TC_ACT_UNSPEC;
	seen = &ip->daddr;
	service = bpf_map_lookup_elem(&services, seen);
	if (!service)
		return TC_ACT_UNSPEC;
	ports = data + L4_OFF;
	if ((void *)(ports + 2) > end || ip->ttl <= 1) {
		__sync_fetch_and_add(&refused, 1);
		return TC_ACT_SHOT;
	}
	old_address = ip->daddr;
	old_port = ports[1];
	vlan = service->vlan;

	/* From here on the packet is changed by helpers: its pointers are void. */
	bpf_l4_csum_replace(skb, csum_off, old_address, service->address, BPF_F_PSEUDO_HDR | flags | sizeof(old_address));
	bpf_l4_csum_replace(skb, csum_off, old_port, service->port, flags | sizeof(old_port));
	bpf_l3_csum_replace(skb, IP_OFF + __builtin_offsetof(struct iphdr, check), old_address, service->address,
			    sizeof(old_address));
	bpf_skb_store_bytes(skb, IP_OFF + __builtin_offsetof(struct iphdr, daddr), &service->address, sizeof(service->address), 0);
	bpf_skb_store_bytes(skb, L4_OFF + 2, &service->port, sizeof(service->port), 0);
	if (vlan && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), vlan))
		return TC_ACT_SHOT;
	skb->mark = vlan;
	skb->cb[0] = bpf_ntohs(old_port);
	__sync_fetch_and_add(&rewritten, 1);
	return TC_ACT_OK;
}

/* Counts the hops of a packet down; the checksum of the header is made anew. */
SEC("tc")
int hop(struct __sk_buff *skb)
{
	struct iphdr ip;
	__s64 sum;

	if (bpf_skb_load_bytes(skb, IP_OFF, &ip, sizeof(ip)) || ip.version != 4)
		return TC_ACT_UNSPEC;
	if (!--ip.ttl)
		return TC_ACT_SHOT;
	ip.check = 0;
	sum = bpf_csum_diff(0, 0, (__be32 *)&ip, sizeof(ip), 0);
	sum = (sum & 0xffff) + (sum >> 16);
	ip.check = ~((sum & 0xffff) + (sum >> 16));
	if (bpf_skb_store_bytes(skb, IP_OFF, &ip, sizeof(ip), BPF_F_INVALIDATE_HASH))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* Takes a VLAN's tag off, wherever it is, and as many bytes off the end as the mark says. */
SEC("tc")
int untag(struct __sk_buff *skb)
{
	if ((skb->vlan_present || skb->protocol == bpf_htons(ETH_P_8021Q)) && bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	if (skb->mark && bpf_skb_change_tail(skb, skb->len - skb->mark, 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
