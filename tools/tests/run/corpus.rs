//! Tools that people run, on events that the command line describes: what they emit, by its type.

use serde_json::{Value, json};

use crate::common::{json, own, passes, shared};

/// An object of libbpf-tools, and the kernel's types that it is relocated against: recorded, so that no kernel need be asked.
fn tool(name: &str) -> Option<(String, String)> {
    Some((shared(&format!("corpus/objects/libbpf-tools/{name}-libbpf.bpf.o"))?, shared("corpus/btf/vmlinux-6.18.44.btf")?))
}

/// The record of the last run, which is the only one.
fn record(args: &[&str]) -> Value {
    let (code, runs) = json(args);
    assert_eq!(code, 0);
    let (last, before) = runs.split_last().unwrap();
    assert!(before.iter().all(|run| run["records"].is_null()), "{before:#?}");
    assert_eq!(last["records"].as_array().map(Vec::len), Some(1), "{last:#}");
    last["records"][0].clone()
}

#[test]
fn opensnoop_tells_of_a_file() {
    let Some((object, target)) = tool("opensnoop") else { return };
    for call in ["open", "openat", "openat2"] {
        let name = if call == "open" { "args[0]" } else { "args[1]" };
        let how = match call {
            "open" => "args[1]=577,args[2]=0x1a4",
            "openat" => "args[2]=577,args[3]=0x1a4",
            _ => "args[2]=&(struct open_how){.flags = 577, .mode = 420}",
        };
        let record = record(&[
            "run",
            &object,
            "--target",
            &target,
            "--task",
            "pid=42,comm=cat,uid=1000",
            // Every user, as the tool itself sets it.
            "-G",
            "targ_uid=0xffffffff",
            "--event",
            &format!("sys_enter_{call}:{name}=\"/etc/passwd\",{how}"),
            "--event",
            &format!("sys_exit_{call}:ret=3"),
            "--record",
            "events=struct opensnoop_event",
            "--types",
            &own("records"),
        ]);
        assert_eq!((&record["map"], &record["type"]), (&json!("events"), &json!("struct opensnoop_event")));
        let value = &record["value"];
        assert_eq!((&value["fname"], &value["comm"]), (&json!("/etc/passwd"), &json!("cat")), "{call}");
        assert_eq!((&value["pid"], &value["uid"], &value["ret"]), (&json!(42), &json!(1000), &json!(3)), "{call}");
        assert_eq!((&value["flags"], &value["mode"]), (&json!(577), &json!(0o644)), "{call}");
    }
}

#[test]
fn a_variable_that_is_set_before_load_changes_what_is_told() {
    let Some((object, target)) = tool("opensnoop") else { return };
    for (failed, ret, told) in [("false", -2, true), ("true", -2, true), ("true", 3, false)] {
        let (failed, ret) = (format!("targ_failed={failed}"), format!("sys_exit_openat:ret={ret}"));
        let call =
            ["run", &object, "--target", &target, "-G", &failed, "--event", "sys_enter_openat:args[1]=\"x\"", "--event", &ret];
        assert_eq!(json(&call).1[1]["records"].is_array(), told, "{failed} {ret}");
    }
}

#[test]
fn execsnoop_tells_of_a_program_by_its_own_types() {
    let Some((object, target)) = tool("execsnoop") else { return };
    let args = [
        "run",
        &object,
        "--target",
        &target,
        "--task",
        "pid=42,comm=sh,uid=5",
        "--set",
        "task.real_parent.tgid=7",
        "--event",
        "sys_enter_execve:args[0]=\"/bin/ls\",args[1]=[\"ls\", \"-l\", \"/tmp\"]",
        "--event",
        "sys_exit_execve:ret=0",
    ];
    let record = record(&args);
    assert_eq!(record["type"], "struct event");
    let expected = json!({
        "pid": 42, "ppid": 7, "uid": 5, "retval": 0, "args_count": 3, "args_size": 16, "comm": "sh",
        "args": "/bin/ls\0-l\0/tmp"
    });
    assert_eq!(record["value"], expected);
    let text = passes(&args);
    assert!(text.contains("  events (struct event, 56 bytes):"), "{text}");
    assert!(text.contains("      .args = \"/bin/ls\\x00-l\\x00/tmp\","), "{text}");
}

#[test]
fn tcplife_tells_of_a_connection() {
    let Some((object, target)) = tool("tcplife") else { return };
    let tuple = "protocol=6,skaddr=@sk,sport=4242,dport=80,family=2,saddr=10.0.0.1,daddr=192.168.1.2";
    let record = record(&[
        "run",
        &object,
        "--target",
        &target,
        "--task",
        "pid=42,comm=curl",
        "--clock",
        "1s",
        "--object",
        "sk=tcp_sock",
        "--set",
        "sk.bytes_received=1000",
        "--set",
        "sk.bytes_acked=77",
        "--event",
        &format!("inet_sock_set_state:newstate=2,{tuple}"),
        "--event",
        &format!("inet_sock_set_state:newstate=7,{tuple},@clock=+3ms"),
        // Only one type has as many bytes as the record.
        "--types",
        &own("records"),
    ]);
    let expected = json!({
        "saddr": [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "daddr": [192, 168, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        "ts_us": 1_003_000, "span_us": 3000, "rx_b": 1000, "tx_b": 77, "pid": 42, "sport": 4242, "dport": 80, "family": 2,
        "comm": "curl"
    });
    assert_eq!((&record["type"], &record["value"]), (&json!("struct tcplife_event"), &expected));
}

#[test]
fn biosnoop_tells_of_a_request() {
    let Some((object, target)) = tool("biosnoop") else { return };
    let start = ["block_io_start:rq=@rq", "blk_account_io_start:arg1=@rq", "blk_account_io_merge_bio:arg1=@rq"];
    for start in start {
        let record = record(&[
            "run",
            &object,
            "--target",
            &target,
            "--task",
            "pid=42,comm=dd",
            "--object",
            "rq=request",
            "--set",
            "rq.__data_len=4096",
            "--set",
            "rq.__sector=123",
            "--set",
            "rq.q.disk.major=8",
            "--set",
            "rq.q.disk.first_minor=1",
            "--clock",
            "1s",
            "--event",
            start,
            "--event",
            "block_rq_insert:rq=@rq",
            "--event",
            "block_rq_issue:rq=@rq,@clock=+1ms",
            "--event",
            "block_rq_complete:rq=@rq,@clock=+2ms",
            "--record",
            "events=struct biosnoop_event",
            "--types",
            &own("records"),
        ]);
        let expected = json!({
            "comm": "dd", "delta": 2_000_000, "qdelta": 0, "ts": 1_003_000_000, "sector": 123, "len": 4096, "pid": 42,
            "cmd_flags": 0, "dev": 8 << 20 | 1
        });
        assert_eq!(record["value"], expected, "{start}");
    }
}

#[test]
fn records_of_unknown_types_are_bytes() {
    let Some((object, target)) = tool("biosnoop") else { return };
    let args = [
        "run",
        &object,
        "--target",
        &target,
        "--object",
        "rq=request",
        "--event",
        "block_rq_issue:rq=@rq",
        "--event",
        "block_rq_complete:rq=@rq",
    ];
    let text = passes(&args);
    assert!(text.contains("  events (64 bytes of a type that is not known; --record says it):\n    0000  3f 00 "), "{text}");
}
