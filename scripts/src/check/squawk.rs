//! squawk over every migration: what locks a table too long, or breaks the code that still runs.
//!
//! Its rules are chosen in `.squawk.toml`. A merged migration cannot be edited, so what it does against them is listed
//! here, with the reason why it was right or why it no longer matters. The list only shrinks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::process::{Launch, run};
use crate::{house, tools};

/// The file, the rule, how often, why.
const MERGED: [(&str, &str, usize, &str); 5] = [
    ("20261121095600_ride_rails", "constraint-missing-not-valid", 1, "widens a check, before the first release"),
    (
        "20261121096100_wallet_statement",
        "require-concurrent-index-creation",
        1,
        "before the first release: no rows to wait for",
    ),
    (
        "20261121096410_wallet_stats",
        "require-concurrent-index-creation",
        1,
        "before the first release: no rows to wait for",
    ),
    (
        "20261121096680_refund_sources",
        "constraint-missing-not-valid",
        1,
        "its target is new in the same file: all null",
    ),
    (
        "20261121096680_refund_sources",
        "adding-foreign-key-constraint",
        1,
        "its target is new in the same file: all null",
    ),
];

#[derive(Clone, Debug, Deserialize)]
struct Finding {
    file: String,
    line: usize,
    rule_name: String,
    message: String,
    help: Option<String>,
}

/// Where squawk cannot be had, this says so and passes; under `CI` it fails, or nobody would ever notice.
pub async fn lint() -> Result<()> {
    let files = migrations()?;
    let squawk = match tools::squawk().await {
        Ok(squawk) => squawk,
        Err(missing) if std::env::var_os("CI").is_none_or(|value| value.is_empty()) => {
            println!("NOT CHECKED: {} migrations were not read by squawk: {missing:#}", files.len());
            return Ok(());
        }
        Err(missing) => return Err(missing.context("squawk cannot be had, and CI takes nobody's word for it")),
    };
    let findings = findings(Launch::new("squawk", &squawk).args(&files)).await?;
    let offences = offences(&findings, &MERGED);
    ensure!(offences.is_empty(), "\n  {}", offences.join("\n  "));
    println!("{} migrations, nothing to mend", files.len());
    Ok(())
}

fn migrations() -> Result<Vec<PathBuf>> {
    let folder = house::root().join("migrations");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    ensure!(!files.is_empty(), "no migration in {}", folder.display());
    Ok(files)
}

/// squawk ends with 1 when it found something, and with 1 when it could not read its settings: its words decide.
async fn findings(squawk: Launch) -> Result<Vec<Finding>> {
    let root = house::root();
    let log = root.join(".cauris/logs/squawk.json");
    let launch = squawk.args(["--reporter", "json", "--config"]).arg(root.join(".squawk.toml")).dir(&root).log(&log);
    let status = run(launch).await?;
    let said = std::fs::read_to_string(&log).context("what squawk said cannot be read")?;
    let found: Vec<Finding> = match serde_json::from_str(&said) {
        Ok(found) => found,
        Err(_) => bail!("squawk ended with {status} and said: {}", said.trim()),
    };
    ensure!(status.success() == found.is_empty(), "squawk ended with {status} after {} findings", found.len());
    Ok(found)
}

/// What is not on the list, and what is on it and was not found.
fn offences(findings: &[Finding], merged: &[(&str, &str, usize, &str)]) -> Vec<String> {
    let stem = |file: &str| file.rsplit('/').next().unwrap_or(file).trim_end_matches(".sql").to_owned();
    let mut groups: BTreeMap<(String, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        groups.entry((stem(&finding.file), &finding.rule_name)).or_default().push(finding);
    }
    let mut offences = Vec::new();
    for (file, rule, times, _) in merged {
        let found = groups.remove(&((*file).to_owned(), *rule)).map_or(0, |found| found.len());
        if found != *times {
            offences.push(format!("{file}: {rule} is listed {times} times and found {found} times: mend the list"));
        }
    }
    for ((file, rule), found) in groups {
        for finding in found {
            let help = finding.help.as_deref().map(|help| format!(" {help}")).unwrap_or_default();
            offences.push(format!("migrations/{file}.sql:{}: {rule}: {}{help}", finding.line + 1, finding.message));
        }
    }
    offences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(file: &str, rule: &str) -> Finding {
        let (file, rule_name) = (format!("/some/where/migrations/{file}.sql"), rule.to_owned());
        Finding { file, line: 4, rule_name, message: "It locks.".into(), help: Some("Do not.".into()) }
    }

    #[test]
    fn what_is_listed_passes_as_often_as_it_is_listed() {
        let listed = [("1_a", "ban-drop-column", 1, "nobody reads it")];
        assert_eq!(offences(&[finding("1_a", "ban-drop-column")], &listed), [""; 0]);
        let again = [finding("1_a", "ban-drop-column"), finding("1_a", "ban-drop-column")];
        assert_eq!(
            offences(&again, &listed),
            ["1_a: ban-drop-column is listed 1 times and found 2 times: mend the list"]
        );
        assert_eq!(offences(&[], &listed), ["1_a: ban-drop-column is listed 1 times and found 0 times: mend the list"]);
    }

    #[test]
    fn another_file_and_another_rule_are_told_with_their_line() {
        let listed = [("1_a", "ban-drop-column", 1, "nobody reads it")];
        let found =
            [finding("1_a", "ban-drop-column"), finding("1_a", "ban-drop-table"), finding("2_b", "ban-drop-column")];
        assert_eq!(
            offences(&found, &listed),
            [
                "migrations/1_a.sql:5: ban-drop-table: It locks. Do not.",
                "migrations/2_b.sql:5: ban-drop-column: It locks. Do not."
            ]
        );
    }

    #[tokio::test]
    async fn squawk_finds_what_it_should_and_says_what_it_cannot_read() {
        let Some(squawk) = tools::installed_squawk() else { return }; // `lint` comes first in `check`, and says so.
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("1_drop.sql");
        std::fs::write(&file, "alter table core.outbox drop column payload;\n").unwrap();
        let found = findings(Launch::new("squawk", &squawk).arg(&file)).await.unwrap();
        assert_eq!(found.iter().map(|found| found.rule_name.as_str()).collect::<Vec<_>>(), ["ban-drop-column"]);
        assert!(findings(Launch::new("squawk", &squawk).arg("--no-such-flag")).await.is_err());
    }
}
