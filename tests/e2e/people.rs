//! People to test with: each test makes its own, so tests run side by side.

use serde_json::{Value, json};
use uuid::Uuid;
use xtask::keys::{self, TokenOptions};

use crate::call::Reply;
use crate::world::World;

#[derive(Clone)]
pub struct Person {
    pub id: Uuid,
    pub email: String,
    pub token: String,
    world: &'static World,
}

/// A driver is a person with a row in `taxi.drivers`.
#[derive(Clone)]
pub struct Driver {
    pub person: Person,
    pub row: Uuid,
}

impl std::ops::Deref for Driver {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.person
    }
}

/// A rider with money, two drivers who may work, and a place where nobody else is.
pub struct Scene {
    pub rider: Person,
    pub driver: Driver,
    pub rival: Driver,
    pub at: (f64, f64),
}

/// The n-th place: a grid over Guinea, 0.2 degrees apart, farther than any search for drivers goes.
pub fn place(n: u32) -> (f64, f64) {
    let (row, column) = (n / 34 % 25, n % 34);
    (7.5 + f64::from(row) * 0.2, -14.8 + f64::from(column) * 0.2)
}

/// A point about two kilometres from `at`.
pub fn away(at: (f64, f64)) -> (f64, f64) {
    (at.0 + 0.02, at.1)
}

pub fn point(at: (f64, f64)) -> Value {
    json!({ "lat": at.0, "lng": at.1 })
}

impl World {
    pub async fn person(&'static self) -> Person {
        let id = keys::random_uuid();
        let email = format!("{}@people.test", id.simple());
        let names = json!({ "first_name": "Fatou", "last_name": "Camara" });
        let sql = "insert into auth.users (id, email, raw_user_meta_data) values ($1, $2, $3)";
        self.exec(sql, &[&id, &email, &names]).await;
        Person { id, email, token: keys::user_token(&id, &TokenOptions::default()), world: self }
    }

    /// Somebody with `amount` in a wallet, credited from a named account as any money is.
    pub async fn rich(&'static self, amount: i64, currency: &str) -> Person {
        let person = self.person().await;
        person.fund(amount, currency).await;
        person
    }

    pub async fn admin(&'static self) -> Person {
        let person = self.person().await;
        self.exec("insert into people.user_roles (user_id, role) values ($1, 'admin')", &[&person.id]).await;
        person
    }

    /// A driver who may work; he comes online by his heartbeat.
    pub async fn driver(&'static self) -> Driver {
        let person = self.person().await;
        let sql =
            "insert into taxi.drivers (user_id, status, kyc_verified, can_work) values ($1, 'offline', true, true)
                   returning id";
        let row = self.one(sql, &[&person.id]).await;
        Driver { person, row }
    }

    pub async fn driver_at(&'static self, at: (f64, f64)) -> Driver {
        let driver = self.driver().await;
        driver.online(at).await;
        driver
    }

    pub async fn scene(&'static self) -> Scene {
        let (rider, driver, rival) = tokio::join!(self.rich(500_000, "GNF"), self.driver(), self.driver());
        Scene { rider, driver, rival, at: self.place() }
    }
}

impl Person {
    pub async fn call(&self, name: &str, body: Value) -> Reply {
        self.world.call(name, &self.token, body).await
    }

    /// The same person, signed in with a second factor.
    pub fn with_second_factor(&self) -> Person {
        let options = TokenOptions { aal: "aal2".into(), ..TokenOptions::default() };
        Person { token: keys::user_token(&self.id, &options), ..self.clone() }
    }

    pub async fn fund(&self, amount: i64, currency: &str) {
        let sql = "select ledger.post('adjustment', $2,
                array[row(ledger.platform_account('provider_clearing', $2), -$3::bigint)::ledger.leg,
                      row(ledger.wallet_for($1, $2), $3)::ledger.leg],
                'test_funds', gen_random_uuid()::text, $3)";
        let _: Uuid = self.world.one(sql, &[&self.id, &currency, &amount]).await;
    }

    pub async fn wallet(&self, currency: &str) -> Uuid {
        self.world.one("select ledger.wallet_for($1, $2)", &[&self.id, &currency]).await
    }

    pub async fn balance(&self, currency: &str) -> i64 {
        let sql = "select coalesce((select balance from ledger.wallets where user_id = $1 and currency = $2), 0)";
        self.world.one(sql, &[&self.id, &currency]).await
    }

    pub async fn gnf(&self) -> i64 {
        self.balance("GNF").await
    }

    /// Every line of the journal that touches this person, as one number that changes when anything moves.
    pub async fn moves(&self) -> i64 {
        self.world.one("select count(*) from ledger.entries where user_id = $1", &[&self.id]).await
    }

    pub async fn set_wallet(&self, currency: &str, assignments: &str) {
        let wallet = self.wallet(currency).await;
        self.world.exec(&format!("update ledger.wallets set {assignments} where id = $1"), &[&wallet]).await;
    }

    pub async fn send(&self, to: &Person, amount: i64, currency: &str) -> Reply {
        let ask = json!({ "operation": "transfer", "amount": amount, "currency": currency, "recipient_id": to.id,
                          "confirm_duplicate": true });
        self.call("wallet-operations", ask).await
    }

    /// Asks for a deposit and gives the answer's body: `payment_id` is the provider's.
    pub async fn deposit(&self, amount: i64) -> Value {
        let reply = self.call("wallet-operations", json!({ "operation": "deposit", "amount": amount })).await;
        reply.ok(202).clone()
    }
}

impl Driver {
    pub async fn online(&self, at: (f64, f64)) {
        let ask = json!({ "is_online": true, "lat": at.0, "lng": at.1 });
        self.call("taxi-driver-heartbeat", ask).await.ok(200);
    }

    pub async fn status(&self) -> String {
        self.world.one("select status from taxi.drivers where id = $1", &[&self.row]).await
    }

    pub async fn accept(&self, ride: &str) -> Reply {
        self.call("taxi-accept-ride", json!({ "rideId": ride })).await
    }

    pub async fn step(&self, ride: &str, status: &str) -> Reply {
        self.call("taxi-update-ride-status", json!({ "rideId": ride, "status": status })).await
    }
}

impl Scene {
    /// The rider asks for a ride from this place; its id.
    pub async fn requested(&self) -> String {
        self.driver.online(self.at).await;
        let ask = json!({ "pickup": point(self.at), "dropoff": point(away(self.at)) });
        let reply = self.rider.call("taxi-request-ride", ask).await;
        reply.ok(201)["rideId"].as_str().expect("a ride has an id").to_owned()
    }

    pub async fn accepted(&self) -> String {
        let ride = self.requested().await;
        self.driver.accept(&ride).await.ok(200);
        ride
    }

    /// Brings an accepted ride to `last` by its driver's steps.
    pub async fn driven(&self, ride: &str, last: &str) {
        for status in ["picked_up", "in_progress", "completed"] {
            self.driver.step(ride, status).await.ok(200);
            if status == last {
                return;
            }
        }
    }

    pub async fn completed(&self) -> String {
        let ride = self.accepted().await;
        self.driven(&ride, "completed").await;
        ride
    }

    pub async fn price(&self, ride: &str) -> i64 {
        let sql = "select price_total from taxi.trips where id::text = $1";
        self.rider.world.one(sql, &[&ride]).await
    }

    pub async fn pay(&self, ride: &str, method: &str) -> Reply {
        self.rider.call("taxi-payment", json!({ "rideId": ride, "paymentMethod": method })).await
    }
}
