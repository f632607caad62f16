//! Crash points (issue 3, section 3): the process is killed at each named point between a provider's call and a commit,
//! for beginning a payment, hearing of one, paying out and refunding. Whoever was not answered asks again, the clock goes
//! on, and nothing is lost or doubled. The point is the name of the test.

mod gate;
mod init;
mod killed;
mod out;
mod outgoing;
mod webhook;

use libtest_mimic::Trial;
use tokio::sync::Mutex;

use crate::world::{World, frail_world};

/// One case after the other: each kills what the others would stand on.
static ALONE: Mutex<()> = Mutex::const_new(());

pub fn tests() -> Vec<Trial> {
    [init::points(), webhook::points(), out::points()].into_iter().flatten().collect()
}

fn point<F>(name: &str, test: fn(&'static World) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(format!("crash_points::{name}"), move || {
        crate::RUNTIME.block_on(async {
            let _alone = ALONE.lock().await;
            let world = frail_world().await;
            let since = world.cleared().await;
            test(world).await;
            world.check_books().await;
            world.nothing_is_lost_or_doubled(&since).await;
        });
        Ok(())
    })
}

/// Declares the points of a flow: each is an `async fn` of the world, and its name is the point.
macro_rules! points {
    ($($name:ident),+ $(,)?) => {
        pub fn points() -> Vec<libtest_mimic::Trial> {
            vec![$($crate::crash_points::point(stringify!($name), |world| $name(world))),+]
        }
    };
}
use points;
