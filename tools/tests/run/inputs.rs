//! Contexts, arguments, maps and the world, as the command line gives them, and what programs made of them.

use serde_json::{Value, json};

use crate::common::{Scratch, json, own, passes, told};

const FRAME: &str = "020000000002 020000000001 0800 45000014000000004001f96a0a0000010a000002";

/// The one run of a call that passes.
fn run(args: &[&str]) -> Value {
    let (code, runs) = json(&[&["run", &own("inputs")], args].concat());
    assert_eq!((code, runs.len()), (0, 1), "{runs:#?}");
    runs[0].clone()
}

/// What a program put into the map `seen`, by its keys.
fn seen(args: &[&str]) -> impl Fn(u64) -> Value + use<> {
    let (code, answers) = json(&[&["run", &own("inputs")], args, &["--dump", "seen"]].concat());
    assert_eq!(code, 0, "{answers:#?}");
    let entries = answers.last().unwrap()["maps"]["seen"].as_array().unwrap().clone();
    move |key| entries.iter().find(|entry| entry["key"] == key).map_or(Value::Null, |entry| entry["value"].clone())
}

#[test]
fn what_a_program_changed_is_shown() {
    let args = ["rewrite", "--packet", FRAME, "--ctx", "mark=7, priority=3"];
    let run = run(&args);
    assert_eq!((&run["verdict"], &run["retval"]), (&json!("TC_ACT_PIPE"), &json!(3)));
    let changed = json!({ "mark": { "before": 7, "after": 8 }, "cb[1]": { "before": 0, "after": 9 } });
    assert_eq!(run["context"], changed);
    assert_eq!(run["packet_out"].as_str().unwrap()[..24], *"020000000001020000000002");
    assert!(run["printk"][0].as_str().unwrap().contains("mark 7, priority 3"), "{run}");

    let text = passes(&[&["run", &own("inputs")], &args[..]].concat());
    let expected = "  packet changed:\n    \
                    - 0000  02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00  ..............E.\n    \
                    + 0000  02 00 00 00 00 01 02 00 00 00 00 02 08 00 45 00  ..............E.\n  \
                    mark: 7 -> 8\n  cb[1]: 0 -> 9\n  printk: ";
    assert!(text.starts_with("rewrite: TC_ACT_PIPE (3), ") && text.contains(expected), "{text}");
}

#[test]
fn packets_of_events() {
    let file = Scratch::new("event.bin", &[0; 60]);
    let events = [format!("called:@packet=hex:{FRAME}"), format!("rewrite:mark=1,@packet=@{}", file.path())];
    let (code, runs) = json(&["run", &own("inputs"), "--event", &events[0], "--event", &events[1]]);
    assert_eq!((code, &runs[0]["retval"], &runs[1]["context"]["mark"]["after"]), (0, &json!(120), &json!(2)));
    assert_eq!(runs[1]["packet"], "00".repeat(60));
}

