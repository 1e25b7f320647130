// SPDX-License-Identifier: MIT OR Apache-2.0
// Socket filters: how many bytes of a packet a socket gets to see. One reads the packet as classic BPF does, one with a helper.
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long off) asm("llvm.bpf.load.word");

/* Bytes by IP protocol. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} bytes SEC(".maps");

/* Keeps what goes to or comes from port 53, and the headers of the rest of UDP. The packet begins with its IP header, as it does on a
 * datagram socket. A read beyond its end ends the program with 0. */
SEC("socket")
int dns(struct __sk_buff *skb)
{
	__u32 transport, protocol;
	__u64 *sum;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return 0;
	protocol = load_byte(skb, 9);
	sum = bpf_map_lookup_elem(&bytes, &protocol);
	if (sum)
		__sync_fetch_and_add(sum, skb->len);
	if (protocol != IPPROTO_UDP || load_half(skb, 6) & 0x1fff)
		return 0;
	transport = (load_byte(skb, 0) & 0xf) * 4;
	if (load_half(skb, transport) == 53 || load_half(skb, transport + 2) == 53)
		return skb->len;
	return transport + 8;
}

/* What lies before the packet is reached through offsets that classic BPF set apart. */
SEC("socket")
int link_layer(struct __sk_buff *skb)
{
	return load_half(skb, SKF_LL_OFF + 12) << 16 | load_byte(skb, SKF_NET_OFF + 9);
}

/* The sum of the first words of a packet, to see in what order its bytes are read. */
SEC("socket")
int words(struct __sk_buff *skb)
{
	__u32 word = 0;

	if (bpf_skb_load_bytes(skb, 4, &word, sizeof(word)))
		return -1;
	return load_word(skb, 0) + word + skb->len;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
