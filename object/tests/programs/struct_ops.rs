//! Structs of functions.

use super::open;

#[test]
fn structs_are_listed_with_their_programs() {
    let object = open("struct_ops");
    let listed: Vec<_> = object
        .struct_ops()
        .iter()
        .map(|ops| {
            let members: Vec<_> = ops.members.iter().map(|(member, program)| (member.as_str(), program.as_str())).collect();
            (ops.name.as_str(), ops.struct_name.as_str(), ops.link, ops.autocreate, members)
        })
        .collect();
    assert_eq!(
        listed,
        [
            (
                "plain",
                "tcp_congestion_ops",
                false,
                true,
                vec![("ssthresh", "skep_ssthresh"), ("cong_avoid", "skep_cong_avoid"), ("undo_cwnd", "skep_undo_cwnd")]
            ),
            ("linked", "tcp_congestion_ops", true, true, vec![("ssthresh", "skep_ssthresh"), ("undo_cwnd", "skep_undo_cwnd")]),
            ("optional", "tcp_congestion_ops", false, false, vec![("undo_cwnd", "skep_undo_cwnd"), ("init", "skep_init")]),
        ]
    );
    let plain = &object.struct_ops()[0];
    assert_eq!(plain.bytes[32..36], 5u32.to_le_bytes());
    assert_eq!(&plain.bytes[36..41], b"skep\0");
    assert!(plain.bytes[..32].iter().all(|byte| *byte == 0), "programs are no numbers in the file");
    let programs: Vec<_> = object.programs().map(|program| (program.name(), program.autoload())).collect();
    assert_eq!(programs, [("skep_ssthresh", true), ("skep_cong_avoid", true), ("skep_undo_cwnd", true), ("skep_init", false)]);
}
