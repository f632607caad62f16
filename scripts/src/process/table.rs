//! The process table: who is in a group, when a process started, and what it was started for.

use std::process::Command;

use super::MARK;

#[expect(unsafe_code, reason = "std cannot signal a process group")]
fn kill(target: i32, signal: i32) -> bool {
    // SAFETY: kill takes two integers and touches no memory of ours.
    unsafe { libc::kill(target, signal) == 0 }
}

pub fn signal_group(leader: u32, signal: i32) {
    // A group 0 or 1 would be our own, or everybody's.
    if let Ok(leader @ 2..) = i32::try_from(leader) {
        kill(-leader, signal);
    }
}

pub fn signal(pid: u32, signal: i32) {
    if let Ok(pid @ 2..) = i32::try_from(pid) {
        kill(pid, signal);
    }
}

/// Everybody alive in the group that `leader` leads or led.
#[cfg(target_os = "linux")]
pub fn group_members(leader: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|stat| stat.group == leader && stat.state != "Z")).collect()
}

#[cfg(not(target_os = "linux"))]
pub fn group_members(leader: u32) -> Vec<u32> {
    let listed = Command::new("ps").args(["-axo", "pid=,pgid=,stat="]).output();
    let text = listed.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned()).unwrap_or_default();
    let member = |line: &str| {
        let mut words = line.split_whitespace();
        let (pid, group) = (words.next()?.parse::<u32>().ok()?, words.next()?.parse::<u32>().ok()?);
        (group == leader && !words.next()?.starts_with('Z')).then_some(pid)
    };
    text.lines().filter_map(member).collect()
}

/// When a process started: with its pid, the one name that no later process can have.
#[cfg(target_os = "linux")]
pub fn started(pid: u32) -> Option<String> {
    stat(pid).filter(|stat| stat.state != "Z").map(|stat| stat.started)
}

#[cfg(not(target_os = "linux"))]
pub fn started(pid: u32) -> Option<String> {
    let listed = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Whether the process was started for the stack of this data folder.
pub fn carries_mark(pid: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    if cfg!(target_os = "linux") {
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
        return environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes());
    }
    let listed = Command::new("ps").args(["-wwEo", "command=", "-p", &pid.to_string()]).output();
    listed.is_ok_and(|listed| String::from_utf8_lossy(&listed.stdout).contains(&wanted))
}

#[cfg(target_os = "linux")]
struct Stat {
    state: String,
    group: u32,
    started: String,
}

#[cfg(target_os = "linux")]
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may itself hold spaces and brackets.
    let mut rest = text.rsplit_once(')')?.1.split_whitespace();
    let state = rest.next()?.to_owned();
    let group = rest.nth(1)?.parse().ok()?;
    let started = rest.nth(16)?.to_owned();
    Some(Stat { state, group, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_in_the_table_and_a_pid_that_cannot_exist_is_not() {
        assert!(started(std::process::id()).is_some());
        assert_eq!(started(u32::MAX - 1), None);
    }
}
