//! How a child is started so that it ends with us, even when we are killed.

#[cfg(target_os = "linux")]
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};

use anyhow::{Result, anyhow};

/// The kernel's word that a child ends when we are killed. It counts for the *thread* that started the child,
/// hence the spawner below.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "prctl has no safe form in std; it runs alone between fork and exec")]
pub fn die_with_parent(command: &mut Command, signal: i32) {
    let parent = std::process::id();
    // SAFETY: only prctl and getppid are called, both async-signal-safe; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, signal) != 0 || libc::getppid().unsigned_abs() != parent {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_command: &mut Command, _signal: i32) {}

type Reply = Sender<std::io::Result<std::process::Child>>;

/// One thread starts every child and lives as long as we do: a pool's thread that retires would take its
/// children along.
static SPAWNER: LazyLock<Mutex<Sender<(Command, Reply)>>> = LazyLock::new(|| {
    let (jobs, inbox) = channel::<(Command, Reply)>();
    std::thread::spawn(move || {
        for (mut command, reply) in inbox {
            let _ = reply.send(command.spawn());
        }
    });
    Mutex::new(jobs)
});

pub fn spawn(command: Command) -> Result<std::process::Child> {
    let (reply, answer) = channel();
    let spawner = SPAWNER.lock().map_err(|_| anyhow!("the thread that starts processes is gone"))?;
    spawner.send((command, reply)).map_err(|_| anyhow!("the thread that starts processes is gone"))?;
    drop(spawner);
    Ok(answer.recv()??)
}
