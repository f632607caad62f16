//! `cargo xtask dev`: one command from a fresh clone to a running stack that has just proved itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::build::{self, Profile};
use crate::house::{self, Function};
use crate::stack::{Options, Prepared, Runtime, Stack};
use crate::watch::{Change, Watch};
use crate::{keys, mail, migrate, story, tools};

#[derive(clap::Args)]
pub struct Args {
    /// Stop after the story; succeed only if every step of it held
    #[arg(long)]
    exit: bool,
    /// Start without the demo story
    #[arg(long, conflicts_with = "exit")]
    no_story: bool,
    /// Forget the local database first
    #[arg(long)]
    fresh: bool,
    /// Where the functions answer (0 here and below: any free port)
    #[arg(long, value_name = "PORT", default_value_t = 54321)]
    api_port: u16,
    /// Where PostgreSQL answers
    #[arg(long, value_name = "PORT", default_value_t = 54322)]
    db_port: u16,
    /// Where the payment sandbox answers
    #[arg(long, value_name = "PORT", default_value_t = 54329)]
    sandbox_port: u16,
    /// Where mail is shown instead of being sent
    #[arg(long, value_name = "PORT", default_value_t = mail::PORT)]
    mail_port: u16,
    /// Where the REST gateway answers, behind the functions
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    rest_port: u16,
    /// Where data, logs and settings are kept [default: .cauris]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// A PostgreSQL of your own instead of the embedded one [default: $DATABASE_URL]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

impl Args {
    fn options(&self) -> Options {
        let from_environment = || std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        Options {
            api_port: self.api_port,
            db_port: self.db_port,
            rest_port: self.rest_port,
            sandbox_port: self.sandbox_port,
            mail_port: self.mail_port,
            database_url: self.database_url.clone().or_else(from_environment),
            runtime: Runtime::WranglerDev,
            rate_limits: true,
            throwaway: false,
            quiet: false,
            ..Options::ephemeral(self.data_dir.clone().unwrap_or_else(|| house::root().join(".cauris")))
        }
    }
}

pub async fn run(args: Args) -> Result<()> {
    let begun = Instant::now();
    let options = args.options();
    // What can fail at once fails before anything slow begins.
    let prepared = Prepared::new(options)?;
    prepared.check_database().await?;
    tools::ensure().await?;
    println!("Data and logs: {}    tools: {}", prepared.data_dir().display(), tools::cache().join("tools").display());
    if args.fresh {
        prepared.erase().await?;
    }
    // Before the build: what is saved while it runs is built next.
    let watch = Watch::new(&house::root())?;
    println!("Building the functions");
    build::build(&[], Profile::Fast).await.context("the build is broken")?;
    println!("Starting the stack");
    let mut stack = prepared.start().await?;
    println!("Ready after {:.1} s", begun.elapsed().as_secs_f32());
    let mut token = None;
    if !args.no_story {
        token = Some(story::tell(&stack).await.context("the story broke off")?);
    }
    if args.exit {
        stack.stop().await;
        return Ok(());
    }
    print_status(&stack, token);
    let outcome = serve(&mut stack, watch).await;
    stack.stop().await;
    outcome
}

fn print_status(stack: &Stack, token: Option<String>) {
    let mut lines = vec![
        ("API URL", stack.api_url.clone()),
        ("Functions URL", format!("{}/functions/v1/<name>", stack.api_url)),
        ("REST URL", format!("{}/rest/v1", stack.api_url)),
        ("API reference", format!("{}/docs", stack.api_url)),
        ("DB URL", stack.db_url.clone()),
        ("Payment sandbox", stack.sandbox_url.clone()),
        ("Mail", stack.mail_url.clone()),
        ("JWT secret", keys::JWT_SECRET.to_owned()),
        ("publishable key", keys::PUBLISHABLE_KEY.to_owned()),
        ("secret key", keys::SECRET_KEY.to_owned()),
        ("anon key", keys::anon_key()),
        ("service_role key", keys::service_role_key()),
        ("Logs", stack.data_dir().join("logs").display().to_string()),
    ];
    // One hour of somebody with money, to try calls with.
    lines.extend(token.map(|token| ("Aminata's token", token)));
    println!();
    for (name, value) in lines {
        println!("{name:>17}: {value}");
    }
    println!("\nServing. Save a file and it is served again; Ctrl-C ends everything.");
}

/// Until a part ends that should not; a Ctrl-C drops this from above.
async fn serve(stack: &mut Stack, mut watch: Watch) -> Result<()> {
    let mut served = house::functions()?;
    loop {
        let changes = tokio::select! {
            changes = watch.next() => changes,
            error = stack.watch_over() => return Err(error),
        };
        let begun = Instant::now();
        match serve_again(stack, &changes, &mut served).await {
            Ok(what) => println!("{what}, {:.1} s", begun.elapsed().as_secs_f32()),
            // Not the end: what was served before still is.
            Err(error) => eprintln!("not served: {error:#}"),
        }
    }
}

async fn serve_again(stack: &mut Stack, changes: &BTreeSet<Change>, served: &mut Vec<Function>) -> Result<String> {
    let mut done = Vec::new();
    if changes.contains(&Change::Migrations) {
        let applied = migrate::apply(&stack.db_url).await?;
        done.extend(applied.into_iter().map(|name| format!("applied {name}")));
    }
    let functions = house::functions()?;
    let names = to_build(changes, &functions);
    if names.as_ref().is_none_or(|names| !names.is_empty()) {
        build::build(names.as_deref().unwrap_or_default(), Profile::Fast).await?;
        done.push("built and served again".to_owned());
    }
    if *served != functions {
        // A new function, another name, another binding: settings are read at the start only.
        stack.restart_functions().await?;
        *served = functions;
        done.push("functions restarted".to_owned());
    }
    Ok(if done.is_empty() { "nothing to do".to_owned() } else { done.join(", ") })
}

/// None for all of them.
fn to_build(changes: &BTreeSet<Change>, functions: &[Function]) -> Option<Vec<String>> {
    if changes.contains(&Change::Shared) {
        return None;
    }
    let changed = |function: &&Function| changes.contains(&Change::Function(function.name.clone()));
    Some(functions.iter().filter(changed).map(|function| function.name.clone()).collect())
}
