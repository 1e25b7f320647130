//! Tests that set up devices and routes do it in a network namespace of their own.

use std::process::Command;

/// Set in the process that runs in the namespace.
const INSIDE: &str = "SKEP_TEST_NAMESPACE";

/// Runs a test in a new network namespace: true in there; outside, runs the test of this name again, inside, and gives false.
pub(crate) fn inside(name: &str) -> bool {
    if !crate::script::kernel() {
        return false;
    }
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    for tool in ["unshare", "ip"] {
        if Command::new(tool).arg("--version").output().is_err() && Command::new(tool).arg("-V").output().is_err() {
            println!("skipped: needs {tool}");
            return false;
        }
    }
    let exe = std::env::current_exe().expect("this program");
    let ran = Command::new("unshare").arg("-n").arg(exe).args(["--exact", name, "--nocapture"]).env(INSIDE, "1").output();
    let ran = ran.expect("a namespace");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "in the namespace: {said}");
    false
}

/// Runs `ip` with the words of each line.
pub(crate) fn ip(lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let ran = Command::new("ip").args(line.split_whitespace()).output().expect("ip");
        assert!(ran.status.success(), "ip {line}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// Sets a variable under `/proc/sys/net`.
pub(crate) fn sysctl(path: &str, value: &str) {
    let path = format!("/proc/sys/net/{path}");
    std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
}

fn show(name: &str) -> String {
    let ran = Command::new("ip").args(["-o", "link", "show", "dev", name]).output().expect("ip");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// Waits until a device that was set up carries packets: the kernel notices a little later.
pub(crate) fn wait_for(name: &str) {
    let carries = || show(name).contains("state UP");
    let ready = (0..500).any(|_| {
        carries() || {
            std::thread::sleep(std::time::Duration::from_millis(10));
            false
        }
    });
    assert!(ready, "{}", show(name));
}

/// The number of a device.
pub(crate) fn index_of(name: &str) -> u32 {
    let line = show(name);
    line.split(':').next().and_then(|index| index.trim().parse().ok()).unwrap_or_else(|| panic!("no device {name}: {line}"))
}
