//! Where a cluster can live: in the data folder, or, for a root whose folders are closed to others, elsewhere.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::process::{Launch, output};

pub struct Place {
    /// Where the binaries are.
    pub native: PathBuf,
    /// Ours to fill: the cluster is one folder in it.
    pub home: PathBuf,
    pub cluster: PathBuf,
    /// Whom PostgreSQL runs as; None for ourselves.
    pub user: Option<(u32, u32)>,
    elsewhere: bool,
}

impl Place {
    pub async fn choose(data: &Path, native: &Path) -> Result<Self> {
        let root = output(Launch::new("id", "id").arg("-u")).await?.trim() == "0";
        let user = if root { Some(nobody()?) } else { None };
        let reachable = |path: &Path| user.is_none() || open_to_all(path);
        let elsewhere = !reachable(data);
        let home = if elsewhere { shelter(data)? } else { data.join("postgres") };
        make(&home, user)?;
        let native = if reachable(native) { native.to_path_buf() } else { copied(native, &home)? };
        let cluster = home.join("data");
        Ok(Self { native, home, cluster, user, elsewhere })
    }

    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// Where initdb works; renamed to the cluster when it is whole.
    pub fn staging(&self) -> PathBuf {
        self.home.join("data.new")
    }

    pub fn clear(&self, path: &Path) -> Result<()> {
        if path.exists() {
            std::fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    pub fn erase(&self) -> Result<()> {
        self.clear(&self.staging())?;
        self.clear(&self.cluster)
    }

    /// A small file that PostgreSQL's user can read and nobody else.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.home.join(name);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        if let Some((uid, gid)) = self.user {
            chown(&path, Some(uid), Some(gid))?;
        }
        Ok(path)
    }

    /// A killed PostgreSQL leaves its pid behind, and that pid may be somebody else's by now.
    /// The folder's lock is ours and stale processes have ended, so a pid that is no postgres is a dead one.
    pub fn forget_dead_postmaster(&self) {
        let file = self.cluster.join("postmaster.pid");
        let Ok(text) = std::fs::read_to_string(&file) else { return };
        let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else { return };
        let is_postgres =
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres");
        if cfg!(target_os = "linux") && !is_postgres {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// The unprivileged user every Unix has.
fn nobody() -> Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let ids = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == "nobody").then_some(())?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    users.lines().find_map(ids).context("PostgreSQL must not be root, and there is no user nobody to run it as")
}

/// Whether everybody may pass through every folder on the way.
fn open_to_all(path: &Path) -> bool {
    let exists = path.ancestors().find(|folder| folder.exists()).and_then(|folder| folder.canonicalize().ok());
    let Some(exists) = exists else { return false };
    exists.ancestors().all(|folder| std::fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o001 != 0))
}

/// A folder in the system's temporary one, the same for the same data folder on every start.
fn shelter(data: &Path) -> Result<PathBuf> {
    let key = hex::encode(&Sha256::digest(data.display().to_string().as_bytes())[..6]);
    let candidates = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
    let Some(temporary) = candidates.iter().find(|folder| folder.is_dir() && open_to_all(folder)) else {
        bail!("PostgreSQL must not be root, and there is no folder that both it and we can reach")
    };
    let shelter = temporary.join(format!("cauris-{key}"));
    if let Ok(meta) = std::fs::symlink_metadata(&shelter) {
        // Anybody could have put a folder of this name there before us.
        ensure!(meta.is_dir() && meta.uid() == 0, "{} is not ours: remove it", shelter.display());
    }
    std::fs::create_dir_all(&shelter)?;
    std::fs::set_permissions(&shelter, std::fs::Permissions::from_mode(0o755))?;
    Ok(shelter.join("postgres"))
}

fn make(home: &Path, user: Option<(u32, u32)>) -> Result<()> {
    std::fs::create_dir_all(home).with_context(|| format!("cannot create {}", home.display()))?;
    if let Some((uid, gid)) = user {
        chown(home, Some(uid), Some(gid))?;
    }
    std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// Binaries that another user cannot reach are copied to where it can, once.
fn copied(native: &Path, home: &Path) -> Result<PathBuf> {
    let copy = home.with_file_name("native");
    let complete = copy.join(".complete");
    // The package's manifest names its version: an upgrade is another copy.
    let version = std::fs::read_to_string(native.with_file_name("package.json")).unwrap_or_default();
    if !std::fs::read_to_string(&complete).is_ok_and(|copied| copied == version) {
        if copy.exists() {
            std::fs::remove_dir_all(&copy)?;
        }
        copy_tree(native, &copy).with_context(|| format!("cannot copy PostgreSQL to {}", copy.display()))?;
        std::fs::write(complete, version)?;
    }
    Ok(copy)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            let _ = std::fs::remove_file(&target);
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_below_a_closed_one_is_not_open_to_all() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).expect("closed");
        let below = dir.path().join("a/b");
        std::fs::create_dir_all(&below).expect("made");
        assert!(!open_to_all(&below));
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("opened");
        assert_eq!(open_to_all(&below), open_to_all(&std::env::temp_dir()));
    }
}