#[test]
fn fields_of_contexts_by_name() {
    let connect = ["connect", "--ctx", "user_ip4=10.0.0.1,user_port=0x1900"];
    let saw = seen(&connect);
    assert_eq!((saw(1), saw(2)), (json!(0x0100_000a), json!(0x1900)));
    assert_eq!(run(&connect)["verdict"], "refuse");
    assert_eq!(run(&["connect", "--ctx", "user_port=80"])["verdict"], "allow");
    assert_eq!(run(&["by_port", "--ctx", "family=10,protocol=6,local_port=80,local_ip6=2001:db8::1"])["verdict"], "SK_PASS");
    let (code, _, err) = told(&["run", &own("inputs"), "by_port", "--ctx", "local_prot=80"]);
    assert_eq!(code, 2);
    assert!(err.contains("bpf_sk_lookup has no field `local_prot`; it has ") && err.contains("local_port"), "{err}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn arguments_of_a_probe_point_to_memory() {
    let word = u64::from_le_bytes(*b"hello\0\0\0");
    for argument in ["arg2=\"hello\"", "si=\"hello\"", "arg2=kernel:\"hello\"", "arg2=&hex:68656c6c6f00"] {
        let saw = seen(&["probed", "--ctx", argument]);
        assert_eq!((saw(3), saw(4), saw(5)), (json!(6), json!(word), json!((-14i64) as u64)), "{argument}");
    }
    let saw = seen(&["probed", "--ctx", "arg2=user:\"hello\""]);
    // What reads the kernel says of addresses of the user that they are out of range.
    assert_eq!((saw(3), saw(5)), (json!((-34i64) as u64), json!(6)));
}

#[test]
fn a_record_by_the_types_of_its_program() {
    let run = run(&["asked", "--ctx", "first=2,second=40"]);
    assert_eq!((&run["retval"], &run["context_out"]), (&json!(0), &json!({ "first": 2, "second": 42 })));
    let bytes = json(&["run", &own("inputs"), "asked", "--ctx", "hex:0200000000000000 2800000000000000"]).1;
    assert_eq!(bytes[0]["context_out"], run["context_out"]);
}

#[test]
fn arguments_without_types_have_numbers() {
    let saw = seen(&["--event", "raw:arg1=5,arg2=-1"]);
    assert_eq!((saw(6), saw(7)), (json!(5), json!(u64::MAX)));
}

#[test]
fn maps_start_with_what_they_are_given() {
    let maps = ["outer[2]=@second", "second[1]=77", "calls[3]=@called", "outer[2]=@first"];
    let args = |some: &[&'static str]| {
        let fixtures: Vec<&str> = some.iter().flat_map(|map| ["--map", map]).collect();
        run(&[&["inside", "--packet", FRAME][..], &fixtures].concat())["retval"].clone()
    };
    assert_eq!(args(&maps[..2]), 77);
    assert_eq!(args(&[]), 7);
    // A tail call; the program sees what follows the link-layer header.
    assert_eq!(args(&maps[2..3]), 120);
    // The map that is put there last counts.
    assert_eq!((args(&maps), args(&maps[..3])), (json!(0), json!(77)));
}

#[test]
fn typed_untyped_and_per_cpu_values() {
    let args = [
        "run",
        &own("inputs"),
        "world",
        "--packet",
        FRAME,
        "--cpus",
        "2",
        "--map",
        "rules[{.mark = 1, .port = 2, .action = 3}]={4, 5, 6}",
        "--map",
        "rules[{1, 2, 3}].port=9",
        "--map",
        "untyped[1]=hex:010203040506",
        "--map",
        "untyped[2]=\"abc\"",
        "--map",
        "untyped[3]=-2",
        "--map",
        "per_cpu[1]=8",
        "--dump",
        "rules",
        "--dump",
        "untyped",
        "--dump",
        "per_cpu",
    ];
    let (_, answers) = json(&args);
    let maps = &answers[1]["maps"];
    let rule = json!({ "key": { "mark": 1, "port": 2, "action": 3 }, "value": { "mark": 4, "port": 9, "action": 6 } });
    assert_eq!(maps["rules"], json!([rule]));
    assert_eq!(maps["untyped"][1]["value"], json!(["0x01", "0x02", "0x03", "0x04", "0x05", "0x06"]));
    assert_eq!(maps["untyped"][2]["value"], json!(["0x61", "0x62", "0x63", "0x00", "0x00", "0x00"]));
    assert_eq!(maps["untyped"][3]["value"], json!(["0xfe", "0xff", "0xff", "0xff", "0xff", "0xff"]));
    assert_eq!(maps["per_cpu"][1]["values"], json!([{ "cpu": 0, "value": 8 }, { "cpu": 1, "value": 8 }]));
    let text = passes(&args);
    assert!(text.contains("  [{.mark = 1, .port = 2, .action = 3}] = {.mark = 4, .port = 9, .action = 6}\n"), "{text}");
    assert!(text.contains("  [1] = hex:010203040506\n") && text.contains("  [1] cpu 1 = 8\n"), "{text}");
    assert!(
        text.contains("map untyped: 4 entries\n  [1] = ") && text.contains("feffffffffff\n  and 1 entry of zeros\n"),
        "{text}"
    );

    // What was shown can be read again.
    let file = Scratch::new("maps.json", answers[1].to_string().as_bytes());
    let dumps = ["--dump", "rules", "--dump", "untyped", "--dump", "per_cpu"];
    let again = [&["world", "--packet", FRAME, "--cpus", "2", "--maps", file.path()][..], &dumps].concat();
    assert_eq!(json(&[&["run", &own("inputs")][..], &again].concat()).1[1], answers[1]);
}

#[test]
fn queues_and_stacks_have_no_keys() {
    let run = |args: &[&str]| json(&[&["run", &own("kinds"), "use_hash", "--packet", FRAME][..], args].concat()).1;
    let dumps = ["--dump", "queue", "--dump", "stack"];
    let pushed = ["--map", "queue[]=1", "--map", "queue[]=2", "--map", "stack[]=3", "--map", "stack[]=4"];
    let answer = run(&[&pushed[..], &dumps].concat()).last().unwrap().clone();
    assert_eq!(answer["maps"], json!({ "queue": [{ "value": 1 }, { "value": 2 }], "stack": [{ "value": 3 }, { "value": 4 }] }));

    // What was shown can be read again, and comes back in the same order.
    let file = Scratch::new("queues.json", answer.to_string().as_bytes());
    assert_eq!(run(&[&["--maps", file.path()][..], &dumps].concat()).last().unwrap(), &answer);
    let text = passes(&[&["run", &own("kinds"), "use_hash", "--packet", FRAME][..], &pushed, &dumps].concat());
    assert!(text.contains("map queue: 2 entries\n  1\n  2\nmap stack: 2 entries\n  3\n  4\n"), "{text}");
}

#[test]
fn fixtures_that_do_not_fit() {
    for (map, says) in [
        ("nobody[1]=2", "no map `nobody`"),
        ("seen[1]", "`seen[1]` is no assignment"),
        ("seen=1", "`seen=1` is no map element"),
        ("seen[1]=\"text\"", "text cannot be written to it"),
        ("seen[4294967296]=1", "does not fit in 32 bits"),
        ("untyped[0]=hex:01", "a value of 1 bytes for a value of 6"),
        ("untyped[9]=1", "map `untyped`: E2BIG"),
        ("seen[1]=@first", "map `seen` cannot hold `@first`"),
        ("outer[1]=@nobody", "no map `nobody`"),
        ("outer[1]=@seen", "map `outer`: EINVAL"),
    ] {
        let (code, out, err) = told(&["run", &own("inputs"), "world", "--packet", FRAME, "--map", map]);
        assert_eq!((code, out.as_str()), (2, ""), "{map}");
        assert!(err.starts_with(&format!("error: --map '{map}'\n  caused by: ")) && err.contains(says), "{err}");
    }
}

#[test]
fn the_world_is_what_it_is_told_to_be() {
    let world = ["--clock", "5s", "--cpus", "4", "--cpu", "3", "--seed", "42", "--map", "per_cpu[1]=6"];
    let saw = seen(&[&["world", "--packet", FRAME][..], &world].concat());
    assert_eq!((saw(10), saw(11), saw(13), saw(14)), (json!(5_000_000_000u64), json!(3), json!(6), json!(34)));
    let again = seen(&[&["world", "--packet", FRAME][..], &world].concat());
    assert_eq!(saw(12), again(12));
    assert_ne!(saw(12), seen(&["world", "--packet", FRAME, "--seed", "43"])(12));
    let (code, _, err) = told(&["run", &own("inputs"), "world", "--packet", FRAME, "--cpu", "4"]);
    assert_eq!((code, err.as_str()), (2, "error: CPU 4 of 1: --cpus says how many there are\n"));
}

#[test]
fn a_run_is_done_again_and_shown_once() {
    let run = run(&["rewrite", "--packet", FRAME, "--repeat", "100"]);
    assert_eq!(run["printk"].as_array().map(Vec::len), Some(1));
    assert!(run["average_ns"].is_u64());
}

#[test]
fn a_trace_shows_what_each_instruction_changed() {
    let args = ["run", &own("inputs"), "by_port", "--ctx", "family=2,protocol=6,local_port=80", "--trace"];
    let text = passes(&args);
    assert!(text.contains("; return ctx->local_port == 80 ? SK_PASS : SK_DROP; @ ./inputs.bpf.c:"), "{text}");
    assert!(text.contains("r2=0x50\n") || text.contains("r1=0x50\n"), "{text}");
    let (_, runs) = json(&args);
    let steps = runs[0]["trace"].as_array().unwrap();
    assert_eq!((steps.len() as u64, &runs[0]["trace_dropped"]), (runs[0]["executed"].as_u64().unwrap(), &json!(0)));
    assert_eq!(steps.last().unwrap()["text"], "exit");
    let short = json(&["run", &own("inputs"), "by_port", "--ctx", "family=2,protocol=6,local_port=80", "--trace=2"]).1;
    assert_eq!((short[0]["trace"].as_array().unwrap().len(), &short[0]["trace_dropped"]), (2, &json!(steps.len() - 2)));
}

#[test]
fn a_trap_says_where() {
    let packet = "00".repeat(60);
    let crash = |args: &[&str]| told(&[&["run", &own("crash")], args].concat());
    let (code, out, _) = crash(&["unchecked", "--packet", &packet]);
    assert_eq!(code, 1);
    assert!(out.starts_with("unchecked: stopped after ") && out.contains(": read of 8 bytes at 0x0: null pointer\n"), "{out}");
    assert!(out.contains("  at count_of, instruction ") && out.contains("return *count + 1;"), "{out}");
    let (code, runs) = json(&["run", &own("crash"), "beyond", "--packet", &packet]);
    assert_eq!((code, &runs[0]["outcome"]), (1, &json!("stopped")));
    assert_eq!(runs[0]["place"]["source"]["text"], "return data[100];");
    assert_eq!(runs[0]["place"]["registers"].as_array().map(Vec::len), Some(11));
    let (code, out, _) = crash(&["forever", "--packet", &packet, "--budget", "1000"]);
    assert_eq!(code, 1);
    assert!(out.contains("stopped after 1000 instructions: the budget of 1000 instructions is used up"), "{out}");
}

#[test]
fn programs_go_by_several_names() {
    let verdict =
        |name: &str| json(&["run", &own("inputs"), name, "--ctx", "family=2,protocol=6,local_port=80"]).1[0]["program"].clone();
    assert_eq!((verdict("by_port"), verdict("sk_lookup")), (json!("by_port"), json!("by_port")));
    assert_eq!(json(&["run", &own("inputs"), "do_something"]).1[0]["program"], "probed");
    for (name, says) in
        [("socket", "could be any of inside, called"), ("nobody", "no program is called `nobody`; the object has rewrite")]
    {
        let (code, _, err) = told(&["run", &own("inputs"), name]);
        assert!(code == 2 && err.contains(says), "{err}");
    }
    assert!(told(&["run", &own("inputs")]).2.contains("the object has several programs, name one: rewrite, "));
    assert!(told(&["run", "/nowhere.o"]).2.starts_with("error: cannot read the object `/nowhere.o`\n  caused by: "));
}
#[test]
fn a_packet_that_grows() {
    let run = run(&["grow", "--packet", FRAME]);
    let (before, after) = (run["packet"].as_str().unwrap(), run["packet_out"].as_str().unwrap());
    assert_eq!((&run["verdict"], after), (&json!("XDP_TX"), &*format!("01020304{before}")));
    let text = passes(&["run", &own("inputs"), "grow", "--packet", FRAME]);
    assert!(text.contains("  packet changed, 34 bytes to 38:\n"), "{text}");
}

#[test]
fn a_redirect_says_where_to() {
    let args = ["forward", "--packet", FRAME, "--ctx", "mark=1"];
    let run = run(&args);
    assert_eq!((&run["verdict"], &run["redirect"]), (&json!("TC_ACT_REDIRECT"), &json!({ "device": 1, "ingress": true })));
    assert!(passes(&[&["run", &own("inputs")], &args[..]].concat()).contains("  redirect: to the receive side of device 1\n"));
}

#[test]
fn devices_and_routes() {
    let world = [
        "routed",
        "--packet",
        FRAME,
        "--device",
        "index=2,name=eth0,address=10.0.0.1,forwarding=true",
        "--device",
        "index=3,mac=02:00:00:00:00:33",
        "--route",
        "to=10.1.0.0/16,device=3,via=10.0.0.254",
        "--neighbour",
        "addr=10.0.0.254,device=3,mac=02:00:00:00:00:fe",
        "--ctx",
        "ifindex=2",
    ];
    let saw = seen(&world);
    let mac = u64::from_le_bytes([2, 0, 0, 0, 0, 0xfe, 0, 0]);
    assert_eq!((saw(20), saw(21), saw(22)), (json!(0), json!(3), json!(mac)));
    for (option, text, says) in [
        ("--device", "name=x", "a device needs `index=`"),
        ("--device", "index=3,mac=1:2", "a device: `1:2` is no value for `mac`"),
        ("--route", "to=10.0.0.0/33,device=1", "a route: `10.0.0.0/33` is no value for `to`"),
        ("--route", "to=10.0.0.0/8,device=1,gateway=1", "a route has no field `gateway`; it has to, device, via"),
        ("--cgroup", "id=x", "a cgroup: `x` is no value for `id`"),
    ] {
        let (code, _, err) = told(&["run", &own("inputs"), "routed", "--packet", FRAME, option, text]);
        assert_eq!(code, 2);
        assert!(err.starts_with(&format!("error: {option} '{text}'\n  caused by: {says}")), "{err}");
    }
}

#[test]
fn cgroups_have_parents() {
    let saw = seen(&["grouped", "--cgroup", "id=7", "--cgroup", "id=9,parent=7,name=web", "--task", "cgroup=9"]);
    assert_eq!((saw(23), saw(24)), (json!(9), json!(7)));
}

#[test]
fn types_and_sizes_that_the_object_does_not_say() {
    // As a socket filter it sees what follows the link-layer header, as a classifier the whole frame.
    assert_eq!(run(&["called", "--packet", FRAME])["retval"], 120);
    assert_eq!(run(&["called", "--packet", FRAME, "--type", "tc"])["retval"], 134);
    assert!(
        told(&["run", &own("inputs"), "called", "--packet", FRAME, "--type", "nothing"]).2.contains("no section is called so")
    );
    let sized = ["called", "--packet", FRAME, "--map", "untyped[7]=1", "--resize", "untyped.max_entries=8"];
    assert_eq!(run(&sized)["retval"], 120);
    assert_eq!(told(&[&["run", &own("inputs")], &sized[..5]].concat()).0, 2);
    assert!(told(&["run", &own("inputs"), "called", "--resize", "untyped.colour=8"]).2.contains("a map has no field `colour`"));
}

#[test]
fn what_is_not_simulated_is_not_decided() {
    let (code, out, err) = told(&["run", &own("crash"), "unknown", "--packet", FRAME]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(
        err.starts_with("error: program `unknown`, instruction ") && err.ends_with(": helper number 999 is not simulated\n"),
        "{err}"
    );
}
