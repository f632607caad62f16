//! Postgres's own load generator, with scripts of ours. Its log has a line for each transaction: only those inside the
//! window count, so that opening its sessions does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xtask::postgres;
use xtask::process::{Launch, on_path, output};

use super::books::Books;
use super::{AMOUNT, Crowd, Pattern, Sample, Subject};

pub struct Pgbench {
    program: PathBuf,
    pub version: String,
    dir: PathBuf,
    port: u16,
}

impl Pgbench {
    /// None where it is not installed: its rows are left out, and one line says so.
    pub async fn find(dir: &Path, books: &Books) -> Result<Option<Self>> {
        let Some(program) = on_path("pgbench") else {
            eprintln!(
                "there is no pgbench on PATH: the rows `pgbench` and `bare` are skipped \
                 (Debian: apt install postgresql, or postgresql-contrib; it may be older than the server)"
            );
            return Ok(None);
        };
        let said = output(Launch::new("pgbench", &program).arg("--version")).await?;
        let dir = dir.join("pgbench");
        fs::create_dir_all(&dir)?;
        Ok(Some(Self { program, version: version(&said), dir, port: books.port }))
    }

    /// Runs for at least `span` after its sessions are open.
    pub fn run(
        &self,
        subject: Subject,
        crowd: Crowd,
        span: Duration,
    ) -> Result<impl Future<Output = Result<Vec<Sample>>> + Send + 'static> {
        let script = self.dir.join(format!("{}.sql", subject.name()));
        fs::write(&script, text(subject, crowd))?;
        let log = self.dir.join("log");
        fs::create_dir_all(&log)?;
        let clients = crowd.case.clients;
        // It counts whole seconds, and from before its sessions are open.
        let seconds = (span.as_secs_f64() + 1.0).ceil();
        let launch = Launch::new("pgbench", &self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--log", "--host=127.0.0.1"])
            // As the owner: before version 16 it prepares a whole script ahead of its first transaction, and its role.
            .args([format!("--port={}", self.port), format!("--username={}", postgres::USER)])
            .arg(format!("--time={seconds:.0}"))
            .args([format!("--client={clients}"), format!("--jobs={}", clients.min(2))])
            .args([format!("--log-prefix={}", log.join("of").display()), format!("--file={}", script.display())])
            .arg("postgres")
            .env("PGPASSWORD", postgres::PASSWORD)
            .dir(&self.dir);
        Ok(async move {
            let report = output(launch).await?;
            let mut samples = Vec::new();
            for file in fs::read_dir(&log)? {
                samples.extend(logged(&fs::read_to_string(file?.path())?)?);
            }
            fs::remove_dir_all(&log)?;
            let (processed, failed) = counts(&report).with_context(|| format!("pgbench reports {report}"))?;
            ensure!(failed == 0, "{failed} transactions of pgbench failed");
            ensure!(processed == samples.len(), "pgbench reports {processed} transactions and logs {}", samples.len());
            Ok(samples)
        })
    }
}

/// What each client does, over and over.
fn text(subject: Subject, crowd: Crowd) -> String {
    let share = crowd.share();
    let payee = match crowd.case.pattern {
        Pattern::Spread => format!(":client_id * {share} + (:turn + 1) % {share}"),
        Pattern::Hot => crowd.callers.to_string(),
    };
    let pair =
        format!("\\set turn random(0, {})\n\\set payer :client_id * {share} + :turn\n\\set payee {payee}\n", share - 1);
    let work = if subject == Subject::Bare { bare() } else { transfer() };
    format!("{pair}{work}")
}

/// The same four crossings, the same settings and the same ask as our own load's.
fn transfer() -> String {
    let user = |name: &str| format!("'00000000-0000-4000-8000-' || lpad(:{name}::text, 12, '0')");
    let settings = [
        ("role", "'authenticated'".to_owned()),
        ("request.method", "'POST'".into()),
        ("request.path", "'/rpc/wallet_operations'".into()),
        ("request.headers", "'{\"x-request-id\": \"pgbench\"}'".into()),
        (
            "request.jwt.claims",
            format!(
                "'{{\"aud\": \"authenticated\", \"role\": \"authenticated\", \"sub\": \"' || {} || '\"}}'",
                user("payer")
            ),
        ),
    ];
    let calls = settings.map(|(name, value)| format!("set_config('{name}', {value}, true)")).join(", ");
    format!(
        "begin;\nselect {calls};\n\
         select api.wallet_operations(jsonb_build_object('operation', 'transfer', 'amount', {AMOUNT}, 'currency', 'GNF', \
         'recipient_id', {}, 'idempotency_key', gen_random_uuid()::text));\ncommit;\n",
        user("payee")
    )
}

