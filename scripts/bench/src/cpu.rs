//! The CPU time of a process and everything below it, to the nanosecond where the kernel says so.
//!
//! A running process is asked for its own CPU clock, which counts threads that have ended too. What a child used
//! before it ended is known to its parent only, in ticks of 10 ms: that is how a Postgres worker that came and went
//! inside a round is still counted.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// One line of `/proc/<pid>/stat`, of which two things are needed.
#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    /// Ticks that children used which have ended and were waited for.
    reaped: u64,
}

/// The name in the line is the program's to choose and may hold blanks and brackets: fields count from its last `)`.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, reaped: ticks(13)? + ticks(14)? })
}

fn all() -> Result<BTreeMap<u32, Stat>> {
    let entries = fs::read_dir("/proc").context("CPU time is read from /proc, which this system does not have")?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // A process that ends between the listing and the reading is simply no longer there.
    Ok(pids.filter_map(|pid| Some((pid, parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?))).collect())
}

/// A process and its descendants.
fn tree(root: u32, table: &BTreeMap<u32, Stat>) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(table.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// What the process and its descendants, ended ones included, have used since they started.
pub fn used(root: u32) -> Result<Duration> {
    let table = all()?;
    ensure!(table.contains_key(&root), "process {root} has ended");
    let hertz = sysconf(SysconfVar::CLK_TCK)?.context("the kernel does not say how long a tick is")?;
    let tick = Duration::from_secs(1) / u32::try_from(hertz)?;
    let mut total = Duration::ZERO;
    for pid in tree(root, &table) {
        let reaped = table.get(&pid).map_or(0, |stat| stat.reaped);
        total += tick * u32::try_from(reaped)? + running(pid).unwrap_or_default();
    }
    Ok(total)
}

/// None when it has ended meanwhile; its parent will have the figure once it has been waited for.
fn running(pid: u32) -> Option<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(pid).ok()?)).ok()?;
    clock_gettime(clock).ok().map(Duration::from)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_program_calls_itself() {
        let rest = "S 41 7 7 0 -1 4194560 100 2000 0 5 11 22 33 44 20 0 1 0 99 1000 50";
        for name in ["postgres", "a b", "x) R 1", "((", "postgres: io"] {
            let line = format!("7 ({name}) {rest}");
            assert_eq!(parse(&line), Some(Stat { parent: 41, reaped: 77 }), "{name}");
        }
    }

    #[test]
    fn a_line_that_is_cut_short_is_no_line() {
        for line in ["", "7", "7 (x", "7 (x) S", "7 (x) S 41 7 7 0 -1 0 0 0 0 0 11 22 33"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_tree_is_everyone_below_and_nobody_beside() {
        let stat = |parent| Stat { parent, reaped: 0 };
        let table = BTreeMap::from([(1, stat(0)), (5, stat(1)), (6, stat(5)), (7, stat(6)), (8, stat(1))]);
        assert_eq!(tree(5, &table), [5, 6, 7]);
    }

    #[test]
    fn work_of_a_child_is_counted_while_it_runs_and_after_it_ended() {
        let busy = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
        let script = format!("({busy}); {busy}; echo done; read stay");
        let mut shell = Command::new("sh");
        let mut shell = shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh");
        let mut line = String::new();
        let stdout = shell.stdout.take().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("done");
        let own = running(shell.id()).expect("it runs");
        let with_child = used(shell.id()).expect("it runs");
        drop(shell.stdin.take());
        shell.wait().expect("ended");
        assert!(own > Duration::ZERO && with_child > own + own / 4, "{own:?} of {with_child:?}");
        assert!(used(shell.id()).is_err(), "an ended process has a figure");
    }
}
