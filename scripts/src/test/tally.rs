//! Runs what tests, shows what it says while it runs, and counts.

use std::fs::File;
use std::io::{Read as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::build::cargo;
use crate::house;
use crate::process::Launch;

/// Tests counted from the lines that test programs end with, and steps that failed before they could count.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
}

impl Tally {
    /// A step that has no tests of its own: it counts when it fails.
    pub fn step(&mut self, label: &str, outcome: Result<()>) -> bool {
        if let Err(error) = &outcome {
            println!("{label}: {error:#}");
            self.failed += 1;
        }
        outcome.is_ok()
    }

    /// Runs cargo and counts its tests; false when anything failed.
    pub async fn cargo(&mut self, label: &str, args: &[&str]) -> bool {
        println!("\n── {label}");
        let before = self.failed;
        let launch = Launch::new(label, cargo()).args(args).dir(house::root());
        let outcome = self.watch(launch, &mut std::io::stdout()).await;
        let success = self.step(label, outcome.map(|_| ())) && self.failed == before;
        if !success && self.failed == before {
            self.failed += 1;
        }
        success
    }

    /// A program whose output is shown line by line. A failure without a failed test counts as one.
    async fn watch(&mut self, launch: Launch, screen: &mut impl Write) -> Result<()> {
        let log = Log::new();
        let mut child = launch.log(&log.0).spawn()?;
        let mut file = File::open(&log.0)?;
        let mut rest = String::new();
        let failed = self.failed;
        loop {
            let status = child.status(); // Before reading, so that the last words are read too.
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            screen.write_all(&bytes)?;
            screen.flush()?;
            rest.push_str(&String::from_utf8_lossy(&bytes));
            while let Some((line, after)) = rest.split_once('\n') {
                self.read(line);
                rest = after.to_string();
            }
            let Some(status) = status else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.read(&rest);
            anyhow::ensure!(status.success() || self.failed > failed, "failed ({status}) without a failed test");
            return Ok(());
        }
    }

    /// `test result: ok. 12 passed; 0 failed; 0 ignored; …`
    fn read(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            let Some(count) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += count,
                Some("failed") => self.failed += count,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// A file that is gone afterwards.
struct Log(PathBuf);

impl Log {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cauris-test-{}-{}.log", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Log(std::env::temp_dir().join(name))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Launch {
        Launch::new("sh", "sh").args(["-c", script])
    }

    #[tokio::test]
    async fn every_result_line_counts() {
        let mut tally = Tally::default();
        let script = "echo 'test result: ok. 3 passed; 0 failed; 1 ignored; finished in 0.00s'
                      echo 'it said test result: ok. 9 passed; 9 failed'
                      printf 'test result: FAILED. 1 passed; 2 failed; 0 ignored'; exit 1";
        let mut screen = Vec::new();
        tally.watch(shell(script), &mut screen).await.unwrap();
        assert_eq!(String::from_utf8(screen).unwrap().lines().count(), 3);
        assert_eq!(tally, Tally { passed: 4, failed: 2 });
        assert_eq!(tally.to_string(), "4 passed, 2 failed");
    }

    #[tokio::test]
    async fn a_program_that_fails_without_a_failed_test_is_an_error() {
        let mut tally = Tally::default();
        let script = "echo 'test result: ok. 3 passed; 0 failed'; exit 101";
        let outcome = tally.watch(shell(script), &mut Vec::new()).await;
        assert!(!tally.step("tests", outcome));
        assert_eq!(tally, Tally { passed: 3, failed: 1 });
    }
}