fn bare() -> String {
    format!(
        "\\set low least(:payer, :payee)\n\\set high greatest(:payer, :payee)\n\
         \\set moved case when :payer = :low then -{AMOUNT} else {AMOUNT} end\n\
         begin;\nupdate public.bench_accounts set balance = balance + :moved::bigint where id = :low::bigint;\n\
         update public.bench_accounts set balance = balance - :moved::bigint where id = :high::bigint;\ncommit;\n"
    )
}

/// `pgbench (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15.18.
fn version(said: &str) -> String {
    said.split_ascii_whitespace().nth(2).unwrap_or("of an unknown version").to_owned()
}

/// How many transactions its report counts as processed and as failed; before version 15 none could fail and go on.
fn counts(report: &str) -> Option<(usize, usize)> {
    let after = |label: &str| report.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(": "));
    // Without --time it would be `10/10`.
    let number = |text: &str| text.split([' ', '/']).next()?.parse().ok();
    let failed = after("number of failed transactions").map_or(Some(0), number)?;
    Some((number(after("number of transactions actually processed")?)?, failed))
}

/// One line per transaction: client, number, µs, script, then its end as seconds and µs since the epoch.
fn logged(text: &str) -> Result<Vec<Sample>> {
    let sample = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let at = Duration::from_secs(number(4)?) + Duration::from_micros(number(5)?);
        Some(Sample { at, took: Duration::from_micros(number(2)?) })
    };
    text.lines().map(|line| sample(line).with_context(|| format!("pgbench logs {line:?}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Case;
    use super::*;

    const REPORT: &str = "pgbench (15.18 (Debian 15.18-0+deb12u1), server 18.4)\ntransaction type: ours.sql\n\
        scaling factor: 1\nquery mode: prepared\nnumber of clients: 8\nnumber of threads: 2\n\
        maximum number of tries: 1\nduration: 3 s\nnumber of transactions actually processed: 2345\n\
        number of failed transactions: 0 (0.000%)\nlatency average = 10.2 ms\ntps = 781.6 (without initial connection time)\n";

    #[test]
    fn a_report_says_how_many_were_processed_and_failed() {
        assert_eq!(counts(REPORT), Some((2345, 0)));
        assert_eq!(counts(&REPORT.replace("failed transactions: 0", "failed transactions: 7")), Some((2345, 7)));
        let of_14 = "number of transactions actually processed: 12\nlatency average = 1 ms\n";
        assert_eq!(counts(of_14), Some((12, 0)));
        assert_eq!(counts("number of transactions actually processed: 10/10\n"), Some((10, 0)));
        assert_eq!(counts("pgbench: error: connection refused"), None);
    }

    #[test]
    fn a_log_line_says_when_a_transaction_ended_and_how_long_it_took() {
        let samples = logged("0 199 2241 0 1175850568 995598\n1 3 900 0 1175850569 608\n").expect("two lines");
        let expected = [(1_175_850_568_995_598, 2241), (1_175_850_569_000_608, 900)];
        let expected =
            expected.map(|(at, took)| Sample { at: Duration::from_micros(at), took: Duration::from_micros(took) });
        assert_eq!(samples, expected);
    }

    #[test]
    fn a_failed_or_half_a_line_is_an_error_and_not_a_sample() {
        for line in ["3 0 failed 0 1175850569 608", "0 199 2241 0 1175850568", "garbage"] {
            assert!(logged(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_version_is_its_number() {
        assert_eq!(version("pgbench (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), "15.18");
        assert_eq!(version(""), "of an unknown version");
    }

    #[test]
    fn a_script_keeps_to_the_accounts_of_its_client() {
        let crowd = |pattern| Crowd { callers: 640, case: Case { pattern, clients: 64 } };
        let spread = text(Subject::Bare, crowd(Pattern::Spread));
        assert!(spread.starts_with("\\set turn random(0, 9)\n") && spread.contains("(:turn + 1) % 10"), "{spread}");
        let hot = text(Subject::Pgbench, crowd(Pattern::Hot));
        assert!(hot.contains("\\set payee 640\n") && hot.contains("api.wallet_operations"), "{hot}");
    }
}
