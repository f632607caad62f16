//! Which file comes next, and whether the list and the folder agree. No database here.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

/// `YYYYMMDDHHMMSS_subject.sql`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub stamp: String,
    pub name: String,
    pub checksum: String,
    pub sql: String,
}

/// A line of the database's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub stamp: String,
    pub name: String,
    pub checksum: String,
}

impl File {
    pub fn new(file_name: &str, sql: String) -> Result<Self> {
        let parts = file_name.strip_suffix(".sql").and_then(|stem| stem.split_once('_'));
        let Some((stamp, name)) = parts else { bail!("migrations/{file_name} is not YYYYMMDDHHMMSS_subject.sql") };
        let good_stamp = stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit());
        ensure!(good_stamp && !name.is_empty(), "migrations/{file_name} is not YYYYMMDDHHMMSS_subject.sql");
        // A checkout on Windows must not look like an edit.
        let checksum = hex::encode(Sha256::digest(sql.replace("\r\n", "\n").as_bytes()));
        Ok(Self { stamp: stamp.into(), name: name.into(), checksum, sql })
    }

    pub fn file_name(&self) -> String {
        format!("{}_{}.sql", self.stamp, self.name)
    }
}

/// Every migration, in order.
pub fn read(folder: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let sql = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.push(File::new(&name, sql)?);
        }
    }
    files.sort_by(|a, b| a.stamp.cmp(&b.stamp));
    for pair in files.windows(2) {
        let (one, two) = (pair[0].file_name(), pair[1].file_name());
        ensure!(pair[0].stamp != pair[1].stamp, "{one} and {two} have one stamp: give the newer one another");
    }
    Ok(files)
}

/// The first file that is not applied; an error when the past is not what it was.
pub fn next<'a>(files: &'a [File], applied: &[Applied]) -> Result<Option<&'a File>> {
    for done in applied {
        let was = format!("{}_{}.sql", done.stamp, done.name);
        let Some(file) = files.iter().find(|file| file.stamp == done.stamp) else {
            bail!("{was} was applied to this database, and its file is gone: bring it back");
        };
        ensure!(
            file.checksum == done.checksum,
            "{was} was edited after it was applied: undo that and write a new migration (in development: start with --fresh)"
        );
    }
    let newest = applied.iter().map(|done| done.stamp.as_str()).max().unwrap_or_default();
    let next = files.iter().find(|file| applied.iter().all(|done| done.stamp != file.stamp));
    if let Some(late) = next.filter(|file| file.stamp.as_str() < newest) {
        bail!("{} is older than {newest}, which is applied already: give it a new stamp", late.file_name());
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(stamp: u64, sql: &str) -> File {
        File::new(&format!("202601010000{stamp:02}_subject.sql"), sql.into()).expect("a good name")
    }

    fn done(file: &File) -> Applied {
        Applied { stamp: file.stamp.clone(), name: file.name.clone(), checksum: file.checksum.clone() }
    }

    #[test]
    fn files_are_applied_in_order_and_each_once() {
        let files = [file(1, "a"), file(2, "b")];
        assert_eq!(next(&files, &[]).expect("fine"), Some(&files[0]));
        assert_eq!(next(&files, &[done(&files[0])]).expect("fine"), Some(&files[1]));
        assert_eq!(next(&files, &[done(&files[0]), done(&files[1])]).expect("fine"), None);
    }

    #[test]
    fn an_edited_a_missing_and_a_late_file_are_refused_by_name() {
        let (one, two) = (file(1, "a"), file(2, "b"));
        let edited = next(&[file(1, "changed")], &[done(&one)]).expect_err("edited").to_string();
        assert!(edited.contains("20260101000001_subject.sql was edited"), "{edited}");
        let missing = next(std::slice::from_ref(&two), &[done(&one)]).expect_err("missing").to_string();
        assert!(missing.contains("20260101000001_subject.sql was applied"), "{missing}");
        let late = next(&[one, two.clone()], &[done(&two)]).expect_err("late").to_string();
        assert!(late.contains("20260101000001_subject.sql is older than 20260101000002"), "{late}");
    }

    #[test]
    fn only_the_end_of_a_line_may_change() {
        assert_eq!(file(1, "a;\nb;\n").checksum, file(1, "a;\r\nb;\r\n").checksum);
        assert_ne!(file(1, "a;\nb;\n").checksum, file(1, "a; \nb;\n").checksum);
    }

    #[test]
    fn a_name_that_is_no_stamp_and_subject_is_refused() {
        for bad in ["1_x.sql", "20260101000001.sql", "20260101000001_.sql", "2026010100000x_a.sql"] {
            assert!(File::new(bad, String::new()).is_err(), "{bad}");
        }
    }

    #[test]
    fn two_files_cannot_have_one_stamp() {
        let dir = tempfile::tempdir().expect("dir");
        for name in ["20260101000001_a.sql", "20260101000001_b.sql", "README.md"] {
            std::fs::write(dir.path().join(name), "").expect("written");
        }
        assert!(read(dir.path()).expect_err("twins").to_string().contains("one stamp"));
    }
}
