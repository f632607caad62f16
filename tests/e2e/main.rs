//! End to end: HTTP to the gateway as clients speak it, SQL to Postgres to see what really happened.
//!
//! One stack serves all tests; each makes its own people, so they run side by side. `--list`, filters and the result
//! line are libtest's.

// At the edge a panic is a fault; here it is how a test fails.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod audit;
mod browser;
mod call;
mod clients;
mod concurrency;
mod conformance;
mod conformance_passing;
mod conformance_rest;
mod conformance_upstream;
mod crash;
mod crash_points;
mod credentials;
mod described;
mod faults_admin;
mod faults_clocks;
mod faults_closed;
mod faults_exposure;
mod faults_money;
mod faults_payments;
mod faults_payouts;
mod faults_races;
mod faults_rails;
mod faults_rules;
mod faults_schema;
mod faults_verdicts;
mod gateway;
mod hung_up;
mod issuer;
mod limits;
mod matrix;
mod observability;
mod outgoing;
mod panics;
mod payments;
mod people;
mod rails;
mod resilience;
mod ride_payment;
mod rides;
mod sandbox;
mod scenarios_holds;
mod scenarios_idempotency;
mod scenarios_inbox;
mod scenarios_load;
mod scenarios_payments;
mod scenarios_refunds;
mod scenarios_rides;
mod scenarios_wallet;
mod scenarios_webhooks;
mod sign_in;
mod sign_in_accounts;
mod sign_in_keys;
mod sign_in_links;
mod sign_in_sessions;
mod silence;
mod simulation;
mod sweeper;
mod tokens;
mod wallet;
mod webhook;
mod webhook_money;
mod world;

use std::sync::LazyLock;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

use world::World;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads for the tests"));

/// A test on the shared stack: afterwards the books balance, whatever it did.
fn trial<F>(module: &str, name: &str, test: fn(&'static World) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(format!("{module}::{name}"), move || {
        RUNTIME.block_on(async {
            let world = world::main_world().await;
            test(world).await;
            world.check_books().await;
        });
        Ok(())
    })
}

/// Declares the tests of a module: each is an `async fn` of the world, and its name is a sentence.
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub fn tests() -> Vec<libtest_mimic::Trial> {
            let module = module_path!().rsplit("::").next().unwrap_or_default();
            vec![$($crate::trial(module, stringify!($name), |world| $name(world))),+]
        }
    };
}
pub(crate) use tests;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(4);
    if !arguments.list {
        browser::install_if_root_on_debian();
    }
    let modules = [
        gateway::tests(),
        limits::tests(),
        tokens::tests(),
        wallet::tests(),
        payments::tests(),
        webhook::tests(),
        webhook_money::tests(),
        sweeper::tests(),
        rides::tests(),
        ride_payment::tests(),
        faults_money::tests(),
        faults_payments::tests(),
        faults_rules::tests(),
        faults_races::tests(),
        faults_exposure::tests(),
        faults_schema::tests(),
        faults_rails::tests(),
        faults_verdicts::tests(),
        faults_payouts::tests(),
        faults_admin::tests(),
        faults_clocks::tests(),
        faults_closed::tests(),
        concurrency::tests(),
        scenarios_holds::tests(),
        scenarios_load::tests(),
        scenarios_refunds::tests(),
        scenarios_rides::tests(),
        scenarios_wallet::tests(),
        clients::tests(),
        crash::tests(),
        rails::tests(),
        scenarios_idempotency::tests(),
        scenarios_inbox::tests(),
        scenarios_payments::tests(),
        scenarios_webhooks::tests(),
        sign_in_sessions::tests(),
        sign_in_links::tests(),
        sign_in_accounts::tests(),
        sign_in_keys::tests(),
        simulation::tests(),
        crash_points::tests(),
        described::tests(),
        audit::tests(),
        observability::tests(),
        panics::tests(),
        hung_up::tests(),
        matrix::tests(),
        resilience::tests(),
        credentials::tests(),
        issuer::tests(),
        conformance::tests(),
        conformance_passing::tests(),
        silence::tests(),
        conformance_rest::tests(),
    ];
    RUNTIME.spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            world::close().await;
            std::process::exit(130);
        }
    });
    let conclusion = libtest_mimic::run(&arguments, modules.into_iter().flatten().collect());
    RUNTIME.block_on(conformance_upstream::close());
    RUNTIME.block_on(world::close());
    conclusion.exit();
}
